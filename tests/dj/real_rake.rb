# A Rails app's own rake, again and again: one request a line on stdin, one reply a line on stdout, both JSON. Each is run
# in a child of this process, which has loaded what takes long to load and nothing else. ARGV: the app's folder.
require "json"
require "tempfile"
ENV["BUNDLE_GEMFILE"] = File.join(ARGV.fetch(0), "Gemfile")
require "bundler/setup"
require "rake"
require "rails"
require "active_record/railtie"
require "delayed_job_active_record"

ANSWERS = $stdout.dup.tap { |io| io.sync = true }

def run(words:, environ:)
  out, err = Tempfile.new, Tempfile.new
  child = fork do
    $stdin.reopen(File::NULL)
    $stdout.reopen(out)
    $stderr.reopen(err)
    $stdout.sync = $stderr.sync = true
    ENV.update(environ.transform_keys(&:to_s))
    Dir.chdir(ARGV.fetch(0))
    $PROGRAM_NAME = "rake"
    Rake.application.run(words)
  end
  _, status = Process.wait2(child)
  {status: status.exitstatus, out: File.read(out.path), err: File.read(err.path), pid: child}
end

$stdin.each_line { |line| ANSWERS.puts JSON.generate(run(**JSON.parse(line, symbolize_names: true))) }
