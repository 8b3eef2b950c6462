"""What dynos that are gone still hold in their add-ons (a lock on a job, say) is given back at once."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hkcli.backend import providers
from hkcli.backend.addons.provider import Gone, Unreachable
from hkcli.backend.engines.hosts import Hosts, Stay
from hkcli.backend.logplex import Logplex
from hkcli.backend.one_offs import finish, first_of
from hkcli.backend.store import Release, Store

log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 2.0, 60.0
GIVE_UP_AFTER = timedelta(days=1)
"""Whatever has not been reached by then is left to the limits of the add-on's own."""
CLOSE_S = 5.0
AT_ONCE = 2
"""Databases that are asked at one time: each may take its time, and threads are for everybody."""


@dataclass
class Orphans:
    """`run` until `close`; a host that is left wakes it. What cannot be reached is tried again, less and less often."""

    store: Store
    hosts: Hosts
    logplex: Logplex
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _since: dict[str, datetime] = field(default_factory=dict)
    _running: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        self.hosts.on_leave = self._news.set
        self._news.set()
        self._running = asyncio.create_task(self._run(), name="orphans")

    async def close(self) -> None:
        """One more look, for dynos that ended with the backend; the rest is for the next one."""
        self.hosts.on_leave = lambda: None
        if self._running is not None:
            await finish(self._running, within_s=0)
            await finish(asyncio.create_task(self._look()), within_s=CLOSE_S)

    async def _run(self) -> None:
        retry_s: float | None = None
        while True:
            await first_of(self._news.wait(), timeout_s=retry_s)
            if self._news.is_set():
                retry_s = None
            self._news.clear()
            try:
                is_done = await self._look()
            except Exception:
                log.exception("event=orphans_failed")
                is_done = False
            retry_s = None if is_done else min((retry_s or FIRST_RETRY_S / 2) * 2, LAST_RETRY_S)

    async def _look(self) -> bool:
        """Whether nothing is left to be tried again."""
        left = self.hosts.left()
        return all(await asyncio.gather(*(self._is_freed(host, stay) for host, stay in left.items())))

    async def _is_freed(self, host: str, stay: Stay) -> bool:
        app_id, gone = self._what_was(host, stay)
        try:
            async with self._room:
                said = await asyncio.to_thread(give_back, gone) if gone else []
        except Exception as error:
            if not self._is_given_up(host, error):
                return False
            said = []
        for line in said:
            self.logplex.write(app_id, "heroku", stay.dyno, line)
        self._since.pop(host, None)
        self.hosts.forget(host)
        return True

    def _what_was(self, host: str, stay: Stay) -> tuple[str, Gone | None]:
        """The app's id and the dyno; None when the app is gone too."""
        with self.store.transaction() as session:
            release = session.get(Release, stay.release_id)
            if release is None:
                return "", None
            process_type = stay.dyno.partition(".")[0]
            return release.app_id, Gone(host, process_type, release.config, tuple(release.plans), stay.crashed)

    def _is_given_up(self, host: str, error: Exception) -> bool:
        """Says once that something could not be reached."""
        now = datetime.now(UTC)
        if host not in self._since:
            known = None if isinstance(error, Unreachable) else error
            log.warning("host=%s event=not_given_back reason=%s", host, error, exc_info=known)
        return now - self._since.setdefault(host, now) > GIVE_UP_AFTER


def give_back(gone: Gone) -> list[str]:
    """What every provider says. Raises Unreachable."""
    return [line for each in providers.every().values() for line in each.give_back(gone)]
