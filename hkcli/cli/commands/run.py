"""One-off dynos: `run`, `rake` and `console`, joined to this terminal or pipe; and detached ones."""

import re
from typing import Any

import click

from hkcli.cli.attachment import attach
from hkcli.cli.context import Function, Run, app_command, json_option
from hkcli.cli.remote_command import command_line, shown

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REMOTE_WORDS: dict[str, Any] = {"allow_interspersed_args": False}
"""After the first word of the remote command, everything is the remote command's."""


def dyno_options(function: Function) -> Function:
    for option in (
        click.option("--type", "dyno_type", metavar="TYPE", help="process type of the dyno"),
        click.option("-e", "--env", "env", metavar="KEY=VALUE;...", multiple=True, help="environment for this dyno"),
        click.option("-s", "--size", metavar="SIZE", help="size of the dyno"),
    ):
        function = option(function)
    return function


launcher_option = click.option(
    "--no-launcher", is_flag=True, expose_value=False, help="not needed: a command is sent as it was typed"
)


def attach_options(function: Function) -> Function:
    for option in (
        click.option("--no-notify", is_flag=True, hidden=True, expose_value=False),
        launcher_option,
        click.option("-x", "--exit-code", is_flag=True, expose_value=False, help="not needed: it always is so"),
        click.option("--tty/--no-tty", "tty", default=None, help="with or without a terminal there"),
        click.option("--no-stdin", is_flag=True, help="leave stdin alone, as in a loop that reads from it"),
    ):
        function = option(function)
    return dyno_options(function)


@app_command("run", **REMOTE_WORDS)
@attach_options
@click.argument("words", metavar="COMMAND [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def run(
    run: Run,
    words: tuple[str, ...],
    dyno_type: str | None,
    env: tuple[str, ...],
    size: str | None,
    tty: bool | None,
    no_stdin: bool,
) -> None:
    """Run a command in a one-off dyno, on this terminal.

    Its exit status becomes ours. One word is a shell line. After the first word, options are the command's own. On a
    backend of yours the terminal there follows the size of yours; Heroku has no way to tell a change.
    """
    require(words, "heroku run bash")
    attach(run, words, parse_env(env), options_of(dyno_type, size), tty=tty, reads=not no_stdin)


@app_command(
    "rake",
    ignore_unknown_options=True,
    **REMOTE_WORDS,
)
@attach_options
@click.argument("words", metavar="TASK [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def rake(
    run: Run,
    words: tuple[str, ...],
    dyno_type: str | None,
    env: tuple[str, ...],
    size: str | None,
    tty: bool | None,
    no_stdin: bool,
) -> None:
    """Run a rake task in a one-off dyno.

    Its exit status becomes ours. Options for heroku stand before the task; others are rake's own.
    """
    require(words, "heroku rake db:migrate")
    attach(run, ("rake", *words), parse_env(env), options_of(dyno_type, size), tty=tty, reads=not no_stdin)


@app_command("console", **REMOTE_WORDS)
@attach_options
@click.argument("words", metavar="[ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def console(
    run: Run,
    words: tuple[str, ...],
    dyno_type: str | None,
    env: tuple[str, ...],
    size: str | None,
    tty: bool | None,
    no_stdin: bool,
) -> None:
    """Open the app's console in a one-off dyno."""
    attach(run, ("console", *words), parse_env(env), options_of(dyno_type, size), tty=tty, reads=not no_stdin)


@app_command("run:detached", **REMOTE_WORDS)
@dyno_options
@launcher_option
@click.option("-t", "--tail", is_flag=True, help="show its log until it ends")
@json_option
@click.argument("words", metavar="COMMAND [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def run_detached(
    run: Run,
    words: tuple[str, ...],
    dyno_type: str | None,
    env: tuple[str, ...],
    size: str | None,
    tail: bool,
    as_json: bool,
) -> None:
    """Run a command whose output goes to the log.

    With --tail its log is shown until it ends, and its exit status becomes ours. Ctrl-C leaves it running.
    """
    require(words, "heroku run:detached rake jobs:workoff")
    wishes = {"command": command_line(words), "attach": False, "env": parse_env(env)} | options_of(dyno_type, size)
    with run.out.progress(f"Running {shown(words)} on {run.app}") as step:
        dyno = run.api.create_dyno(run.app, wishes)
        step.done(dyno["name"])
    if as_json:
        run.out.json(dyno)
    if tail:
        from hkcli.cli.commands.logs import show_log, wants_colour
        from hkcli.cli.log_lines import Ending

        ending = Ending(dyno["name"])
        wishes = {"tail": True, "dyno": dyno["name"], "lines": 100}
        show_log(run, wishes, as_json=as_json, coloured=wants_colour(run), ending=ending)
        run.exit_status = ending.status or 0
    elif not as_json:
        run.out.line(f"Run heroku logs --app {run.app} --dyno {dyno['name']} to view the output.")


def require(words: tuple[str, ...], example: str) -> None:
    if not words or not any(word.strip() for word in words):
        raise click.UsageError(f"No command was given. Try: {example}")
    if len(words) > 1 and not words[0]:
        raise click.UsageError("The command's first word is empty.")


def options_of(dyno_type: str | None, size: str | None) -> dict[str, object]:
    return {key: value for key, value in {"type": dyno_type, "size": size}.items() if value}


def parse_env(values: tuple[str, ...]) -> dict[str, str]:
    """`A=1;B=2` as a dict. Raises click.UsageError."""
    found: dict[str, str] = {}
    for pair in (pair for value in values for pair in value.split(";") if pair.strip()):
        key, equals, text = pair.partition("=")
        if not equals or not ENV_NAME.fullmatch(key.strip()):
            raise click.UsageError(f"--env {pair!r} is not KEY=VALUE. Try: --env 'A=1;B=2'")
        found[key.strip()] = text
    return found
