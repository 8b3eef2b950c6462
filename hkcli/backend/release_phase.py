"""The release phase: a `release:` process runs to its end before its release takes over (PROTOCOL 4.4).

What is to be run is in the store, as releases that are pending: those of one app run one after the other."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import desired, formation
from hkcli.backend.dynos import DynoSpec
from hkcli.backend.home import Home
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.releases import COMMAND_TYPE
from hkcli.backend.store import App, Release, Store, now
from hkcli.backend.supervisor import Supervisor
from hkcli.backend.work import Work, Works, asked_by

log = logging.getLogger(__name__)

TIME_LIMIT_S = 3600.0
"""As on Heroku."""


@dataclass(frozen=True)
class Phase:
    """One release command to run."""

    app_id: str
    release_id: str
    user_id: str
    version: int
    spec: DynoSpec


class ReleasePhases:
    """`works.wake` has to call `wake`: releases come to be pending by any change."""

    def __init__(self, home: Home, store: Store, supervisor: Supervisor, outputs: LiveOutputs) -> None:
        self._home, self._store, self._supervisor, self._outputs = home, store, supervisor, outputs
        self.works: Works | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._closing = False

    def wake(self) -> None:
        """Start what is pending, where nothing runs yet."""
        if self._closing:
            return
        with self._store.transaction() as session:
            for app_id in set(session.scalars(select(Release.app_id).where(Release.status == "pending"))):
                if app_id not in self._running:
                    phase = next_phase(session, app_id, self._home)
                    self._running[app_id] = asyncio.create_task(self._run(phase), name=f"release-{phase.release_id}")

    async def follow(self, app_id: str, release_id: str) -> AsyncIterator[bytes]:
        """The command's output, from its start, which may have to be awaited, to its end."""
        path = self._home.release_output(app_id, release_id)
        while self._status(release_id) == "pending" and not path.exists() and not self._closing:
            await self._news_of(release_id).wait()
        if path.exists():
            async for piece in self._outputs.stream(path):
                yield piece

    async def ended(self, release_id: str) -> bool:
        """Whether the release took over, once its command has ended."""
        while self._status(release_id) == "pending" and not self._closing:
            await self._news_of(release_id).wait()
        return self._status(release_id) == "succeeded"

    async def close(self) -> None:
        """After the supervisor has ended all dynos: see what became of the commands."""
        self._closing = True
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        for waiting in self._news.values():
            waiting.set()

    def _news_of(self, release_id: str) -> asyncio.Event:
        return self._news.setdefault(release_id, asyncio.Event())

    def _status(self, release_id: str) -> str | None:
        with self._store.transaction() as session:
            release = session.get(Release, release_id)
            return release.status if release else None

    async def _run(self, phase: Phase) -> None:
        succeeded = False
        try:
            succeeded = await self._run_command(phase) == 0
        except Exception:
            log.exception("release=%s event=release_phase_failed", phase.release_id)
        finally:
            del self._running[phase.app_id]
            self._finish(phase, succeeded)
            self._tell(phase.release_id)

    async def _run_command(self, phase: Phase) -> int:
        path = self._home.release_output(phase.app_id, phase.release_id)
        path.parent.mkdir(exist_ok=True)
        with self._outputs.open(path) as output:
            self._tell(phase.release_id)
            with self._begin(phase) as work:
                work.say(work.session.get_one(App, phase.app_id), f"Running release v{phase.version} commands")
            dyno = self._supervisor.run_one_off(
                phase.spec, attach=False, terminal=None, user=None, time_to_live_s=TIME_LIMIT_S, copy=output.copy
            )
            return await self._supervisor.wait_for(dyno)

    def _tell(self, release_id: str) -> None:
        """Something about the release has changed."""
        if waiting := self._news.pop(release_id, None):
            waiting.set()

    def _finish(self, phase: Phase, succeeded: bool) -> None:
        with self._store.transaction() as session:
            if session.get(Release, phase.release_id) is None:
                return
        with self._begin(phase) as work:
            conclude(work, work.session.get_one(Release, phase.release_id), succeeded)

    def _begin(self, phase: Phase) -> AbstractContextManager[Work]:
        assert self.works is not None
        return self.works.begin(asked_by(phase.user_id))


def next_phase(session: Session, app_id: str, home: Home) -> Phase:
    """The oldest pending release of an app that has one."""
    release = session.scalars(
        select(Release).where(Release.app_id == app_id, Release.status == "pending").order_by(Release.version).limit(1)
    ).one()
    assert release.slug is not None
    app = session.get_one(App, app_id)
    name = f"{COMMAND_TYPE}.{random.randrange(1000, 10_000)}"
    spec = desired.spec(app, release, name, release.slug.process_types[COMMAND_TYPE], home)
    return Phase(app_id, release.id, release.user_id, release.version, spec)


def conclude(work: Work, release: Release, succeeded: bool) -> None:
    """A release whose command has ended takes over, or never will; then it is the next one's turn."""
    app = work.session.get_one(App, release.app_id)
    release.status = "succeeded" if succeeded else "failed"
    if succeeded:
        app.released_at = now()
        formation.follow(work, app, release)
    else:
        work.say(app, f"Release v{release.version} command failed")
    work.reconcile()


def fail_interrupted(works: Works) -> None:
    """Commands that ran when an earlier backend ended did not succeed. For the start, before anything runs."""
    with works.store.transaction() as session:
        pending = list(session.scalars(select(Release).where(Release.status == "pending")))
    for release in pending:
        with works.begin(asked_by(release.user_id)) as work:
            conclude(work, work.session.get_one(Release, release.id), succeeded=False)
