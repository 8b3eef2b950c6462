"""One app's log on disk: append-only segment files that survive kill -9, and that readers who are behind read from.

A segment is named after the sequence number of its first line and holds one record a chunk: a header line
`FIRST COUNT BYTES SOURCE DYNO` and the chunk's lines as they are read out. Nothing is synced: a record is in the page
cache before a reader sees it, so only a crash of the machine can lose it."""

import contextlib
import logging
import os
import shutil
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 1000


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


class Stored(NamedTuple):
    """A chunk and where in the log its record begins and ends: in bytes, the oldest record at the start being at 0."""

    chunk: Chunk
    start: int
    end: int


@dataclass(frozen=True)
class Segment:
    first: int
    """The number of its first line."""
    start: int
    """The position in the log where it begins."""


class Segments:
    """The segment files of one app. A failing disk is reported once and never stops the log."""

    def __init__(self, directory: Path, *, keep_lines: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self._keep_lines = keep_lines
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self.end = 0
        """The position after the newest record."""
        for first in sorted(int(path.stem) for path in directory.glob("*.log") if path.stem.isdigit()):
            self._segments.append(Segment(first, self.end))
            self.end += self._path(first).stat().st_size
        self._failed = False

    def load(self) -> list[Stored]:
        """The newest chunks, oldest first, that together hold `keep_lines` lines; a torn end is cut off."""
        chunks: list[Stored] = []
        lines = 0
        for segment in reversed(self._segments):
            found = parse((path := self._path(segment.first)).read_bytes(), segment.start)
            if segment is self._segments[-1]:
                self.end = found[-1].end if found else segment.start
                os.truncate(path, self.end - segment.start)
            chunks[:0] = found
            lines += sum(stored.chunk.count for stored in found)
            if lines >= self._keep_lines:
                break
        return chunks

    @property
    def newest_first(self) -> int:
        """The number that the newest segment begins with, though nothing in it may have survived."""
        return self._segments[-1].first if self._segments else 1

    def append(self, chunk: Chunk) -> Stored:
        """Also a chunk that cannot be written has its place in the log, which readers pass over."""
        header = f"{chunk.first} {chunk.count} {len(chunk.data)} {chunk.source} {chunk.dyno or '-'}\n".encode()
        if not self._segments or self._failed or self.end - self._segments[-1].start >= self._segment_bytes:
            self._segments.append(Segment(chunk.first, self.end))
        start, self.end = self.end, self.end + len(header) + len(chunk.data)
        try:
            self._write(header, chunk.data)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("log lines are kept in memory only: %s", error)
            self._failed = True
        return Stored(chunk, start, self.end)

    def find(self, number: int) -> Stored | None:
        """The oldest chunk on disk that has this line, or one that follows it."""
        firsts = [segment.first for segment in self._segments]
        for segment in self._segments[max(bisect_right(firsts, number) - 1, 0) :]:
            for stored in self.read_segment(segment):
                if stored.chunk.last >= number:
                    return stored
        return None

    def read(self, position: int, about_bytes: int) -> list[Stored]:
        """The chunks that follow a position; empty where the rest of a segment is not there: see `after`."""
        segment = self._segments[self._index(position)]
        offset = max(position - segment.start, 0)
        try:
            with self._path(segment.first).open("rb", buffering=0) as file:
                content = os.pread(file.fileno(), max(about_bytes, HEADER_BYTES), offset)
                if content and len(content) < (needed := record_bytes(content)):
                    content = os.pread(file.fileno(), needed, offset)
        except OSError:
            return []
        return parse(content, segment.start + offset, counting=False)

    def after(self, position: int) -> int:
        """Where the segment that follows a position begins."""
        following = self._index(position) + 1
        return self._segments[following].start if following < len(self._segments) else self.end

    def superfluous(self) -> Segment | None:
        """The oldest segment, if the log keeps as many lines as it has to without it."""
        if len(self._segments) <= 2 or self._segments[-1].first - self._segments[1].first < self._keep_lines:
            return None
        return self._segments[0]

    def drop_oldest(self) -> None:
        with contextlib.suppress(OSError):
            self._path(self._segments.pop(0).first).unlink()

    def first_from(self, position: int) -> Segment | None:
        """The oldest segment that begins at a position or later."""
        return next((segment for segment in self._segments if segment.start >= position), None)

    def read_segment(self, segment: Segment) -> list[Stored]:
        try:
            return parse(self._path(segment.first).read_bytes(), segment.start)
        except OSError:
            return []

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self, header: bytes, data: bytes) -> None:
        """Opened for each record: a record is a batch already, and a thousand apps then need no open files."""
        path, flags = self._path(self._segments[-1].first), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(path, flags, 0o600)
        try:
            written = os.writev(fd, (header, data))
        finally:
            os.close(fd)
        if written < len(header) + len(data):
            raise OSError(f"only {written} of {len(header) + len(data)} bytes could be written to {self.directory}")

    def _index(self, position: int) -> int:
        return max(bisect_right(self._segments, position, key=lambda segment: segment.start) - 1, 0)

    def _path(self, first: int) -> Path:
        return self.directory / f"{first:020d}.log"


def parse(content: bytes, start: int = 0, *, counting: bool = True) -> list[Stored]:
    """The chunks of records that begin at position `start`, up to the first one that is torn or not all there.

    `counting` their lines, as a crash of the machine can leave anything, takes most of the time."""
    chunks: list[Stored] = []
    position = 0
    while (end := content.find(b"\n", position, position + HEADER_BYTES)) >= 0:
        try:
            first, count, size, source, dyno = content[position:end].decode().split(" ")
            data = content[end + 1 : end + 1 + int(size)]
            chunk = Chunk(int(first), int(count), source, None if dyno == "-" else dyno, data)
        except ValueError:
            break
        is_whole = len(data) == int(size) and data.endswith(b"\n")
        is_whole = is_whole and not (counting and data.count(b"\n") != chunk.count)
        if not is_whole or (chunks and chunk.first <= chunks[-1].chunk.last):
            break
        begin, position = position, end + 1 + int(size)
        chunks.append(Stored(chunk, start + begin, start + position))
    return chunks


def record_bytes(content: bytes) -> int:
    """How long the record is that begins here; 0 when that is none."""
    header, newline, _ = content[:HEADER_BYTES].partition(b"\n")
    words = header.split(b" ")
    return len(header) + 1 + int(words[2]) if newline and len(words) == 5 and words[2].isdigit() else 0
