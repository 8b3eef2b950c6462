"""The state of Delayed Job on an app, for screens: read from the table, from the worker's log and from the platform.

    with JobTable(database_url) as table:
        table.look(now)                                   # a slice of the count; short and read-only
        screen = table.snapshot(now, facts, log)          # a Snapshot; `document(screen)` for JSON

Safe on a table of a million jobs: see census.py. What an operator does to jobs is in jobs.py.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Self

import sqlalchemy as sa

from hkcli.dj import abandoned
from hkcli.dj.database import DatabaseError
from hkcli.dj.engine import EngineConnection
from hkcli.dj.era import ERA_4, Era, UnknownEra
from hkcli.dj.settings import WORKER_NAME
from hkcli.dj.status import jobs
from hkcli.dj.status.census import Census, Row, Statements
from hkcli.dj.status.jobs import Detail, Selection, State, dead_locks, doubtful
from hkcli.dj.status.names import brief_name
from hkcli.dj.status.reading import can_be_there, reading_engine, writing_engine
from hkcli.dj.status.reasons import Facts, Reason, WorkerFact, brief_span, explain, span, works_jobs
from hkcli.dj.status.snapshot import AXES_S, SLOTS, Snapshot, axis_s, compose, document, with_log
from hkcli.dj.status.verdict import Level, Verdict, verdict
from hkcli.dj.status.worker_log import Mark, Minute, WorkerLog
from hkcli.dj.table import TableMissing, read_table

__all__ = [
    "AXES_S",
    "SLOTS",
    "DatabaseError",
    "Detail",
    "Facts",
    "JobTable",
    "Level",
    "Mark",
    "Minute",
    "Reason",
    "Row",
    "Selection",
    "Snapshot",
    "State",
    "Verdict",
    "WorkerFact",
    "WorkerLog",
    "axis_s",
    "brief_name",
    "brief_span",
    "compose",
    "dead_locks",
    "document",
    "doubtful",
    "explain",
    "free_jobs_of_host",
    "span",
    "verdict",
    "with_log",
    "works_jobs",
]

BUDGET_S = 0.02


class JobTable:
    """The delayed_jobs table of an app. What is wrong with it or its database is in `trouble`, and may pass."""

    def __init__(self, database_url: str, config: Mapping[str, str] | None = None) -> None:
        """`config` are the app's config vars: DJ_ERA. Raises DatabaseError when the address cannot be a database's."""
        self._url = database_url
        self._config = config or {}
        self._engine = reading_engine(database_url)
        self._census: Census | None = None
        self._locked: list[Row] = []
        self.era: Era | None = None
        self.trouble = ""
        self.look_s = 0.0
        """How long the last look took."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @property
    def order(self) -> str:
        """The order in which workers take jobs, as SQL."""
        return (self.era or ERA_4).order

    def look(self, now: datetime, budget_s: float = BUDGET_S) -> None:
        """Count on for about this long. Trouble with the database is kept in `trouble`, not raised."""
        started = time.perf_counter()
        try:
            census = self._census_of_table()
            census.advance(now, budget_s)
            self._locked = self._locked_now(census, now)
            self.trouble = ""
        except (TableMissing, DatabaseError, UnknownEra, sa.exc.SQLAlchemyError) as error:
            self._census, self._locked = None, []
            self.trouble = words_of(error)
        self.look_s = time.perf_counter() - started

    def _locked_now(self, census: Census, now: datetime) -> list[Row]:
        """Those of a count that just ended, so that all figures are of one moment; else what became of known ones."""
        if census.tally and census.tally.ended_at == now:
            return list(census.tally.locked.values())
        known = [*(census.tally.locked if census.tally else ()), *(row.id for row in self._locked)]
        return [row for row in self.rows(known) if row.locked_at and not row.failed_at]

    def look_through(self, now: datetime, patience_s: float) -> None:
        """Look until every row was counted once, or patience ends."""
        ends_at = time.monotonic() + patience_s
        self.look(now)
        while not self.trouble and not self.is_counted and time.monotonic() < ends_at:
            self.look(now)

    @property
    def is_counted(self) -> bool:
        """Whether every row was counted once at least."""
        tally = self._census.tally if self._census else None
        return tally is not None and tally.ended_at is not None

    @property
    def is_large(self) -> bool:
        """Whether one look does not count all of it, so that more of them in between make the figures younger."""
        return self._census is not None and self._census.is_walking

    def snapshot(self, now: datetime, facts: Facts, log: WorkerLog | None = None, why_no_log: str = "") -> Snapshot:
        return compose(
            now,
            facts,
            tally=self._census.tally if self._census else None,
            locked=self._locked,
            log=log,
            era=self.era.name if self.era else None,
            why_no_table=self.trouble or "The table was not read yet",
            why_no_log=why_no_log or "The app's log was not read",
        )

    # --- single jobs; each of these raises DatabaseError

    def rows(self, ids: Sequence[int]) -> list[Row]:
        return jobs.rows_of(self._engine, self._statements, ids)

    def listed(self, wanted: Selection, now: datetime, most: int = 50, skip: int = 0) -> list[Row]:
        with said():
            return jobs.listed(self._engine, self._statements, wanted, self.order, now, most, skip)

    def detail(self, job_id: int) -> Detail | None:
        with said():
            return jobs.detail(self._engine, self._statements, job_id)

    def selected(self, selection: Selection, now: datetime) -> list[int]:
        with said():
            self._census_of_table()
            return jobs.selected(self._engine, selection, now)

    def retry(self, ids: Sequence[int], now: datetime) -> int:
        with writing(self._url) as engine:
            return jobs.retry(engine, ids, now)

    def remove(self, ids: Sequence[int]) -> int:
        with writing(self._url) as engine:
            return jobs.remove(engine, ids)

    def unlock(self, rows: Sequence[Row]) -> int:
        with writing(self._url) as engine:
            return jobs.unlock(engine, rows)

    @property
    def _statements(self) -> Statements:
        return self._census_of_table().statements

    def _census_of_table(self) -> Census:
        """Reads the table's shape once it can be read. Raises TableMissing and the driver's errors."""
        if self._census is None:
            table = read_table(EngineConnection(self._engine), self._config)
            self.era = table.era
            self._census = Census(self._engine, table.has_queues)
        return self._census


