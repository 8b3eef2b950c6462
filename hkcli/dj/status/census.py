"""Counting a table that may be large, in slices that are short: by primary key, each slice one read-only transaction.

A table of some thousand rows is one slice, and its figures are of one moment. A large one is walked again and again;
its figures are those of the last whole walk, or of the part that was walked so far, and say which.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hkcli.dj.engine import RailsTime, times
from hkcli.dj.queue import Counts
from hkcli.dj.status.names import HANDLER_CHARS, NO_MESSAGE, brief_name, first_line, shape_of
from hkcli.dj.status.reading import reading

FIRST_SLICE_ROWS, LEAST_SLICE_ROWS, MOST_SLICE_ROWS = 2_000, 500, 20_000
SLICE_S = 0.012
GROUPS_KEPT, LOCKED_KEPT, FAILURES_KEPT, NEXT_KEPT, WAITS_KEPT = 200, 200, 500, 20, 5_000
FAILURES_A_SLICE = 2_000
ERROR_CHARS = 400
SCATTER, PRIME = 2_141, 1_000_003
"""Of a sample: spread evenly over ids that follow each other, whatever the step between them. The product has 31 bits:
where ids are such integers, PostgreSQL counts no further."""
NEWLINE, LINE_CHARS, HEAD = "\n", 200, f"SUBSTR(handler, 1, {HANDLER_CHARS})"
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
    created_at: datetime | None
    error: str | None
    """The first line of last_error."""


@dataclass
class Failures:
    """Jobs of one name whose last errors differ in their numbers at most. `error` is the latest of them."""

    name: str
    error: str
    count: int = 0
    gave_up: int = 0
    latest: datetime | None = None
    next_run: datetime | None = None
    example_id: int = 0
    is_one_text: bool = True

    def add(self, error: str, row: Any) -> None:
        """`row` is a line of Statements.failures."""
        self.is_one_text &= error == self.error
        self.count += row.jobs
        self.gave_up += int(row.gave_up)  # which is a Decimal on MySQL
        if row.updated_at and (self.latest is None or row.updated_at >= self.latest):
            self.latest, self.error, self.example_id = row.updated_at, error, row.id
        if row.run_at and (self.next_run is None or row.run_at < self.next_run):
            self.next_run = row.run_at


@dataclass
class Tally:
    """What one walk has counted; `started_at` to `ended_at`, which is None while it goes on."""

    started_at: datetime
    share: int = PRIME
    """Of how many of PRIME due jobs the wait is kept: all, until they would be too many."""
    ended_at: datetime | None = None
    rows: int = 0
    last_id: int = -(2**63)
    groups: dict[tuple[str | None, int | None], Counter[str]] = field(default_factory=dict)
    oldest: dict[tuple[str | None, int | None], datetime] = field(default_factory=dict)
    waits: list[tuple[int, float]] = field(default_factory=list)
    """Place in the sample, and seconds."""
    locked: dict[int, Row] = field(default_factory=dict)
    failures: dict[tuple[str, str], Failures] = field(default_factory=dict)
    failed: int = 0
    """Rows that have failed, `failures` or not."""
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


HAS_FAILED = "(last_error IS NOT NULL OR failed_at IS NOT NULL)"
STATE = """CASE WHEN failed_at IS NOT NULL THEN 'failed' WHEN locked_at IS NOT NULL THEN 'running'
 WHEN COALESCE(attempts, 0) > 0 THEN CASE WHEN run_at <= :now THEN 'retry due' ELSE 'retrying' END
 WHEN run_at <= :now THEN 'due' ELSE 'scheduled' END"""
IS_DUE = "failed_at IS NULL AND locked_at IS NULL AND run_at <= :now"
PART = "id > :after AND id <= :upto"
PLACE = f"(id % {PRIME} * {SCATTER} % {PRIME})"
BOUNDS = sa.text(
    "SELECT COUNT(*), MAX(id) FROM (SELECT id FROM delayed_jobs WHERE id > :after ORDER BY id LIMIT :most) AS part"
)
ROW_COLUMNS = (
    *("id", "handler", "queue", "priority", "attempts", "run_at", "locked_at", "locked_by", "failed_at", "updated_at"),
    *("created_at", "last_error"),
)


class Statements:
    """All SQL that reads jobs, for one table."""

    def __init__(self, has_queues: bool, dialect: str) -> None:
        queue = "queue" if has_queues else "NULL"
        grouped = {"queue": queue, "priority": "priority", "state": STATE, "jobs": "COUNT(*)"}
        grouped["run_at"] = "MIN(CASE WHEN run_at <= :now THEN run_at END)"
        grouped["failed"] = f"SUM(CASE WHEN {HAS_FAILED} THEN 1 ELSE 0 END)"
        self.groups = select(grouped, f"WHERE {PART} GROUP BY 1, 2, 3")
        self.waits = select({"place": PLACE, "run_at": "run_at"}, f"WHERE {PART} AND {IS_DUE} AND {PLACE} < :share")
        self.failures = failures(dialect)
        self._columns = {name: name for name in ROW_COLUMNS} | {"queue": queue}
        self._columns["handler"] = f"SUBSTR(handler, 1, {HANDLER_CHARS})"
        self._columns["last_error"] = f"SUBSTR(last_error, 1, {ERROR_CHARS})"
        self.locked = self.rows(f"{PART} AND locked_at IS NOT NULL AND failed_at IS NULL", "id", LOCKED_KEPT)
        self.upcoming = self.rows(
            f"{PART} AND failed_at IS NULL AND locked_at IS NULL AND run_at > :now", "run_at", NEXT_KEPT
        )
        whole = {"handler": "handler", "last_error": "last_error"}
        self.whole = select(whole, "WHERE id = :id")
        self.of_ids = self.rows("id IN :ids", "id", 1_000).bindparams(sa.bindparam("ids", expanding=True))

    def rows(self, condition: str, order: str, most: int, skip: int = 0) -> Any:
        beyond = f" OFFSET {int(skip)}" if skip else ""
        return select(self._columns, f"WHERE {condition} ORDER BY {order} LIMIT {int(most)}{beyond}")


def failures(dialect: str) -> Any:
    """Failed rows by the lines of the handler in which `brief_name` finds a name, and the error's first line."""

    def place(text: str, what: str) -> str:
        return f"STRPOS({text}, '{what}')" if dialect == "postgresql" else f"INSTR({text}, '{what}')"

    def first(text: str) -> str:
        return f"SUBSTR({text}, 1, COALESCE(NULLIF({place(text, NEWLINE)}, 0) - 1, {LINE_CHARS}))"

    def line(beginning: str, of: str) -> str:
        found = place(HEAD, NEWLINE + beginning)
        is_there = f"SUBSTR(handler, 1, 100) LIKE '%{of}%' AND {found} > 0"
        return f"CASE WHEN {is_there} THEN {first(f'SUBSTR(handler, {found} + 1, {LINE_CHARS})')} END"

    error = f"SUBSTR(last_error, 1, {ERROR_CHARS})"
    begins_blank = f"SUBSTR(last_error, 1, 1) IN (' ', '{NEWLINE}')"
    columns = {
        "tag": first(f"SUBSTR(handler, 1, {LINE_CHARS})"),
        "active_job": line("  job_class:", "ActiveJob::"),
        "target": line("object:", "Delayed::PerformableMethod"),
        "method": line("method", "Delayed::PerformableMethod"),
        "error": f"CASE WHEN {begins_blank} THEN {error} ELSE {first(error)} END",
        "jobs": "COUNT(*)",
        "gave_up": "SUM(CASE WHEN failed_at IS NOT NULL THEN 1 ELSE 0 END)",
        "updated_at": "MAX(updated_at)",
        "run_at": "MIN(CASE WHEN failed_at IS NULL THEN run_at END)",
        "id": "MAX(id)",
    }
    return select(columns, f"WHERE {PART} AND {HAS_FAILED} GROUP BY 1, 2, 3, 4, 5 LIMIT {FAILURES_A_SLICE}")


