"""The exit status of a command that runs elsewhere: its shell prints a marker line last, which nobody gets to see."""

import re

MARK = "\uffff heroku-command-exit-status: "
MARKER = re.compile(MARK.encode() + rb"(\d{1,3})\r?\n")
BEGUN = re.compile(MARK.encode() + rb"\d{0,3}\r?\Z")
UNENDED = re.compile(MARK.encode() + rb"(\d{1,3})\r?\Z")


def with_marker(line: str) -> str:
    """A shell line that prints the marker with its status when it has ended."""
    return f'{line} ; echo "{MARK}$?"'


class MarkerFilter:
    """Takes the marker out of a stream, however it is cut; `status` is that of the last one seen."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now; a tail that could yet become a marker is held back."""
        data = self._held + data
        data = MARKER.sub(self._take, data)
        start = self._possible_start(data)
        self._held = data[start:]
        return data[:start]

    def end(self) -> bytes:
        """What was held back and is no marker after all."""
        left, self._held = UNENDED.sub(self._take, self._held), b""
        return left

    def _take(self, found: "re.Match[bytes]") -> bytes:
        self.status = int(found[1])
        return b""

    @staticmethod
    def _possible_start(data: bytes) -> int:
        if begun := BEGUN.search(data):
            return begun.start()
        mark = MARK.encode()
        start = data.find(mark[:1], max(0, len(data) - len(mark) + 1))
        while start >= 0:
            if mark.startswith(data[start:]):
                return start
            start = data.find(mark[:1], start + 1)
        return len(data)
