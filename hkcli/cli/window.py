"""The size of the terminal here, told to the far end whenever it changes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hkcli.api.errors import HerokuError

Size = tuple[int, int]
"""Columns and lines."""


@contextmanager
def followed(terminal: int, told: Size, tell: Callable[[int, int], None]) -> Iterator[None]:
    """Call `tell(columns, lines)`, in a thread of its own, after changes; `told` is known at the far end already.

    Changes that come faster than they can be told are one. The first failure to tell ends it."""
    if not hasattr(signal, "SIGWINCH"):
        yield
        return
    changed, is_over = threading.Event(), threading.Event()
    changed.set()

    def note(_number: int, _frame: FrameType | None) -> None:
        changed.set()

    def work() -> None:
        known = told
        while changed.wait() and not is_over.is_set():
            changed.clear()
            size = size_of(terminal)
            if size is not None and size != known:
                known = size
                try:
                    tell(*size)
                except HerokuError:
                    return

    before = signal.signal(signal.SIGWINCH, note)
    thread = threading.Thread(target=work, name="window", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
        is_over.set()
        changed.set()


def size_of(terminal: int) -> Size | None:
    """As the terminal itself says, whatever COLUMNS and LINES do."""
    try:
        size = os.get_terminal_size(terminal)
    except OSError:
        return None
    return size.columns, size.lines
