"""One reading of an app's jobs for all who look at them: it starts with the first viewer, and stops after the last.

The table is read in a thread, the log from the log router's own memory. A viewer who is slow misses readings.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from hkcli.backend.dashboard.book import SAMPLES_KEPT, Book, Reading, Subject, facts_of
from hkcli.backend.dashboard.charts import Sample
from hkcli.backend.dynos import Dyno
from hkcli.backend.errors import Conflict
from hkcli.backend.log_channel import Tail
from hkcli.backend.logplex import Logplex
from hkcli.backend.store import App, Store

REFRESH_S = 1.0
LINGER_S = 10.0
"""How long reading goes on without a viewer: a page that is loaded again finds it going."""
CLOSE_S = 5.0
FIRST_S = 15.0
MOST_VIEWERS, MOST_WATCHES = 100, 100
LOG_BYTES = 2 * 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Watch:
    """One app. `subject` is asked at every reading; None ends it."""

    subject: Callable[[], Subject | None]
    dynos: Callable[[], list[Dyno]]
    open_tail: Callable[[], Tail]
    close_tail: Callable[[Tail], None]
    is_living: Callable[[str], bool]
    """Of a dyno's host; asked by threads, too."""
    refresh_s: float = REFRESH_S
    viewers: int = 0
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    """They stay when reading stops: who comes back sees what was."""
    _latest: Reading | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """The newest reading, then each one that follows; ends when the app is gone or we are."""
        self.viewers += 1
        try:
            if not self.is_running and not self._closing.is_set():
                self._latest, self._task = None, asyncio.create_task(self._run())
            seen = None
            while True:
                news = self._news
                if self._latest is not None and self._latest is not seen:
                    seen = self._latest
                    yield seen
                elif self.is_running:
                    await news.wait()
                else:
                    return
        finally:
            self.viewers -= 1

    def check_room(self) -> None:
        """Raises Conflict when so many look already that one more would be too many."""
        if self.viewers >= MOST_VIEWERS:
            raise Conflict(f"{MOST_VIEWERS} pages look at this app already. Close some of them.")

    async def current(self) -> Reading:
        """The newest reading, or the first one if nobody looked. Raises Conflict when there is none in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S), aclosing(self.readings()) as readings:
                async for reading in readings:
                    return reading
        raise Conflict("The app's jobs could not be read in time. Load the page again.")

    async def ask(self, question: Callable[P, T], *words: P.args, **more: P.kwargs) -> T:
        """Blocking work for one viewer, in a thread, one at a time: of a slow database the platform needs no more.

        Raises Conflict when it is not its turn in time."""
        try:
            async with asyncio.timeout(FIRST_S):
                await self._asking.acquire()
        except TimeoutError:
            raise Conflict("The app's database is slow, and others wait for it already. Load the page again.") from None
        try:
            return await asyncio.to_thread(question, *words, **more)
        finally:
            self._asking.release()

    async def close(self) -> None:
        self._closing.set()
        if task := self._task:
            await asyncio.wait({task}, timeout=CLOSE_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        tail = self.open_tail()
        tail.take_loss()
        book = Book(self.samples, self.refresh_s)
        try:
            left_at = time.monotonic()
            while not self._closing.is_set() and (subject := self.subject()):
                if self.viewers:
                    left_at = time.monotonic()
                elif time.monotonic() - left_at > LINGER_S:
                    return
                facts = facts_of(subject, self.dynos(), self.is_living)
                lines, loss = [chunk.data for chunk in tail.take(LOG_BYTES)], tail.take_loss()
                reading = await asyncio.to_thread(book.read, subject, facts, lines, loss[0] if loss else 0)
                self._publish(reading)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.refresh_s):
                        await self._closing.wait()
        except Exception:
            log.exception("event=dashboard_failed")
        finally:
            self.close_tail(tail)
            book.close()
            self._task = None
            self._publish(None)

    def _publish(self, reading: Reading | None) -> None:
        self._latest = reading
        news, self._news = self._news, asyncio.Event()
        news.set()


class Watches:
    """The watch of each app, made when somebody first looks; those that rest longest go first when there are many."""

    def __init__(
        self, store: Store, dynos: Callable[[str], list[Dyno]], logplex: Logplex, is_living: Callable[[str], bool]
    ) -> None:
        self._store, self._dynos, self._logplex, self._is_living = store, dynos, logplex, is_living
        self._watches: dict[str, Watch] = {}

    def of(self, app_id: str) -> Watch:
        """Raises Conflict when too many apps are looked at."""
        watch = self._watches.pop(app_id, None) or self._make(app_id)
        self._watches[app_id] = watch
        resting = [each for each, found in self._watches.items() if not found.is_running and found is not watch]
        for each in resting[: max(0, len(self._watches) - MOST_WATCHES)]:
            del self._watches[each]
        if len(self._watches) > MOST_WATCHES:
            del self._watches[app_id]
            raise Conflict(f"{MOST_WATCHES} apps are looked at already.")
        return watch

    async def close(self) -> None:
        await asyncio.gather(*(watch.close() for watch in self._watches.values()))

    def _make(self, app_id: str) -> Watch:
        return Watch(
            lambda: subject_of(self._store, app_id),
            lambda: self._dynos(app_id),
            lambda: self._logplex.open_tail(app_id, after=0, limit_bytes=LOG_BYTES),
            self._logplex.close_tail,
            self._is_living,
        )


def subject_of(store: Store, app_id: str) -> Subject | None:
    with store.transaction() as session:
        app = session.get(App, app_id)
        return Subject(app.name, dict(app.config)) if app else None
