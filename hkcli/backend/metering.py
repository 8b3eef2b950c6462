"""Looks at what each dyno uses, every 20 s. One over the memory of its size is told so (R14); one at twice as much is
killed, as on Heroku (R15). With the lab feature log-runtime-metrics the figures themselves are logged."""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hkcli.backend import catalog, dyno_log
from hkcli.backend.dyno_log import DynoLog
from hkcli.backend.dynos import Dyno
from hkcli.backend.engines.process import Process
from hkcli.backend.engines.usage import Usage
from hkcli.backend.logplex import Logplex
from hkcli.backend.one_offs import finish

log = logging.getLogger(__name__)

METERING_S = 20.0
VASTLY = 2
"""At so many times its quota a dyno is killed."""
MB = 1024 * 1024
APP_NUMBERS = 10**9
LOAD_PERIODS_S = {"1m": 60.0, "5m": 300.0, "15m": 900.0}


@dataclass(frozen=True)
class Load:
    """Averages of runnable processes, exponentially damped, as Dev Center's "log-runtime-metrics" computes them."""

    at_s: float
    averages: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(LOAD_PERIODS_S, 0.0))

    def later(self, now_s: float, runnable: int) -> "Load":
        weights = {name: math.exp((self.at_s - now_s) / period_s) for name, period_s in LOAD_PERIODS_S.items()}
        return Load(now_s, {name: (1 - old) * runnable + old * self.averages[name] for name, old in weights.items()})


def quota_bytes(size: str) -> int:
    return int(catalog.size(size).memory_gb * 1024 * MB)


class Metering:
    """`start` to `close`. `running` gives the dynos that have a process, `measure` what they use, by dyno id, when told
    the ids by main process; `reporting` the ids of the apps that want figures."""

    def __init__(
        self,
        running: Callable[[], list[tuple[Dyno, Process]]],
        measure: Callable[[Mapping[int, str]], dict[str, Usage]],
        reporting: Callable[[], set[str]],
        logplex: Logplex,
        *,
        every_s: float = METERING_S,
        quota_bytes: Callable[[str], int] = quota_bytes,
    ) -> None:
        self._running, self._measure, self._reporting, self._logplex = running, measure, reporting, logplex
        self._every_s, self._quota_bytes = every_s, quota_bytes
        self._loads: dict[str, Load] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="metering")

    async def close(self) -> None:
        if self._task:
            await finish(self._task, within_s=0)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._look()
            except Exception:
                log.exception("event=metering_failed")

    async def _look(self) -> None:
        dynos = self._running()
        if not dynos:
            return
        used = await asyncio.to_thread(self._measure, {process.pid: dyno.id for dyno, process in dynos})
        reporting, now_s = self._reporting(), time.monotonic()
        self._loads = {
            dyno.id: self._loads.get(dyno.id, Load(now_s)).later(now_s, used[dyno.id].runnable)
            for dyno, _ in dynos
            if dyno.id in used
        }
        for dyno, process in dynos:
            if dyno.id in used and not process.has_exited:
                await self._judge(dyno, process, used[dyno.id], dyno.spec.app_id in reporting)

    async def _judge(self, dyno: Dyno, process: Process, usage: Usage, is_reported: bool) -> None:
        told, quota = DynoLog(self._logplex, dyno.spec), self._quota_bytes(dyno.spec.size)
        if is_reported:
            told.event(load_line(dyno, self._loads[dyno.id]))
            told.event(memory_line(dyno, usage, quota))
        if usage.total_bytes <= quota:
            return
        told.event(dyno_log.MEMORY.format(usage.total_bytes // MB, usage.total_bytes / quota))
        if usage.total_bytes <= VASTLY * quota:
            told.event(dyno_log.MEMORY_EXCEEDED)
        else:
            told.event(dyno_log.MEMORY_VASTLY_EXCEEDED)
            told.event(dyno_log.KILL)
            await process.kill(is_at_fault=True)


def load_line(dyno: Dyno, load: Load) -> str:
    return sample(dyno, {f"load_avg_{name}": f"{average:.2f}" for name, average in load.averages.items()})


def memory_line(dyno: Dyno, usage: Usage, quota: int) -> str:
    """As on Heroku, without what only a kernel that counts for each dyno could say: its cache, and its page faults."""
    sizes = {
        "total": usage.total_bytes,
        "rss": usage.memory_bytes,
        "swap": usage.swap_bytes,
        "quota": quota,
    }
    return sample(dyno, {f"memory_{name}": f"{size / MB:.2f}MB" for name, size in sizes.items()})


def sample(dyno: Dyno, values: Mapping[str, str]) -> str:
    """A line for those who read figures from logs. Heroku's `dyno` has the app's number in it, which tools expect."""
    number = uuid.UUID(dyno.spec.app_id).int % APP_NUMBERS
    words = (f"sample#{name}={value}" for name, value in values.items())
    return " ".join((f"source={dyno.spec.name} dyno=heroku.{number}.{dyno.id}", *words))
