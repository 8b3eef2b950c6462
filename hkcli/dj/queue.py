"""The delayed_jobs table and all SQL on it. A worker of the real gem may use the same rows at the same time.

Mirrors lib/delayed/backend/active_record.rb (predicate, order, locks) and the 2009 lib/delayed/job.rb. Time comes in
as `now`, an aware UTC datetime; like the gem's it is the clock of the worker, not that of the database.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hkcli.dj.claiming import DELETE_SQL, Claim, Limits, claim_for, times
from hkcli.dj.database import READ_ONLY
from hkcli.dj.era import Era, era_of

LAST_ERROR_MAX_CHARS = 65_000
WRITTEN_COLUMNS = ("priority", "attempts", "handler", "run_at", "queue", "created_at", "updated_at")
DEADLY_DELAY_S = 60
DIED = "The worker died while it ran the job"
HELD_SQL = sa.text("SELECT id, attempts, last_error FROM delayed_jobs WHERE locked_by = :worker AND failed_at IS NULL")
FREE_SQL = "UPDATE delayed_jobs SET locked_at = NULL, locked_by = NULL"
HELD_BY_SQL = " WHERE id = :id AND locked_by = :worker AND failed_at IS NULL"
ANY_JOB = Limits()
FLUSH_EVERY_S = 0.02


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
class Counts:
    """How many rows are in each state; a row is in exactly one."""

    running: int
    due: int
    retrying: int
    scheduled: int
    failed: int


@dataclass(frozen=True)
class Shape:
    """What the table is like: its columns with the length each has, if any, and whether an index leads by priority."""

    column_lengths: Mapping[str, int | None]
    has_order_index: bool


class Queue:
    """One delayed_jobs table. Open it with `open_queue`, which reads its shape.

    Enqueuing and counting may be done by any thread. What a worker does (reserve, and all that is done to its jobs)
    goes over one connection of its own, in one thread.
    """

    def __init__(self, engine: sa.Engine, era: Era, shape: Shape) -> None:
        self.engine = engine
        self.era = era
        self.shape = shape
        columns = shape.column_lengths
        self.has_queues = "queue" in columns
        self._error_max_chars = min(columns.get("last_error") or LAST_ERROR_MAX_CHARS, LAST_ERROR_MAX_CHARS)
        self._columns = [name for name in WRITTEN_COLUMNS if name in columns]
        self._claims: dict[Limits, Claim] = {}
        self._worker_connection: sa.Connection | None = None
        # Each statement that stands alone is its own transaction there, in one trip to the server in place of three.
        postgresql = engine.dialect.name == "postgresql"
        self._alone = engine.execution_options(isolation_level="AUTOCOMMIT") if postgresql else engine
        self._flushed_at = float("-inf")
        self._insert = self._insert_statement("")
        self._insert_one = self._insert_statement(" RETURNING id")

    def enqueue(self, job: NewJob, now: datetime) -> int:
        """Write one row; returns its id."""
        with self._alone.begin() as connection:
            return int(connection.execute(self._insert_one, self._row(job, now)).scalar_one())

    def enqueue_many(self, jobs: Iterable[NewJob], now: datetime) -> int:
        """Write all rows in one transaction, so that workers see all or none; returns how many."""
        rows = [self._row(job, now) for job in jobs]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(self._insert, rows)
        return len(rows)

    def reserve(self, worker: str, now: datetime, limits: Limits = ANY_JOB, done: Job | None = None) -> Job | None:
        """Lock the next job for this worker; None when there is none for it. The row of `done` goes with that.

        On PostgreSQL a flood of jobs that take no time shares its waits for the disk: one every FLUSH_EVERY_S, and one
        as soon as no job is left; `succeed`, with which a batch ends, has its own. What did not wait is written by
        PostgreSQL itself within three times its wal_writer_delay. Should the database crash before (not a worker), jobs
        done in that moment would be done again, and a claim made in it forgotten, though its job may be running.
        """
        claim = self._claims.get(limits)
        if claim is None:
            claim = claim_for(
                self.era, limits, self.engine.dialect.name, self.shape.column_lengths, self.shape.has_order_index
            )
            self._claims[limits] = claim
        is_flushed = time.monotonic() - self._flushed_at > FLUSH_EVERY_S
        with self._transaction() as connection:
            if done is None:
                row = claim.lock_next(connection, worker, now)
            else:
                row = claim.lock_next_after(done.id, connection, worker, now, is_flushed)
        if done and is_flushed:
            self._flushed_at = time.monotonic()
        if row is None:
            return None
        return Job(row.id, row.priority or 0, row.attempts or 0, _as_text(row.handler), row.queue)

    def succeed(self, job: Job) -> None:
        """The job is done: its row goes."""
        with self._transaction() as connection:
            connection.execute(DELETE_SQL, {"done": job.id})

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

    def free(self, worker: str, now: datetime, crashed: bool = True) -> int:
        """Unlock the jobs of a worker that is gone and did not come to it itself; returns how many.

        A job in the middle of which two workers in a row `crashed` counts as failed, and waits for longer than it takes
        to start a worker anew, lest it be first in line for ever.
        """
        with self._reading() as connection:
            rows = connection.execute(HELD_SQL, {"worker": worker}).all()
        for row in rows:
            before, attempts = row.last_error or "", row.attempts or 0
            again = before.startswith(DIED)
            changes: dict[str, object] = {}
            if crashed:
                text = "\n".join([f"{DIED}: {worker}", *before.splitlines()[again:]])
                changes["last_error"] = self._error_text(text)
            if crashed and again:
                changes |= {"attempts": attempts + 1, "run_at": now + self._delay(attempts)}
            sets = "".join(f", {name} = :{name}" for name in changes)
            self._write(FREE_SQL + sets + HELD_BY_SQL, id=row.id, worker=worker, **changes)
        return len(rows)

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
            return int(connection.execute(sql.bindparams(*times("time")), {"time": time}).scalar_one())

    def counts(self, now: datetime) -> Counts:
        """How many rows are in each state at this time."""
        with self._reading() as connection:
            row = connection.execute(COUNTS_SQL, {"now": now}).one()
        return Counts(*(int(count or 0) for count in row))

    def close(self) -> None:
        """Give back the worker's connection."""
        if self._worker_connection is not None:
            self._worker_connection.close()
            self._worker_connection = None

    def _reading(self) -> Any:
        return self.engine.connect().execution_options(**READ_ONLY)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """On the worker's connection. Once the database has gone away, the next call connects anew."""
        if self._worker_connection is None:
            self._worker_connection = self._alone.connect()
        connection = self._worker_connection
        try:
            with connection.begin():
                yield connection
        except sa.exc.SQLAlchemyError:
            self._worker_connection = None
            connection.invalidate()
            connection.close()
            raise

    def _write(self, sql: str, **values: object) -> int:
        for claim in self._claims.values():
            claim.forget()
        binds = times(*(name for name, value in values.items() if isinstance(value, datetime)))
        with self._transaction() as connection:
            return connection.execute(sa.text(sql).bindparams(*binds), values).rowcount

    def _insert_statement(self, returning: str) -> sa.TextClause:
        names = ["now" if name in ("created_at", "updated_at") else name for name in self._columns]
        values = ", ".join(f":{name}" for name in names)
        sql = f"INSERT INTO delayed_jobs ({', '.join(self._columns)}) VALUES ({values}){returning}"
        return sa.text(sql).bindparams(*times(*({"run_at", "now"} & {*names})))

    def _row(self, job: NewJob, now: datetime) -> dict[str, object]:
        if job.queue is not None and not self.has_queues:
            raise ValueError(
                f"The job names the queue {job.queue!r}, but the delayed_jobs table has no column `queue`. "
                "Add it with a migration: add_column :delayed_jobs, :queue, :string"
            )
        row = {"priority": job.priority, "attempts": 0, "handler": job.handler, "run_at": job.run_at or now, "now": now}
        return row | ({"queue": job.queue} if self.has_queues else {})

    def _delay(self, prior_attempts: int) -> timedelta:
        return timedelta(seconds=max(DEADLY_DELAY_S, self.era.retry_delay_s(prior_attempts)))

    def _error_text(self, error: str) -> str:
        """As much of it as the column holds, without what PostgreSQL cannot store."""
        clean = error.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
        return clean[: self._error_max_chars]


