"""The terminal here: whether it is ours to read, its size, and raw mode that is undone whatever happens."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

ENDING_SIGNALS = ("SIGTERM", "SIGHUP")


def descriptor_of(stream: TextIO | None) -> int | None:
    """The file descriptor behind a stream, if it is open and has one."""
    try:
        return stream.fileno() if stream and not stream.closed else None
    except (OSError, ValueError):
        return None


def is_in_foreground(descriptor: int) -> bool:
    """Whether reading this terminal would not stop us: false for a job in the background."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


@contextmanager
def raw_mode(descriptor: int) -> Iterator[None]:
    """Keys as bytes, at once and without echo; what was typed ahead counts.

    The old mode comes back also when a signal ends us."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    with signals_as_exits():
        try:
            tty.setraw(descriptor, termios.TCSADRAIN)
            yield
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def signals_as_exits() -> Iterator[None]:
    """Let signals that end a process unwind it, so that what was changed is put back."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