def free_jobs_of_host(
    database_url: str, config: Mapping[str, str], host: str, now: datetime, crashed: bool
) -> dict[str, int]:
    """Unlock what workers on a host still hold, of which every process is known to have ended.

    If they `crashed`, it may have been the jobs' doing: see abandoned.free. Returns how many jobs of each worker.
    A database that is gone, or without the table, holds none. Raises DatabaseError when it cannot be reached now.
    """
    if not can_be_there(database_url):
        return {}
    engine = reading_engine(database_url)
    looking = EngineConnection(engine)
    try:
        with said():
            names = abandoned.lockers(looking) if looking.columns("delayed_jobs") else []
    finally:
        engine.dispose()
    dead = [name for name in names if (match := WORKER_NAME.match(name)) and match["host"] == host]
    if not dead:
        return {}
    with writing(database_url) as engine:
        changing = EngineConnection(engine)
        table = read_table(changing, config)
        freed = {name: abandoned.free(changing, table, name, now, crashed) for name in dead}
    return {name: count for name, count in freed.items() if count}


@contextmanager
def said() -> Iterator[None]:
    """Turns what the database or its driver says into a DatabaseError in plain words."""
    try:
        yield
    except (TableMissing, UnknownEra, sa.exc.SQLAlchemyError) as error:
        raise DatabaseError(words_of(error)) from error


@contextmanager
def writing(database_url: str) -> Iterator[sa.Engine]:
    engine = writing_engine(database_url)
    try:
        with said():
            yield engine
    finally:
        engine.dispose()


def words_of(error: BaseException) -> str:
    """What the driver says, without the statement and the link SQLAlchemy adds; never the address with its password."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:300] or type(error).__name__
