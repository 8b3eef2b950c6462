"""Where `heroku` begins: the table of commands, and nothing that takes time to import.

What is typed first is looked up in `COMMANDS`; only the module of that command is then imported. Help, completion and
"did you mean" read the same table.
"""

import os
import sys

COMMANDS = {
    "login": "hkcli.cli.commands.auth:login",
    "logout": "hkcli.cli.commands.auth:logout",
    "whoami": "hkcli.cli.commands.auth:whoami",
    "auth:token": "hkcli.cli.commands.auth:auth_token",
    "auth:login": "~ login",
    "auth:logout": "~ logout",
    "auth:whoami": "~ whoami",
    "authorizations": "hkcli.cli.commands.authorizations:authorizations",
    "authorizations:create": "hkcli.cli.commands.authorizations:authorizations_create",
    "authorizations:info": "hkcli.cli.commands.authorizations:authorizations_info",
    "authorizations:update": "hkcli.cli.commands.authorizations:authorizations_update",
    "authorizations:rotate": "hkcli.cli.commands.authorizations:authorizations_rotate",
    "authorizations:revoke": "hkcli.cli.commands.authorizations:authorizations_revoke",
    "authorizations:destroy": "= authorizations:revoke",
    "keys": "hkcli.cli.commands.keys:keys",
    "keys:add": "hkcli.cli.commands.keys:keys_add",
    "keys:remove": "hkcli.cli.commands.keys:keys_remove",
    "keys:clear": "hkcli.cli.commands.keys:keys_clear",
    "apps": "hkcli.cli.commands.apps:apps",
    "create": "hkcli.cli.commands.apps:create",
    "info": "hkcli.cli.commands.apps:info",
    "rename": "hkcli.cli.commands.apps:rename",
    "open": "hkcli.cli.commands.apps:open_app",
    "destroy": "hkcli.cli.commands.apps:destroy",
    "apps:create": "= create",
    "apps:info": "= info",
    "apps:rename": "= rename",
    "apps:open": "= open",
    "apps:destroy": "= destroy",
    "apps:delete": "~ destroy",
    "list": "~ apps",
    "apps:list": "~ apps",
    "apps:stacks": "hkcli.cli.commands.platform:apps_stacks",
    "apps:stacks:set": "hkcli.cli.commands.platform:apps_stacks_set",
    "stacks": "~ apps:stacks",
    "stack": "~ apps:stacks",
    "stack:set": "~ apps:stacks:set",
    "maintenance": "hkcli.cli.commands.maintenance:maintenance",
    "maintenance:on": "hkcli.cli.commands.maintenance:maintenance_on",
    "maintenance:off": "hkcli.cli.commands.maintenance:maintenance_off",
    "access": "hkcli.cli.commands.access:access",
    "access:add": "hkcli.cli.commands.access:access_add",
    "access:update": "hkcli.cli.commands.access:access_update",
    "access:remove": "hkcli.cli.commands.access:access_remove",
    "domains": "hkcli.cli.commands.domains:domains",
    "domains:add": "hkcli.cli.commands.domains:domains_add",
    "domains:info": "hkcli.cli.commands.domains:domains_info",
    "domains:wait": "hkcli.cli.commands.domains:domains_wait",
    "domains:remove": "hkcli.cli.commands.domains:domains_remove",
    "domains:clear": "hkcli.cli.commands.domains:domains_clear",
    "buildpacks": "hkcli.cli.commands.buildpacks:buildpacks",
    "buildpacks:add": "hkcli.cli.commands.buildpacks:buildpacks_add",
    "buildpacks:set": "hkcli.cli.commands.buildpacks:buildpacks_set",
    "buildpacks:remove": "hkcli.cli.commands.buildpacks:buildpacks_remove",
    "buildpacks:clear": "hkcli.cli.commands.buildpacks:buildpacks_clear",
    "features": "hkcli.cli.commands.features:features",
    "features:info": "hkcli.cli.commands.features:features_info",
    "features:enable": "hkcli.cli.commands.features:features_enable",
    "features:disable": "hkcli.cli.commands.features:features_disable",
    "labs": "hkcli.cli.commands.features:labs",
    "labs:info": "hkcli.cli.commands.features:labs_info",
    "labs:enable": "hkcli.cli.commands.features:labs_enable",
    "labs:disable": "hkcli.cli.commands.features:labs_disable",
    "git:remote": "hkcli.cli.commands.git:git_remote",
    "git:clone": "hkcli.cli.commands.git:git_clone",
    "git:credentials": "hkcli.cli.commands.git:git_credentials",
    "addons": "hkcli.cli.commands.addons:addons",
    "addons:add": "hkcli.cli.commands.addons:addons_add",
    "addons:remove": "hkcli.cli.commands.addons:addons_remove",
    "addons:info": "hkcli.cli.commands.addons:addons_info",
    "addons:services": "hkcli.cli.commands.addons:addons_services",
    "addons:plans": "hkcli.cli.commands.addons:addons_plans",
    "addons:upgrade": "hkcli.cli.commands.addons:addons_upgrade",
    "addons:attach": "hkcli.cli.commands.attachments:addons_attach",
    "addons:detach": "hkcli.cli.commands.attachments:addons_detach",
    "addons:rename": "hkcli.cli.commands.addons_upkeep:addons_rename",
    "addons:open": "hkcli.cli.commands.addons_upkeep:addons_open",
    "addons:docs": "hkcli.cli.commands.addons_upkeep:addons_docs",
    "addons:wait": "hkcli.cli.commands.addons_upkeep:addons_wait",
    "addons:create": "= addons:add",
    "addons:destroy": "= addons:remove",
    "addons:downgrade": "= addons:upgrade",
    "addons:list": "~ addons:services",
    "config": "hkcli.cli.commands.config:config",
    "config:get": "hkcli.cli.commands.config:config_get",
    "config:set": "hkcli.cli.commands.config:config_set",
    "config:unset": "hkcli.cli.commands.config:config_unset",
    "config:edit": "hkcli.cli.commands.config_edit:config_edit",
    "config:add": "~ config:set",
    "config:remove": "= config:unset",
    "logs": "hkcli.cli.commands.logs:logs",
    "drains": "hkcli.cli.commands.drains:drains",
    "drains:add": "hkcli.cli.commands.drains:drains_add",
    "drains:remove": "hkcli.cli.commands.drains:drains_remove",
    "ps": "hkcli.cli.commands.ps:ps",
    "ps:scale": "hkcli.cli.commands.ps:ps_scale",
    "ps:restart": "hkcli.cli.commands.ps:ps_restart",
    "ps:stop": "hkcli.cli.commands.ps:ps_stop",
    "ps:type": "hkcli.cli.commands.ps_type:ps_type",
    "ps:wait": "hkcli.cli.commands.ps_type:ps_wait",
    "ps:resize": "= ps:type",
    "resize": "~ ps:type",
    "dyno:resize": "~ ps:type",
    "dyno:type": "~ ps:type",
    "ps:kill": "= ps:stop",
    "stop": "~ ps:stop",
    "kill": "~ ps:stop",
    "scale": "~ ps:scale",
    "restart": "= ps:restart",
    "dyno:scale": "~ ps:scale",
    "dyno:restart": "~ ps:restart",
    "dyno:stop": "~ ps:stop",
    "dyno:kill": "~ ps:stop",
    "run": "hkcli.cli.commands.run:run",
    "run:detached": "hkcli.cli.commands.run:run_detached",
    "rake": "hkcli.cli.commands.run:rake",
    "console": "hkcli.cli.commands.run:console",
    "run:rake": "~ rake",
    "run:console": "~ console",
    "dj": "hkcli.cli.commands.dj:dj",
    "dj:jobs": "hkcli.cli.commands.dj_jobs:dj_jobs",
    "dj:show": "hkcli.cli.commands.dj_jobs:dj_show",
    "dj:retry": "hkcli.cli.commands.dj_jobs:dj_retry",
    "dj:remove": "hkcli.cli.commands.dj_jobs:dj_remove",
    "dj:unlock": "hkcli.cli.commands.dj_jobs:dj_unlock",
    "releases": "hkcli.cli.commands.releases:releases",
    "releases:info": "hkcli.cli.commands.releases:releases_info",
    "releases:output": "hkcli.cli.commands.releases:releases_output",
    "releases:retry": "hkcli.cli.commands.releases:releases_retry",
    "releases:rollback": "hkcli.cli.commands.releases:releases_rollback",
    "rollback": "= releases:rollback",
    "pg:info": "hkcli.cli.commands.pg:pg_info",
    "pg:psql": "hkcli.cli.commands.pg:pg_psql",
    "pg:credentials:url": "hkcli.cli.commands.pg:pg_credentials_url",
    "pg": "~ pg:info",
    "psql": "~ pg:psql",
    "quickstart": "hkcli.cli.commands.quickstart:quickstart",
    "backend:start": "hkcli.cli.commands.backend:backend_start",
    "backend:stop": "hkcli.cli.commands.backend:backend_stop",
    "backend:status": "hkcli.cli.commands.backend:backend_status",
    "backend:env": "hkcli.cli.commands.backend:backend_env",
    "backend:reset": "hkcli.cli.commands.backend:backend_reset",
    "backend:snapshot": "hkcli.cli.commands.backend_snapshots:backend_snapshot",
    "backend:snapshot:save": "hkcli.cli.commands.backend_snapshots:backend_snapshot_save",
    "backend:snapshot:restore": "hkcli.cli.commands.backend_snapshots:backend_snapshot_restore",
    "backend:snapshot:remove": "hkcli.cli.commands.backend_snapshots:backend_snapshot_remove",
    "backend:snapshot:list": "~ backend:snapshot",
    "backend:snapshots": "~ backend:snapshot",
    "backend:faults": "hkcli.cli.commands.backend_faults:backend_faults",
    "backend:faults:add": "hkcli.cli.commands.backend_faults:backend_faults_add",
    "backend:faults:clear": "hkcli.cli.commands.backend_faults:backend_faults_clear",
    "backend:faults:list": "~ backend:faults",
    "backend:addons": "hkcli.cli.commands.backend_addons:backend_addons",
    "backend:addons:add": "hkcli.cli.commands.backend_addons:backend_addons_add",
    "backend:addons:remove": "hkcli.cli.commands.backend_addons:backend_addons_remove",
    "backend:users": "hkcli.cli.commands.backend_users:backend_users",
    "backend:users:add": "hkcli.cli.commands.backend_users:backend_users_add",
    "backend:users:remove": "hkcli.cli.commands.backend_users:backend_users_remove",
    "backend:users:list": "~ backend:users",
    "api": "hkcli.cli.commands.api:api",
    "regions": "hkcli.cli.commands.platform:regions",
    "status": "hkcli.cli.commands.platform:status",
    "commands": "hkcli.cli.commands.help:commands",
    "help": "hkcli.cli.commands.help:help_",
    "autocomplete": "hkcli.cli.commands.autocomplete:autocomplete",
    "version": "hkcli.cli.commands.help:version",
}
"""Name to "module:attribute", in help's order. "= NAME" is another name of a command, "~ NAME" one that help and
completion keep quiet about."""


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["version"], ["--version"], ["-v"]):
        from hkcli.cli.version import version_text

        show(version_text())
        return
    if arguments in ([], ["help"], ["--help"], ["-h"]):
        from hkcli.cli.topics import overview

        show("\n".join(overview()))
        return
    from hkcli.cli.dispatch import run_program

    sys.exit(run_program(arguments))


def show(text: str) -> None:
    """To stdout at once."""
    try:
        print(text, flush=True)
    except OSError as error:
        sys.exit(undelivered(error))


def undelivered(error: OSError) -> int:
    """The exit status when stdout takes no more: a reader that has gone away is no failure, a full disk is one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(error, BrokenPipeError):
        return 0
    print(f" >   Error: The output cannot be written: {error.strerror}.", file=sys.stderr)
    return 1


def resolve(name: str) -> str:
    """The command behind a name or an alias. Raises KeyError."""
    target = COMMANDS[name]
    return target[2:] if target[0] in "=~" else name


def names(*, aliases: bool = True) -> list[str]:
    """What completion offers, in order: every name but the quiet ones; without aliases, one name a command."""
    return [name for name, target in COMMANDS.items() if target[0] != "~" and (aliases or target[0] != "=")]


def also_known_as(name: str) -> list[str]:
    return [alias for alias, target in COMMANDS.items() if target == f"= {name}"]
