"""From words to a command to an exit status: the one place where failures become text."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, TextIO

import click

from hkcli.api.errors import ApiError, HerokuError, NotFound, Unauthorized
from hkcli.cli.context import Run
from hkcli.cli.delivery import undelivered
from hkcli.cli.output import Output
from hkcli.cli.table import COMMANDS, names, resolve

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

INTERRUPTED = 130
USAGE = 2


def run_program(words: Sequence[str]) -> int:
    """This process's own run; returns the exit status."""
    open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        folder = Path.cwd()
    except OSError:
        print(" >   Error: The current folder is gone. Change to another one: cd", file=sys.stderr)
        return 1
    status = execute(words, sys.stdin, sys.stdout, sys.stderr, os.environ, folder)
    return flushed(status)


def open_what_is_closed() -> None:
    """A standard stream that our parent has closed is nowhere, not missing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def flushed(status: int) -> int:
    """Write out what is left; returns the exit status, which is another one if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return undelivered(error) or status
    return status


def silence(stream: TextIO) -> None:
    """Let what is not taken go nowhere, so that the interpreter's last flush is quiet too."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return


def execute(
    words: Sequence[str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    env: Mapping[str, str],
    folder: Path,
    adapter: "BaseAdapter | None" = None,
) -> int:
    """Run the command that the words are; returns its exit status, whatever happens."""
    out = Output(stdin, stdout, stderr, env)
    run = Run(out, env, folder, adapter)
    is_debugging = env.get("HEROKU_DEBUG") in ("1", "true")
    try:
        perform(words, run)
        out.release_warnings()
        return run.exit_status
    except HerokuError as error:
        if is_debugging:
            show_traceback(out)
        report(run, error)
        return error.exit_status
    except click.UsageError as error:
        report_usage(run, error)
        return USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except KeyboardInterrupt:
        if stderr.isatty() and not out.has_told_interruption:
            stderr.write("\n")
        return INTERRUPTED
    except EOFError:
        return INTERRUPTED
    except BrokenPipeError:
        silence(stdout)
        return 0
    except Exception as error:
        if is_debugging:
            show_traceback(out)
        if is_full(error):
            silence(stdout)
        report(run, unforeseen(error))
        return 1


def is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def unforeseen(error: Exception) -> HerokuError:
    if isinstance(error, OSError) and is_full(error):
        return HerokuError(f"{error.filename or 'The output'} cannot be written: {error.strerror}.")
    detail = f"{type(error).__name__}: {error}"
    return HerokuError(f"This should not happen: {detail}", next=("See where: HEROKU_DEBUG=1",))


def perform(words: Sequence[str], run: Run) -> None:
    if not words or words[0] in ("-h", "--help"):
        words = ["help", *words[1:]]
    elif words[0] in ("-v", "--version"):
        words = ["version"]
    elif words[0] == "--complete":
        from hkcli.cli.values import complete

        complete(run, words[1:])
        return
    name, *arguments = joined(words)
    run.as_json = run.out.is_for_program = asks_for_json(arguments)
    run.meant = f"heroku {name}:{' '.join(arguments)}" if f"{name}:{(arguments or [''])[0]}" in COMMANDS else None
    if name not in COMMANDS:
        run_extension(name, arguments, run)
        name, *arguments = as_topic(name, arguments)
    found = load(name)
    if not any("--json" in parameter.opts for parameter in found.params):
        run.as_json = run.out.is_for_program = False
    with found.make_context(f"heroku {name}", list(arguments), obj=run) as context:
        found.invoke(context)


def joined(words: Sequence[str]) -> list[str]:
    """`backend:snapshot save NAME` as `backend:snapshot:save NAME`: our own topics have no arguments of their own."""
    name, *arguments = words
    while name.partition(":")[0] == "backend" and arguments:
        longer = f"{name}:{arguments[0]}"
        if not any(known == longer or known.startswith(f"{longer}:") for known in COMMANDS):
            break
        name, arguments = longer, arguments[1:]
    return [name, *arguments]


def as_topic(name: str, arguments: Sequence[str]) -> list[str]:
    """`backend` as `help backend`. Raises click.UsageError for what is neither a command nor a topic."""
    if not any(known.startswith(f"{name}:") for known in names()):
        raise unknown_command(name)
    if arguments and not arguments[0].startswith("-"):
        raise unknown_command(f"{name}:{arguments[0]}")
    return ["help", name, *(word for word in arguments if word in ("-j", "--json"))]


def asks_for_json(arguments: Sequence[str]) -> bool:
    """A guess for the time until the words are understood, so that a mistake among them is told as JSON too."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours or "-j" in ours