def _as_text(handler: object) -> str:
    """SQLite lets anyone store anything in a text column."""
    if isinstance(handler, bytes):
        return handler.decode("utf-8", "replace")
    return "" if handler is None else str(handler)


COUNTS_SQL = sa.text("""
SELECT
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NOT NULL THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries = 0 AND run_at <= :now THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries > 0 THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries = 0 AND run_at > :now THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NOT NULL THEN 1 ELSE 0 END)
FROM (SELECT failed_at, locked_at, run_at, COALESCE(attempts, 0) AS tries FROM delayed_jobs) AS jobs
""").bindparams(*times("now"))


def open_queue(engine: sa.Engine, environ: Mapping[str, str] | None = None) -> Queue:
    """Read the table's shape and era. Raises TableMissing, era.UnknownEra."""
    inspector = sa.inspect(engine)
    if not inspector.has_table("delayed_jobs"):
        raise TableMissing("Could not find table 'delayed_jobs'. Make it with a migration: rake db:migrate")
    columns = inspector.get_columns("delayed_jobs")
    indexes = inspector.get_indexes("delayed_jobs")
    shape = Shape(
        {column["name"]: getattr(column["type"], "length", None) for column in columns},
        any(index["column_names"][:1] == ["priority"] for index in indexes),
    )
    return Queue(engine, era_of(shape.column_lengths, os.environ if environ is None else environ), shape)
