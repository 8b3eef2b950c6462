"""Keys pressed at a terminal while something else goes on."""

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from hkcli.cli.terminal import descriptor_of, is_in_foreground, signals_as_exits


@contextmanager
def keys(stdin: TextIO) -> Iterator[Callable[[float], str]]:
    """A function that waits so many seconds for a key; "" if none came. Ctrl-C is still an interrupt.

    Keys are not echoed meanwhile; the terminal is put back whatever happens."""
    import termios
    import time
    import tty

    descriptor = descriptor_of(stdin)
    if descriptor is None or not stdin.isatty() or not is_in_foreground(descriptor):

        def none(seconds: float) -> str:
            time.sleep(seconds)
            return ""

        yield none
        return

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, 1).decode("latin-1") if ready else ""

    before = termios.tcgetattr(descriptor)
    with signals_as_exits():
        try:
            tty.setcbreak(descriptor)
            yield pressed
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
