"""Log lines as syslog messages with octet counts (RFC 5424, RFC 6587), as Logplex frames them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hkcli.backend.log_segments import Chunk

PRIORITIES = {("app", None): 190, ("heroku", "router"): 158, ("heroku", None): 45}
"""`facility * 8 + severity`, by source and dyno, as seen in Heroku's drains."""
WARNING = 172
TIME_CHARS = len("2026-11-23T18:40:01.123456+00:00")


@dataclass(frozen=True)
class Frame:
    """What is sent at once, and again under the same id when that failed."""

    body: bytes
    messages: int
    last: int
    """The sequence number of the last line in it."""
    lines: int
    """How many of the messages are lines of the log, not notices about lost ones."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def frame(chunks: Iterable[Chunk], *, last: int, notices: Iterable[bytes] = ()) -> Frame:
    """`last` counts when there are no chunks."""
    messages = list(notices)
    told = len(messages)
    for chunk in chunks:
        messages += syslog(chunk)
        last = chunk.last
    return Frame(b"".join(b"%d %b" % (len(each), each) for each in messages), len(messages), last, len(messages) - told)


def syslog(chunk: Chunk) -> list[bytes]:
    """A message for each line of a chunk; all of them have its time and writer."""
    priority = PRIORITIES.get((chunk.source, chunk.dyno)) or PRIORITIES.get((chunk.source, None), 45)
    lines = chunk.data[:-1].split(b"\n")
    time, text_at = lines[0][:TIME_CHARS], lines[0].index(b": ") + 2
    head = b"<%d>1 %b host %b %b - " % (priority, time, chunk.source.encode(), (chunk.dyno or "-").encode())
    return [head + line[text_at:] + b"\n" for line in lines]


def overflow(dropped: int, since: datetime, now: datetime) -> bytes:
    """What a drain is told instead of lines that it was too slow for."""
    return notice(f"Error L10 (output buffer overflow): {dropped} messages dropped since {iso(since)}.", now)


def lost(messages: int, since: datetime, now: datetime) -> bytes:
    """What a drain is told of lines that it refused."""
    return notice(f"Error L13: {messages} messages lost since {iso(since)}.", now)


def notice(text: str, now: datetime) -> bytes:
    return f"<{WARNING}>1 {iso(now)} host heroku logplex - {text}\n".encode()


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
