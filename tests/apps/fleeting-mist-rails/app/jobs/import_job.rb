# Is given up when it fails once, and stays on the table for somebody to look at.
ImportJob = Struct.new(:path) do
  def perform
    puts "Imported #{File.read(path)}"
  end

  def max_attempts
    1
  end

  def destroy_failed_jobs?
    false
  end
end
