"""The log router: takes lines from every writer of an app, keeps the newest, and streams them to readers.

Lines move in chunks, one timestamp and one run of sequence numbers each; a chunk is formatted, stored and framed by a
few operations on the whole buffer. Readers never slow a writer: a tail that falls behind loses its oldest chunks and is
told so (L11)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from hkcli.backend.log_lines import first_lines_end, whole_lines
from hkcli.backend.log_segments import SEGMENT_BYTES, Chunk, Segments

HISTORY_LINES = 1500
TAIL_BUFFER_BYTES = 8 * 1024 * 1024
KEEPALIVE_S = 25.0
SEND_BYTES = 256 * 1024
"""About how much is joined into one piece for a reader who has several chunks waiting."""
FEW_TAILS, PART_BYTES = 8, 32 * 1024
"""With more readers each is handed small parts, cut anywhere, so that what is on its way to all of them stays small."""


class Framing(Enum):
    PLAIN = "text/plain"
    EVENTS = "text/event-stream"
    """Server-sent events, one a chunk; the id is the sequence number of the chunk's last line."""


@dataclass(frozen=True)
class LogFilter:
    source: str | None = None
    dyno: str | None = None
    """A dyno's name or its process type."""

    def matches(self, chunk: Chunk) -> bool:
        if self.source is not None and chunk.source != self.source:
            return False
        if self.dyno is None:
            return True
        return chunk.dyno is not None and (chunk.dyno == self.dyno or chunk.dyno.startswith(self.dyno + "."))


@dataclass(eq=False)
class Tail:
    """What waits for one tailing reader; bounded, and aware of what it had to drop."""

    filter: LogFilter
    limit_bytes: int
    waiting: deque[Chunk] = field(default_factory=deque)
    size_bytes: int = 0
    dropped: int = 0
    dropped_since: datetime | None = None
    closed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, chunk: Chunk, now: datetime) -> None:
        if not self.filter.matches(chunk):
            return
        self.waiting.append(chunk)
        self.size_bytes += len(chunk.data)
        while self.size_bytes > self.limit_bytes and len(self.waiting) > 1:
            lost = self.waiting.popleft()
            self.size_bytes -= len(lost.data)
            self.dropped += lost.count
            self.dropped_since = self.dropped_since or now
        self.news.set()

    def take(self, about_bytes: int) -> list[Chunk]:
        taken, size = [], 0
        while self.waiting and size < about_bytes:
            taken.append(self.waiting.popleft())
            size += len(taken[-1].data)
        self.size_bytes -= size
        return taken

    def take_loss(self) -> tuple[int, datetime] | None:
        """How many lines were dropped before what `take` gives next, and since when."""
        if not self.dropped_since:
            return None
        loss = self.dropped, self.dropped_since
        self.dropped, self.dropped_since = 0, None
        return loss

    def close(self) -> None:
        self.closed = True
        self.news.set()


class Channel:
    """One app's log: its history, its files, its tails."""

    def __init__(self, segments: Segments, history_lines: int) -> None:
        self.segments = segments
        self.chunks = segments.load()
        self.tails: set[Tail] = set()
        self._history_lines = history_lines
        self._kept = sum(chunk.count for chunk in self.chunks)
        self._trim()
        self.next = self.chunks[-1].last + 1 if self.chunks else segments.newest_first

    @property
    def part_bytes(self) -> int:
        """How much is handed to one reader at a time, at most."""
        return SEND_BYTES if len(self.tails) <= FEW_TAILS else PART_BYTES

    def append(self, chunk: Chunk, now: datetime) -> None:
        self.next = chunk.last + 1
        self.segments.append(chunk)
        self.chunks.append(chunk)
        self._kept += chunk.count
        self._trim()
        for tail in self.tails:
            tail.push(chunk, now)

    def _trim(self) -> None:
        while self.chunks and self._kept - self.chunks[0].count >= self._history_lines:
            self._kept -= self.chunks.popleft().count

    def newest(self, log_filter: LogFilter, lines: int) -> list[Chunk]:
        """Up to `lines` of the lines that match, oldest first."""
        found: list[Chunk] = []
        wanted = min(lines, self._history_lines)
        for chunk in reversed(self.chunks):
            if wanted <= 0:
                break
            if log_filter.matches(chunk):
                found.append(without_first(chunk, chunk.count - wanted))
                wanted -= chunk.count
        return found[::-1]

    def since(self, log_filter: LogFilter, after: int) -> list[Chunk]:
        """The kept lines that match and follow the one with sequence number `after`, oldest first."""
        return [
            without_first(chunk, after + 1 - chunk.first)
            for chunk in self.chunks
            if chunk.last > after and log_filter.matches(chunk)
        ]


