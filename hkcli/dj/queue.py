"""The delayed_jobs table and all SQL on it. A worker of the real gem may use the same rows at the same time.

Mirrors lib/delayed/backend/active_record.rb (predicate, order, locks) and the 2009 lib/delayed/job.rb. Time comes in
as `now`, an aware UTC datetime; like the gem's it is the clock of the worker, not that of the database.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hkcli.dj.database import READ_ONLY, RailsTime
from hkcli.dj.era import Era, era_of

MAX_RUN_TIME = timedelta(hours=4)
LAST_ERROR_MAX_CHARS = 65_000


class TableMissing(Exception):
    """There is no delayed_jobs table; the message says what to run."""


@dataclass(frozen=True)
class NewJob:
    """A row to be written. `run_at` None means now."""

    handler: str
    priority: int = 0
    run_at: datetime | None = None
    queue: str | None = None


@dataclass(frozen=True)
class Job:
    """A row this worker has locked."""

    id: int
    priority: int
    attempts: int
    handler: str
    queue: str | None


@dataclass(frozen=True)
class Limits:
    """Which jobs a worker takes: priorities inclusive; no queues means every queue."""

    min_priority: int | None = None
    max_priority: int | None = None
    queues: tuple[str, ...] = ()
    max_run_time: timedelta = MAX_RUN_TIME


@dataclass(frozen=True)
class Counts:
    """How many rows are in each state; a row is in exactly one."""

    running: int
    due: int
    retrying: int
    scheduled: int
    failed: int


class Queue:
    """One delayed_jobs table. Open it with `open_queue`, which reads its shape."""

    def __init__(self, engine: sa.Engine, era: Era, column_lengths: Mapping[str, int | None]) -> None:
        self.engine = engine
        self.era = era
        self.has_queues = "queue" in column_lengths
        self._error_max_chars = min(column_lengths.get("last_error") or LAST_ERROR_MAX_CHARS, LAST_ERROR_MAX_CHARS)
        self._columns = [name for name in WRITTEN_COLUMNS if name in column_lengths]
        self._reserve_sql: dict[Limits, sa.TextClause] = {}

    def enqueue(self, job: NewJob, now: datetime) -> int:
        """Write one row; returns its id."""
        statement = sa.text(self._insert_sql() + " RETURNING id").bindparams(*_times("run_at", "now"))
        with self.engine.begin() as connection:
            return int(connection.execute(statement, self._row(job, now)).scalar_one())

    def enqueue_many(self, jobs: Iterable[NewJob], now: datetime) -> int:
        """Write all rows in one transaction, so that workers see all or none; returns how many."""
        rows = [self._row(job, now) for job in jobs]
        if rows:
            statement = sa.text(self._insert_sql()).bindparams(*_times("run_at", "now"))
            with self.engine.begin() as connection:
                connection.execute(statement, rows)
        return len(rows)

    def reserve(self, worker: str, now: datetime, limits: Limits = Limits()) -> Job | None:
        """Lock the next job for this worker, by one statement: two workers can never both win a row."""
        statement = self._reserve_sql.get(limits)
        if statement is None:
            statement = self._reserve_sql[limits] = self._reserve_statement(limits)
        values = {"now": now, "stale": now - limits.max_run_time, "worker": worker}
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                # A lock that a database crash forgets is only a job still waiting, so this commit need not reach disk.
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            row = connection.execute(statement, values).one_or_none()
        if row is None:
            return None
        return Job(row.id, row.priority or 0, row.attempts or 0, _as_text(row.handler), row.queue)

    def succeed(self, job: Job) -> None:
        """The job is done: its row goes."""
        self._write("DELETE FROM delayed_jobs WHERE id = :id", id=job.id)

    def retry(self, job: Job, run_at: datetime, error: str, now: datetime) -> None:
        """One more failed run: unlocked, due again at run_at."""
        self._write(
            "UPDATE delayed_jobs SET attempts = :attempts, run_at = :run_at, last_error = :error, updated_at = :now,"
            " locked_at = NULL, locked_by = NULL WHERE id = :id",
            id=job.id,
            attempts=job.attempts + 1,
            run_at=run_at,
            error=self._error_text(error),
            now=now,
        )

    def fail(self, job: Job, attempts: int, error: str | None, now: datetime) -> None:
        """Keep the row as failed for good; no worker takes it again. `error` None leaves last_error as it is."""
        self._write(
            "UPDATE delayed_jobs SET attempts = :attempts, failed_at = :now, updated_at = :now,"
            " last_error = COALESCE(:error, last_error), locked_at = NULL, locked_by = NULL WHERE id = :id",
            id=job.id,
            attempts=attempts,
            error=None if error is None else self._error_text(error),
            now=now,
        )

    def release(self, job: Job) -> None:
        """Back into the queue as it was: this run does not count as an attempt."""
        self._write("UPDATE delayed_jobs SET locked_at = NULL, locked_by = NULL WHERE id = :id", id=job.id)

    def clear_locks(self, worker: str) -> int:
        """Unlock all rows of a worker, failed ones too; returns how many."""
        return self._write(
            "UPDATE delayed_jobs SET locked_at = NULL, locked_by = NULL WHERE locked_by = :worker", worker=worker
        )

    def clear(self) -> int:
        """Delete every row, running and failed ones too."""
        return self._write("DELETE FROM delayed_jobs")

    def lockers(self) -> list[str]:
        """The names of workers that hold locks."""
        with self._reading() as connection:
            return list(
                connection.scalars(sa.text("SELECT DISTINCT locked_by FROM delayed_jobs WHERE locked_by IS NOT NULL"))
            )

    def unattempted_before(self, time: datetime) -> int:
        """How many rows were created before the time and never tried, as `jobs:check` counts them."""
        sql = sa.text("SELECT COUNT(*) FROM delayed_jobs WHERE attempts = 0 AND created_at < :time")
        with self._reading() as connection:
            return int(connection.execute(sql.bindparams(*_times("time")), {"time": time}).scalar_one())

    def counts(self, now: datetime) -> Counts:
        """How many rows are in each state at this time."""
        with self._reading() as connection:
            row = connection.execute(COUNTS_SQL, {"now": now}).one()
        return Counts(*(int(count or 0) for count in row))

    def _reading(self) -> Any:
        return self.engine.connect().execution_options(**READ_ONLY)

    def _write(self, sql: str, **values: object) -> int:
        times = _times(*(name for name, value in values.items() if isinstance(value, datetime)))
        with self.engine.begin() as connection:
            return connection.execute(sa.text(sql).bindparams(*times), values).rowcount

    def _reserve_statement(self, limits: Limits) -> sa.TextClause:
        where = ["((run_at <= :now AND (locked_at IS NULL OR locked_at < :stale)) OR locked_by = :worker)"]
        where.append("failed_at IS NULL")
        binds: list[sa.BindParameter[Any]] = _times("now", "stale")
        for name, comparison in (("min_priority", ">="), ("max_priority", "<=")):
            if (bound := getattr(limits, name)) is not None:
                where.append(f"priority {comparison} :{name}")
                binds.append(sa.bindparam(name, bound))
        if limits.queues and self.has_queues:
            where.append("queue IN :queues")
            binds.append(sa.bindparam("queues", limits.queues, expanding=True))
        # FOR UPDATE SKIP LOCKED lets workers pass each other on PostgreSQL; SQLite has one writer at a time, and on it
        # rows that are equal in order come in the order of their ids, which an index gives away for nothing.
        postgresql = self.engine.dialect.name == "postgresql"
        return sa.text(
            "UPDATE delayed_jobs SET locked_at = :now, locked_by = :worker WHERE id = (SELECT id FROM delayed_jobs"
            f" WHERE {' AND '.join(where)} ORDER BY {self.era.order}{'' if postgresql else ', id'} LIMIT 1"
            f"{' FOR UPDATE SKIP LOCKED' if postgresql else ''})"
            f" RETURNING id, priority, attempts, handler, {'queue' if self.has_queues else 'NULL AS queue'}"
        ).bindparams(*binds)

    def _insert_sql(self) -> str:
        values = ", ".join(f":{'now' if name.endswith('_at') and name != 'run_at' else name}" for name in self._columns)
        return f"INSERT INTO delayed_jobs ({', '.join(self._columns)}) VALUES ({values})"

    def _row(self, job: NewJob, now: datetime) -> dict[str, object]:
        if job.queue is not None and not self.has_queues:
            raise ValueError(
                f"The job names the queue {job.queue!r}, but the delayed_jobs table has no column `queue`. "
                "Add it with a migration: add_column :delayed_jobs, :queue, :string"
            )
        row = {"priority": job.priority, "attempts": 0, "handler": job.handler, "run_at": job.run_at or now, "now": now}
        return row | ({"queue": job.queue} if self.has_queues else {})

    def _error_text(self, error: str) -> str:
        """As much of it as the column holds, without what PostgreSQL cannot store."""
        clean = error.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
        return clean[: self._error_max_chars]


WRITTEN_COLUMNS = ("priority", "attempts", "handler", "run_at", "queue", "created_at", "updated_at")


def _times(*names: str) -> list[sa.BindParameter[Any]]:
    return [sa.bindparam(name, type_=RailsTime()) for name in names]


def _as_text(handler: object) -> str:
    """SQLite lets anyone store anything in a text column."""
    if isinstance(handler, bytes):
        return handler.decode("utf-8", "replace")
    return "" if handler is None else str(handler)


COUNTS_SQL = sa.text(
    "SELECT"
    " SUM(CASE WHEN failed_at IS NULL AND locked_at IS NOT NULL THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND COALESCE(attempts, 0) = 0 AND run_at <= :now THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND COALESCE(attempts, 0) > 0 THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND COALESCE(attempts, 0) = 0 AND run_at > :now THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN failed_at IS NOT NULL THEN 1 ELSE 0 END)"
    " FROM delayed_jobs"
).bindparams(*_times("now"))


def open_queue(engine: sa.Engine, environ: Mapping[str, str] | None = None) -> Queue:
    """Read the table's shape and era. Raises TableMissing, era.UnknownEra."""
    inspector = sa.inspect(engine)
    if not inspector.has_table("delayed_jobs"):
        raise TableMissing("Could not find table 'delayed_jobs'. Make it with a migration: rake db:migrate")
    lengths = {
        column["name"]: getattr(column["type"], "length", None) for column in inspector.get_columns("delayed_jobs")
    }
    return Queue(engine, era_of(lengths, os.environ if environ is None else environ), lengths)
