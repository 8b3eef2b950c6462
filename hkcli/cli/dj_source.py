"""Where the figures of Delayed Job come from: the app's table, the platform, and the app's log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from hkcli.api.errors import HerokuError, Unreachable
from hkcli.cli.context import Run
from hkcli.cli.units import parse_time

if TYPE_CHECKING:
    from hkcli.api.documents import Dyno
    from hkcli.dj.status import Facts, JobTable, Snapshot

LOG_LINES = 1500
PATIENCE_S = 10.0
"""How long a table is counted for a picture of all of it."""
SLOW_FACTS_S = 30.0
LOG_AGAIN_S = 5.0
"""After the log of a live screen ended, for which its reader has tried for long."""
PLATFORM_S, SILENT_S = 1.0, 10.0
"""How long a picture waits for the platform, which may hang; and for how long what it said before is shown."""


class Source:
    """The three places: the app's table, the platform, the app's log."""

    def __init__(self, run: Run, table: "JobTable", config: dict[str, str]) -> None:
        from hkcli.dj.status import WorkerLog

        self.run, self.table, self.config = run, table, config
        self.log = WorkerLog()
        self.why_no_log = ""
        self._log_lock = Lock()
        self.why_silent = ""
        """Why the platform says nothing now; "" while it does."""
        self._slow_at = 0.0
        self._has_addon = False
        self._asked, self._answered = Event(), Event()
        self._said: tuple[Facts, float] | None = None

    def facts(self) -> "Facts":
        """What the platform says now; its silence is a reason, not an end."""
        from hkcli.dj.status import Facts, works_jobs

        run, api = self.run, self.run.api
        try:
            dynos = api.dynos(run.app)
            workers = tuple(worker_of(dyno) for dyno in dynos if works_jobs(dyno["type"], dyno["command"]))
            if time.monotonic() - self._slow_at > SLOW_FACTS_S or not self._slow_at:
                self._has_addon = any(each["addon_service"]["name"] == "dj" for each in api.addons(run.app))
                self._slow_at = time.monotonic()
        except HerokuError as error:
            self.why_silent = error.message if isinstance(error, Unreachable) else ""
            return Facts(run.app, why_unknown=error.message, config=self.config)
        self.why_silent = ""
        others = (dyno for dyno in dynos if dyno["type"] != "web" and not works_jobs(dyno["type"], dyno["command"]))
        strangers = [dyno for dyno in others if dyno["state"] not in ("crashed", "down")]
        return Facts(
            run.app,
            workers=workers,
            has_strangers=bool(strangers),
            config=self.config,
            has_addon=self._has_addon,
        )

    def follow_facts(self) -> None:
        """Ask the platform whenever a picture wants to know; for a thread of its own, which ends with the program."""
        while True:
            self._asked.wait()
            self._asked.clear()
            self._said = self.facts(), time.monotonic()
            self._answered.set()

    def _latest_facts(self) -> "Facts":
        """What the platform says now, or said a moment ago should it hang."""
        from hkcli.dj.status import Facts, span

        self._answered.clear()
        self._asked.set()
        self._answered.wait(PLATFORM_S if self._said else SILENT_S)
        age_s = SILENT_S if self._said is None else time.monotonic() - self._said[1]
        if self._said is not None and age_s < SILENT_S:
            return self._said[0]
        self.why_silent = f"The platform has not answered for {span(age_s)}."
        return Facts(self.run.app, why_unknown=self.why_silent, config=self.config)

    def read_log(self) -> None:
        """The log as it was."""
        self._follow({"lines": LOG_LINES, "source": None})

    def follow_log(self) -> None:
        """The log as it comes, anew whenever it ends; for a thread of its own, which ends with the program."""
        while True:
            self._follow({"lines": LOG_LINES, "tail": True})
            time.sleep(LOG_AGAIN_S)

    def _follow(self, wishes: dict[str, object]) -> None:
        from hkcli.api.logs import LogReader
        from hkcli.dj.status import WorkerLog

        asked = {key: value for key, value in wishes.items() if value is not None}
        log = WorkerLog()
        try:
            reader = LogReader(self.run.api_with(self.run.token_for(self.run.host)), self.run.app, asked)
            for block in reader.blocks():
                with self._log_lock:
                    log.feed(block.decode("utf-8", "replace").splitlines())
                    self.log, self.why_no_log = log, ""
        except HerokuError as error:
            self.why_no_log = error.message

    def whole(self) -> "Snapshot":
        """For which every row was counted, if that is possible in seconds."""
        now = datetime.now(UTC)
        self.table.look_through(now, PATIENCE_S)
        return self._snapshot(now, self.facts())

    def picture(self) -> "Snapshot":
        """One of many; `follow_facts` must run."""
        now = datetime.now(UTC)
        self.table.look(now)
        return self._snapshot(now, self._latest_facts())

    def _snapshot(self, now: datetime, facts: "Facts") -> "Snapshot":
        with self._log_lock:
            log = None if self.why_no_log else self.log
            screen = self.table.snapshot(now, facts, log, self.why_no_log)
        if not self.why_silent:
            return screen
        # Its log says nothing either, which is not the same as that nothing is done.
        reasons = dict.fromkeys(("done_per_minute", "failed_per_minute"), self.why_silent)
        return replace(screen, done_per_minute=None, failed_per_minute=None, unknown=screen.unknown | reasons)


def worker_of(dyno: "Dyno") -> Any:
    from hkcli.dj.status import WorkerFact

    release = f"v{dyno['release']['version']}" if dyno.get("release") else None
    return WorkerFact(dyno["name"], dyno["state"], parse_time(dyno["updated_at"]), release=release)


def sharers(run: Run) -> list[str]:
    """Other apps that have the app's database attached, of those that the user may see."""
    attachments = run.api.all_attachments()
    own = {each["addon"]["id"] for each in attachments if (each["app"]["name"], each["name"]) == (run.app, "DATABASE")}
    return sorted({each["app"]["name"] for each in attachments if each["addon"]["id"] in own} - {run.app})


@contextmanager
def opened(run: Run) -> Iterator[Source]:
    """The app's jobs. Raises HerokuError."""
    try:
        from hkcli.dj.status import DatabaseError, JobTable
    except ImportError as error:
        raise HerokuError(
            f"This command reads the app's database, for which {error.name} is not installed.",
            next=("Install it: pip install 'hkcli[dj]'",),
        ) from error
    config = run.api.config_vars(run.app)
    address = config.get("DATABASE_URL")
    if not address:
        raise HerokuError(
            f"{run.app} has no DATABASE_URL, so there is no table of jobs to read.",
            next=("See what it has: heroku config",),
        )
    try:
        with JobTable(address, config) as table:
            yield Source(run, table, config)
    except DatabaseError as error:
        raise HerokuError(f"{run.app}'s jobs cannot be read: {error}") from error
