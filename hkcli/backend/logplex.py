"""The log router: takes lines from every writer of an app, keeps the newest, and streams them to readers.

Lines move in chunks, one timestamp and one run of sequence numbers each; a chunk is formatted, stored and framed by a
few operations on the whole buffer. Readers never slow a writer: a tail that is behind reads from disk, and only one
that falls further behind than the log is kept loses lines, and is told so (L11)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from hkcli.backend.log_channel import EVERYTHING, Channel, LogFilter, Tail
from hkcli.backend.log_lines import pieces, whole_lines
from hkcli.backend.log_segments import SEGMENT_BYTES, Chunk, Segments

HISTORY_LINES = 1500
BEHIND_BYTES = 256 * 1024 * 1024
"""How far a tail may be behind: so much of an app's log, at most, is kept on disk while somebody has yet to read it."""
CHUNK_BYTES = 128 * 1024
"""About how much one chunk has at most: what readers hold in memory while they send it."""
KEEPALIVE_S = 25.0


class Framing(Enum):
    PLAIN = "text/plain"
    EVENTS = "text/event-stream"
    """Server-sent events, one a chunk; the id is the sequence number of the chunk's last line."""


class Logplex:
    def __init__(
        self,
        directory: Path,
        *,
        history_lines: int = HISTORY_LINES,
        behind_bytes: int = BEHIND_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        keepalive_s: float = KEEPALIVE_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._history_lines = history_lines
        self._behind_bytes = behind_bytes
        self._segment_bytes = segment_bytes
        self._keepalive_s = keepalive_s
        self._now = now
        self._channels: dict[str, Channel] = {}
        self._forgotten: set[str] = set()
        self._streams: set[Tail] = set()
        self._is_closing = False
        """Then everything stays on disk for drains that go on with the next backend."""

    def write(self, app_id: str, source: str, dyno: str | None, text: bytes | str) -> None:
        """Add one or more lines, all with the time of now. Lines of an app that was forgotten go nowhere."""
        lines = whole_lines(text)
        if not lines or app_id in self._forgotten:
            return
        channel, now = self._channel(app_id), self._now()
        prefix = line_prefix(now, source, dyno)
        for piece in pieces(lines, len(prefix), CHUNK_BYTES):
            data = prefix + piece[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
            channel.append(Chunk(channel.next, piece.count(b"\n"), source, dyno, data))

    async def stream(
        self,
        app_id: str,
        *,
        filter: LogFilter = EVERYTHING,
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
        past = channel.newest(filter, lines) if after is None else []
        follower = channel.follow(filter, self._behind_bytes, after)
        self._streams.add(follower)
        if not tail:
            follower.close()
        try:
            for chunk in past:
                yield framed([chunk], framing)
            while follower.waiting or not follower.closed:
                piece, part = await self._next_piece(channel, follower, framing), channel.part_bytes
                for start in range(0, len(piece), part):
                    yield piece[start : start + part]
        finally:
            self._streams.discard(follower)
            channel.leave(follower)
            if not self._is_closing:
                channel.prune()

    def position(self, app_id: str) -> int:
        """The number of the newest line; 0 when there is none."""
        return self._channel(app_id).next - 1

    def open_tail(self, app_id: str, *, after: int, limit_bytes: int) -> Tail:
        """All lines after a number, from now on as well, for one reader; lines that are gone already count as lost."""
        return self._channel(app_id).follow(EVERYTHING, limit_bytes, after)

    def close_tail(self, tail: Tail) -> None:
        tail.channel.leave(tail)

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
        self._is_closing = True
        for follower in self._streams:
            follower.close()

    def close(self) -> None:
        """End every tail, after what waits for it. What was written is on disk already."""
        self._is_closing = True
        for channel in self._channels.values():
            for tail in channel.tails:
                tail.close()

    def _channel(self, app_id: str) -> Channel:
        if app_id not in self._channels:
            segments = Segments(
                self._directory / app_id, keep_lines=self._history_lines, segment_bytes=self._segment_bytes
            )
            self._channels[app_id] = Channel(segments, self._history_lines, self._now)
        return self._channels[app_id]

    async def _next_piece(self, channel: Channel, tail: Tail, framing: Framing) -> bytes:
        """What to send to a tail next; empty when there is nothing to say."""
        if tail.waiting or tail.closed:
            await asyncio.sleep(0)
        else:
            tail.news.clear()
            try:
                async with asyncio.timeout(self._keepalive_s):
                    await tail.news.wait()
            except TimeoutError:
                return b": \n\n" if framing is Framing.EVENTS else b""
        chunks, loss = tail.take(channel.turn_bytes), tail.take_loss()
        notice = frame_notice(overflow_line(*loss, self._now()), framing) if loss else b""
        return notice + framed(chunks, framing)


def line_prefix(now: datetime, source: str, dyno: str | None) -> bytes:
    """`2026-11-23T18:40:01.123456+00:00 app[worker.1]: `"""
    writer = f"{source}[{dyno}]" if dyno else source
    return f"{now.isoformat(timespec='microseconds')} {writer}: ".encode()


def overflow_line(dropped: int, since: datetime, now: datetime) -> bytes:
    """As logplex words it."""
    told = f"This tail session dropped {dropped} messages since {since.isoformat(timespec='microseconds')}."
    return line_prefix(now, "logplex", "1") + f"Error L11 (Tail buffer overflow) -> {told}\n".encode()


def framed(chunks: Sequence[Chunk], framing: Framing) -> bytes:
    if framing is Framing.PLAIN:
        return chunks[0].data if len(chunks) == 1 else b"".join(chunk.data for chunk in chunks)
    return b"".join(b"id: %d\n" % chunk.last + as_event_data(chunk.data) for chunk in chunks)


def frame_notice(line: bytes, framing: Framing) -> bytes:
    """A line for one reader alone: it has no number, so that resuming is not disturbed."""
    return line if framing is Framing.PLAIN else as_event_data(line)


def as_event_data(lines: bytes) -> bytes:
    return b"data: " + lines[:-1].replace(b"\n", b"\ndata: ") + b"\n\n"
