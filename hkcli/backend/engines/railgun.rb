# Loaded into every Ruby of a dyno through RUBYOPT. Lines reach the log as they are printed, pipe or not, and the
# machine's name is the dyno's (`railgun.4682`), as it is on Heroku. Works with Ruby 1.9 and later, loads nothing.
$stdout.sync = true
$stderr.sync = true

if ENV["HOSTNAME"]
  class << IO
    def inherited(subclass)
      super
      return unless subclass.name == "Socket"
      def subclass.singleton_method_added(name)
        super
        return unless name == :gethostname && !@railgun
        @railgun = true
        class << self
          remove_method :gethostname
          def gethostname
            ENV["HOSTNAME"] || "localhost"
          end
        end
      end
    end
  end
end
