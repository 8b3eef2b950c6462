"""Add-ons that take their time: made, and unmade, after the request that asked for it has been answered.

The store says what is to be made (state `provisioning`) and what there is; a note on disk says what was made, so that
what is not in the store any more is unmade, also when the backend was killed in between."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select

from hkcli.backend import marketplace, providers
from hkcli.backend.store import Addon, Store
from hkcli.backend.work import Works, asked_by

log = logging.getLogger(__name__)


class Maker(Protocol):
    """Makes what the add-ons of one service are."""

    def require(self) -> None:
        """Raises InvalidParams when none can be made here."""
        ...

    async def make(self, addon_id: str) -> dict[str, str]:
        """The add-on's config, by its variables' names without the attachment's prefix."""
        ...

    async def unmake(self, addon_id: str) -> None: ...


class Provisioning:
    """`wake` when add-ons may have come or gone. `notes` is a folder with an empty file for each that was made."""

    def __init__(self, store: Store, notes: Path, makers: dict[str, Maker]) -> None:
        self._store, self._notes, self._makers = store, notes, makers
        self.works: Works | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def require(self, wanted: str) -> None:
        """Whether an add-on of this service or plan can be made at all. Raises InvalidParams."""
        service, _ = providers.plan(wanted)
        if maker := self._makers.get(service.name):
            maker.require()

    def wake(self) -> None:
        with self._store.transaction() as session:
            addons = list(session.scalars(select(Addon).where(Addon.service.in_(self._makers))))
        for addon in addons:
            if addon.state == "provisioning":
                self._own(addon.id, self._make(addon.id, addon.service))
        for service, addon_id in self._made():
            if addon_id not in {addon.id for addon in addons}:
                self._own(addon_id, self._unmake(addon_id, service))

    async def close(self) -> None:
        """What is under way is begun anew by the next backend."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _own(self, addon_id: str, life: Coroutine[Any, Any, None]) -> None:
        """One task an add-on at a time; what has changed meanwhile is seen when it ends."""
        if addon_id in self._tasks:
            life.close()
            return

        def ended(task: "asyncio.Task[None]") -> None:
            del self._tasks[addon_id]
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

    async def _make(self, addon_id: str, service: str) -> None:
        (self._notes / f"{service}.{addon_id}").touch()
        try:
            config = await self._makers[service].make(addon_id)
        except Exception as error:
            self._conclude(addon_id, None, str(error))
        else:
            self._conclude(addon_id, config)

    async def _unmake(self, addon_id: str, service: str) -> None:
        await self._makers[service].unmake(addon_id)
        (self._notes / f"{service}.{addon_id}").unlink(missing_ok=True)

    def _conclude(self, addon_id: str, config: dict[str, str] | None, reason: str = "") -> None:
        """Hand the config to the apps; without one the add-on goes, and the log says why."""
        assert self.works is not None
        with self._store.transaction() as session:
            addon = session.get(Addon, addon_id)
            if addon is None:
                return
        with self.works.begin(asked_by(addon.app.owner_id)) as work:
            addon = work.session.get_one(Addon, addon_id)
            if config is None:
                work.note(addon.app, f"Provisioning of {addon.name} failed: {reason}")
                marketplace.destroy(work, addon, force=True)
            else:
                marketplace.complete(work, addon, config)
