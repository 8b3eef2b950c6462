# Says in a file that it begins, waits until somebody makes a file `gate`, and says that it is done.
GatedJob = Struct.new(:folder) do
  def perform
    say "begun"
    sleep 0.05 until File.exist?(File.join(folder, "gate"))
    say "done"
  end

  def say(what)
    File.open(File.join(folder, "said"), "a") { |file| file.puts what }
  end
end
