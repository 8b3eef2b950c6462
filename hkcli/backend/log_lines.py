"""Bytes as a process writes them, turned into whole, clean lines, without looking at single lines."""

from collections.abc import Iterator

LINE_LIMIT = 10_000
"""Bytes of text in one log line; longer ones are split, as on Heroku."""


class LineAssembler:
    """Collects what was read from a pipe and gives it back as whole lines; holds at most LINE_LIMIT bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._was_cut = False

    @property
    def has_rest(self) -> bool:
        return bool(self._rest)

    def feed(self, data: bytes) -> bytes:
        """The lines that `data` completes, each with its newline."""
        if self._was_cut:
            self._was_cut = False
            if data.startswith((b"\n", b"\r\n")):
                data = data[data.index(b"\n") + 1 :]
        end = data.rfind(b"\n") + 1
        if end:
            lines, self._rest = self._rest + data[:end], data[end:]
        else:
            lines, self._rest = b"", self._rest + data
        if len(self._rest) > LINE_LIMIT:
            cut = character_boundary(self._rest, len(self._rest) - len(self._rest) % LINE_LIMIT)
            lines, self._rest = lines + self._rest[:cut] + b"\n", self._rest[cut:]
        return lines

    def flush_quiet(self) -> bytes:
        """The unfinished line as a line, its writer having paused; keeps back a character that is half there.

        The newline which may follow later belongs to this line and is swallowed."""
        cut = len(self._rest) - incomplete_tail(self._rest)
        if not cut:
            return b""
        line, self._rest, self._was_cut = self._rest[:cut] + b"\n", self._rest[cut:], True
        return line

    def flush(self) -> bytes:
        """All that is left, its writer having ended."""
        line, self._rest = self._rest, b""
        return line + b"\n" if line else b""


def whole_lines(text: bytes | str) -> bytes:
    """Valid UTF-8 without carriage returns, ending in a newline, no line over LINE_LIMIT; empty if there is no text."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if b"\r" in data:
        data = data.replace(b"\r", b"")
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode()
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return split_long_lines(data)


def split_long_lines(data: bytes) -> bytes:
    """`data` (whole lines) with a newline put in wherever a line would exceed LINE_LIMIT; jumps from limit to limit."""
    pieces, start, position = [], 0, 0
    while position + LINE_LIMIT < len(data) - 1:
        newline = data.rfind(b"\n", position, position + LINE_LIMIT + 1)
        if newline >= 0:
            position = newline + 1
        else:
            position = character_boundary(data, position + LINE_LIMIT)
            pieces.append(data[start:position])
            start = position
    return b"\n".join([*pieces, data[start:]]) if pieces else data


def pieces(lines: bytes, prefix_bytes: int, about_bytes: int) -> Iterator[bytes]:
    """Whole lines in as many parts as it takes for each to have about so many bytes once every line has its prefix."""
    parts = -(-(len(lines) + lines.count(b"\n") * prefix_bytes) // about_bytes)
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start + len(lines) // parts) + 1 if parts > 1 else len(lines)
        yield lines[start : end or len(lines)]
        start = end or len(lines)


def character_boundary(data: bytes, position: int) -> int:
    """The nearest position at or before the given one (by at most 3) that does not cut a UTF-8 character."""
    for back in range(4):
        if position - back <= 0 or position >= len(data) or data[position - back] & 0xC0 != 0x80:
            return position - back
    return position


def incomplete_tail(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character whose rest has not come; 0 to 3."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return length if needed > length else 0
    return 0


def first_lines_end(data: bytes, count: int) -> int:
    """Where the first `count` lines of `data` end."""
    position = 0
    for _ in range(count):
        position = data.index(b"\n", position) + 1
    return position
