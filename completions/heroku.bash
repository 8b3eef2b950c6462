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
  if [[ $cur == --*=* ]]; then
    prev="${cur%%=*}" cur="${cur#*=}"
  fi

  if (( last == 1 )); then
    _heroku_reply "$cur" <<< "$_heroku_names"
    return
  fi
  case "$name" in
    login) flags="--browser --expires-in --interactive --json --sso --token --help" ;;
    logout) flags="--json --help" ;;
    whoami) flags="--json --help" ;;
    auth:token) flags="--json --help" ;;
    authorizations) flags="--json --help" ;;
    authorizations:create) flags="--description --expires-in --json --scope --short --help" ;;
    authorizations:info) flags="--json --help" ;;
    authorizations:update) flags="--client-id --client-secret --description --json --help" ;;
    authorizations:rotate) flags="--json --help" ;;
    authorizations:revoke) flags="--json --help" ;;
    authorizations:destroy) flags="--json --help" ;;
    keys) flags="--json --long --help" ;;
    keys:add) flags="--json --yes --help" kind=file ;;
    keys:remove) flags="--json --help" ;;
    keys:clear) flags="--json --help" ;;
    apps) flags="--all --json --personal --space --team --help" ;;
    create) flags="--addons --buildpack --json --no-remote --region --remote --space --stack --team --help" ;;
    info) flags="--app --json --remote --shell --help" kind=app ;;
    rename) flags="--app --json --remote --help" ;;
    open) flags="--app --json --remote --help" ;;
    destroy) flags="--app --confirm --json --remote --help" kind=app ;;
    apps:create) flags="--addons --buildpack --json --no-remote --region --remote --space --stack --team --help" ;;
    apps:info) flags="--app --json --remote --shell --help" kind=app ;;
    apps:rename) flags="--app --json --remote --help" ;;
    apps:open) flags="--app --json --remote --help" ;;
    apps:destroy) flags="--app --confirm --json --remote --help" kind=app ;;
    apps:stacks) flags="--app --json --remote --help" ;;
    apps:stacks:set) flags="--app --json --remote --help" kind=stack ;;
    maintenance) flags="--app --json --remote --help" ;;
    maintenance:on) flags="--app --json --remote --help" ;;
    maintenance:off) flags="--app --json --remote --help" ;;
    access) flags="--app --json --remote --help" ;;
    access:add) flags="--app --json --permissions --remote --help" ;;
    access:update) flags="--app --json --permissions --remote --help" kind=collaborator ;;
    access:remove) flags="--app --json --remote --help" kind=collaborator ;;
    domains) flags="--app --json --no-wrap --remote --help" ;;
    domains:add) flags="--app --cert --json --remote --wait --help" ;;
    domains:info) flags="--app --json --remote --help" kind=domain ;;
    domains:wait) flags="--app --json --remote --help" kind=domain ;;
    domains:remove) flags="--app --json --remote --help" kind=domain ;;
    domains:clear) flags="--app --confirm --json --remote --help" ;;
    buildpacks) flags="--app --json --remote --help" ;;
    buildpacks:add) flags="--app --index --json --remote --help" ;;
    buildpacks:set) flags="--app --index --json --remote --help" ;;
    buildpacks:remove) flags="--app --index --json --remote --help" ;;
    buildpacks:clear) flags="--app --json --remote --help" ;;
    features) flags="--app --json --remote --help" ;;
    features:info) flags="--app --json --remote --help" kind=feature ;;
    features:enable) flags="--app --json --remote --help" kind=feature ;;
    features:disable) flags="--app --json --remote --help" kind=feature ;;
    labs) flags="--app --json --remote --help" ;;
    labs:info) flags="--app --json --remote --help" kind=feature ;;
    labs:enable) flags="--app --json --remote --help" kind=feature ;;
    labs:disable) flags="--app --confirm --json --remote --help" kind=feature ;;
    git:remote) flags="--app --json --remote --help" ;;
    git:clone) flags="--app --json --remote --help" kind=file ;;
    git:credentials) flags="--help" ;;
    addons) flags="--all --app --json --no-wrap --remote --help" ;;
    addons:add) flags="--app --as --confirm --json --name --remote --wait --help" kind=plan ;;
    addons:remove) flags="--app --confirm --force --json --remote --wait --help" kind=addon ;;
    addons:info) flags="--app --json --remote --help" kind=addon ;;
    addons:services) flags="--json --help" ;;
    addons:plans) flags="--json --help" kind=service ;;
    addons:upgrade) flags="--app --json --remote --help" kind=plan ;;
    addons:attach) flags="--app --as --confirm --credential --json --remote --help" kind=addon ;;
    addons:detach) flags="--app --json --remote --help" kind=attachment ;;
    addons:rename) flags="--json --help" kind=addon ;;
    addons:open) flags="--app --json --remote --show-url --help" kind=addon ;;
    addons:docs) flags="--app --json --remote --show-url --help" kind=service ;;
    addons:wait) flags="--app --json --remote --wait-interval --help" kind=addon ;;
    addons:create) flags="--app --as --confirm --json --name --remote --wait --help" kind=plan ;;
    addons:destroy) flags="--app --confirm --force --json --remote --wait --help" kind=addon ;;
    addons:downgrade) flags="--app --json --remote --help" kind=plan ;;
    config) flags="--app --json --remote --shell --help" ;;
    config:get) flags="--app --json --remote --shell --help" kind=config-key ;;
    config:set) flags="--app --json --remote --help" kind=config-assignment ;;
    config:unset) flags="--app --json --remote --help" kind=config-key ;;
    config:edit) flags="--app --confirm --json --remote --help" kind=config-key ;;
    config:remove) flags="--app --json --remote --help" kind=config-key ;;
    logs) flags="--app --dyno --dyno-name --force-colors --json --no-color --num --process-type --ps --remote --since --source --tail --help" ;;
    drains) flags="--app --json --remote --help" ;;
    drains:add) flags="--app --json --remote --help" ;;
    drains:remove) flags="--app --json --remote --help" kind=drain ;;
    ps) flags="--app --json --remote --help" kind=process-type ;;
    ps:scale) flags="--app --json --remote --help" kind=process-quantity ;;
    ps:restart) flags="--app --dyno-name --json --process-type --remote --help" kind=dyno ;;
    ps:stop) flags="--app --dyno-name --json --process-type --remote --help" kind=dyno ;;
    ps:type) flags="--app --json --remote --help" kind=process-quantity ;;
    ps:wait) flags="--app --json --remote --type --wait-interval --with-run --help" ;;
    ps:resize) flags="--app --json --remote --help" kind=process-quantity ;;
    ps:kill) flags="--app --dyno-name --json --process-type --remote --help" kind=dyno ;;
    restart) flags="--app --dyno-name --json --process-type --remote --help" kind=dyno ;;
    run) flags="--app --env --exit-code --no-launcher --no-stdin --no-tty --remote --size --tty --type --help" kind=process-type remote=yes ;;
    run:detached) flags="--app --env --json --no-launcher --remote --size --tail --type --help" kind=process-type remote=yes ;;
    rake) flags="--app --env --exit-code --no-launcher --no-stdin --no-tty --remote --size --tty --type --help" kind=rake-task remote=yes ;;
    console) flags="--app --env --exit-code --no-launcher --no-stdin --no-tty --remote --size --tty --type --help" remote=yes ;;
    dj) flags="--app --interval --json --max-age --max-failed --once --remote --help" ;;
    dj:jobs) flags="--app --failed --job --json --matching --num --queue --remote --running --waiting --help" ;;
    dj:show) flags="--app --json --remote --help" ;;
    dj:retry) flags="--app --confirm --dry-run --failed --job --json --matching --queue --remote --help" ;;
    dj:remove) flags="--app --confirm --dry-run --failed --job --json --matching --queue --remote --help" ;;
    dj:unlock) flags="--app --confirm --dry-run --json --remote --help" ;;
    releases) flags="--app --json --num --remote --help" ;;
    releases:info) flags="--app --json --remote --shell --help" ;;
    releases:output) flags="--app --json --remote --help" ;;
    releases:retry) flags="--app --json --remote --help" ;;
    releases:rollback) flags="--app --json --remote --help" ;;
    rollback) flags="--app --json --remote --help" ;;
    pg:info) flags="--app --json --remote --help" ;;
    pg:psql) flags="--app --channel-binding --command --file --remote --help" ;;
    pg:credentials:url) flags="--app --json --name --remote --help" ;;
    quickstart) flags="--keep --help" ;;
    backend:start) flags="--detach --host --json --port --postgres --rate-limit --store --help" ;;
    backend:stop) flags="--json --help" ;;
    backend:status) flags="--json --help" ;;
    backend:env) flags="--json --shell --help" ;;
    backend:reset) flags="--confirm --json --help" ;;
    backend:snapshot) flags="--json --help" ;;
    backend:snapshot:save) flags="--json --help" ;;
    backend:snapshot:restore) flags="--json --help" ;;
    backend:snapshot:remove) flags="--json --help" ;;
    backend:faults) flags="--json --help" ;;
    backend:faults:add) flags="--chance --cut-after --cut-bytes --cut-lines --delay --json --provisioning --seed --status --times --help" ;;
    backend:faults:clear) flags="--json --help" ;;
    backend:addons) flags="--json --help" ;;
    backend:addons:add) flags="--json --production --help" kind=file ;;
    backend:addons:remove) flags="--force --json --help" ;;
    backend:users) flags="--json --help" ;;
    backend:users:add) flags="--json --two-factor-code --unverified --help" ;;
    backend:users:remove) flags="--json --help" ;;
    api) flags="--field --include --input --paginate --help" ;;
    regions) flags="--common --json --private --help" ;;
    status) flags="--json --help" ;;
    commands) flags="--json --help" ;;
    help) flags="--json --help" kind=command ;;
    autocomplete) flags="--json --help" ;;
    version) flags="--json --help" ;;
  esac
  for (( index = 2; index < last; index++ )); do
    word="${words[index]}"
    case "$word" in
      --addons|-a|--app|--as|--browser|-b|--buildpack|-c|--cert|--chance|--channel-binding|--client-id|--client-secret|-c|--command|-c|--confirm|--credential|--cut-after|--cut-bytes|--cut-lines|--delay|-d|--description|-d|--dyno|--dyno-name|-e|--env|-e|--expires-in|-F|--field|-f|--file|--host|-i|--index|--input|--interval|--job|--matching|--max-age|--max-failed|--name|-n|--num|-p|--permissions|-p|--port|--postgres|--process-type|--provisioning|-p|--ps|--queue|--rate-limit|--region|-r|--remote|-s|--scope|--seed|--shell|--since|-s|--size|-s|--source|-s|--space|-s|--stack|--status|--store|-t|--team|--times|--two-factor-code|-t|--type|--wait-interval) (( index++ )) ;;
      -*) ;;
      *) positional=$(( positional + 1 )) ;;
    esac
  done
  if [[ -n $remote ]] && (( positional > 0 )); then
    _heroku_files "$cur"
    return
  fi
  case "$prev" in
    --addons) kind=other ;;
    -a|--app) kind=app ;;
    --as) kind=other ;;
    --browser) kind=other ;;
    -b|--buildpack) kind=other ;;
    -c|--cert) kind=other ;;
    --chance) kind=other ;;
    --channel-binding) kind=other ;;
    --client-id) kind=other ;;
    --client-secret) kind=other ;;
    -c|--command) kind=other ;;
    -c|--confirm) kind=app ;;
    --credential) kind=other ;;
    --cut-after) kind=other ;;
    --cut-bytes) kind=other ;;
    --cut-lines) kind=other ;;
    --delay) kind=other ;;
    -d|--description) kind=other ;;
    -d|--dyno) kind=dyno ;;
    --dyno-name) kind=dyno ;;
    -e|--env) kind=other ;;
    -e|--expires-in) kind=other ;;
    -F|--field) kind=other ;;
    -f|--file) kind=file ;;
    --host) kind=other ;;
    -i|--index) kind=other ;;
    --input) kind=file ;;
    --interval) kind=other ;;
    --job) kind=other ;;
    --matching) kind=other ;;
    --max-age) kind=other ;;
    --max-failed) kind=other ;;
    --name) kind=other ;;
    -n|--num) kind=other ;;
    -p|--permissions) kind=other ;;
    -p|--port) kind=other ;;
    --postgres) kind=other ;;
    --process-type) kind=process-type ;;
    --provisioning) kind=other choices="fails hangs" ;;
    -p|--ps) kind=process-type ;;
    --queue) kind=other ;;
    --rate-limit) kind=other ;;
    --region) kind=region ;;
    -r|--remote) kind=remote ;;
    -s|--scope) kind=other ;;
    --seed) kind=other ;;
    --shell) kind=other choices="sh fish" ;;
    --since) kind=other ;;
    -s|--size) kind=other ;;
    -s|--source) kind=other choices="app heroku" ;;
    -s|--space) kind=other ;;
    -s|--stack) kind=stack ;;
    --status) kind=other ;;
    --store) kind=other ;;
    -t|--team) kind=other ;;
    --times) kind=other ;;
    --two-factor-code) kind=other ;;
    -t|--type) kind=process-type ;;
    --wait-interval) kind=other ;;
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
  elif [[ $kind == file ]]; then
    _heroku_files "$cur"
  elif [[ -n $kind && $kind != other ]]; then
    _heroku_reply "$cur" < <(_heroku_values "$kind" "${words[@]:2}")
  fi
}

