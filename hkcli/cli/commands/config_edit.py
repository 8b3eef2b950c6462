"""`config:edit`: an app's config vars in an editor, the difference shown before it is applied."""

import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import which

import click

from hkcli.api.errors import HerokuError, UsageError
from hkcli.cli.commands.config import parse_config_vars, release_of
from hkcli.cli.context import Run, app_command, confirm_option, json_option

USUAL_EDITORS = ("editor", "vi", "nano")
"""At a terminal where neither VISUAL nor EDITOR is set; `editor` is the machine's own choice on Debian and Ubuntu."""
HEAD = "# Config vars of {}: KEY=value, quoted as for a shell. A line that is taken out unsets its key.\n"


@app_command("config:edit")
@click.argument("key", required=False)
@confirm_option
@json_option
def config_edit(run: Run, key: str | None, confirm: str | None, as_json: bool) -> None:
    """Edit config vars in $EDITOR; see the changes first."""
    before = run.api.config_vars(run.app)
    if key:
        text = edited(run, before.get(key, ""), key)
        after = before | {key: text.removesuffix("\n")}
    else:
        after = parse(edited(run, HEAD.format(run.app) + as_text(before), f"{run.app}.env"))
    changes = differences(before, after)
    if not changes:
        run.out.talk("Nothing was changed.")
    else:
        show_and_apply(run, before, changes, confirm)
    if as_json:
        run.out.json(run.api.config_vars(run.app) if changes else before)


def as_text(config_vars: Mapping[str, str]) -> str:
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in sorted(config_vars.items()))


def edited(run: Run, text: str, name: str) -> str:
    """What the user makes of a text. Raises HerokuError if the editor fails, UsageError without one."""
    usual = next(filter(which, USUAL_EDITORS), None) if run.out.can_prompt else None
    editor = run.env.get("VISUAL") or run.env.get("EDITOR") or usual
    if not editor:
        raise UsageError("No editor is named.", next=("Name it: export EDITOR=vim",))
    with tempfile.TemporaryDirectory(prefix="heroku-config-") as folder:
        path = Path(folder) / name.replace("/", "_")
        path.touch(mode=0o600)
        path.write_text(text)
        try:
            status = subprocess.run([*shlex.split(editor), str(path)], env=dict(run.env), check=False).returncode
        except OSError as error:
            raise UsageError(
                f"The editor {editor} could not be started ({error.strerror}).",
                next=("Name another: export EDITOR=vim",),
            ) from error
        if status:
            raise HerokuError(f"The editor {editor} ended with status {status}. Nothing was changed.")
        return path.read_text()


def parse(text: str) -> dict[str, str]:
    """KEY=value words of a shell, comments left out. Raises UsageError."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise UsageError(f"That cannot be read: {str(error).lower()}. Nothing was changed.") from error
    return parse_config_vars(tuple(words))


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """What turns one into the other; None unsets a key."""
    gone: dict[str, str | None] = dict.fromkeys(key for key in before if key not in after)
    return gone | {key: value for key, value in after.items() if before.get(key) != value}


def show_and_apply(run: Run, before: Mapping[str, str], changes: Mapping[str, str | None], confirm: str | None) -> None:
    for key, value in sorted(changes.items()):
        if key in before:
            run.out.talk(run.out.styled(f"- {key}={shlex.quote(before[key])}", "red", run.out.stderr))
        if value is not None:
            run.out.talk(run.out.styled(f"+ {key}={shlex.quote(value)}", "green", run.out.stderr))
    if confirm is None and run.out.can_prompt:
        if run.out.ask(f"Apply this to {run.app}? [y/N] ").strip().lower() not in ("y", "yes"):
            raise HerokuError("Nothing was changed.")
    else:
        run.confirm(confirm, f"This changes the config vars of {run.app}.")
    with run.out.progress(f"Setting {', '.join(sorted(changes))} and restarting {run.app}") as step:
        run.api.update_config_vars(run.app, changes)
        step.done(release_of(run))
