"""Config vars: the environment of an app."""

import re
from collections.abc import Mapping
from shlex import quote

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
shell_option = click.option("-s", "--shell", is_flag=True, help="as KEY=value lines that a shell can read")


@app_command("config")
@shell_option
@json_option
def config(run: Run, shell: bool, as_json: bool) -> None:
    """Show the config vars of an app."""
    config_vars = dict(sorted(run.api.config_vars(run.app).items()))
    if as_json:
        run.out.json(config_vars)
    elif shell:
        show_for_shell(run, config_vars)
    else:
        run.out.header(f"{run.app} Config Vars")
        run.out.pairs(config_vars)


def show_for_shell(run: Run, config_vars: Mapping[str, str]) -> None:
    for key, value in sorted(config_vars.items()):
        run.out.line(f"{key}={quote(value)}")


@app_command("config:get")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@shell_option
@json_option
def config_get(run: Run, keys: tuple[str, ...], shell: bool, as_json: bool) -> None:
    """Print the values of config vars, a line each."""
    config_vars = run.api.config_vars(run.app)
    if as_json:
        found = [{"key": key, "value": config_vars.get(key)} for key in keys]
        run.out.json(found[0] if len(found) == 1 else found)
        return
    for key in keys:
        if key not in config_vars:
            run.out.talk(f"{key} is not set on {run.app}.{near_key(key, config_vars)}")
        value = config_vars.get(key, "")
        run.out.line(f"{key}={quote(value)}" if shell else value)


@app_command("config:set")
@click.argument("words", metavar="KEY=VALUE...", nargs=-1, required=True)
@json_option
def config_set(run: Run, words: tuple[str, ...], as_json: bool) -> None:
    """Set config vars; the app gets a new release."""
    changes = parse_config_vars(words)
    with run.out.progress(f"Setting {', '.join(changes)} and restarting {run.app}") as step:
        config_vars = run.api.update_config_vars(run.app, changes)
        step.done(release_of(run))
    set_now = {key: config_vars.get(key, "") for key in changes}
    if as_json:
        run.out.json(set_now)
    else:
        run.out.pairs(set_now)


@app_command("config:unset")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@json_option
def config_unset(run: Run, keys: tuple[str, ...], as_json: bool) -> None:
    """Remove config vars; the app gets a new release."""
    check_set(keys, run.api.config_vars(run.app))
    with run.out.progress(f"Unsetting {', '.join(keys)} and restarting {run.app}") as step:
        config_vars = run.api.update_config_vars(run.app, dict.fromkeys(keys))
        step.done(release_of(run))
    if as_json:
        run.out.json(config_vars)


def release_of(run: Run) -> str:
    release = run.api.latest_release(run.app)
    return f"v{release['version']}" if release else ""


def parse_config_vars(words: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE words as a dict; a value may be empty or contain `=`. Raises click.UsageError."""
    changes = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise click.UsageError(f"{word!r} is not KEY=VALUE. Try: heroku config:set {key or 'KEY'}=value")
        if not NAME.fullmatch(key):
            raise click.UsageError(f"{key!r} can't be a config var: letters, digits and _ only, no digit first.")
        if not is_text(value):
            raise click.UsageError(f"The value of {key} is not UTF-8. Encode it first, for example with base64.")
        changes[key] = value
    return changes


def is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_set(keys: tuple[str, ...], config_vars: dict[str, str]) -> None:
    """Raises HerokuError for the first key that is not set: a mistyped name must not pass for a removed secret."""
    for key in keys:
        if key not in config_vars:
            hint = near_key(key, config_vars).strip() or "See what is set: heroku config"
            raise HerokuError(f"{key} is not set. Nothing was changed.", next=(hint,))


def near_key(key: str, config_vars: Mapping[str, str]) -> str:
    near = nearest(key, sorted(config_vars))
    return f" Did you mean: {', '.join(near)}?" if near else ""
