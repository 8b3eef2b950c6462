# The real thing, asked over pipes: one request a line on stdin, one reply a line on stdout, both JSON.
require "json"
require "logger"
require "stringio"
require "active_record"
require "delayed_job_active_record"

ANSWERS = $stdout.dup.tap { |io| io.sync = true }
$stdout = $stderr
Time.zone_default = Time.find_zone!("UTC")

def captured
  before, $stdout = $stdout, StringIO.new
  yield
  $stdout.string
ensure
  $stdout = before
end

module Asked
  module_function

  def connect(url:)
    ActiveRecord::Base.establish_connection(url)
    ActiveRecord::Base.connection.execute("PRAGMA synchronous = OFF") if url.start_with?("sqlite")
    ActiveRecord::Base.descendants.each(&:reset_column_information)
    nil
  end

  def disconnect
    ActiveRecord::Base.remove_connection
    nil
  end

  # What was printed on the way up to the newest, or down by one.
  def migrate(url:, folder:, direction:)
    connect(url: url)
    Object.send(:remove_const, :Case) if direction == "up" && Object.const_defined?(:Case)
    context = ActiveRecord::MigrationContext.new(folder, ActiveRecord::SchemaMigration)
    captured { direction == "down" ? context.rollback(1) : context.migrate }
  ensure
    ActiveRecord::Base.remove_connection
  end

  # An empty queue, whose ids begin at 1.
  def start_over(max_attempts:)
    connection = ActiveRecord::Base.connection
    if connection.adapter_name == "SQLite"
      connection.execute("DELETE FROM delayed_jobs")
      connection.execute("DELETE FROM sqlite_sequence")
    else
      connection.execute("TRUNCATE delayed_jobs RESTART IDENTITY")
    end
    Delayed::Worker.destroy_failed_jobs = false
    Delayed::Worker.max_attempts = max_attempts
    @held = {}
    nil
  end

  def enqueue(now:, fails:, priority:, run_at:, queue:)
    set_clock(now)
    Delayed::Job.enqueue(OutcomeJob.new(fails), priority: priority, run_at: Time.iso8601(run_at), queue: queue).id
  end

  def reserve(now:, worker:, min_priority:, max_priority:, queues:)
    set_clock(now)
    Delayed::Worker.min_priority = min_priority
    Delayed::Worker.max_priority = max_priority
    Delayed::Worker.queues = queues
    @held[worker] = Delayed::Job.reserve(worker_named(worker))
    @held[worker]&.id
  end

  # What the worker says while it runs the job that it reserved last.
  def run(now:, worker:)
    set_clock(now)
    captured { worker_named(worker).run(@held.delete(worker)) }
  end

  def clear_locks(worker:)
    Delayed::Job.clear_locks!(worker)
    nil
  end

  def delete(id:)
    Delayed::Job.where(id: id).delete_all
    nil
  end

  def rows
    Delayed::Job.order(:id).map { |job| row(job) }
  end

  def row(job)
    times = [job.run_at, job.locked_at, job.failed_at].map { |time| time&.utc&.iso8601(6) }
    [job.id, job.priority, job.attempts, job.queue, job.locked_by, job.last_error.to_s.lines.first.to_s.chomp, *times]
  end

  def set_clock(now)
    time = Time.iso8601(now)
    Delayed::Job.define_singleton_method(:db_time_now) { time }
  end

  def worker_named(name)
    Delayed::Worker.new(quiet: false).tap { |worker| worker.name = name }
  end
end

OutcomeJob = Struct.new(:fails) do
  def perform
    raise "it fails" if fails
  end
end

$stdin.each_line do |line|
  request = JSON.parse(line, symbolize_names: true)
  reply = begin
    {answer: Asked.public_send(request.delete(:ask), **request)}
  rescue Exception => error
    {error: "#{error.class}: #{error.message}"}
  end
  ANSWERS.puts JSON.generate(reply)
end
