"""The delayed_jobs table as a queue. A worker of the real gem may use the same rows at the same time.

Mirrors lib/delayed/backend/active_record.rb (predicate, order, locks) and the 2009 lib/delayed/job.rb. Time comes in
as `now`, an aware UTC datetime; like the gem's it is the clock of the worker, not that of the database.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from hkcli.dj import abandoned
from hkcli.dj.claiming import DELETE, Claim, Limits, claim_for
from hkcli.dj.database import Database, DriverConnection
from hkcli.dj.table import UNLOCK, Table, read_table

WRITTEN_COLUMNS = ("priority", "attempts", "handler", "run_at", "queue", "created_at", "updated_at")
RETRY = f"{UNLOCK}, attempts = :attempts, run_at = :run_at, last_error = :error, updated_at = :now WHERE id = :id"
FAIL = (
    f"{UNLOCK}, attempts = :attempts, failed_at = :now, updated_at = :now,"
    " last_error = COALESCE(:error, last_error) WHERE id = :id"
)
UNATTEMPTED_BEFORE = "SELECT COUNT(*) FROM delayed_jobs WHERE attempts = 0 AND created_at < :time"
COUNTS = """\
SELECT
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NOT NULL THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries = 0 AND run_at <= :now THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries > 0 THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NULL AND locked_at IS NULL AND tries = 0 AND run_at > :now THEN 1 ELSE 0 END),
  SUM(CASE WHEN failed_at IS NOT NULL THEN 1 ELSE 0 END)
