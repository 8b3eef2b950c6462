"""A laptop that slept has dead connections that look alive: they are cut, so that who reads them goes on anew."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import Response

ASLEEP_S = 20.0
"""A wall clock that ran ahead by so much while ours stood still: the machine slept, or the clock was set."""


@dataclass(frozen=True)
class Watch:
    """How a silent connection is told from a dead one."""

    quiet_s: float = 120.0
    """Silence for so long, without a sign of life of the platform's, is death."""
    poll_s: float = 5.0
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    """Stands still while the machine sleeps."""

    @contextmanager
    def over(self, response: "Response") -> Iterator[None]:
        """Cut the connection of an open answer as soon as the machine has woken from a sleep."""
        done = threading.Event()
        thread = threading.Thread(target=self._look, args=(done, response), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()

    def _look(self, done: threading.Event, response: "Response") -> None:
        ahead = self.wall() - self.clock()
        while not done.wait(self.poll_s):
            before, ahead = ahead, self.wall() - self.clock()
            if ahead - before > ASLEEP_S:
                cut(response)
                return


def cut(response: "Response") -> None:
    connection = response.raw.connection
    if connection is not None and connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
