"""Counting a table that may be large, in slices that are short: by primary key, each slice one read-only transaction.

A table of some thousand rows is one slice, and its figures are of one moment. A large one is walked again and again;
its figures are those of the last whole walk, or of the part that was walked so far, and say which.
"""

import heapq
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hkcli.dj.engine import RailsTime, times
from hkcli.dj.queue import Counts
from hkcli.dj.status.names import HANDLER_CHARS, brief_name, first_line
from hkcli.dj.status.reading import reading

FIRST_SLICE_ROWS, LEAST_SLICE_ROWS, MOST_SLICE_ROWS = 2_000, 100, 20_000
SLICE_S = 0.012
GROUPS_KEPT, LOCKED_KEPT, ERRORS_KEPT, NEXT_KEPT, WAITS_KEPT = 200, 200, 300, 20, 5_000
ERRORS_A_SLICE, WAITS_A_SLICE = 100, 500
ERROR_CHARS = 400
OTHERS = ("(others)", None)
"""Where rows are counted once there are more queues and priorities than anyone could read."""


@dataclass(frozen=True)
class Row:
    """What the lists show of a job."""

    id: int
    name: str
    queue: str | None
    priority: int
    attempts: int
    run_at: datetime | None
    locked_at: datetime | None
    locked_by: str | None
    failed_at: datetime | None
    updated_at: datetime | None
    error: str | None
    """The first line of last_error."""


@dataclass
class Tally:
    """What one walk has counted; `started_at` to `ended_at`, which is None while it goes on."""

    started_at: datetime
    ended_at: datetime | None = None
    rows: int = 0
    last_id: int = -(2**63)
    groups: dict[tuple[str | None, int | None], Counter[str]] = field(default_factory=dict)
    oldest: dict[tuple[str | None, int | None], datetime] = field(default_factory=dict)
    waits_s: list[float] = field(default_factory=list)
    waits_are_all: bool = True
    locked: dict[int, Row] = field(default_factory=dict)
    errors: list[tuple[float, int, Row]] = field(default_factory=list)
    """A heap of the newest, by `updated_at`."""
    errors_are_all: bool = True
    upcoming: list[Row] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        total: Counter[str] = Counter()
        for group in self.groups.values():
            total += group
        return counts_of(total)

    @property
    def oldest_due(self) -> datetime | None:
        return min(self.oldest.values(), default=None)


def counts_of(group: Mapping[str, int]) -> Counts:
    """`retry due` is a retry whose time has come."""
    retrying = group.get("retrying", 0) + group.get("retry due", 0)
    return Counts(
        group.get("running", 0), group.get("due", 0), retrying, group.get("scheduled", 0), group.get("failed", 0)
    )


STATE = """CASE WHEN failed_at IS NOT NULL THEN 'failed' WHEN locked_at IS NOT NULL THEN 'running'
 WHEN COALESCE(attempts, 0) > 0 THEN CASE WHEN run_at <= :now THEN 'retry due' ELSE 'retrying' END
 WHEN run_at <= :now THEN 'due' ELSE 'scheduled' END"""
IS_DUE = "failed_at IS NULL AND locked_at IS NULL AND run_at <= :now"
PART = "id > :after AND id <= :upto"
ROW_COLUMNS = (
    *("id", "handler", "queue", "priority", "attempts", "run_at", "locked_at", "locked_by", "failed_at", "updated_at"),
    "last_error",
)


class Statements:
    """All SQL that reads jobs, for one table."""

    def __init__(self, has_queues: bool) -> None:
        queue = "queue" if has_queues else "NULL"
        self.bounds = sa.text(
            "SELECT COUNT(*), MAX(id) FROM"
            " (SELECT id FROM delayed_jobs WHERE id > :after ORDER BY id LIMIT :most) AS part"
        )
        grouped = {"queue": queue, "priority": "priority", "state": STATE, "jobs": "COUNT(*)"}
        grouped["run_at"] = "MIN(CASE WHEN run_at <= :now THEN run_at END)"
        self.groups = select(grouped, f"WHERE {PART} GROUP BY 1, 2, 3")
        self.waits = select({"run_at": "run_at"}, f"WHERE {PART} AND {IS_DUE} LIMIT {WAITS_A_SLICE}")
        self._columns = {name: name for name in ROW_COLUMNS} | {"queue": queue}
        self._columns["handler"] = f"SUBSTR(handler, 1, {HANDLER_CHARS})"
        self._columns["last_error"] = f"SUBSTR(last_error, 1, {ERROR_CHARS})"
        self.locked = self.rows(f"{PART} AND locked_at IS NOT NULL AND failed_at IS NULL", "id", LOCKED_KEPT)
        self.errors = self.rows(
            f"{PART} AND (last_error IS NOT NULL OR failed_at IS NOT NULL)", "updated_at DESC", ERRORS_A_SLICE
        )
        self.upcoming = self.rows(
            f"{PART} AND failed_at IS NULL AND locked_at IS NULL AND run_at > :now", "run_at", NEXT_KEPT
        )
        whole = {"handler": "handler", "last_error": "last_error", "created_at": "created_at"}
        self.whole = select(whole, "WHERE id = :id")
        self.of_ids = self.rows("id IN :ids", "id", 1_000).bindparams(sa.bindparam("ids", expanding=True))

    def rows(self, condition: str, order: str, most: int, skip: int = 0) -> Any:
        beyond = f" OFFSET {int(skip)}" if skip else ""
        return select(self._columns, f"WHERE {condition} ORDER BY {order} LIMIT {int(most)}{beyond}")


