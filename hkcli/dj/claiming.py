"""Deciding which job a worker gets: the predicate and order of the gem, and the one statement that locks the row.

The predicate is that of `ready_to_run` in delayed_job_active_record, and of NextTaskSQL of 2009.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hkcli.dj.database import DriverConnection, from_text
from hkcli.dj.era import Era

MAX_RUN_TIME = timedelta(hours=4)
READ_AHEAD = 200
NOT_FLUSHED = "set_config('synchronous_commit', 'off', true)"
"""On PostgreSQL, among what a statement of its own transaction returns: its commit does not wait for the disk."""

DELETE = "DELETE FROM delayed_jobs WHERE id = :done"
LEADING_COLUMNS = (
    "SELECT part.name FROM pragma_index_list('delayed_jobs') AS own, pragma_index_info(own.name) AS part"
    " WHERE part.seqno = 0"
)
CHANGES = (
    "SELECT MIN(CASE WHEN run_at > :now THEN run_at END), MIN(locked_at) FROM delayed_jobs WHERE failed_at IS NULL"
)
"""When time alone will make rows available: at the first of these, or max_run_time after the second."""


@dataclass(frozen=True)
class Limits:
    """Which jobs a worker takes: priorities inclusive; no queues means every queue."""

    min_priority: int | None = None
    max_priority: int | None = None
    queues: tuple[str, ...] = ()
    max_run_time: timedelta = MAX_RUN_TIME


class Claim:
    """Locks the next job by one statement, so that two workers never both win a row."""

    def __init__(self, era: Era, limits: Limits, has_queues: bool) -> None:
        self.limits = limits
        self._bounds: dict[str, object] = {}
        where = ["((run_at <= :now AND (locked_at IS NULL OR locked_at < :stale)) OR locked_by = :worker)"]
        where.append("failed_at IS NULL")
        for name, comparison in (("min_priority", ">="), ("max_priority", "<=")):
            if (bound := getattr(limits, name)) is not None:
                where.append(f"priority {comparison} :{name}")
                self._bounds[name] = bound
        if limits.queues and has_queues:
            queues = {f"queue_{number}": queue for number, queue in enumerate(limits.queues)}
            where.append(f"queue IN ({', '.join(f':{name}' for name in queues)})")
            self._bounds |= queues
        self.available = " AND ".join(where)
        self.order = era.order
        self.returned = f"id, priority, attempts, handler, {'queue' if has_queues else 'NULL'}"

    def next_id(self, condition: str) -> str:
        return f"SELECT id FROM delayed_jobs WHERE {condition} ORDER BY {self.order} LIMIT 1"

    def lock_where(self, condition: str) -> str:
        return (
            f"UPDATE delayed_jobs SET locked_at = :now, locked_by = :worker WHERE {condition} RETURNING {self.returned}"
        )

    def values(self, worker: str, now: datetime, **more: object) -> dict[str, object]:
        return {"now": now, "stale": now - self.limits.max_run_time, "worker": worker, **self._bounds, **more}

    def lock_next(
        self, connection: DriverConnection, worker: str, now: datetime, done: int | None, is_flushed: bool
    ) -> Sequence[Any] | None:
        """The row's `returned`, or None when there is no job for this worker. The row of the job `done` goes with that.

        `is_flushed`: the commit of what is done waits for PostgreSQL's disk.
        """
        raise NotImplementedError

    def forget(self) -> None:
        """The caller changed rows."""


class SkippingClaim(Claim):
    """For PostgreSQL, where workers pass each other by SKIP LOCKED, and all of it is one statement."""

    def __init__(self, era: Era, limits: Limits, has_queues: bool) -> None:
        super().__init__(era, limits, has_queues)
        # A claim that a crash of the database forgets is a job that waits again: its commit need not wait for the disk.
        self._first = self._locking(self.available, NOT_FLUSHED)
        # Within one statement the row that goes is still seen, and is locked by this very worker. Where no job is left
        # nothing is returned, NOT_FLUSHED neither: the last of a flood waits for the disk.
        another = f"{self.available} AND id <> :done"
        after = {True: self._locking(another, ""), False: self._locking(another, NOT_FLUSHED)}
        self._after = {is_flushed: f"WITH done AS ({DELETE}) {sql}" for is_flushed, sql in after.items()}

    def _locking(self, condition: str, returned: str) -> str:
        locking = self.lock_where(f"id = ({self.next_id(condition)} FOR UPDATE SKIP LOCKED)")
        return f"{locking}, {returned}" if returned else locking

    def lock_next(
        self, connection: DriverConnection, worker: str, now: datetime, done: int | None, is_flushed: bool
    ) -> Sequence[Any] | None:
        if done is None:
            return first(connection.rows(self._first, self.values(worker, now)))
        return first(connection.rows(self._after[is_flushed], self.values(worker, now, done=done)))


class SQLiteClaim(Claim):
    """For SQLite, which has one writer at a time.

    Rows that are equal in order come in the order of their ids, which an index gives away for nothing.
    """

    def __init__(self, era: Era, limits: Limits, has_queues: bool) -> None:
        super().__init__(era, limits, has_queues)
        self.order += ", id"
        self._lock_first = self.lock_where(f"id = ({self.next_id(self.available)})")

    def lock_next(
        self, connection: DriverConnection, worker: str, now: datetime, done: int | None, is_flushed: bool
    ) -> Sequence[Any] | None:
        with connection.transaction():
            if done is not None:
                connection.change(DELETE, {"done": done})
            return self._lock(connection, worker, now)

    def _lock(self, connection: DriverConnection, worker: str, now: datetime) -> Sequence[Any] | None:
        return first(connection.rows(self._lock_first, self.values(worker, now)))


class ReadAheadClaim(SQLiteClaim):
    """For a table without an index on the order (that of 2009): looks once through the table for many claims.

    What was read ahead is used only while nothing can have changed it: `data_version` tells of writes by others, the
    caller of its own, and `_until` when time alone makes another row available. So the order is the same as that
    of `SQLiteClaim`; while others write, it does just what `SQLiteClaim` does.
    """

    def __init__(self, era: Era, limits: Limits, has_queues: bool) -> None:
        super().__init__(era, limits, has_queues)
        self._ids: deque[int] = deque()
        self._worker = ""
        self._data_version = -1
        self._until = datetime.min.replace(tzinfo=UTC)
        self._lock_one = self.lock_where(f"id = :id AND {self.available}")
        self._ahead = f"SELECT id FROM delayed_jobs WHERE {self.available} ORDER BY {self.order} LIMIT {READ_AHEAD}"

    def forget(self) -> None:
        self._ids.clear()

    def _lock(self, connection: DriverConnection, worker: str, now: datetime) -> Sequence[Any] | None:
        ((version,),) = connection.rows("PRAGMA data_version")
        alone, self._data_version = version == self._data_version, version
        if not alone or worker != self._worker:
            self._worker = worker
            self._ids.clear()
            return super()._lock(connection, worker, now)
        if not self._ids or now >= self._until:
            self._read_ahead(connection, worker, now)
        if not self._ids:
            return None
        return first(connection.rows(self._lock_one, self.values(worker, now, id=self._ids.popleft())))

    def _read_ahead(self, connection: DriverConnection, worker: str, now: datetime) -> None:
        self._ids = deque(job_id for (job_id,) in connection.rows(self._ahead, self.values(worker, now)))
        ((next_due, oldest_lock),) = connection.rows(CHANGES, {"now": now})
        ends = [due] if (due := from_text(next_due)) else []
        ends += [locked + self.limits.max_run_time] if (locked := from_text(oldest_lock)) else []
        self._until = min(ends, default=now + timedelta(days=1))


def first(rows: Sequence[Sequence[Any]]) -> Sequence[Any] | None:
    return rows[0] if rows else None


def claim_for(era: Era, limits: Limits, has_queues: bool, dialect: str, connection: DriverConnection) -> Claim:
    """The way of this database and its table."""
    if dialect == "postgresql":
        return SkippingClaim(era, limits, has_queues)
    has_index = ("priority",) in connection.rows(LEADING_COLUMNS)
    return (SQLiteClaim if has_index else ReadAheadClaim)(era, limits, has_queues)
