NewsletterJob = Struct.new(:text, :emails) do
  def perform
    emails.each { |email| puts "Sent #{text.inspect} to #{email}" }
  end
end
