"""One app's log on disk: append-only segment files that survive kill -9 and stay small.

A segment is named after the sequence number of its first line and holds one record a chunk: a header line
`FIRST COUNT BYTES SOURCE DYNO` and the chunk's lines as they are read out. Nothing is synced: a record is in the page
cache before a reader sees it, so only a crash of the machine can lose it."""

import logging
import os
import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of one writer with one timestamp and consecutive sequence numbers."""

    first: int
    count: int
    source: str
    dyno: str | None
    data: bytes
    """The lines as they are read out, each with its newline."""

    @property
    def last(self) -> int:
        return self.first + self.count - 1


class Segments:
    """The segment files of one app. A failing disk is reported once and never stops the log."""

    def __init__(self, directory: Path, *, keep_lines: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self._keep_lines = keep_lines
        self._segment_bytes = segment_bytes
        self._firsts = sorted(int(path.stem) for path in directory.glob("*.log") if path.stem.isdigit())
        self._size = 0
        self._failed = False

    def load(self) -> deque[Chunk]:
        """The newest chunks, oldest first, that together hold `keep_lines` lines; a torn end is cut off."""
        chunks: deque[Chunk] = deque()
        lines = 0
        for age, first in enumerate(reversed(self._firsts)):
            found, good_bytes = read_segment(self._path(first))
            if age == 0:
                os.truncate(self._path(first), good_bytes)
                self._size = good_bytes
            chunks.extendleft(reversed(found))
            lines += sum(chunk.count for chunk in found)
            if lines >= self._keep_lines:
                break
        return chunks

    @property
    def newest_first(self) -> int:
        """The number that the newest segment begins with, though nothing in it may have survived."""
        return self._firsts[-1] if self._firsts else 1

    def append(self, chunk: Chunk) -> None:
        record = b"%d %d %d %s %s\n" % (
            chunk.first,
            chunk.count,
            len(chunk.data),
            chunk.source.encode(),
            (chunk.dyno or "-").encode(),
        )
        if not self._firsts or self._size >= self._segment_bytes:
            self._rotate(chunk.first)
        try:
            self._write(record + chunk.data)
            self._failed = False
        except OSError as error:
            self._size = self._segment_bytes
            if not self._failed:
                log.warning("log lines are kept in memory only: %s", error)
            self._failed = True

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self, record: bytes) -> None:
        """Opened for each record: a record is a batch already, and a thousand apps then need no open files."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self._path(self._firsts[-1]), flags, 0o600)
        except FileNotFoundError:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self._path(self._firsts[-1]), flags, 0o600)
        try:
            written = os.write(fd, record)
        finally:
            os.close(fd)
        self._size += written
        if written < len(record):
            raise OSError(f"only {written} of {len(record)} bytes could be written to {self.directory}")

    def _rotate(self, first: int) -> None:
        self._firsts.append(first)
        self._size = 0
        while len(self._firsts) > 2 and first - self._firsts[1] >= self._keep_lines:
            self._path(self._firsts.pop(0)).unlink(missing_ok=True)

    def _path(self, first: int) -> Path:
        return self.directory / f"{first:020d}.log"


def read_segment(path: Path) -> tuple[list[Chunk], int]:
    """The chunks of a segment file up to the first torn record, and how many bytes they take."""
    content = path.read_bytes()
    chunks: list[Chunk] = []
    position = 0
    while (end := content.find(b"\n", position, position + 1000)) >= 0:
        try:
            first, count, size, source, dyno = content[position:end].decode().split(" ")
            data = content[end + 1 : end + 1 + int(size)]
            chunk = Chunk(int(first), int(count), source, None if dyno == "-" else dyno, data)
        except ValueError:
            break
        if len(data) < int(size) or data.count(b"\n") != chunk.count or (chunks and chunk.first <= chunks[-1].last):
            break
        chunks.append(chunk)
        position = end + 1 + int(size)
    return chunks, position
