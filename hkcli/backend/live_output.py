"""Output of a build or a release command: written to a file, and followed by readers while it grows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

READ_BYTES = 64 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""What is kept of what one program prints."""
NOT_KEPT = f" !     More output than {MOST_BYTES >> 20} MB is not kept."


class LiveOutputs:
    """Who reads a file that is still written is woken by its writer, and ends with it."""

    def __init__(self) -> None:
        self._growing: dict[Path, asyncio.Event] = {}
        self._is_ending = False

    def open(self, path: Path) -> "LiveOutput":
        return LiveOutput(path, self._growing)

    async def stream(self, path: Path, *, after_bytes: int = 0) -> AsyncIterator[bytes]:
        """All that is written to the file, from an offset, to its end. Raises FileNotFoundError before it is begun."""
        with path.open("rb") as file:
            file.seek(after_bytes)
            while True:
                grown = self._growing.get(path)
                while data := file.read(READ_BYTES):
                    yield data
                if grown is None or self._is_ending:
                    return
                await grown.wait()

    def end_streams(self) -> None:
        """Those who follow get what there is by now, and no more."""
        self._is_ending = True
        for grown in self._growing.values():
            grown.set()


class LiveOutput:
    """Complete when it is closed, or, as a context, at its end."""

    def __init__(self, path: Path, growing: dict[Path, asyncio.Event]) -> None:
        self._path, self._growing = path, growing
        self._file = path.open("ab", buffering=0)
        self._growing[path] = asyncio.Event()
        self._room_bytes = MOST_BYTES

    def __enter__(self) -> "LiveOutput":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            self._growing.pop(self._path).set()

    def copy(self, printed: bytes) -> None:
        """What a program prints, as far as there is room for it."""
        if self._room_bytes >= 0:
            self._room_bytes -= len(printed)
            if self._room_bytes >= 0:
                self._write(printed)
            else:
                self.tell(NOT_KEPT)

    def tell(self, line: str) -> None:
        self._write(f"{line}\n".encode())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        before, self._growing[self._path] = self._growing[self._path], asyncio.Event()
        before.set()