_heroku_files() {  # CURRENT
  local value
  COMPREPLY=()
  while IFS= read -r value; do
    COMPREPLY+=("$value")
  done < <(compgen -f -- "$1")
  compopt -o filenames 2>/dev/null
  return 0
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
authorizations
authorizations:create
authorizations:info
authorizations:update
authorizations:rotate
authorizations:revoke
authorizations:destroy
keys
keys:add
keys:remove
keys:clear
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
apps:stacks
apps:stacks:set
maintenance
maintenance:on
maintenance:off
access
access:add
access:update
access:remove
domains
domains:add
domains:info
domains:wait
domains:remove
domains:clear
buildpacks
buildpacks:add
buildpacks:set
buildpacks:remove
buildpacks:clear
features
features:info
features:enable
features:disable
labs
labs:info
labs:enable
labs:disable
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
addons:attach
addons:detach
addons:rename
addons:open
addons:docs
addons:wait
addons:create
addons:destroy
addons:downgrade
config
config:get
config:set
config:unset
config:edit
config:remove
logs
drains
drains:add
drains:remove
ps
ps:scale
ps:restart
ps:stop
ps:type
ps:wait
ps:resize
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
releases:output
releases:retry
releases:rollback
rollback
pg:info
pg:psql
pg:credentials:url
quickstart
backend:start
backend:stop
backend:status
backend:env
backend:reset
backend:snapshot
backend:snapshot:save
backend:snapshot:restore
backend:snapshot:remove
backend:faults
backend:faults:add
backend:faults:clear
backend:addons
backend:addons:add
backend:addons:remove
backend:users
backend:users:add
backend:users:remove
api
regions
status
commands
help
autocomplete
version'

complete -F _heroku heroku hkcli
