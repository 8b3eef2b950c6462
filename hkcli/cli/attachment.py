"""A one-off dyno joined to this terminal or pipe: started, talked with, and its exit status taken over."""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from hkcli.api.documents import Dyno
from hkcli.api.errors import ConnectionLost, HerokuError
from hkcli.api.exit_marker import MarkerFilter
from hkcli.cli.context import Run
from hkcli.cli.remote_command import shown, with_exit_status
from hkcli.cli.terminal import descriptor_of, is_in_foreground, raw_mode

if TYPE_CHECKING:
    from ssl import SSLSocket

LETTING_GO = 130


def attach(
    run: Run,
    words: tuple[str, ...],
    env: Mapping[str, str],
    options: Mapping[str, object],
    *,
    tty: bool | None,
    reads: bool,
) -> None:
    """Run the words in a dyno, joined to our streams; its exit status becomes that of the run.

    There is a terminal there if there is one here, at both ends; `tty` decides otherwise. Unless it `reads`, stdin is
    left to whoever reads it next."""
    wants_tty = tty if tty is not None else run.out.stdin.isatty() and run.out.stdout.isatty()
    wishes = {"command": with_exit_status(words), "attach": True, **options}
    wishes["env"] = {**terminal_env(run.env, wants_tty), **env}
    if not wants_tty:
        wishes["force_no_tty"] = True
    dyno, secure, beginning = start(run, shown(words), wishes)
    with secure:
        run.exit_status = converse(run, dyno, secure, beginning, wants_tty, reads)


def start(run: Run, command: str, wishes: Mapping[str, object]) -> "tuple[Dyno, SSLSocket, bytes]":
    """The dyno, the socket that is joined to it, and the first of its output."""
    from hkcli.api.rendezvous import join

    with run.out.progress(f"Running {command} on {run.app}") as step:
        authority = run.api.certificate_authority() if run.host.is_loopback else None
        dyno = run.api.create_dyno(run.app, wishes)
        secure, beginning = join(attach_url_of(dyno), run.env, authority)
        step.ends(f"up, {dyno['name']}")
    return dyno, secure, beginning


def converse(run: Run, dyno: Dyno, secure: "SSLSocket", beginning: bytes, has_tty: bool, reads: bool) -> int:
    """Pass bytes both ways until the dyno is done; its exit status. Raises ConnectionLost."""
    from hkcli.api.relay import LetGo, Relay

    input_fd, is_terminal = input_of(run) if reads else (None, False)
    raw_fd = input_fd if is_terminal and has_tty else None
    marker = MarkerFilter()
    write = writer_of(run, as_text=has_tty and not run.out.stdout.isatty())
    relay = Relay(secure, input_fd, lambda data: write(marker.feed(data)), is_raw=raw_fd is not None)
    try:
        with raw_mode(raw_fd) if raw_fd is not None else nullcontext(), size_followed(run, dyno, raw_fd):
            write(marker.feed(beginning))
            relay.run()
            write(marker.end())
    except LetGo:
        run.out.talk()
        run.out.talk(f"Let go of {dyno['name']}, which is told to end. See: heroku ps --app {run.app}")
        return LETTING_GO
    return status_of(marker, dyno, run.app, was_interrupted=relay.was_interrupted)


def size_followed(run: Run, dyno: Dyno, terminal: int | None) -> AbstractContextManager[None]:
    """Let the terminal there have the size of the one here; on a backend of ours alone: Heroku's wire can't tell it."""
    if terminal is None or not run.host.is_loopback:
        return nullcontext()
    from hkcli.cli.window import followed

    return followed(
        terminal,
        size_here(),
        lambda columns, lines: run.api.resize_terminal(run.app, dyno["name"], columns, lines),
    )


def input_of(run: Run) -> tuple[int | None, bool]:
    """The descriptor to read, and whether it is a terminal; none for a job in the background."""
    descriptor = descriptor_of(run.out.stdin)
    is_terminal = run.out.stdin.isatty()
    if descriptor is None or (is_terminal and not is_in_foreground(descriptor)):
        return None, False
    return descriptor, is_terminal


def attach_url_of(dyno: Dyno) -> str:
    if not dyno["attach_url"]:
        raise HerokuError(f"The platform started {dyno['name']}, but not so that it can be attached to.")
    return dyno["attach_url"]


def terminal_env(env: Mapping[str, str], has_terminal: bool) -> dict[str, str]:
    """What the far end has to know of the terminal here."""
    if not has_terminal:
        return {}
    columns, lines = size_here()
    return {"TERM": env.get("TERM", "xterm"), "COLUMNS": str(columns), "LINES": str(lines)}


def size_here() -> tuple[int, int]:
    size = shutil.get_terminal_size()
    return size.columns, size.lines


def writer_of(run: Run, *, as_text: bool) -> Callable[[bytes], None]:
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
