# Completion of heroku and hkcli for bash. Made from the command table by `make completions`; changes get lost.
# Works without the bash-completion package, and where the colon splits words.

_heroku_values() {  # KIND WORDS...: values as the program knows them
  "$_heroku_program" --complete "$@" 2>/dev/null </dev/null
}

_heroku() {
  local _heroku_program="${COMP_WORDS[0]}" line="${COMP_LINE:0:COMP_POINT}"
  local -a words
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local last=$(( ${#words[@]} - 1 ))
  local cur="${words[last]}" prev="${words[last-1]}" name="${words[1]}"
  local flags="" kind="" choices="" remote="" positional=0 index word value

  if (( last == 1 )); then
    _heroku_reply "$cur" <<< "$_heroku_names"
    return
  fi
  case "$name" in
    login) flags="--interactive --token --help" ;;
    logout) flags="--help" ;;
    whoami) flags="--json --help" ;;
    auth:token) flags="--help" ;;
    apps) flags="--json --help" ;;
    create) flags="--addons --json --no-remote --region --remote --stack --help" ;;
    info) flags="--app --json --remote --shell --help" ;;
    rename) flags="--app --json --remote --help" ;;
    open) flags="--app --remote --help" ;;
    destroy) flags="--app --confirm --json --remote --help" kind=app ;;
    apps:create) flags="--addons --json --no-remote --region --remote --stack --help" ;;
    apps:info) flags="--app --json --remote --shell --help" ;;
    apps:rename) flags="--app --json --remote --help" ;;
    apps:open) flags="--app --remote --help" ;;
    apps:destroy) flags="--app --confirm --json --remote --help" kind=app ;;
    git:remote) flags="--app --remote --help" ;;
    git:clone) flags="--app --remote --help" ;;
    git:credentials) flags="--help" ;;
    addons) flags="--all --app --json --remote --help" ;;
    addons:add) flags="--app --as --confirm --json --name --remote --wait --help" kind=plan ;;
    addons:remove) flags="--app --confirm --force --json --remote --help" kind=addon ;;
    addons:info) flags="--app --json --remote --help" kind=addon ;;
    addons:services) flags="--json --help" ;;
    addons:plans) flags="--json --help" kind=service ;;
    addons:upgrade) flags="--app --json --remote --help" kind=plan ;;
    addons:create) flags="--app --as --confirm --json --name --remote --wait --help" kind=plan ;;
    addons:destroy) flags="--app --confirm --force --json --remote --help" kind=addon ;;
    addons:downgrade) flags="--app --json --remote --help" kind=plan ;;
    config) flags="--app --json --remote --shell --help" ;;
    config:get) flags="--app --json --remote --shell --help" kind=config-key ;;
    config:set) flags="--app --json --remote --help" kind=config-assignment ;;
    config:unset) flags="--app --json --remote --help" kind=config-key ;;
    config:remove) flags="--app --json --remote --help" kind=config-key ;;
    logs) flags="--app --dyno --dyno-name --force-colors --json --no-color --num --process-type --ps --remote --source --tail --help" ;;
    ps) flags="--app --json --remote --help" kind=process-type ;;
    ps:scale) flags="--app --json --remote --help" kind=process-quantity ;;
    ps:restart) flags="--app --dyno-name --process-type --remote --help" kind=dyno ;;
    ps:stop) flags="--app --dyno-name --process-type --remote --help" kind=dyno ;;
    ps:kill) flags="--app --dyno-name --process-type --remote --help" kind=dyno ;;
    restart) flags="--app --dyno-name --process-type --remote --help" kind=dyno ;;
    run) flags="--app --env --exit-code --no-tty --remote --size --tty --type --help" kind=process-type remote=yes ;;
    run:detached) flags="--app --env --remote --size --tail --type --help" kind=process-type remote=yes ;;
    rake) flags="--app --env --exit-code --no-tty --remote --size --tty --type --help" kind=rake-task remote=yes ;;
    console) flags="--app --env --exit-code --no-tty --remote --size --tty --type --help" remote=yes ;;
    dj) flags="--app --interval --json --max-age --max-failed --once --remote --help" ;;
    dj:jobs) flags="--app --failed --json --num --queue --remote --running --waiting --help" ;;
    dj:show) flags="--app --json --remote --help" ;;
    dj:retry) flags="--app --confirm --dry-run --failed --matching --remote --help" ;;
    dj:remove) flags="--app --confirm --dry-run --failed --matching --remote --help" ;;
    dj:unlock) flags="--app --dry-run --remote --help" ;;
    releases) flags="--app --json --num --remote --help" ;;
    releases:info) flags="--app --json --remote --help" ;;
    releases:rollback) flags="--app --json --remote --help" ;;
    rollback) flags="--app --json --remote --help" ;;
    quickstart) flags="--keep --help" ;;
    backend:start) flags="--detach --host --port --store --help" ;;
    backend:stop) flags="--help" ;;
    backend:status) flags="--json --help" ;;
    backend:env) flags="--shell --help" ;;
    backend:reset) flags="--confirm --help" ;;
    api) flags="--field --include --input --paginate --help" ;;
    commands) flags="--json --help" ;;
    help) flags="--help" kind=command ;;
    version) flags="--help" ;;
  esac
  for (( index = 2; index < last; index++ )); do
    word="${words[index]}"
    case "$word" in
      --addons|-a|--app|--as|-c|--confirm|-d|--dyno|--dyno-name|-e|--env|-F|--field|--host|--input|--interval|--matching|--max-age|--max-failed|--name|-n|--num|-p|--port|--process-type|-p|--ps|--queue|--region|-r|--remote|--shell|-s|--size|-s|--source|-s|--stack|--store|--type) (( index++ )) ;;
      -*) ;;
      *) positional=$(( positional + 1 )) ;;
    esac
  done
  if [[ -n $remote ]] && (( positional > 0 )); then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  case "$prev" in
    --addons) kind=other ;;
    -a|--app) kind=app ;;
    --as) kind=other ;;
    -c|--confirm) kind=app ;;
    -d|--dyno) kind=dyno ;;
    --dyno-name) kind=dyno ;;
    -e|--env) kind=other ;;
    -F|--field) kind=other ;;
    --host) kind=other ;;
    --input) kind=other ;;
    --interval) kind=other ;;
    --matching) kind=other ;;
    --max-age) kind=other ;;
    --max-failed) kind=other ;;
    --name) kind=other ;;
    -n|--num) kind=other ;;
    -p|--port) kind=other ;;
    --process-type) kind=process-type ;;
    -p|--ps) kind=process-type ;;
    --queue) kind=other ;;
    --region) kind=other ;;
    -r|--remote) kind=remote ;;
    --shell) kind=other choices="sh fish" ;;
    -s|--size) kind=other ;;
    -s|--source) kind=other choices="app heroku" ;;
    -s|--stack) kind=other ;;
    --store) kind=other ;;
    --type) kind=process-type ;;
    *)
      if [[ $cur == -* ]]; then
        _heroku_reply "$cur" <<< "${flags// /$'\n'}"
        return
      fi
      ;;
  esac
  if [[ -n $choices ]]; then
    _heroku_reply "$cur" <<< "${choices// /$'\n'}"
  elif [[ $kind == command ]]; then
    _heroku_reply "$cur" <<< "$_heroku_names"
  elif [[ -n $kind && $kind != other ]]; then
    _heroku_reply "$cur" < <(_heroku_values "$kind" "${words[@]:2}")
  fi
}

_heroku_reply() {  # CURRENT, candidates on stdin; what readline has before a word break already is cut off
  local cur="$1" prefix="" value
  case "$COMP_WORDBREAKS" in
    *:*) prefix="${cur%"${cur##*[:=]}"}" ;;
  esac
  COMPREPLY=()
  while IFS= read -r value; do
    [[ -n $value && $value == "$cur"* ]] && COMPREPLY+=("${value#"$prefix"}")
  done
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
  return 0
}

_heroku_names='login
logout
whoami
auth:token
apps
create
info
rename
open
destroy
apps:create
apps:info
apps:rename
apps:open
apps:destroy
git:remote
git:clone
git:credentials
addons
addons:add
addons:remove
addons:info
addons:services
addons:plans
addons:upgrade
addons:create
addons:destroy
addons:downgrade
config
config:get
config:set
config:unset
config:remove
logs
ps
ps:scale
ps:restart
ps:stop
ps:kill
restart
run
run:detached
rake
console
dj
dj:jobs
dj:show
dj:retry
dj:remove
dj:unlock
releases
releases:info
releases:rollback
rollback
quickstart
backend:start
backend:stop
backend:status
backend:env
backend:reset
api
commands
help
version'

complete -F _heroku heroku hkcli
