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

  # What was printed on the way up to the newest, or down by one.
  def migrate(url:, folder:, direction:)
    connect(url: url)
    Object.send(:remove_const, :Case) if direction == "up" && Object.const_defined?(:Case)
    context = ActiveRecord::MigrationContext.new(folder, ActiveRecord::SchemaMigration)
    captured { direction == "down" ? context.rollback(1) : context.migrate }
  ensure
    ActiveRecord::Base.remove_connection
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
