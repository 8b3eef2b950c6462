"""Log lines for a terminal, in colours, and for programs, as JSON."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

LINE = re.compile(rb"^(?P<time>\S+) (?P<source>[\w-]+)\[(?P<dyno>[^\]\s]+)\]: ?(?P<text>.*)$")
PREFIX = re.compile(rb"^(\S+ )?([\w-]+\[([\w-]+)[^\]\s]*\]:)", re.MULTILINE)
PALETTE = (b"33", b"32", b"36", b"35", b"34", b"93", b"92", b"96", b"95", b"94")
FIRST_COLOURED = (b"run", b"router", b"web", b"postgres", b"heroku-postgres")
"""These have the first colours of the palette, whoever speaks first: as in Heroku's own CLI."""


class Colours:
    """Each process type gets a colour of its own, in the order in which they are seen."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = dict(zip(FIRST_COLOURED, PALETTE, strict=False))

    def block(self, block: bytes) -> bytes:
        return PREFIX.sub(self._coloured, block)

    def _coloured(self, found: "re.Match[bytes]") -> bytes:
        kind = found[3]
        colour = self._known.setdefault(kind, PALETTE[len(self._known) % len(PALETTE)])
        return b"\x1b[" + colour + b"m" + (found[1] or b"") + found[2] + b"\x1b[0m"


def as_json_lines(block: bytes) -> bytes:
    return b"".join(as_json_line(line) for line in block.splitlines())


def as_json_line(line: bytes) -> bytes:
    """`{"timestamp", "source", "dyno", "message"}`; a line of another form is all message."""
    found = LINE.match(line)
    if found:
        time, source, dyno, text = (part.decode(errors="replace") for part in found.groups())
        document = {"timestamp": time, "source": source, "dyno": dyno, "message": text}
    else:
        document = {"timestamp": None, "source": None, "dyno": None, "message": line.decode(errors="replace")}
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


class Ending:
    """The end of a one-off dyno, as the platform tells it in the log: what it ended with, and that it is over."""

    def __init__(self, dyno: str) -> None:
        source = rb"^\S+ heroku\[" + re.escape(dyno.encode()) + rb"\]: "
        self._exited = re.compile(source + rb"Process exited with status (\d+)", re.MULTILINE)
        self._over = re.compile(source + rb"State changed from \w+ to (?:complete|crashed)", re.MULTILINE)
        self.status: int | None = None

    def of(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks up to that in which the later of both is told, whichever that is."""
        is_over = False
        for block in blocks:
            yield block
            if found := self._exited.search(block):
                self.status = int(found[1])
            is_over = is_over or bool(self._over.search(block))
            if is_over and self.status is not None:
                return


def lines_since(blocks: Iterable[bytes], since: datetime) -> Iterator[bytes]:
    """The blocks without what is older; a line without a time goes with the one before it."""
    first = since.isoformat(timespec="microseconds").encode()
    is_young = False
    for block in blocks:
        kept = []
        for line in block.splitlines(keepends=True):
            if found := LINE.match(line.rstrip(b"\r\n")):
                is_young = found["time"] >= first
            if is_young:
                kept.append(line)
        if kept:
            yield b"".join(kept)