FROM (SELECT failed_at, locked_at, run_at, COALESCE(attempts, 0) AS tries FROM delayed_jobs) AS jobs
"""
ANY_JOB = Limits()
FLUSH_EVERY_S = 0.02


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


class Queue:
    """One delayed_jobs table. Open it with `open_queue`, which looks at it. What fails raises database.DriverError.

    Enqueuing and counting may be done by any thread. What a worker does (reserve, and all that is done to its jobs)
    goes over one connection of its own, in one thread.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self.database = database
        self.table = table
        self.era = table.era
        self._claims: dict[Limits, Claim] = {}
        self._own: DriverConnection | None = None
        self._flushed_at = float("-inf")
        columns = [name for name in WRITTEN_COLUMNS if name in table.columns]
        values = [":now" if name in ("created_at", "updated_at") else f":{name}" for name in columns]
        self._insert = f"INSERT INTO delayed_jobs ({', '.join(columns)}) VALUES ({', '.join(values)})"

    def enqueue(self, job: NewJob, now: datetime) -> int:
        """Write one row; returns its id."""
        row = self._row(job, now)
        with self.database.connection() as connection:
            ((job_id,),) = connection.rows(f"{self._insert} RETURNING id", row)
        return int(job_id)

    def enqueue_many(self, jobs: Iterable[NewJob], now: datetime) -> int:
        """Write all rows in one transaction, so that workers see all or none; returns how many."""
        rows = [self._row(job, now) for job in jobs]
        if rows:
            with self.database.connection() as connection:
                connection.change_many(self._insert, rows)
        return len(rows)

    def reserve(self, worker: str, now: datetime, limits: Limits = ANY_JOB, done: Job | None = None) -> Job | None:
        """Lock the next job for this worker; None when there is none for it. The row of `done` goes with that.

        On PostgreSQL a flood of jobs that take no time shares its waits for the disk: one every FLUSH_EVERY_S, and one
        as soon as no job is left; `succeed`, with which a batch ends, has its own. What did not wait is written by
        PostgreSQL itself within three times its wal_writer_delay. Should the database crash before (not a worker), jobs
        done in that moment would be done again, and a claim made in it forgotten, though its job may be running.
        """
        is_flushed = time.monotonic() - self._flushed_at > FLUSH_EVERY_S
        with self._working() as connection:
            claim = self._claims.get(limits)
            if claim is None:
                claim = claim_for(self.era, limits, self.table.has_queues, self.database.dialect, connection)
                self._claims[limits] = claim
            row = claim.lock_next(connection, worker, now, done.id if done else None, is_flushed)
        if done and is_flushed:
            self._flushed_at = time.monotonic()
        if row is None:
            return None
        job_id, priority, attempts, handler, queue, *_ = row
        return Job(job_id, priority or 0, attempts or 0, _as_text(handler), queue)

    def succeed(self, job: Job) -> None:
        """The job is done: its row goes."""
        with self._working() as connection:
            connection.change(DELETE, {"done": job.id})

    def retry(self, job: Job, run_at: datetime, error: str, now: datetime) -> None:
        """One more failed run: unlocked, due again at run_at."""
        text = self.table.last_error(error)
        self._write(RETRY, {"id": job.id, "attempts": job.attempts + 1, "run_at": run_at, "error": text, "now": now})

    def fail(self, job: Job, attempts: int, error: str | None, now: datetime) -> None:
        """Keep the row as failed for good; no worker takes it again. `error` None leaves last_error as it is."""
        text = None if error is None else self.table.last_error(error)
        self._write(FAIL, {"id": job.id, "attempts": attempts, "error": text, "now": now})

    def release(self, job: Job) -> None:
        """Back into the queue as it was: this run does not count as an attempt."""
        self._write(f"{UNLOCK} WHERE id = :id", {"id": job.id})

    def clear_locks(self, worker: str) -> int:
        """Unlock all rows of a worker, failed ones too; returns how many."""
        return self._write(f"{UNLOCK} WHERE locked_by = :worker", {"worker": worker})

    def free(self, worker: str, now: datetime, crashed: bool = True) -> int:
        """Unlock the jobs of a worker that is gone: see abandoned.py."""
        self._forget()
        with self._working() as connection:
            return abandoned.free(connection, self.table, worker, now, crashed)

    def clear(self) -> int:
        """Delete every row, running and failed ones too."""
        return self._write("DELETE FROM delayed_jobs", {})

    def lockers(self) -> list[str]:
        """The names of workers that hold locks."""
        with self._working() as connection:
            return abandoned.lockers(connection)

    def unattempted_before(self, time: datetime) -> int:
        """How many rows were created before the time and never tried, as `jobs:check` counts them."""
        with self.database.connection() as connection:
            ((count,),) = connection.rows(UNATTEMPTED_BEFORE, {"time": time})
        return int(count)

    def counts(self, now: datetime) -> Counts:
        """How many rows are in each state at this time."""
        with self.database.connection() as connection:
            (row,) = connection.rows(COUNTS, {"now": now})
        return Counts(*(int(count or 0) for count in row))

    def close(self) -> None:
        """Give back the connections; what is done later makes new ones."""
        self._leave()
        self.database.close()

    @contextmanager
    def _working(self) -> Iterator[DriverConnection]:
        """The worker's connection. Once the database has gone away, the next call connects anew."""
        if self._own is None:
            self._own = self.database.take()
        try:
            yield self._own
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        self._claims.clear()  # what they know is of the connection
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def _forget(self) -> None:
        for claim in self._claims.values():
            claim.forget()

    def _write(self, sql: str, values: Mapping[str, object]) -> int:
        self._forget()
        with self._working() as connection:
            return connection.change(sql, values)

    def _row(self, job: NewJob, now: datetime) -> dict[str, object]:
        if job.queue is not None and not self.table.has_queues:
            raise ValueError(
                f"The job names the queue {job.queue!r}, but the delayed_jobs table has no column `queue`. "
                "Add it with a migration: add_column :delayed_jobs, :queue, :string"
            )
        row = {"priority": job.priority, "attempts": 0, "handler": job.handler, "run_at": job.run_at or now, "now": now}
        return row | ({"queue": job.queue} if self.table.has_queues else {})


def _as_text(handler: object) -> str:
    """SQLite lets anyone store anything in a text column."""
    if isinstance(handler, bytes):
        return handler.decode("utf-8", "replace")
    return "" if handler is None else str(handler)


def open_queue(database: Database, environ: Mapping[str, str] | None = None) -> Queue:
    """Look at the table. Raises TableMissing, era.UnknownEra, database.DriverError."""
    with database.connection() as connection:
        return Queue(database, read_table(connection, environ))
