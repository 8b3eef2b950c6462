"""Add-ons that take their time: made, and unmade, after the transaction that asked for it.

The store says what is to be made (state `requested` or `provisioning`) and what there is; a note on disk says what was
made, so that what is not in the store any more is unmade, also when the backend was killed in between."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select

from hkcli.backend import marketplace, providers
from hkcli.backend.errors import ServiceUnavailable
from hkcli.backend.faults import Fault
from hkcli.backend.store import Addon, Store, now
from hkcli.backend.work import Work, Works, asked_by

log = logging.getLogger(__name__)

TOLD_WITHIN = timedelta(hours=12)
"""How long a provider that makes an add-on in its own time may take."""
LONGEST_PAUSE_S = 60.0
UNDER_WAY = ("requested", "provisioning")


class NothingMade(Exception):
    """The add-on was not made, and there is nothing of it to unmake; why."""


class Maker(Protocol):
    """Makes what the add-ons of one service are. What it is asked for may have been done already, by an earlier run."""

    def require(self) -> None:
        """Raises InvalidParams when none can be made here."""
        ...

    async def make(self, addon_id: str) -> dict[str, str] | None:
        """The add-on's config, by its variables' names without the attachment's prefix; None when its provider will
        say, later, that it is there. Raises NothingMade, or any other error when something may have been made."""
        ...

    async def unmake(self, addon_id: str) -> None:
        """Raises any error when it must be tried again."""
        ...


class AtOnce:
    """The Maker of add-ons of which there is nothing to make: the platform itself is what they are."""

    def require(self) -> None:
        return

    async def make(self, addon_id: str) -> dict[str, str]:
        return {}

    async def unmake(self, addon_id: str) -> None:
        raise AssertionError("there is never a note of it")


def pause_s(attempt: int) -> float:
    """Seconds before the attempt after this one, counted from 0: 1, 2, 4 ... 60."""
    return min(LONGEST_PAUSE_S, 2.0 ** min(attempt, 10))


class Provisioning:
    """`wake` when add-ons may have come or gone. `notes` is a folder with a file for each that was made."""

    def __init__(self, store: Store, notes: Path, maker: Callable[[str], Maker | None]) -> None:
        self._store, self._notes, self._maker = store, notes, maker
        self.works: Works | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._answers: dict[str, asyncio.Future[Exception | None]] = {}
        self._awaited: dict[str, asyncio.Event] = {}
        """Add-ons whose providers will say when they are there; set when they need not be waited for any more."""
        self._sabotaged: dict[str, Fault] = {}
        self._left_over: set[str] | None = None
        """Add-ons that a backend before this one was asked for: nobody waits to hear of a first failure. None before
        `resume`."""

    def require(self, wanted: str) -> None:
        """Whether an add-on of this service or plan can be made at all. Raises InvalidParams."""
        service, _ = providers.plan(wanted)
        if maker := self._maker(service.name):
            maker.require()

    def resume(self) -> None:
        """Go on where the backend before this one was stopped."""
        with self._store.transaction() as session:
            self._left_over = set(session.scalars(select(Addon.id).where(Addon.state.in_(UNDER_WAY))))
        self.wake()

    def wake(self) -> None:
        if self._left_over is None:
            return
        with self._store.transaction() as session:
            states = {addon.id: (addon.state, addon.service) for addon in session.scalars(select(Addon))}
        for addon_id, (state, service) in states.items():
            if state in UNDER_WAY and addon_id not in self._tasks:
                self._answers[addon_id] = asyncio.get_running_loop().create_future()
                self._own(addon_id, self._make(addon_id, service, self._maker(service) or AtOnce()))
        for service, addon_id in self._made():
            if addon_id not in states and (maker := self._maker(service)):
                self._own(addon_id, self._unmake(addon_id, service, maker))
        for addon_id, told in self._awaited.items():
            if states.get(addon_id, ("", ""))[0] not in UNDER_WAY:
                told.set()

    def sabotage(self, addon_id: str, fault: Fault) -> None:
        """Have an add-on that was just asked for meet a fault, as long as this backend runs."""
        self._sabotaged[addon_id] = fault

    async def answer(self, addon_id: str) -> Exception | None:
        """Wait until it is known whether the add-on that was just asked for is made, or will be; if not, why."""
        answer = self._answers.get(addon_id)
        return await asyncio.shield(answer) if answer else None

    async def close(self) -> None:
        """What is under way is begun anew by the next backend."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def owed(self, service: str) -> int:
        """How many add-ons that are gone its provider has still to be told of."""
        with self._store.transaction() as session:
            present = set(session.scalars(select(Addon.id)))
        return sum(made == service and addon_id not in present for made, addon_id in self._made())

    def forget(self, service: str) -> None:
        """Tell the provider of nothing any more."""
        for note in self._notes.glob(f"{service}.*"):
            note.unlink(missing_ok=True)
            if task := self._tasks.get(note.name.partition(".")[2]):
                task.cancel()

    def _own(self, addon_id: str, life: Coroutine[Any, Any, None]) -> None:
        """One task an add-on at a time; what has changed meanwhile is seen when it ends."""
        if addon_id in self._tasks:
            life.close()
            return

        def ended(task: "asyncio.Task[None]") -> None:
            del self._tasks[addon_id]
            answer = self._answers.pop(addon_id, None)
            if answer and not answer.done():
                answer.set_result(ServiceUnavailable("The making of the add-on broke off. See: heroku addons"))
            if not task.cancelled():
                if error := task.exception():
                    log.error("addon=%s event=provisioning_failed", addon_id, exc_info=error)
                else:
                    self.wake()

        self._tasks[addon_id] = asyncio.create_task(life, name=f"addon-{addon_id}")
        self._tasks[addon_id].add_done_callback(ended)

    def _made(self) -> Iterable[tuple[str, str]]:
        for note in list(self._notes.iterdir()):
            service, _, addon_id = note.name.partition(".")
            yield service, addon_id

    async def _make(self, addon_id: str, service: str, maker: Maker) -> None:
        note = self._notes / f"{service}.{addon_id}"
        if not isinstance(maker, AtOnce):
            note.touch()
        config, failure = None, None
        try:
            await self._meet_fault(addon_id)
            config = await self._ask(addon_id, maker)
        except Exception as error:
            failure = error
            self._fail(addon_id, str(error))
            if isinstance(error, NothingMade):
                note.unlink(missing_ok=True)
        else:
            if config is not None:
                self._complete(addon_id, config)
        self._answers[addon_id].set_result(failure)
        if config is None and failure is None:
            await self._be_told(addon_id)

    async def _ask(self, addon_id: str, maker: Maker) -> dict[str, str] | None:
        """What `make` gives. A provider that fails is asked again for an add-on that was left over."""
        attempt = 0
        while True:
            try:
                return await maker.make(addon_id)
            except NothingMade:
                raise
            except Exception as error:
                left_s = self._left_s(addon_id) if addon_id in (self._left_over or ()) else 0.0
                if left_s <= 0 or await self._is_over(addon_id, min(left_s, pause_s(attempt))):
                    raise
                attempt += 1
                log.warning("addon=%s event=provisioning_failed attempt=%d reason=%s", addon_id, attempt, error)

    async def _meet_fault(self, addon_id: str) -> None:
        """Raises ServiceUnavailable for an add-on that is to fail; returns when nothing holds it up any more."""
        if fault := self._sabotaged.pop(addon_id, None):
            if fault.provisioning == "fails":
                raise ServiceUnavailable(f"a fault on purpose: {fault.pattern}")
            await fault.over.wait()

    async def _be_told(self, addon_id: str) -> None:
        """Until the add-on is there, or gone, or has taken too long."""
        if not await self._is_over(addon_id, self._left_s(addon_id)):
            hours = TOLD_WITHIN.seconds // 3600
            self._fail(addon_id, f"its provider did not say within {hours} hours that it is there")

    def _left_s(self, addon_id: str) -> float:
        """Seconds that its provider may still take."""
        with self._store.transaction() as session:
            addon = session.get(Addon, addon_id)
            return (addon.created_at + TOLD_WITHIN - now()).total_seconds() if addon else 0.0

    async def _is_over(self, addon_id: str, within_s: float) -> bool:
        """Whether the add-on is there, or gone: now, or within so many seconds."""
        with self._store.transaction() as session:
            addon = session.get(Addon, addon_id)
            if addon is None or addon.state not in UNDER_WAY:
                return True
        told = self._awaited[addon_id] = asyncio.Event()
        try:
            async with asyncio.timeout(within_s):
                return await told.wait()
        except TimeoutError:
            return False
        finally:
            del self._awaited[addon_id]

    async def _unmake(self, addon_id: str, service: str, maker: Maker) -> None:
        attempt = 0
        while True:
            try:
                await maker.unmake(addon_id)
            except Exception as error:
                log.warning("addon=%s event=deprovisioning_failed attempt=%d reason=%s", addon_id, attempt + 1, error)
                await asyncio.sleep(pause_s(attempt))
                attempt += 1
            else:
                break
        (self._notes / f"{service}.{addon_id}").unlink(missing_ok=True)

    def _complete(self, addon_id: str, config: dict[str, str]) -> None:
        """Hand the config to the apps."""
        self._conclude(addon_id, lambda work, addon: marketplace.complete(work, addon, config))

    def _fail(self, addon_id: str, reason: str) -> None:
        """The add-on goes, and the log says why."""

        def give_up(work: Work, addon: Addon) -> None:
            work.note(addon.app, f"Provisioning of {addon.name} failed: {reason}")
            marketplace.destroy(work, addon, force=True)

        self._conclude(addon_id, give_up)

    def _conclude(self, addon_id: str, conclusion: Callable[[Work, Addon], None]) -> None:
        assert self.works is not None
        with self._store.transaction() as session:
            addon = session.get(Addon, addon_id)
        if addon is None or addon.state not in UNDER_WAY:
            return
        with self.works.begin(asked_by(addon.app.owner_id)) as work:
            conclusion(work, work.session.get_one(Addon, addon_id))
