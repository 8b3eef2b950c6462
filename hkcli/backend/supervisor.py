"""Makes what runs equal to what should run, and keeps it so."""

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hkcli.backend import dyno_log
from hkcli.backend.dyno_log import DynoLog, change_state
from hkcli.backend.dynos import Dyno, DynoSpec, DynoState
from hkcli.backend.engines.local import LocalEngine, Terminal
from hkcli.backend.engines.process import Process
from hkcli.backend.engines.unpack import SlugError
from hkcli.backend.logplex import Logplex
from hkcli.backend.one_offs import LEFTOVER_GRACE_S, TIME_TO_LIVE_S, OneOff, Patience, finish, first_of, stop
from hkcli.backend.plan import (
    Actual,
    Drop,
    Phase,
    SlotKey,
    Start,
    Stop,
    crashes_after,
    cycle_at,
    key_of,
    next_start,
    plan,
    restart_delay,
)
from hkcli.backend.rendezvous import HOLD_S, Rendezvous

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""After the desired state could not be read."""
PORT_POLL_S = 0.1
HASTY_S = 0.3


@dataclass(eq=False)
class Slot:
    """The place of one formation dyno, through all its processes."""

    dyno: Dyno
    phase: Phase = Phase.RUNNING
    crashes: int = 0
    start_at: datetime | None = None
    cycle_at: datetime | None = None
    restart: bool = False
    restart_after_stop: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    process: Process | None = None

    def seen(self) -> Actual:
        return Actual(self.dyno.spec, self.phase, self.start_at, self.restart, self.cycle_at)


class Supervisor:
    """`desired` gives the formation dynos of all apps as they should run; call `wake` when it may have changed."""

    def __init__(
        self,
        engine: LocalEngine,
        logplex: Logplex,
        rendezvous: Rendezvous,
        desired: Callable[[], Iterable[DynoSpec]],
        *,
        patience: Patience = Patience(),  # noqa: B008  (frozen)
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._logplex = logplex
        self._rendezvous = rendezvous
        self._desired = desired
        self._patience = patience
        self._now = now
        self._slots: dict[SlotKey, Slot] = {}
        self._one_offs: dict[str, OneOff] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._news = asyncio.Event()
        self._reaped = asyncio.Event()
        self._closing = False
        self._shutdown_s = patience.stop_s + 2 * LEFTOVER_GRACE_S

    async def run(self) -> None:
        """Until `shutdown`. What an earlier backend left running is ended before anything is started."""
        await self._engine.reap_strays()
        self._reaped.set()
        while not self._closing:
            self._news.clear()
            try:
                self._reconcile()
                wait_s = self._until_next_start()
            except Exception:
                log.exception("event=reconcile_failed retry_s=%g", RETRY_S)
                wait_s = RETRY_S
            await first_of(self._news.wait(), timeout_s=wait_s)

    def wake(self) -> None:
        self._news.set()

    def dynos(self, app_id: str) -> list[Dyno]:
        """Those of the formation, also crashed ones, then the one-offs."""
        formation = [slot.dyno for slot in self._slots.values()]
        one_offs = [one_off.dyno for one_off in self._one_offs.values()]
        return [
            dyno for dyno in formation + one_offs if dyno.spec.app_id == app_id and dyno.state is not DynoState.DOWN
        ]

    def running(self) -> list[tuple[Dyno, Process]]:
        """The dynos of all apps that have a process now."""
        places: list[Slot | OneOff] = [*self._slots.values(), *self._one_offs.values()]
        return [(each.dyno, each.process) for each in places if each.process and not each.process.has_exited]

    def restart(self, app_id: str, target: str | None = None) -> list[Dyno]:
        """Restart what `target` names: a dyno, a process type, or (None) the whole formation.

        One-offs are not started again: named, they end. Returns the dynos concerned."""
        slots = [slot for slot in self._slots.values() if is_target(slot.dyno, app_id, target)]
        for slot in slots:
            slot.restart = slot.phase is not Phase.STOPPING
        self.wake()
        return [slot.dyno for slot in slots] + (self._stop_one_offs(app_id, target) if target else [])

    def stop(self, app_id: str, target: str | None = None) -> list[Dyno]:
        """Stop what `target` names; the formation's dynos are started again, as on Heroku, as long as it has them."""
        dynos = self.restart(app_id, target)
        return dynos if target else dynos + self._stop_one_offs(app_id, None)

    def run_one_off(
        self,
        spec: DynoSpec,
        *,
        attach: bool,
        terminal: Terminal | None,
        user: str | None,
        time_to_live_s: float = TIME_TO_LIVE_S,
        copy: Callable[[bytes], object] | None = None,
        hold_s: float = HOLD_S,
    ) -> Dyno:
        """Start a one-off; with `attach` it waits for the client that `attach_url` is given to.

        Attached without a terminal, stdin and stdout are pipes. After `time_to_live_s` it is stopped. `user` is who
        asked for it, None for the platform; `copy` is given what a detached one prints, besides the log."""
        if self._closing:
            raise RuntimeError("the supervisor is shutting down")
        ticket = self._rendezvous.open(hold_s=hold_s) if attach else None
        dyno = self._new_dyno(spec)
        dyno.attach_url = ticket.url if ticket else None
        told = DynoLog(self._logplex, spec, copy)
        if user is not None:
            told.one_off_requested(user)
        one_off = OneOff(
            dyno,
            self._engine,
            told,
            ticket=ticket,
            terminal=terminal if attach else None,
            time_to_live_s=time_to_live_s,
            patience=self._patience,
            now=self._now,
        )
        self._one_offs[dyno.id] = one_off
        self._own(dyno.id, self._run_one_off(one_off))
        return dyno

    def resize(self, dyno: Dyno, columns: int, lines: int) -> bool:
        """Another size for the terminal of an attached one-off; False if it has none."""
        one_off = self._one_offs.get(dyno.id)
        return one_off is not None and one_off.resize(columns, lines)

    def wait_for(self, dyno: Dyno) -> "asyncio.Future[int]":
        """The exit status of a one-off, once it has ended. Ask before it has."""
        return asyncio.shield(self._tasks[dyno.id])

    def hasten(self, stop_s: float) -> None:
        """Nothing is given longer than this between SIGTERM and SIGKILL any more; `shutdown` takes little longer."""
        self._shutdown_s = stop_s + HASTY_S
        self._patience = replace(self._patience, stop_s=min(stop_s, self._patience.stop_s))
        for one_off in self._one_offs.values():
            one_off.patience = self._patience

    async def shutdown(self) -> None:
        """Stop every dyno as users see it done; returns when no process is left, at the latest after the graces."""
        self._closing = True
        self.wake()
        for slot in list(self._slots.values()):
            if slot.phase is Phase.RUNNING:
                self._stop(slot, restart=False)
            elif slot.phase is Phase.IDLE:
                self._drop(slot)
        for one_off in self._one_offs.values():
            one_off.stop()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._shutdown_s)
        for task in tasks:
            await finish(task, within_s=0)

    def _reconcile(self) -> None:
        for action in plan(self._desired(), [slot.seen() for slot in self._slots.values()], self._now()):
            match action:
                case Start(spec, fresh):
                    self._start(spec, fresh)
                case Stop(key, restart, cycling):
                    self._stop(self._slots[key], restart, dyno_log.CYCLING if cycling else dyno_log.RESTARTING)
                case Drop(key):
                    self._drop(self._slots[key])

    def _until_next_start(self) -> float | None:
        due = next_start(slot.seen() for slot in self._slots.values())
        return max((due - self._now()).total_seconds(), 0) if due else None

    def _start(self, spec: DynoSpec, fresh: bool) -> None:
        before = self._slots.get(key_of(spec))
        if before:
            change_state(before.dyno, DynoState.STARTING, self._log(before), self._now())
        slot = Slot(self._new_dyno(spec), crashes=before.crashes if before and not fresh else 0)
        slot.cycle_at = cycle_at(self._now(), random.random())
        self._slots[key_of(spec)] = slot
        self._own(slot.dyno.id, self._live(slot))

    def _stop(self, slot: Slot, restart: bool, why: str = dyno_log.RESTARTING) -> None:
        if restart:
            self._log(slot).event(why)
        change_state(slot.dyno, DynoState.STARTING if restart else DynoState.DOWN, self._log(slot), self._now())
        slot.phase, slot.restart, slot.restart_after_stop = Phase.STOPPING, False, restart
        slot.stop.set()

    def _drop(self, slot: Slot) -> None:
        change_state(slot.dyno, DynoState.DOWN, self._log(slot), self._now())
        del self._slots[key_of(slot.dyno.spec)]

    async def _live(self, slot: Slot) -> None:
        """One process of a slot, from start to end."""
        started_at = self._now()
        try:
            await self._run(slot, self._log(slot))
        finally:
            self._ended(slot, started_at)

    async def _run(self, slot: Slot, told: DynoLog) -> None:
        told.starting()
        try:
            process = await self._engine.start(slot.dyno.spec, slot.dyno.id)
        except (SlugError, OSError) as error:
            told.cannot_start(error)
        else:
            slot.process, slot.dyno.pid, slot.dyno.port = process, process.pid, process.port
            try:
                await self._run_process(slot, process, told)
            finally:
                slot.process = slot.dyno.pid = slot.dyno.port = None
                await process.close()

    async def _run_process(self, slot: Slot, process: Process, told: DynoLog) -> None:
        following = asyncio.create_task(told.follow(process))
        try:
            if await self._boots(slot, process, told):
                await first_of(process.wait(), slot.stop.wait())
            if slot.stop.is_set() and not process.has_exited:
                await stop(process, told, grace_s=self._patience.stop_s)
            elif not await process.gone(within_s=0):
                await process.stop(grace_s=LEFTOVER_GRACE_S)
            await process.kill()
        finally:
            await finish(following, within_s=LEFTOVER_GRACE_S)
        told.exited(await process.wait())

    async def _boots(self, slot: Slot, process: Process, told: DynoLog) -> bool:
        """Whether the dyno came up: at once, or, web, as soon as something listens on its port. If not, it is ended."""
        if slot.dyno.spec.type == "web":
            listening = asyncio.create_task(listens(process.port))
            await first_of(listening, process.wait(), slot.stop.wait(), timeout_s=self._patience.boot_s)
            is_listening = listening.done()
            await finish(listening, within_s=0)
            if not is_listening:
                if not process.has_exited and not slot.stop.is_set():
                    told.event(dyno_log.BOOT_TIMEOUT.format(self._patience.boot_s))
                    told.event(dyno_log.KILL)
                    await process.kill()
                return False
        if not slot.stop.is_set():
            change_state(slot.dyno, DynoState.UP, told, self._now())
        return True

    def _ended(self, slot: Slot, started_at: datetime) -> None:
        now = self._now()
        if slot.phase is Phase.STOPPING and not slot.restart_after_stop:
            del self._slots[key_of(slot.dyno.spec)]
        elif slot.phase is Phase.STOPPING:
            slot.phase, slot.start_at = Phase.IDLE, None
        else:
            change_state(slot.dyno, DynoState.CRASHED, self._log(slot), now)
            slot.crashes = crashes_after(slot.crashes, now - started_at)
            slot.phase, slot.start_at = Phase.IDLE, now + restart_delay(slot.crashes)
        self.wake()

    async def _run_one_off(self, one_off: OneOff) -> int:
        """Not before the strays are ended: a process started meanwhile would be taken for one of them."""
        try:
            await self._reaped.wait()
            return await one_off.run()
        finally:
            del self._one_offs[one_off.dyno.id]

    def _stop_one_offs(self, app_id: str, target: str | None) -> list[Dyno]:
        found = [one_off for one_off in self._one_offs.values() if is_target(one_off.dyno, app_id, target)]
        for one_off in found:
            one_off.stop()
        return [one_off.dyno for one_off in found]

    def _new_dyno(self, spec: DynoSpec) -> Dyno:
        now = self._now()
        return Dyno(str(uuid.uuid4()), spec, DynoState.STARTING, created_at=now, updated_at=now)

    def _log(self, slot: Slot) -> DynoLog:
        return DynoLog(self._logplex, slot.dyno.spec)

    def _own(self, dyno_id: str, life: Coroutine[Any, Any, Any]) -> None:
        """Run a dyno's life as a task that is held until it ends, and whose failure is not lost."""
        task = asyncio.create_task(life, name=f"dyno-{dyno_id}")
        self._tasks[dyno_id] = task
        task.add_done_callback(lambda _: self._life_ended(dyno_id, task))

    def _life_ended(self, dyno_id: str, task: "asyncio.Task[Any]") -> None:
        del self._tasks[dyno_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("dyno=%s event=life_failed", dyno_id, exc_info=error)


def is_target(dyno: Dyno, app_id: str, target: str | None) -> bool:
    return dyno.spec.app_id == app_id and target in (None, dyno.spec.name, dyno.spec.type)


async def listens(port: int) -> None:
    """Return when a connection to the port succeeds, by either protocol: some servers bind only what `localhost` is."""
    while True:
        for host in ("127.0.0.1", "::1"):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return
        await asyncio.sleep(PORT_POLL_S)