def select(columns: Mapping[str, str], rest: str) -> Any:
    """Named columns of delayed_jobs, with times as datetimes; `:now` is written as the table writes times."""
    sql = f"SELECT {', '.join(f'{source} AS {name}' for name, source in columns.items())} FROM delayed_jobs {rest}"
    statement = sa.text(sql).bindparams(*times("now")) if ":now" in sql else sa.text(sql)
    return statement.columns(*(sa.column(name, RailsTime() if name.endswith("_at") else None) for name in columns))


def text_of(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def row_of(row: Any) -> Row:
    return Row(
        id=row.id,
        name=brief_name(text_of(row.handler)),
        queue=row.queue,
        priority=row.priority or 0,
        attempts=row.attempts or 0,
        run_at=row.run_at,
        locked_at=row.locked_at,
        locked_by=row.locked_by,
        failed_at=row.failed_at,
        updated_at=row.updated_at,
        created_at=row.created_at,
        error=first_line(row.last_error) if row.last_error else None,
    )


class Census:
    """Walks one table. `tally` is the last whole walk if there is one, else what is counted so far."""

    def __init__(self, engine: sa.Engine, has_queues: bool) -> None:
        self.engine = engine
        self.statements = Statements(has_queues, engine.dialect.name)
        self._whole: Tally | None = None
        self._walk: Tally | None = None
        self._most = FIRST_SLICE_ROWS

    @property
    def tally(self) -> Tally | None:
        return self._whole or self._walk

    @property
    def is_walking(self) -> bool:
        """Whether a walk is under way."""
        return self._walk is not None

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
        walk = self._walk = self._walk or Tally(now, self._share())
        with reading(self.engine) as connection, connection.begin():
            count, upto = connection.execute(BOUNDS, {"after": walk.last_id, "most": self._most}).one()
            if count:
                bounds = {"after": walk.last_id, "upto": upto, "now": now, "share": walk.share}
                found = {
                    name: connection.execute(getattr(self.statements, name), {each: bounds[each] for each in wanted})
                    for name, wanted in WANTED.items()
                }
                take(walk, found, now)
                walk.rows += count
                walk.last_id = upto
        if count == self._most:
            return False
        walk.ended_at = now
        self._whole, self._walk = walk, None
        return True

    def _share(self) -> int:
        """Of the due jobs of a table that was too large for all of them: what was right, or twice as much."""
        return min(PRIME, self._whole.share * 2) if self._whole else PRIME


WANTED = {
    "groups": ("after", "upto", "now"),
    "locked": ("after", "upto"),
    "failures": ("after", "upto"),
    "upcoming": ("after", "upto", "now"),
    "waits": ("after", "upto", "now", "share"),
}
"""What each statement of a slice is told."""


def next_size(rows: int, took_s: float) -> int:
    """More rows a slice while it is quick, fewer when it is slow."""
    if took_s > SLICE_S:
        return max(LEAST_SLICE_ROWS, int(rows * max(0.25, SLICE_S / took_s)))
    return min(MOST_SLICE_ROWS, rows * 2) if took_s < SLICE_S / 2 else rows


def take(walk: Tally, found: Mapping[str, Any], now: datetime) -> None:
    """Add what one slice found."""
    for queue, priority, state, count, run_at, failed in found["groups"]:
        key: tuple[str | None, int | None] = (queue, priority)
        if key not in walk.groups and len(walk.groups) >= GROUPS_KEPT:
            key = OTHERS
        walk.groups.setdefault(key, Counter())[state] += count
        walk.failed += int(failed)
        if run_at and state in ("due", "retry due"):
            walk.oldest[key] = min(run_at, walk.oldest.get(key, run_at))
    for row in found["locked"]:
        if len(walk.locked) < LOCKED_KEPT:
            walk.locked[row.id] = row_of(row)
    for row in found["failures"]:
        take_failures(walk, row)
    upcoming = [*walk.upcoming, *(row_of(row) for row in found["upcoming"])]
    walk.upcoming = sorted(upcoming, key=lambda row: row.run_at or now)[:NEXT_KEPT]
    walk.waits += [(row.place, (now - row.run_at).total_seconds()) for row in found["waits"] if row.run_at]
    while len(walk.waits) > WAITS_KEPT:
        walk.share //= 2
        walk.waits = [each for each in walk.waits if each[0] < walk.share]


def take_failures(walk: Tally, row: Any) -> None:
    name = brief_name("\n".join(text_of(line) for line in (row.tag, row.active_job, row.target, row.method) if line))
    error = first_line(text_of(row.error)) if row.error else NO_MESSAGE
    key = (name, shape_of(error))
    if key not in walk.failures:
        if len(walk.failures) >= FAILURES_KEPT:
            return
        walk.failures[key] = Failures(name, error)
    walk.failures[key].add(error, row)
