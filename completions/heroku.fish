# Completion of heroku and hkcli for fish. Made from the command table by `make completions`; changes get lost.

function __heroku_values -a kind  # values as the program knows them
    set -l words (commandline -opc) (commandline -ct)
    $words[1] --complete $kind $words[3..-1] 2>/dev/null </dev/null
end

function __heroku_is -a kind  # whether the command is one of the rest, and may still have words of ours
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv[2..-1]; or return 1
    test $kind = ours; and return 0
    set -l positional 0
    set -l skip no
    for word in $words[3..-1]
        if test $skip = yes
            set skip no
        else if contains -- $word --addons -a --app --as -c --confirm --delay -d --dyno --dyno-name -e --env -F --field --host --input --name -n --num -p --port --postgres --process-type -p --ps --rate-limit --region -r --remote --shell -s --size -s --source -s --stack --status --store --times --type
            set skip yes
        else if not string match -q -- '-*' $word
            set positional (math $positional + 1)
        end
    end
    test $positional -eq 0
end

function __heroku_wants_word -a kind  # as __heroku_is, where no flag has been begun
    not string match -q -- '-*' (commandline -ct); and __heroku_is $argv
end

function __heroku_is_first
    test (count (commandline -opc)) -eq 1
end

for program in heroku hkcli
    complete -c $program -f
    complete -c $program -n __heroku_is_first -a 'login' -d 'Log in with email and password, or with an API token'
    complete -c $program -n __heroku_is_first -a 'logout' -d 'Forget the token of this platform, and make it invalid'
    complete -c $program -n __heroku_is_first -a 'whoami' -d 'Show whose token is used'
    complete -c $program -n __heroku_is_first -a 'auth:token' -d 'Print the token that is used'
    complete -c $program -n __heroku_is_first -a 'apps' -d 'List your apps, and those shared with you'
    complete -c $program -n __heroku_is_first -a 'create' -d 'Create an app, and a git remote for it in this repository'
    complete -c $program -n __heroku_is_first -a 'info' -d 'Show what is known of an app'
    complete -c $program -n __heroku_is_first -a 'rename' -d 'Give an app another name; the git remotes here follow'
    complete -c $program -n __heroku_is_first -a 'open' -d 'Open an app in the web browser'
    complete -c $program -n __heroku_is_first -a 'destroy' -d 'Destroy an app, with its add-ons and their data, for good'
    complete -c $program -n __heroku_is_first -a 'apps:create' -d 'Create an app, and a git remote for it in this repository'
    complete -c $program -n __heroku_is_first -a 'apps:info' -d 'Show what is known of an app'
    complete -c $program -n __heroku_is_first -a 'apps:rename' -d 'Give an app another name; the git remotes here follow'
    complete -c $program -n __heroku_is_first -a 'apps:open' -d 'Open an app in the web browser'
    complete -c $program -n __heroku_is_first -a 'apps:destroy' -d 'Destroy an app, with its add-ons and their data, for good'
    complete -c $program -n __heroku_is_first -a 'git:remote' -d 'Make a git remote here lead to an app; --remote names it'
    complete -c $program -n __heroku_is_first -a 'git:clone' -d 'Clone an app’s repository; --remote names the remote'
    complete -c $program -n __heroku_is_first -a 'git:credentials' -d 'Answer git when it asks for a password; git calls this itself'
    complete -c $program -n __heroku_is_first -a 'addons' -d 'List the add-ons of an app'
    complete -c $program -n __heroku_is_first -a 'addons:add' -d 'Add an add-on to an app'
    complete -c $program -n __heroku_is_first -a 'addons:remove' -d 'Remove add-ons from an app, with all that they hold'
    complete -c $program -n __heroku_is_first -a 'addons:info' -d 'Show what is known of an add-on'
    complete -c $program -n __heroku_is_first -a 'addons:services' -d 'List the add-ons that can be had'
    complete -c $program -n __heroku_is_first -a 'addons:plans' -d 'List the plans of an add-on'
    complete -c $program -n __heroku_is_first -a 'addons:upgrade' -d 'Change the plan of an add-on, up or down'
    complete -c $program -n __heroku_is_first -a 'addons:create' -d 'Add an add-on to an app'
    complete -c $program -n __heroku_is_first -a 'addons:destroy' -d 'Remove add-ons from an app, with all that they hold'
    complete -c $program -n __heroku_is_first -a 'addons:downgrade' -d 'Change the plan of an add-on, up or down'
    complete -c $program -n __heroku_is_first -a 'config' -d 'Show the config vars of an app'
    complete -c $program -n __heroku_is_first -a 'config:get' -d 'Print the values of config vars, a line each'
    complete -c $program -n __heroku_is_first -a 'config:set' -d 'Set config vars; the app restarts with a new release'
    complete -c $program -n __heroku_is_first -a 'config:unset' -d 'Remove config vars; the app restarts with a new release'
    complete -c $program -n __heroku_is_first -a 'config:remove' -d 'Remove config vars; the app restarts with a new release'
    complete -c $program -n __heroku_is_first -a 'logs' -d 'Show the log of an app'
    complete -c $program -n __heroku_is_first -a 'ps' -d 'List the dynos of an app'
    complete -c $program -n __heroku_is_first -a 'ps:scale' -d 'Change how many dynos of a type run, or show how many should'
    complete -c $program -n __heroku_is_first -a 'ps:restart' -d 'Restart a dyno, all of a type, or all'
    complete -c $program -n __heroku_is_first -a 'ps:stop' -d 'Stop a dyno, or all of a type; those of the formation start again'
    complete -c $program -n __heroku_is_first -a 'ps:kill' -d 'Stop a dyno, or all of a type; those of the formation start again'
    complete -c $program -n __heroku_is_first -a 'restart' -d 'Restart a dyno, all of a type, or all'
    complete -c $program -n __heroku_is_first -a 'run' -d 'Run a command in a one-off dyno, joined to this terminal; its exit status becomes ours'
    complete -c $program -n __heroku_is_first -a 'run:detached' -d 'Run a command in a one-off dyno whose output goes to the log'
    complete -c $program -n __heroku_is_first -a 'rake' -d 'Run a rake task in a one-off dyno; its exit status becomes ours'
    complete -c $program -n __heroku_is_first -a 'console' -d 'Open the app’s console in a one-off dyno'
    complete -c $program -n __heroku_is_first -a 'releases' -d 'List the releases of an app, the newest first'
    complete -c $program -n __heroku_is_first -a 'releases:info' -d 'Show a release and the config vars it runs with'
    complete -c $program -n __heroku_is_first -a 'releases:rollback' -d 'Go back to an earlier release, by default the last one before this'
    complete -c $program -n __heroku_is_first -a 'rollback' -d 'Go back to an earlier release, by default the last one before this'
    complete -c $program -n __heroku_is_first -a 'quickstart' -d 'Play the Delayed Job quick start, for real, against a backend of its own; then remove everything'
    complete -c $program -n __heroku_is_first -a 'backend:start' -d 'Start the backend, and log you in to it'
    complete -c $program -n __heroku_is_first -a 'backend:stop' -d 'Stop the backend and every dyno; all data stays'
    complete -c $program -n __heroku_is_first -a 'backend:status' -d 'Say whether the backend runs, and where; the exit status is 1 when it does not'
    complete -c $program -n __heroku_is_first -a 'backend:env' -d 'Print what other clients need to use the backend: the official CLI, git, node, Go and Python programs'
    complete -c $program -n __heroku_is_first -a 'backend:reset' -d 'Stop the backend and remove all that it holds: apps, releases, add-ons, databases and logs'
    complete -c $program -n __heroku_is_first -a 'backend:faults' -d 'List the faults that are on'
    complete -c $program -n __heroku_is_first -a 'backend:faults:add' -d 'Let requests fail, or be answered late: ’METHOD /PATH’, where * stands for anything'
    complete -c $program -n __heroku_is_first -a 'backend:faults:clear' -d 'End every fault'
    complete -c $program -n __heroku_is_first -a 'backend:users' -d 'List the users of the backend'
    complete -c $program -n __heroku_is_first -a 'backend:users:add' -d 'Add a user to the backend, and show the password and the token to give them'
    complete -c $program -n __heroku_is_first -a 'backend:users:remove' -d 'Remove a user from the backend; refused while they own apps'
    complete -c $program -n __heroku_is_first -a 'api' -d 'Make one request to the API and print the answer'
    complete -c $program -n __heroku_is_first -a 'commands' -d 'List every command; as JSON with its arguments and options'
    complete -c $program -n __heroku_is_first -a 'help' -d 'Show all commands, those of a topic, or how to use one'
    complete -c $program -n __heroku_is_first -a 'version' -d 'Show the version of this program'
    complete -c $program -n '__heroku_is ours login' -l interactive -s i -d 'with email and password; this is the only way, so no need'
    complete -c $program -n '__heroku_is ours login' -l token -s t -d 'read an API token from stdin instead'
    complete -c $program -n '__heroku_is ours login logout whoami auth:token apps create info rename open destroy apps:create apps:info apps:rename apps:open apps:destroy git:remote git:clone git:credentials addons addons:add addons:remove addons:info addons:services addons:plans addons:upgrade addons:create addons:destroy addons:downgrade config config:get config:set config:unset config:remove logs ps ps:scale ps:restart ps:stop ps:kill restart releases releases:info releases:rollback rollback quickstart backend:start backend:stop backend:status backend:env backend:reset backend:faults backend:faults:add backend:faults:clear backend:users backend:users:add backend:users:remove api commands help version' -l help -s h -d 'tell how to use it'
    complete -c $program -n '__heroku_is ours whoami apps create info rename destroy apps:create apps:info apps:rename apps:destroy addons addons:add addons:remove addons:info addons:services addons:plans addons:upgrade addons:create addons:destroy addons:downgrade config config:get config:set config:unset config:remove ps ps:scale releases releases:info releases:rollback rollback backend:status backend:faults backend:users commands' -l json -s j -d 'print the API’s own document'
    complete -c $program -n '__heroku_is ours create apps:create' -l addons -x -d 'add-ons to begin with, separated by commas'
    complete -c $program -n '__heroku_is ours create apps:create' -l no-remote -s n -d 'leave git alone'
    complete -c $program -n '__heroku_is ours create apps:create' -l region -x -d 'region of the app'
    complete -c $program -n '__heroku_is ours create apps:create' -l remote -s r -x -a '(__heroku_values remote)' -d 'name of the git remote [heroku]'
    complete -c $program -n '__heroku_is ours create apps:create' -l stack -s s -x -d 'stack of the app'
    complete -c $program -n '__heroku_is ours info rename open destroy apps:info apps:rename apps:open apps:destroy git:remote git:clone addons addons:add addons:remove addons:info addons:upgrade addons:create addons:destroy addons:downgrade config config:get config:set config:unset config:remove logs ps ps:scale ps:restart ps:stop ps:kill restart releases releases:info releases:rollback rollback' -l app -s a -x -a '(__heroku_values app)' -d 'app, or a git remote of it'
    complete -c $program -n '__heroku_is ours info rename open destroy apps:info apps:rename apps:open apps:destroy git:remote git:clone addons addons:add addons:remove addons:info addons:upgrade addons:create addons:destroy addons:downgrade config config:get config:set config:unset config:remove logs ps ps:scale ps:restart ps:stop ps:kill restart releases releases:info releases:rollback rollback' -l remote -s r -x -a '(__heroku_values remote)' -d 'git remote of the app'
    complete -c $program -n '__heroku_is ours info apps:info' -l shell -s s -d 'as key=value lines'
    complete -c $program -n '__heroku_is ours destroy apps:destroy addons:add addons:remove addons:create addons:destroy' -l confirm -s c -x -a '(__heroku_values app)' -d 'the app’s name, instead of being asked for it'
    complete -c $program -n '__heroku_is ours addons' -l all -s A -d 'of all your apps'
    complete -c $program -n '__heroku_is ours addons:add addons:create' -l as -x -d 'name it is attached under, the beginning of its config vars'
    complete -c $program -n '__heroku_is ours addons:add addons:create' -l name -x -d 'global name of the add-on'
    complete -c $program -n '__heroku_is ours addons:add addons:create' -l wait -d 'until it is provisioned'
    complete -c $program -n '__heroku_is ours addons:remove addons:destroy' -l force -s f -d 'also when it is attached to other apps'
    complete -c $program -n '__heroku_is ours config config:get' -l shell -s s -d 'as KEY=value lines that a shell can read'
    complete -c $program -n '__heroku_is ours logs' -l dyno -s d -x -a '(__heroku_values dyno)' -d 'only this dyno, as in worker.1, or type of dyno'
    complete -c $program -n '__heroku_is ours logs' -l dyno-name -x -a '(__heroku_values dyno)' -d 'only this dyno, as in worker.1, or type of dyno'
    complete -c $program -n '__heroku_is ours logs' -l force-colors -d 'colours also in a pipe'
    complete -c $program -n '__heroku_is ours logs' -l json -s j -d 'each line as a JSON object'
    complete -c $program -n '__heroku_is ours logs' -l no-color -d 'no colours'
    complete -c $program -n '__heroku_is ours logs' -l num -s n -x -d 'how many lines'
    complete -c $program -n '__heroku_is ours logs' -l process-type -x -a '(__heroku_values process-type)' -d 'only dynos of this type'
    complete -c $program -n '__heroku_is ours logs' -l ps -s p -x -a '(__heroku_values process-type)' -d 'only dynos of this type'
    complete -c $program -n '__heroku_is ours logs' -l source -s s -x -a 'app heroku' -d 'only app, or only heroku'
    complete -c $program -n '__heroku_is ours logs' -l tail -s t -d 'go on as new lines come'
    complete -c $program -n '__heroku_is ours ps:restart ps:stop ps:kill restart' -l dyno-name -s d -x -a '(__heroku_values dyno)' -d 'one dyno, as in worker.1'
    complete -c $program -n '__heroku_is ours ps:restart ps:stop ps:kill restart' -l process-type -s p -x -a '(__heroku_values process-type)' -d 'all dynos of a type'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l app -s a -x -a '(__heroku_values app)' -d 'app, or a git remote of it'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l env -s e -x -d 'environment for this dyno'
    complete -c $program -n '__heroku_is remote run rake console' -l exit-code -s x -d 'exit as the command does: always so'
    complete -c $program -n '__heroku_is remote run rake console' -l no-tty -d 'with or without a terminal there'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l remote -s r -x -a '(__heroku_values remote)' -d 'git remote of the app'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l size -s s -x -d 'size of the dyno'
    complete -c $program -n '__heroku_is remote run rake console' -l tty -d 'with or without a terminal there'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l type -x -a '(__heroku_values process-type)' -d 'process type of the dyno'
    complete -c $program -n '__heroku_is remote run run:detached rake console' -l help -s h -d 'tell how to use it'
    complete -c $program -n '__heroku_is remote run:detached' -l tail -s t -d 'show its log as it comes'
    complete -c $program -n '__heroku_is ours releases' -l num -s n -x -d 'how many'
    complete -c $program -n '__heroku_is ours quickstart' -l keep -d 'leave the backend and the app running, and say how to go on'
    complete -c $program -n '__heroku_is ours backend:start' -l detach -s d -d 'run it in the background'
    complete -c $program -n '__heroku_is ours backend:start' -l host -x -d 'listen on this address instead of 127.0.0.1'
    complete -c $program -n '__heroku_is ours backend:start' -l port -s p -x -d 'port of the API; 0 for any that is free'
    complete -c $program -n '__heroku_is ours backend:start' -l postgres -x -d 'superuser on a PostgreSQL server, for the add-on heroku-postgresql'
    complete -c $program -n '__heroku_is ours backend:start' -l rate-limit -x -d 'requests an hour of each user; more get a 429'
    complete -c $program -n '__heroku_is ours backend:start' -l store -x -d 'SQLAlchemy URL of the store, instead of SQLite'
    complete -c $program -n '__heroku_is ours backend:env' -l shell -x -a 'sh fish' -d 'whose syntax; by default that of $SHELL'
    complete -c $program -n '__heroku_is ours backend:reset' -l confirm -s c -x -a '(__heroku_values app)' -d 'the word reset, instead of being asked for it'
    complete -c $program -n '__heroku_is ours backend:faults:add' -l delay -x -d 'wait before anything else'
    complete -c $program -n '__heroku_is ours backend:faults:add' -l status -x -d 'answer with this status, and do nothing else'
    complete -c $program -n '__heroku_is ours backend:faults:add' -l times -x -d 'so many requests; by default until it is cleared'
    complete -c $program -n '__heroku_is ours api' -l field -s F -x -d 'a key of the body'
    complete -c $program -n '__heroku_is ours api' -l include -s i -d 'show status and headers on stderr'
    complete -c $program -n '__heroku_is ours api' -l input -x -d 'the body, as JSON; - is stdin'
    complete -c $program -n '__heroku_is ours api' -l paginate -d 'all pages of a list as one'
    complete -c $program -n '__heroku_wants_word ours destroy' -a '(__heroku_values app)'
    complete -c $program -n '__heroku_wants_word ours apps:destroy' -a '(__heroku_values app)'
    complete -c $program -n '__heroku_wants_word ours addons:add' -a '(__heroku_values plan)'
    complete -c $program -n '__heroku_wants_word ours addons:remove' -a '(__heroku_values addon)'
    complete -c $program -n '__heroku_wants_word ours addons:info' -a '(__heroku_values addon)'
    complete -c $program -n '__heroku_wants_word ours addons:plans' -a '(__heroku_values service)'
    complete -c $program -n '__heroku_wants_word ours addons:upgrade' -a '(__heroku_values plan)'
    complete -c $program -n '__heroku_wants_word ours addons:create' -a '(__heroku_values plan)'
    complete -c $program -n '__heroku_wants_word ours addons:destroy' -a '(__heroku_values addon)'
    complete -c $program -n '__heroku_wants_word ours addons:downgrade' -a '(__heroku_values plan)'
    complete -c $program -n '__heroku_wants_word ours config:get' -a '(__heroku_values config-key)'
    complete -c $program -n '__heroku_wants_word ours config:set' -a '(__heroku_values config-assignment)'
    complete -c $program -n '__heroku_wants_word ours config:unset' -a '(__heroku_values config-key)'
    complete -c $program -n '__heroku_wants_word ours config:remove' -a '(__heroku_values config-key)'
    complete -c $program -n '__heroku_wants_word ours ps' -a '(__heroku_values process-type)'
    complete -c $program -n '__heroku_wants_word ours ps:scale' -a '(__heroku_values process-quantity)'
    complete -c $program -n '__heroku_wants_word ours ps:restart' -a '(__heroku_values dyno)'
    complete -c $program -n '__heroku_wants_word ours ps:stop' -a '(__heroku_values dyno)'
    complete -c $program -n '__heroku_wants_word ours ps:kill' -a '(__heroku_values dyno)'
    complete -c $program -n '__heroku_wants_word ours restart' -a '(__heroku_values dyno)'
    complete -c $program -n '__heroku_wants_word remote run' -a '(__heroku_values process-type)'
    complete -c $program -n '__heroku_wants_word remote run:detached' -a '(__heroku_values process-type)'
    complete -c $program -n '__heroku_wants_word remote rake' -a '(__heroku_values rake-task)'
    complete -c $program -n '__heroku_wants_word ours help' -a 'login logout whoami auth:token apps create info rename open destroy apps:create apps:info apps:rename apps:open apps:destroy git:remote git:clone git:credentials addons addons:add addons:remove addons:info addons:services addons:plans addons:upgrade addons:create addons:destroy addons:downgrade config config:get config:set config:unset config:remove logs ps ps:scale ps:restart ps:stop ps:kill restart run run:detached rake console releases releases:info releases:rollback rollback quickstart backend:start backend:stop backend:status backend:env backend:reset backend:faults backend:faults:add backend:faults:clear backend:users backend:users:add backend:users:remove api commands help version'
end
