"""Delivers the log of every app that has drains: a task a drain, each at its own speed.

How far a drain has got is kept in a file of its own: after a restart it goes on there, as far as the log reaches back.
What was sent when the backend was killed may be sent once more."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hkcli.backend.draining import frames
from hkcli.backend.draining.frames import Frame
from hkcli.backend.draining.sinks import Refused, Sink, sink
from hkcli.backend.home import remove
from hkcli.backend.log_channel import Tail
from hkcli.backend.logplex import Logplex

log = logging.getLogger(__name__)

BUFFER_BYTES = 64 << 20
"""How much of the log is kept on disk for one drain; what is more is dropped, oldest first, and told (L10)."""
FRAME_BYTES = 64 * 1024
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
CLOSE_S = 2.0


@dataclass(frozen=True)
class Drain:
    id: str
    app_id: str
    url: str
    token: str


@dataclass
class Loss:
    """Lines that a sink refused, not yet told."""

    lines: int = 0
    since: datetime | None = None


@dataclass(eq=False)
class Delivery:
    """One drain at work."""

    drain: Drain
    tail: Tail
    sink: Sink
    position: int
    loss: Loss = field(default_factory=Loss)
    task: "asyncio.Task[None] | None" = None
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)


class Draining:
    """`drains` gives all that there are; call `wake` when that may have changed."""

    def __init__(
        self,
        logplex: Logplex,
        folder: Path,
        drains: Callable[[], Iterable[Drain]],
        trust: ssl.SSLContext,
        *,
        buffer_bytes: int = BUFFER_BYTES,
        first_retry_s: float = FIRST_RETRY_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._logplex, self._folder, self._drains, self._trust = logplex, folder, drains, trust
        self._buffer_bytes, self._first_retry_s, self._now = buffer_bytes, first_retry_s, now
        self._at_work: dict[str, Delivery] = {}

    def wake(self) -> None:
        """Begin with new drains, from now on; end those that are gone."""
        wanted = {drain.id: drain for drain in self._drains()}
        for gone in self._at_work.keys() - wanted.keys():
            self._end(self._at_work.pop(gone))
            remove(self._folder / gone)
        for new in wanted.keys() - self._at_work.keys():
            self._at_work[new] = self._begin(wanted[new])

    async def close(self) -> None:
        """Give what waits a moment to be sent; what is not is sent by the next backend."""
        waits = [asyncio.create_task(each.is_idle.wait()) for each in self._at_work.values()]
        if waits:
            await asyncio.wait(waits, timeout=CLOSE_S)
        for wait in waits:
            wait.cancel()
        for each in self._at_work.values():
            self._end(each)
        tasks = [each.task for each in self._at_work.values() if each.task]
        await asyncio.gather(*waits, *tasks, return_exceptions=True)

    def _begin(self, drain: Drain) -> Delivery:
        position = self._position(drain)
        tail = self._logplex.open_tail(drain.app_id, after=position, limit_bytes=self._buffer_bytes)
        delivery = Delivery(drain, tail, sink(drain.url, drain.token, self._trust), position)
        self._keep(delivery)
        delivery.task = asyncio.create_task(self._deliver(delivery), name=f"drain-{drain.id}")
        return delivery

    def _end(self, delivery: Delivery) -> None:
        if delivery.task:
            delivery.task.cancel()
        delivery.sink.close()
        self._logplex.close_tail(delivery.tail)

    def _position(self, drain: Drain) -> int:
        try:
            return int((self._folder / drain.id).read_text())
        except (OSError, ValueError):
            return self._logplex.position(drain.app_id)

    def _keep(self, delivery: Delivery) -> None:
        path = self._folder / delivery.drain.id
        partial = path.with_suffix(".partial")
        partial.write_text(str(delivery.position))
        partial.replace(path)

    async def _deliver(self, delivery: Delivery) -> None:
        while not delivery.tail.closed or delivery.tail.waiting:
            if not delivery.tail.waiting:
                delivery.is_idle.set()
                delivery.tail.news.clear()
                await delivery.tail.news.wait()
                delivery.is_idle.clear()
                continue
            frame = self._next_frame(delivery)
            if await self._send(delivery, frame):
                delivery.loss = Loss()
            else:
                delivery.loss = Loss(delivery.loss.lines + frame.lines, delivery.loss.since or self._now())
            delivery.position = frame.last
            self._keep(delivery)

    def _next_frame(self, delivery: Delivery) -> Frame:
        now, notices = self._now(), []
        chunks = delivery.tail.take(FRAME_BYTES)
        if dropped := delivery.tail.take_loss():
            notices.append(frames.overflow(*dropped, now))
        if delivery.loss.since:
            notices.append(frames.lost(delivery.loss.lines, delivery.loss.since, now))
        return frames.frame(chunks, last=delivery.position, notices=notices)

    async def _send(self, delivery: Delivery, frame: Frame) -> bool:
        """Until it is taken (True) or refused for good."""
        failures = 0
        while True:
            try:
                await delivery.sink.send(frame)
                return True
            except Refused as error:
                log.warning("drain=%s event=refused messages=%d reason=%s", delivery.drain.id, frame.messages, error)
                return False
            except (OSError, TimeoutError) as error:
                delivery.sink.close()
                failures += 1
                if failures == 1:
                    log.warning("drain=%s event=unreachable reason=%s", delivery.drain.id, error or "timeout")
                await asyncio.sleep(retry_s(failures, self._first_retry_s))


def retry_s(failures: int, first_s: float = FIRST_RETRY_S) -> float:
    """How long to wait after so many failures in a row: doubling, to a minute."""
    return min(first_s * (1 << min(failures - 1, 20)), LONGEST_RETRY_S)