def select(columns: Mapping[str, str], rest: str) -> Any:
    """Named columns of delayed_jobs, with times as datetimes; `:now` is written as the table writes times."""
    sql = f"SELECT {', '.join(f'{source} AS {name}' for name, source in columns.items())} FROM delayed_jobs {rest}"
    statement = sa.text(sql).bindparams(*times("now")) if ":now" in sql else sa.text(sql)
    return statement.columns(*(sa.column(name, RailsTime() if name.endswith("_at") else None) for name in columns))


def row_of(row: Any) -> Row:
    handler = row.handler.decode("utf-8", "replace") if isinstance(row.handler, bytes) else str(row.handler or "")
    return Row(
        id=row.id,
        name=brief_name(handler),
        queue=row.queue,
        priority=row.priority or 0,
        attempts=row.attempts or 0,
        run_at=row.run_at,
        locked_at=row.locked_at,
        locked_by=row.locked_by,
        failed_at=row.failed_at,
        updated_at=row.updated_at,
        error=first_line(row.last_error) if row.last_error else None,
    )


class Census:
    """Walks one table. `tally` is the last whole walk if there is one, else what is counted so far."""

    def __init__(self, engine: sa.Engine, has_queues: bool) -> None:
        self.engine = engine
        self.statements = Statements(has_queues)
        self._whole: Tally | None = None
        self._walk: Tally | None = None
        self._most = FIRST_SLICE_ROWS

    @property
    def tally(self) -> Tally | None:
        return self._whole or self._walk

    def advance(self, now: datetime, budget_s: float) -> bool:
        """Count on for about this long, at least one slice; True when a walk came to its end."""
        ends_at = time.perf_counter() + budget_s
        while True:
            started = time.perf_counter()
            is_whole = self._slice(now)
            took_s = time.perf_counter() - started
            self._most = next_size(self._most, took_s)
            if is_whole or time.perf_counter() + took_s > ends_at:
                return is_whole

    def _slice(self, now: datetime) -> bool:
        walk = self._walk = self._walk or Tally(now)
        with reading(self.engine) as connection, connection.begin():
            count, upto = connection.execute(self.statements.bounds, {"after": walk.last_id, "most": self._most}).one()
            if count:
                bounds = {"after": walk.last_id, "upto": upto, "now": now}
                take(
                    walk,
                    {
                        name: connection.execute(getattr(self.statements, name), used(name, bounds)).all()
                        for name in ("groups", "locked", "errors", "upcoming", "waits")
                    },
                    now,
                )
                walk.rows += count
                walk.last_id = upto
        if count == self._most:
            return False
        walk.ended_at = now
        self._whole, self._walk = walk, None
        return True


def used(name: str, bounds: dict[str, Any]) -> dict[str, Any]:
    return bounds if name in ("groups", "upcoming", "waits") else {key: bounds[key] for key in ("after", "upto")}


def next_size(rows: int, took_s: float) -> int:
    """More rows a slice while it is quick, fewer when it is slow."""
    if took_s > SLICE_S:
        return max(LEAST_SLICE_ROWS, int(rows * max(0.25, SLICE_S / took_s)))
    return min(MOST_SLICE_ROWS, rows * 2) if took_s < SLICE_S / 2 else rows


def take(walk: Tally, found: Mapping[str, Any], now: datetime) -> None:
    """Add what one slice found."""
    for queue, priority, state, count, run_at in found["groups"]:
        key: tuple[str | None, int | None] = (queue, priority)
        if key not in walk.groups and len(walk.groups) >= GROUPS_KEPT:
            key = OTHERS
        walk.groups.setdefault(key, Counter())[state] += count
        if run_at and state in ("due", "retry due"):
            walk.oldest[key] = min(run_at, walk.oldest.get(key, run_at))
    for row in found["locked"]:
        if len(walk.locked) < LOCKED_KEPT:
            walk.locked[row.id] = row_of(row)
    walk.errors_are_all &= len(found["errors"]) < ERRORS_A_SLICE
    for row in found["errors"]:
        heapq.heappush(walk.errors, ((row.updated_at or now).timestamp(), row.id, row_of(row)))
        if len(walk.errors) > ERRORS_KEPT:
            heapq.heappop(walk.errors)
            walk.errors_are_all = False
    upcoming = [*walk.upcoming, *(row_of(row) for row in found["upcoming"])]
    walk.upcoming = sorted(upcoming, key=lambda row: row.run_at or now)[:NEXT_KEPT]
    walk.waits_are_all &= len(found["waits"]) < WAITS_A_SLICE and len(walk.waits_s) < WAITS_KEPT
    walk.waits_s += [(now - row.run_at).total_seconds() for row in found["waits"] if row.run_at]
    del walk.waits_s[WAITS_KEPT:]
