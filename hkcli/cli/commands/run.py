"""One-off dynos: `run`, `rake` and `console`, joined to this terminal or pipe; and detached ones."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import click

from hkcli.api.documents import Dyno
from hkcli.api.errors import ConnectionLost, HerokuError
from hkcli.api.exit_marker import MarkerFilter
from hkcli.cli.context import Function, Run, app_command
from hkcli.cli.remote_command import command_line, shown, with_exit_status
from hkcli.cli.terminal import descriptor_of, is_in_foreground, raw_mode

LETTING_GO = 130
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


def attach_options(function: Function) -> Function:
    for option in (
        click.option("--no-notify", is_flag=True, hidden=True, expose_value=False),
        click.option("-x", "--exit-code", is_flag=True, expose_value=False, help="exit as the command does: always so"),
        click.option("--tty/--no-tty", "tty", default=None, help="with or without a terminal there"),
    ):
        function = option(function)
    return dyno_options(function)


@app_command("run", epilog="Examples: heroku run bash    heroku run -a example-app -- ls -a", **REMOTE_WORDS)
@attach_options
@click.argument("words", metavar="COMMAND [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def run(
    run: Run, words: tuple[str, ...], dyno_type: str | None, env: tuple[str, ...], size: str | None, tty: bool | None
) -> None:
    """Run a command in a one-off dyno, joined to this terminal; its exit status becomes ours.

    One word is a shell line. After the first word, options are the command's own.
    """
    require(words, "heroku run bash")
    attach(run, words, parse_env(env), options_of(dyno_type, size), tty)


@app_command("rake", epilog="Example: heroku rake db:migrate --app example-app", **REMOTE_WORDS)
@attach_options
@click.argument("words", metavar="TASK [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def rake(
    run: Run, words: tuple[str, ...], dyno_type: str | None, env: tuple[str, ...], size: str | None, tty: bool | None
) -> None:
    """Run a rake task in a one-off dyno; its exit status becomes ours.

    Options for heroku stand before the task.
    """
    require(words, "heroku rake db:migrate")
    attach(run, ("rake", *words), parse_env(env), options_of(dyno_type, size), tty)


@app_command("console", **REMOTE_WORDS)
@attach_options
@click.argument("words", metavar="[ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def console(
    run: Run, words: tuple[str, ...], dyno_type: str | None, env: tuple[str, ...], size: str | None, tty: bool | None
) -> None:
    """Open the app's console in a one-off dyno."""
    attach(run, ("console", *words), parse_env(env), options_of(dyno_type, size), tty)


@app_command("run:detached", **REMOTE_WORDS)
@dyno_options
@click.option("-t", "--tail", is_flag=True, help="show its log as it comes")
@click.argument("words", metavar="COMMAND [ARGUMENT...]", nargs=-1, type=click.UNPROCESSED)
def run_detached(
    run: Run, words: tuple[str, ...], dyno_type: str | None, env: tuple[str, ...], size: str | None, tail: bool
) -> None:
    """Run a command in a one-off dyno whose output goes to the log."""
    require(words, "heroku run:detached rake jobs:workoff")
    wishes = {"command": command_line(words), "attach": False, "env": parse_env(env)} | options_of(dyno_type, size)
    with run.out.progress(f"Running {shown(words)} on {run.app}") as step:
        dyno = run.api.create_dyno(run.app, wishes)
        step.done(dyno["name"])
    if tail:
        from hkcli.cli.commands.logs import show_log

        show_log(run, {"tail": True, "dyno": dyno["name"], "lines": 100})
    else:
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


def attach(
    run: Run, words: tuple[str, ...], env: Mapping[str, str], options: Mapping[str, object], tty: bool | None
) -> None:
    """Run the words in a dyno, joined to our streams, and take over its exit status."""
    from hkcli.api.relay import LetGo, Relay
    from hkcli.api.rendezvous import connect, trust

    out = run.out
    here = out.stdin.isatty() and out.stdout.isatty()
    wants_tty = here if tty is None else tty
    wishes = {"command": with_exit_status(words), "attach": True, **options}
    wishes["env"] = {**terminal_env(run.env, wants_tty), **env}
    if not wants_tty:
        wishes["force_no_tty"] = True
    with out.progress(f"Running {shown(words)} on {run.app}") as step:
        authority = run.api.certificate_authority() if run.host.is_loopback else None
        context = trust(run.env, authority)
        dyno = run.api.create_dyno(run.app, wishes)
        secure, beginning = connect(attach_url_of(dyno), context)
        step.ends(f"up, {dyno['name']}")
    input_fd = descriptor_of(out.stdin)
    is_terminal = input_fd is not None and out.stdin.isatty()
    if is_terminal and input_fd is not None and not is_in_foreground(input_fd):
        input_fd, is_terminal = None, False
    marker = MarkerFilter()
    show = shower(run, as_text=wants_tty and not out.stdout.isatty())
    is_raw = is_terminal and wants_tty
    relay = Relay(secure, input_fd, lambda data: show(marker.feed(data)), is_raw=is_raw)
    with secure:
        try:
            with raw_mode(input_fd) if is_raw and input_fd is not None else nullcontext():
                show(marker.feed(beginning))
                relay.run()
                show(marker.end())
        except LetGo:
            out.talk(f"Let go of {dyno['name']}, which is told to end. See: heroku ps --app {run.app}")
            run.exit_status = LETTING_GO
            return
    run.exit_status = status_of(marker, dyno, run.app, was_interrupted=relay.was_interrupted)


def attach_url_of(dyno: Dyno) -> str:
    if not dyno["attach_url"]:
        raise HerokuError(f"The platform started {dyno['name']}, but not so that it can be attached to.")
    return dyno["attach_url"]


def terminal_env(env: Mapping[str, str], has_terminal: bool) -> dict[str, str]:
    """What the far end has to know of the terminal here."""
    if not has_terminal:
        return {}
    size = shutil.get_terminal_size()
    return {"TERM": env.get("TERM", "xterm"), "COLUMNS": str(size.columns), "LINES": str(size.lines)}


def shower(run: Run, *, as_text: bool) -> Callable[[bytes], None]:
    """Writes to stdout at once; `as_text` undoes the line ends of a terminal that is there but not here."""
    descriptor = descriptor_of(run.out.stdout)
    run.out.stdout.flush()
    ends_in_return = False

    def show(data: bytes) -> None:
        nonlocal ends_in_return
        if as_text:
            data = (b"\r" if ends_in_return else b"") + data
            ends_in_return = data.endswith(b"\r")
            data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
        if descriptor is None:
            run.out.stdout.buffer.write(data)
            return
        while data:
            data = data[os.write(descriptor, data) :]

    return show


def status_of(marker: MarkerFilter, dyno: Dyno, app: str, *, was_interrupted: bool) -> int:
    """The remote command's exit status. Raises ConnectionLost when it is not known."""
    if marker.status is not None:
        return marker.status
    if was_interrupted:
        return LETTING_GO
    raise ConnectionLost(
        f"{dyno['name']} was lost before it told its exit status.",
        next=(f"What happened to it: heroku logs --app {app} --dyno {dyno['name']}",),
    )
