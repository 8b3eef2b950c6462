"""Deciding which job a worker gets: the predicate and order of the gem, and the one statement that locks the row.

The predicate is that of `ready_to_run` in delayed_job_active_record, and of NextTaskSQL of 2009.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hkcli.dj.database import RailsTime
from hkcli.dj.era import Era

MAX_RUN_TIME = timedelta(hours=4)
READ_AHEAD = 200
NOT_FLUSHED = "set_config('synchronous_commit', 'off', true)"
"""On PostgreSQL, among what a statement of its own transaction returns: its commit does not wait for the disk."""

DELETE = "DELETE FROM delayed_jobs WHERE id = :done"
DELETE_SQL = sa.text(DELETE)


@dataclass(frozen=True)
class Limits:
    """Which jobs a worker takes: priorities inclusive; no queues means every queue."""

    min_priority: int | None = None
    max_priority: int | None = None
    queues: tuple[str, ...] = ()
    max_run_time: timedelta = MAX_RUN_TIME


def times(*names: str) -> list[sa.BindParameter[Any]]:
    """Parameters that are stored as Rails stores times."""
    return [sa.bindparam(name, type_=RailsTime()) for name in names]


class Claim:
    """Locks the next job by one statement, so that two workers never both win a row. Call it in a transaction."""

    def __init__(self, era: Era, limits: Limits, dialect: str, has_queues: bool) -> None:
        self.limits = limits
        self.binds = times("now", "stale")
        where = ["((run_at <= :now AND (locked_at IS NULL OR locked_at < :stale)) OR locked_by = :worker)"]
        where.append("failed_at IS NULL")
        for name, comparison in (("min_priority", ">="), ("max_priority", "<=")):
            if (bound := getattr(limits, name)) is not None:
                where.append(f"priority {comparison} :{name}")
                self.binds.append(sa.bindparam(name, bound))
        if limits.queues and has_queues:
            where.append("queue IN :queues")
            self.binds.append(sa.bindparam("queues", limits.queues, expanding=True))
        # SQLite has one writer at a time, and on it rows that are equal in order come in the order of their ids, which
        # an index gives away for nothing.
        self._after: dict[bool, sa.TextClause] = {}
        postgresql = dialect == "postgresql"
        self.available = " AND ".join(where)
        self.order = era.order + ("" if postgresql else ", id")
        self.returned = f"id, priority, attempts, handler, {'queue' if has_queues else 'NULL AS queue'}"
        self._statement = self.lock_where(f"id = ({self.next_id(self.available)})")
        if postgresql:
            # A claim that a crash of the database forgets is a job that waits again: its commit need not wait for disk.
            self._statement = self._locking(self.available, NOT_FLUSHED)
            # Within one statement the row that goes is still seen, and is locked by this very worker. Where no job is
            # left nothing is returned, NOT_FLUSHED neither: the last of a flood waits for the disk.
            another = f"{self.available} AND id <> :done"
            self._after = {True: self._locking(another, "", DELETE), False: self._locking(another, NOT_FLUSHED, DELETE)}

    def next_id(self, condition: str) -> str:
        return f"SELECT id FROM delayed_jobs WHERE {condition} ORDER BY {self.order} LIMIT 1"

    def lock_where(self, condition: str) -> sa.TextClause:
        return self._bound(
            f"UPDATE delayed_jobs SET locked_at = :now, locked_by = :worker WHERE {condition} RETURNING {self.returned}"
        )

    def _locking(self, condition: str, returned: str, before: str = "") -> sa.TextClause:
        """For PostgreSQL, where workers pass each other by SKIP LOCKED."""
        return self._bound(
            (f"WITH done AS ({before}) " if before else "")
            + "UPDATE delayed_jobs SET locked_at = :now, locked_by = :worker"
            + f" WHERE id = ({self.next_id(condition)} FOR UPDATE SKIP LOCKED) RETURNING {self.returned}"
            + (f", {returned}" if returned else "")
        )

    def _bound(self, sql: str) -> sa.TextClause:
        return sa.text(sql).bindparams(*self.binds)

    def values(self, worker: str, now: datetime) -> dict[str, Any]:
        return {"now": now, "stale": now - self.limits.max_run_time, "worker": worker}

    def lock_next(self, connection: sa.Connection, worker: str, now: datetime) -> sa.Row[Any] | None:
        return connection.execute(self._statement, self.values(worker, now)).one_or_none()

    def lock_next_after(
        self, done: int, connection: sa.Connection, worker: str, now: datetime, is_flushed: bool
    ) -> sa.Row[Any] | None:
        """The same, and the row of a job that is done goes. `is_flushed`: the commit waits for PostgreSQL's disk."""
        if self._after:
            values = self.values(worker, now) | {"done": done}
            return connection.execute(self._after[is_flushed], values).one_or_none()
        connection.execute(DELETE_SQL, {"done": done})
        return self.lock_next(connection, worker, now)

    def forget(self) -> None:
        """The caller changed rows."""


class ReadAheadClaim(Claim):
    """For an SQLite table without an index on the order (that of 2009): looks once through the table for many claims.

    What was read ahead is used only while nothing can have changed it: `data_version` tells of writes by others, the
    caller of its own, and `_until` when time alone makes another row available. So the order is the same as that
    of `Claim`; while others write, it does just what `Claim` does.
    """

    def __init__(self, era: Era, limits: Limits, dialect: str, has_queues: bool) -> None:
        super().__init__(era, limits, dialect, has_queues)
        self._ids: deque[int] = deque()
        self._worker = ""
        self._data_version = -1
        self._until = datetime.min.replace(tzinfo=UTC)
        self._lock_one = self.lock_where(f"id = :id AND {self.available}")
        self._ahead = sa.text(
            f"SELECT id FROM delayed_jobs WHERE {self.available} ORDER BY {self.order} LIMIT {READ_AHEAD}"
        ).bindparams(*self.binds)
        self._changes = (
            sa.text(
                "SELECT MIN(CASE WHEN run_at > :now THEN run_at END), MIN(locked_at) FROM delayed_jobs"
                " WHERE failed_at IS NULL"
            )
            .bindparams(*times("now"))
            .columns(sa.column("a", RailsTime()), sa.column("b", RailsTime()))
        )

    def forget(self) -> None:
        self._ids.clear()

    def lock_next(self, connection: sa.Connection, worker: str, now: datetime) -> sa.Row[Any] | None:
        version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        alone, self._data_version = version == self._data_version, version
        if not alone or worker != self._worker:
            self._worker = worker
            self._ids.clear()
            return super().lock_next(connection, worker, now)
        if not self._ids or now >= self._until:
            self._read_ahead(connection, worker, now)
        if not self._ids:
            return None
        return connection.execute(self._lock_one, self.values(worker, now) | {"id": self._ids.popleft()}).one_or_none()

    def _read_ahead(self, connection: sa.Connection, worker: str, now: datetime) -> None:
        self._ids = deque(connection.scalars(self._ahead, self.values(worker, now)))
        next_due, oldest_lock = connection.execute(self._changes, {"now": now}).one()
        ends = [next_due] if next_due else []
        ends += [oldest_lock + self.limits.max_run_time] if oldest_lock else []
        self._until = min(ends, default=now + timedelta(days=1))


def claim_for(era: Era, limits: Limits, dialect: str, columns: Mapping[str, object], has_index: bool) -> Claim:
    """`has_index`: some index begins with the priority."""
    kind = Claim if has_index or dialect != "sqlite" else ReadAheadClaim
    return kind(era, limits, dialect, "queue" in columns)
