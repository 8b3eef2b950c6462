"""Log lines out of a byte stream, many at a time: server-sent events, or plain text."""


class EventLines:
    """Server-sent events as blocks of lines. An event's `data` fields are a line each.

    Only whole events count: `last_id` is that of the last one, from where a reader that was cut off goes on.
    """

    def __init__(self) -> None:
        self.last_id: str | None = None
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The lines, each with its newline, of all events that are now whole."""
        self._rest += data
        if b"\r" in data:
            self._rest = self._rest.replace(b"\r\n", b"\n")
        whole, blank, rest = self._rest.rpartition(b"\n\n")
        if not blank:
            return b""
        self._rest = rest
        return b"".join(map(self._lines, whole.split(b"\n\n")))

    def end(self) -> bytes:
        """What is left at the end of the stream is no whole event."""
        return b""

    def _lines(self, event: bytes) -> bytes:
        head, newline, body = event.partition(b"\n")
        if head.startswith(b"id: ") and newline and is_plain_data(body):
            self.last_id = head[4:].decode(errors="replace")
        elif is_plain_data(event):
            body = event
        else:
            return self._unusual_lines(event)
        return body[6:].replace(b"\ndata: ", b"\n") + b"\n"

    def _unusual_lines(self, event: bytes) -> bytes:
        """Any event the format allows: comments, other fields, no space after the colon."""
        lines = []
        for line in event.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                lines.append(value.removeprefix(b" ") + b"\n")
            elif name == b"id":
                self.last_id = value.removeprefix(b" ").decode(errors="replace")
        return b"".join(lines)


def is_plain_data(event: bytes) -> bool:
    """Whether each line is a `data: ` field, which is so of nearly every event and can be asked at once."""
    return event.startswith(b"data: ") and event.count(b"\n") == event.count(b"\ndata: ")


class PlainLines:
    """Plain text as blocks of whole lines."""

    last_id: str | None = None

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            return b""
        block, self._rest = self._rest + whole + newline, rest
        return block

    def end(self) -> bytes:
        block, self._rest = self._rest and self._rest + b"\n", b""
        return block