def load(name: str) -> click.Command:
    """The command of a name or alias, its module imported."""
    module, _, attribute = COMMANDS[resolve(name)].partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, click.Command)
    return found


def run_extension(name: str, arguments: Sequence[str], run: Run) -> None:
    """Become the program `heroku-NAME` if PATH has one, as git and gh do; else return."""
    is_word = name.replace("-", "").replace("_", "").replace(":", "").isalnum()
    program = which(f"heroku-{name.replace(':', '-')}", path=run.env.get("PATH")) if is_word else None
    if program:
        run.out.stdout.flush()
        os.execve(program, [program, *arguments], dict(run.env))


def unknown_command(name: str) -> click.UsageError:
    near = nearest(name, names())
    if name in COMMANDS:
        return click.UsageError(f"{name} is written with a colon.")
    if name.startswith("-"):
        return click.UsageError(f"{name} comes after the command, as in: heroku apps {name}")
    hint = f" Did you mean: {', '.join(near)}?" if near else " See them all: heroku help"
    return click.UsageError(f"{name} is not a heroku command.{hint}")


def nearest(word: str, known: Sequence[str]) -> list[str]:
    """Up to three names that a mistyped word may have meant, the likeliest first."""
    begun = [name for name in known if word and name.startswith(f"{word}:")]
    return list(dict.fromkeys([*get_close_matches(word, known, n=3, cutoff=0.6), *begun]))[:3]


def report(run: Run, error: HerokuError) -> None:
    """Say on stderr what happened, what to do next, and what the platform's support asks for."""
    out, following = run.out, (*error.next, *advice(run, error))
    if run.as_json:
        report_json(run, error, following)
        return
    out.err(out.marked("Error", error.message, "red"))
    for line in following:
        out.hint(line)
    if isinstance(error, ApiError):
        request = f" (request {error.request_id})" if error.request_id else ""
        out.hint(f"Error ID: {error.id}{request}")
        if error.url:
            out.hint(f"See {error.url}")


def report_json(run: Run, error: HerokuError, following: Sequence[str]) -> None:
    import json

    document = {
        "id": error.id,
        "message": error.message,
        "status": getattr(error, "status", None),
        "request_id": getattr(error, "request_id", None),
        "next": list(following),
        "warnings": run.out.warnings,
    }
    run.out.err(json.dumps(document, ensure_ascii=False))


def report_usage(run: Run, error: click.UsageError) -> None:
    from hkcli.cli.usage_words import in_words

    message = in_words(error.format_message())
    meant = (f"Did you mean: {run.meant}",) if run.meant else ()
    if run.as_json:
        failure = HerokuError(message)
        failure.id = "usage"
        report_json(run, failure, (*meant, f"{error.ctx.command_path} --help" if error.ctx else "heroku help"))
        return
    run.out.err(run.out.marked("Error", message, "red"))
    for line in meant:
        run.out.hint(line)
    if error.ctx:
        run.out.hint(error.ctx.get_usage())
        run.out.hint(f"See: {error.ctx.command_path} --help")


def advice(run: Run, error: HerokuError) -> tuple[str, ...]:
    """What only the whole run can tell about a failure."""
    if isinstance(error, Unauthorized) and not error.next:
        return (unauthorized_advice(run),)
    if error.id == "forbidden" and not error.next:
        return ("Who you are there: heroku whoami",)
    if isinstance(error, NotFound) and error.resource == "app" and run.needs_app:
        return app_advice(run)
    return ()


def unauthorized_advice(run: Run) -> str:
    key_is_sent = run.env.get("HEROKU_API_KEY") and run.host.is_same(run.default_host)
    if key_is_sent:
        return f"{run.host.api} does not accept HEROKU_API_KEY. Set it right, or unset it and log in: heroku login"
    if run.host.is_loopback:
        return f"The token for {run.host.api} in {run.netrc} is not valid. A new one: heroku backend:start"
    return f"The token for {run.host.api} in {run.netrc} is not valid. Log in again: heroku login"


def app_advice(run: Run) -> tuple[str, ...]:
    """Where a missing app was looked for, why it, and the nearest names of those that are there."""
    looked = f"Looked for {run.app} ({run.choice.why}) on {run.host.api}."
    try:
        near = nearest(run.app, [app["name"] for app in run.api.apps()])
    except HerokuError:
        return (looked,)
    return (looked, *([f"Did you mean: {', '.join(near)}?"] if near else ["See your apps: heroku apps"]))


def show_traceback(out: Output) -> None:
    import traceback

    out.err(traceback.format_exc().rstrip())