class Logplex:
    def __init__(
        self,
        directory: Path,
        *,
        history_lines: int = HISTORY_LINES,
        tail_buffer_bytes: int = TAIL_BUFFER_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        keepalive_s: float = KEEPALIVE_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._history_lines = history_lines
        self._tail_buffer_bytes = tail_buffer_bytes
        self._segment_bytes = segment_bytes
        self._keepalive_s = keepalive_s
        self._now = now
        self._channels: dict[str, Channel] = {}
        self._forgotten: set[str] = set()
        self._streams: set[Tail] = set()

    def write(self, app_id: str, source: str, dyno: str | None, text: bytes | str) -> None:
        """Add one or more lines, all with the time of now. Lines of an app that was forgotten go nowhere."""
        lines = whole_lines(text)
        if not lines or app_id in self._forgotten:
            return
        channel, now = self._channel(app_id), self._now()
        prefix = line_prefix(now, source, dyno)
        data = prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
        channel.append(Chunk(channel.next, lines.count(b"\n"), source, dyno, data), now)

    async def stream(
        self,
        app_id: str,
        *,
        filter: LogFilter = LogFilter(),
        lines: int = 100,
        tail: bool = False,
        after: int | None = None,
        framing: Framing = Framing.PLAIN,
    ) -> AsyncIterator[bytes]:
        """The newest `lines` lines that match (or all that follow number `after`), then, to tail, each new one.

        Ends by itself without `tail`; else when the app is forgotten, the router is closed, or the caller stops."""
        if app_id in self._forgotten:
            return
        channel = self._channel(app_id)
        follower = Tail(filter, self._tail_buffer_bytes)
        past = channel.newest(filter, lines) if after is None else channel.since(filter, after)
        lost = self._loss_before(channel, filter, after)
        if tail:
            channel.tails.add(follower)
            self._streams.add(follower)
        try:
            if lost:
                yield frame_notice(lost, framing)
            for piece in framed(past, framing):
                yield piece
            while tail and not (follower.closed and not follower.waiting):
                if piece := await self._next_piece(channel, follower, framing):
                    part = channel.part_bytes
                    for start in range(0, len(piece), part):
                        yield piece[start : start + part]
        finally:
            channel.tails.discard(follower)
            self._streams.discard(follower)

    def position(self, app_id: str) -> int:
        """The number of the newest line; 0 when there is none."""
        return self._channel(app_id).next - 1

    def open_tail(self, app_id: str, *, after: int, limit_bytes: int) -> Tail:
        """All lines after a number, from now on as well, for one reader; lines that are gone already count as lost."""
        channel = self._channel(app_id)
        tail = Tail(LogFilter(), limit_bytes)
        for chunk in channel.since(tail.filter, after):
            tail.push(chunk, self._now())
        first = channel.chunks[0].first if channel.chunks else channel.next
        if (gap := first - after - 1) > 0:
            tail.dropped, tail.dropped_since = tail.dropped + gap, tail.dropped_since or self._now()
        channel.tails.add(tail)
        return tail

    def close_tail(self, app_id: str, tail: Tail) -> None:
        tail.close()
        if app_id in self._channels:
            self._channels[app_id].tails.discard(tail)

    def tails(self, app_id: str) -> int:
        """How many readers follow the app's log."""
        return len(self._channel(app_id).tails)

    def forget(self, app_id: str) -> None:
        """Remove all of an app's lines for good and end its tails."""
        channel = self._channel(app_id)
        self._forgotten.add(app_id)
        del self._channels[app_id]
        for tail in channel.tails:
            tail.close()
        channel.segments.remove()

    def end_streams(self) -> None:
        """End what `stream` sends, after what waits for it; other tails go on."""
        for follower in self._streams:
            follower.close()

    def close(self) -> None:
        """End every tail, after what waits for it. What was written is on disk already."""
        for channel in self._channels.values():
            for tail in channel.tails:
                tail.close()

    def _channel(self, app_id: str) -> Channel:
        if app_id not in self._channels:
            segments = Segments(
                self._directory / app_id, keep_lines=self._history_lines, segment_bytes=self._segment_bytes
            )
            self._channels[app_id] = Channel(segments, self._history_lines)
        return self._channels[app_id]

    async def _next_piece(self, channel: Channel, tail: Tail, framing: Framing) -> bytes:
        """What to send to a tail next; empty when there is nothing to say."""
        if not tail.waiting and not tail.closed:
            tail.news.clear()
            try:
                async with asyncio.timeout(self._keepalive_s):
                    await tail.news.wait()
            except TimeoutError:
                return b": \n\n" if framing is Framing.EVENTS else b""
        loss = tail.take_loss()
        notice = frame_notice(overflow_line(*loss, self._now()), framing) if loss else b""
        return notice + b"".join(framed(tail.take(channel.part_bytes), framing))

    def _loss_before(self, channel: Channel, log_filter: LogFilter, after: int | None) -> bytes:
        """The line that admits a gap between `after` and the oldest line kept; a filtered gap cannot be counted."""
        if after is None or not channel.chunks or log_filter != LogFilter():
            return b""
        gap = channel.chunks[0].first - after - 1
        return overflow_line(gap, self._now(), self._now()) if gap > 0 else b""


def line_prefix(now: datetime, source: str, dyno: str | None) -> bytes:
    """`2026-11-23T18:40:01.123456+00:00 app[worker.1]: `"""
    writer = f"{source}[{dyno}]" if dyno else source
    return f"{now.isoformat(timespec='microseconds')} {writer}: ".encode()


def overflow_line(dropped: int, since: datetime, now: datetime) -> bytes:
    """As logplex words it."""
    told = f"This tail session dropped {dropped} messages since {since.isoformat(timespec='microseconds')}."
    return line_prefix(now, "logplex", "1") + f"Error L11 (Tail buffer overflow) -> {told}\n".encode()


def without_first(chunk: Chunk, lines: int) -> Chunk:
    if lines <= 0:
        return chunk
    data = chunk.data[first_lines_end(chunk.data, lines) :]
    return Chunk(chunk.first + lines, chunk.count - lines, chunk.source, chunk.dyno, data)


def framed(chunks: Iterable[Chunk], framing: Framing) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk.data if framing is Framing.PLAIN else b"id: %d\n" % chunk.last + as_event_data(chunk.data)


def frame_notice(line: bytes, framing: Framing) -> bytes:
    """A line for one reader alone: it has no number, so that resuming is not disturbed."""
    return line if framing is Framing.PLAIN else as_event_data(line)


def as_event_data(lines: bytes) -> bytes:
    return b"data: " + lines[:-1].replace(b"\n", b"\ndata: ") + b"\n\n"
