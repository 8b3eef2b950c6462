"""Reading an app's log: a session is asked for, its URL is read, and a tail goes on where it was cut off."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING

from hkcli.api.calls import USER_AGENT, ignore
from hkcli.api.client import PlatformAPI
from hkcli.api.errors import ApiError, ConnectionLost, HerokuError, Unreachable, api_error
from hkcli.api.events import EventLines, PlainLines
from hkcli.api.wakefulness import Watch

if TYPE_CHECKING:
    from requests import Response

HISTORY_LINES = 1500
"""The most that the platform keeps for a session to begin with."""
READ_BYTES = 256 * 1024
SESSION_GONE = (403, 404)
PASSING = (429, 500, 502, 503, 504)
"""What a tail that has begun waits out, as it does a network that is down."""
PATIENCE_S, PATIENCE_HERE_S = 300.0, 15.0
WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Cut(Exception):
    """The stream ended though it was to go on."""


class LogReader:
    """`wishes` are those of a log session: lines, tail, source, dyno."""

    def __init__(
        self,
        api: PlatformAPI,
        app: str,
        wishes: Mapping[str, object],
        *,
        tell: Callable[[str], None] = ignore,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        watch: Watch | None = None,
    ) -> None:
        self._api, self._app, self._wishes = api, app, dict(wishes)
        self._tell, self._sleep, self._clock = tell, sleep, clock
        self._watch = watch or Watch()
        self._shown = Shown()
        self._last_id: str | None = None
        self._url: str | None = None

    def blocks(self) -> Iterator[bytes]:
        """Whole lines, in blocks as they come. Raises ApiError, Unreachable, ConnectionLost."""
        tail = bool(self._wishes.get("tail"))
        failing_since: float | None = None
        is_told = False
        waits = iter(WAITS_S)
        while True:
            try:
                for block in self._read():
                    failing_since, waits = None, iter(WAITS_S)
                    yield block
                if not tail:
                    return
                problem: HerokuError = ConnectionLost("The log stream was closed.")
            except Cut as error:
                problem = ConnectionLost(f"The log stream broke off ({error}).")
            except Unreachable as error:
                problem = error
            except ApiError as error:
                if not (tail and self._shown and error.status in PASSING):
                    raise
                problem = error
            now = self._clock()
            if failing_since is None:
                failing_since, is_told = now, False
            elif not is_told:
                self._tell(f"{problem.message} Reconnecting...")
                is_told = True
            if now - failing_since > self._patience_s:
                raise problem
            self._sleep(next(waits, WAITS_S[-1]))

    @property
    def _patience_s(self) -> float:
        from hkcli.api.transport import is_here

        return PATIENCE_HERE_S if is_here(self._api.base_url) else PATIENCE_S

    def _read(self) -> Iterator[bytes]:
        """The blocks of one connection, without what was shown before."""
        response, is_resumed = self._open()
        is_events = response.headers.get("Content-Type", "").startswith("text/event-stream")
        parser = EventLines() if is_events else PlainLines()
        seen = self._shown.filter() if self._shown and not is_resumed else None
        with closing(response), self._watch.over(response) if self._wishes.get("tail") else nullcontext():
            for data in received(response):
                block = parser.feed(data)
                self._last_id = parser.last_id or self._last_id
                if block and (new := seen.new(block) if seen else block):
                    self._shown.add(new)
                    yield new
            if block := parser.end():
                yield block

    def _open(self) -> tuple["Response", bool]:
        """The open stream, and whether it goes on exactly behind the last event that was read."""
        if self._url is not None:
            response = self._get(self._url, self._last_id)
            if response.ok:
                return response, self._last_id is not None
            if response.status_code not in SESSION_GONE:
                raise refused(response)
            response.close()
        wishes = self._wishes | ({"lines": HISTORY_LINES} if self._shown else {})
        self._url = self._api.log_session(self._app, wishes)["logplex_url"]
        self._last_id = None
        response = self._get(self._url, None)
        if not response.ok:
            raise refused(response)
        return response, False

    def _get(self, url: str, last_id: str | None) -> "Response":
        headers = {"Accept": "text/event-stream, text/plain", "Cache-Control": "no-cache", "User-Agent": USER_AGENT}
        headers |= {"Last-Event-ID": last_id} if last_id else {}
        return self._api.transport.stream(url, headers, self._watch.quiet_s)


def refused(response: "Response") -> HerokuError:
    document = {}
    with closing(response), suppress(Exception):
        document = response.json()
    return api_error(response.status_code, document, response.headers.get("Request-Id"), "The log stream")


def received(response: "Response") -> Iterator[bytes]:
    """The bytes of an open answer as they arrive. Raises Cut."""
    from urllib3.exceptions import HTTPError

    raw = response.raw
    try:
        if raw.chunked:
            yield from raw.stream(READ_BYTES, decode_content=True)
        else:
            while data := raw.read1(READ_BYTES, decode_content=True):
                yield data
    except (HTTPError, OSError) as error:
        raise Cut(str(error)) from error


class Shown:
    """The last lines that were shown, kept as blocks so that fast logs cost nothing."""

    def __init__(self, limit: int = HISTORY_LINES) -> None:
        self._limit = limit
        self._blocks: deque[tuple[bytes, int]] = deque()
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, block: bytes) -> None:
        lines = block.count(b"\n")
        self._blocks.append((block, lines))
        self._count += lines
        while self._count - self._blocks[0][1] >= self._limit:
            self._count -= self._blocks.popleft()[1]

    def filter(self) -> "Unseen":
        lines = b"".join(block for block, _ in self._blocks).splitlines(keepends=True)
        return Unseen(lines[-self._limit :])


class Unseen:
    """Finds, in a stream that begins with old lines again, those that were not shown.

    A line was shown if it is among the last ones, as often as it is there; and if it is not younger than the first of
    these, it is older history that nobody asked for, until the first known line has passed.
    """

    def __init__(self, shown: list[bytes]) -> None:
        self._shown = Counter(shown)
        self._oldest = timestamp(shown[0])
        self._left = HISTORY_LINES
        self._met = False

    def new(self, block: bytes) -> bytes:
        if self._left <= 0:
            return block
        lines = block.splitlines(keepends=True)
        self._left -= len(lines)
        return b"".join(line for line in lines if self._is_new(line))

    def _is_new(self, line: bytes) -> bool:
        if self._shown[line] > 0:
            self._shown[line] -= 1
            self._met = True
            return False
        return self._met or timestamp(line) > self._oldest


def timestamp(line: bytes) -> bytes:
    """What a log line begins with; texts of one length, so that their order is that of time."""
    return line.partition(b" ")[0]
