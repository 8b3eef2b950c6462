"""Joining a socket to a pair of file descriptors until the far end is done. Knows of bytes, not of terminals."""

import os
import select
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

END_OF_INPUT = b"\x04"
INTERRUPT = 0x03
LET_GO_COUNT, LET_GO_WITHIN_S = 4, 1.0
READ_BYTES = 64 * 1024
MOST_UNSENT_BYTES = 256 * 1024


class LetGo(Exception):
    """Ctrl-C was pressed so often that the user wants out, whatever the far end does."""


class Relay:
    def __init__(
        self,
        secure: ssl.SSLSocket,
        input_fd: int | None,
        show: Callable[[bytes], None],
        *,
        is_raw: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`is_raw`: Ctrl-C arrives as a byte of the input and may mean more than a byte."""
        self._secure, self._input_fd, self._show = secure, input_fd, show
        self._is_raw, self._clock = is_raw, clock
        self._unsent = bytearray() if input_fd is not None else bytearray(END_OF_INPUT)
        self._interrupts: deque[float] = deque(maxlen=LET_GO_COUNT)
        self._needs_write = False

    @property
    def was_interrupted(self) -> bool:
        return bool(self._interrupts)

    def run(self) -> None:
        """Until the far end closes. Raises LetGo."""
        self._secure.setblocking(False)
        while True:
            if not self._receive():
                return
            self._send()
            self._wait()

    def _wait(self) -> None:
        reading: list[ssl.SSLSocket | int] = [self._secure]
        if self._input_fd is not None and len(self._unsent) < MOST_UNSENT_BYTES:
            reading.append(self._input_fd)
        writing = [self._secure] if self._needs_write else []
        readable, _, _ = select.select(reading, writing, [])
        if self._input_fd is not None and self._input_fd in readable:
            self._take_input(self._input_fd)

    def _receive(self) -> bool:
        """Show all that has come; False when that was the last."""
        while True:
            try:
                data = self._secure.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            except (ssl.SSLError, ConnectionError, TimeoutError):
                return False
            if not data:
                return False
            self._show(data)

    def _send(self) -> None:
        self._needs_write = False
        while self._unsent:
            try:
                sent = self._secure.send(self._unsent)
            except ssl.SSLWantWriteError:
                self._needs_write = True
                return
            except ssl.SSLWantReadError:
                return
            except (ssl.SSLError, ConnectionError):
                self._unsent.clear()
                return
            del self._unsent[:sent]

    def _take_input(self, descriptor: int) -> None:
        data = b""
        with suppress(OSError):
            data = os.read(descriptor, READ_BYTES)
        if not data:
            self._input_fd = None
            data = END_OF_INPUT
        elif self._is_raw:
            self._count_interrupts(data)
        self._unsent += data
        self._send()

    def _count_interrupts(self, data: bytes) -> None:
        for _ in range(data.count(INTERRUPT)):
            self._interrupts.append(self._clock())
        if len(self._interrupts) == LET_GO_COUNT and self._interrupts[-1] - self._interrupts[0] <= LET_GO_WITHIN_S:
            raise LetGo
