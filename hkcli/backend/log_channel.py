"""One app's log and who follows it.

The newest lines are in memory, once for all readers; one that is further behind reads from disk, as far back as lines
are kept for it. So readers never slow a writer, and take no memory; one that falls too far behind loses its oldest
lines and is told how many."""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from hkcli.backend.log_lines import first_lines_end
from hkcli.backend.log_segments import Chunk, Segments, Stored

RECENT_BYTES = 2 * 1024 * 1024
"""What is kept in memory for readers that are a little behind."""
LOOK_BYTES = 4 * 1024 * 1024
"""How much of the log is looked through for one reader before others have their turn."""
SEND_BYTES = 256 * 1024
FEW_TAILS, PART_BYTES = 8, 32 * 1024
"""With more readers each is handed small parts, cut anywhere, so that what is on its way to all of them stays small."""


@dataclass(frozen=True)
class LogFilter:
    source: str | None = None
    dyno: str | None = None
    """A dyno's name or its process type."""

    @property
    def is_everything(self) -> bool:
        return self.source is None and self.dyno is None

    def matches(self, chunk: Chunk) -> bool:
        if self.source is not None and chunk.source != self.source:
            return False
        if self.dyno is None:
            return True
        return chunk.dyno is not None and (chunk.dyno == self.dyno or chunk.dyno.startswith(self.dyno + "."))


EVERYTHING = LogFilter()


@dataclass(eq=False)
class Tail:
    """A reader's place in the log."""

    channel: "Channel"
    filter: LogFilter
    limit_bytes: int
    """How far it may be behind: so much of the log is kept for it, but no more."""
    position: int
    """In the log, as in `Stored`."""
    next: int
    """The number of the line that it is to read next."""
    dropped: int = 0
    dropped_since: datetime | None = None
    until: int | None = None
    """Where it ends, once it is closed."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waiting(self) -> bool:
        """Whether there are lines that it has not seen; they need not all be for it."""
        return self.position < (self.channel.end if self.until is None else self.until)

    @property
    def closed(self) -> bool:
        return self.until is not None

    def take(self, about_bytes: int) -> list[Chunk]:
        """What comes next; empty when nothing of what was looked through is for it."""
        return self.channel.take(self, about_bytes)

    def skip(self, position: int, number: int, lost: int | None = None) -> None:
        """Go on further ahead, with so many lines lost to it: all that lie between, unless it is said."""
        lost = number - self.next if lost is None else lost
        self.position, self.next = position, number
        if lost > 0:
            self.dropped += lost
            self.dropped_since = self.dropped_since or self.channel.now()

    def take_loss(self) -> tuple[int, datetime] | None:
        """How many lines were dropped before what `take` gave last, and since when."""
        if not self.dropped_since:
            return None
        loss = self.dropped, self.dropped_since
        self.dropped, self.dropped_since = 0, None
        return loss

    def close(self) -> None:
        """Nothing that comes from now on is for it."""
        self.until = self.channel.end if self.until is None else self.until
        self.news.set()


class Channel:
    """The log of one app."""

    def __init__(self, segments: Segments, history_lines: int, now: Callable[[], datetime]) -> None:
        self.segments, self.now = segments, now
        self.tails: set[Tail] = set()
        self._history_lines = history_lines
        self._recent = deque(segments.load())
        """The newest chunks, one after the other, also those that could not be written."""
        self._lines = sum(stored.chunk.count for stored in self._recent)
        self._bytes = sum(len(stored.chunk.data) for stored in self._recent)
        self._trim()
        self.next = self._recent[-1].chunk.last + 1 if self._recent else segments.newest_first

    @property
    def end(self) -> int:
        return self.segments.end

    @property
    def part_bytes(self) -> int:
        """How much is handed to one reader at a time, at most."""
        return SEND_BYTES if len(self.tails) <= FEW_TAILS else PART_BYTES

    @property
    def turn_bytes(self) -> int:
        """About how much one reader gets before others have their turn."""
        return 4 * SEND_BYTES if len(self.tails) <= FEW_TAILS else PART_BYTES

    def append(self, chunk: Chunk) -> None:
        self.next = chunk.last + 1
        self._recent.append(self.segments.append(chunk))
        self._lines += chunk.count
        self._bytes += len(chunk.data)
        self._trim()
        self.prune(at_most=2)
        for tail in self.tails:
            tail.news.set()

    def newest(self, log_filter: LogFilter, lines: int) -> list[Chunk]:
        """Up to `lines` of the lines that match, oldest first."""
        found: list[Chunk] = []
        wanted = min(lines, self._history_lines)
        for stored in reversed(self._recent):
            chunk = stored.chunk
            if wanted <= 0:
                break
            if log_filter.matches(chunk):
                found.append(without_first(chunk, chunk.count - wanted))
                wanted -= chunk.count
        return found[::-1]

    def follow(self, log_filter: LogFilter, limit_bytes: int, after: int | None = None) -> Tail:
        """A reader of what comes from now on, or also of all that is kept and follows line number `after`."""
        tail = Tail(self, log_filter, limit_bytes, self.end, self.next)
        if after is not None and after < self.next - 1 and (oldest := self._find(after + 1)):
            tail.position, tail.next = oldest.start, after + 1
            if oldest.chunk.first > tail.next and log_filter.is_everything:
                tail.skip(oldest.start, oldest.chunk.first)
        self._keep_within_limit(tail)
        self.tails.add(tail)
        return tail

    def leave(self, tail: Tail) -> None:
        tail.close()
        self.tails.discard(tail)
        self._trim()

    def take(self, tail: Tail, about_bytes: int) -> list[Chunk]:
        """Looks through a bounded part of the log, so that a reader of few lines keeps up with a flood of others."""
        self._keep_within_limit(tail)
        taken: list[Chunk] = []
        begun, size = tail.position, 0
        for chunk, start, end in self._following(tail.position, about_bytes):
            if chunk.first > tail.next and tail.filter.is_everything:
                if taken:
                    break
                tail.skip(start, chunk.first)
            if tail.filter.matches(chunk) and chunk.last >= tail.next:
                taken.append(without_first(chunk, tail.next - chunk.first))
                size += len(chunk.data)
            tail.position, tail.next = end, max(tail.next, chunk.last + 1)
            if size >= about_bytes or end - begun >= LOOK_BYTES:
                break
        return taken

    def prune(self, at_most: int = 1000) -> None:
        """Remove segments that nothing needs any more, and tell readers that were too slow for them.

        What is in memory stays on disk too: a reader that is there now may be behind when it is not any more."""
        for _ in range(at_most):
            if not (oldest := self.segments.superfluous()):
                return
            end = self.segments.after(oldest.start)
            behind = [tail for tail in self.tails if tail.position < end]
            if end > self._start or any(self.end - end < tail.limit_bytes for tail in behind):
                return
            chunks = [stored.chunk for stored in self.segments.read_segment(oldest)] if behind else []
            for tail in behind:
                lost = sum(lines_from(chunk, tail.next) for chunk in chunks if tail.filter.matches(chunk))
                tail.skip(end, max([tail.next, *(chunk.last + 1 for chunk in chunks[-1:])]), lost)
            self.segments.drop_oldest()

    @property
    def _start(self) -> int:
        """Where in the log begins what is in memory."""
        return self._recent[0].start if self._recent else self.end

    def _trim(self) -> None:
        """Keep the history in memory and, for readers, what they may need next."""
        spare_bytes = self._bytes - (RECENT_BYTES if self.tails else 0)
        while self._recent:
            chunk = self._recent[0].chunk
            if self._lines - chunk.count < self._history_lines or len(chunk.data) > spare_bytes:
                return
            self._recent.popleft()
            self._lines -= chunk.count
            self._bytes -= len(chunk.data)
            spare_bytes -= len(chunk.data)

    def _keep_within_limit(self, tail: Tail) -> None:
        """One with a filter has all that is on disk: `prune` counts how much of what it misses was for it."""
        wanted = self.end - tail.limit_bytes
        if tail.position >= wanted or not tail.filter.is_everything or not self._recent:
            return
        segment = self.segments.first_from(wanted)
        if segment and segment.start < self._start:
            tail.skip(segment.start, segment.first)
            return
        within = next((stored for stored in self._recent if stored.start >= wanted), self._recent[-1])
        if within.start > tail.position:
            tail.skip(within.start, within.chunk.first)

    def _following(self, position: int, block_bytes: int) -> Iterator[Stored]:
        """From disk, passing over what could not be written, in blocks that grow; then from memory."""
        while position < self._start:
            on_disk = self.segments.read(position, block_bytes)
            yield from on_disk
            position = on_disk[-1].end if on_disk else min(self.segments.after(position), self._start)
            block_bytes = min(2 * block_bytes, LOOK_BYTES)
        yield from islice(self._recent, bisect_left(self._recent, position, key=lambda each: each.start), None)

    def _find(self, number: int) -> Stored | None:
        is_recent = self._recent and number >= self._recent[0].chunk.first
        if not is_recent and (on_disk := self.segments.find(number)):
            return on_disk
        return next((stored for stored in self._recent if stored.chunk.last >= number), None)


def without_first(chunk: Chunk, lines: int) -> Chunk:
    if lines <= 0:
        return chunk
    data = chunk.data[first_lines_end(chunk.data, lines) :]
    return Chunk(chunk.first + lines, chunk.count - lines, chunk.source, chunk.dyno, data)


def lines_from(chunk: Chunk, number: int) -> int:
    """How many lines of a chunk have that number or a higher one."""
    return max(chunk.last + 1 - max(chunk.first, number), 0)
