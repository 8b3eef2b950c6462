"""Single jobs: listed, shown whole, and what an operator may do to them. A job that runs is never touched."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import sqlalchemy as sa

from hkcli.dj import ruby, ruby_yaml
from hkcli.dj.claiming import MAX_RUN_TIME
from hkcli.dj.engine import times
from hkcli.dj.handlers import job_name
from hkcli.dj.ruby import RubyObject
from hkcli.dj.status.census import BOUNDS, IS_DUE, Row, Statements, row_of, text_of
from hkcli.dj.status.names import HANDLER_CHARS, UNREADABLE, brief_name
from hkcli.dj.status.reading import reading
from hkcli.dj.status.reasons import Facts
from hkcli.dj.table import UNLOCK

BATCH = 500
IDS_AT_A_TIME = 1_000
LOOK_THROUGH_ROWS = 20_000
AT_LARGE = "failed_at IS NULL AND locked_at IS NULL"
NAME_PARTS = re.compile(r"\w+(?:::\w+)*")
"""Of a name, what the handler has: `Report` and `build` of `Report.build`."""
HAS_TEXT = "(handler LIKE :text ESCAPE '!' OR last_error LIKE :text ESCAPE '!')"
AT_REST = "(locked_at IS NULL OR failed_at IS NOT NULL)"
RETRY_SQL = f"{UNLOCK}, attempts = 0, run_at = :now, failed_at = NULL, updated_at = :now WHERE id IN :ids AND {AT_REST}"
REMOVE_SQL = f"DELETE FROM delayed_jobs WHERE id IN :ids AND {AT_REST}"
UNLOCK_SQL = f"{UNLOCK} WHERE id IN :ids AND locked_by IN :workers AND failed_at IS NULL"


class State(Enum):
    """What a list is restricted to, as SQL: the condition and the order."""

    ANY = ("1 = 1", "id")
    FAILED = ("failed_at IS NOT NULL", "failed_at DESC, id DESC")
    RUNNING = ("failed_at IS NULL AND locked_at IS NOT NULL", "locked_at, id")
    WAITING = (AT_LARGE, "")
    DUE = (f"{IS_DUE} AND COALESCE(attempts, 0) = 0", "")
    RETRYING = ("failed_at IS NULL AND locked_at IS NULL AND attempts > 0", "run_at, id")
    SCHEDULED = (
        "failed_at IS NULL AND locked_at IS NULL AND COALESCE(attempts, 0) = 0 AND run_at > :now",
        "run_at, id",
    )


@dataclass(frozen=True)
class Selection:
    """Which jobs an action is for: by id, or those in a state, of a queue, whose handler or error has a text.

    `job` is the name that `brief_name` gives them.
    """

    ids: tuple[int, ...] = ()
    state: State = State.ANY
    queue: str | None = None
    matching: str | None = None
    job: str | None = None

    def has_name(self, row: Any) -> bool:
        """`row` is as the database returns it."""
        return self.job is None or brief_name(text_of(row.handler)) == self.job

    def condition(self, now: datetime) -> tuple[str, dict[str, Any]]:
        """As SQL, with its values; rows that it finds may still not have the name."""
        condition = self.state.value[0]
        values: dict[str, Any] = {"now": now} if ":now" in condition else {}
        if self.queue is not None:
            condition, values["queue"] = f"{condition} AND queue = :queue", self.queue
        if self.matching is not None:
            condition, values["text"] = f"{condition} AND {HAS_TEXT}", f"%{escaped(self.matching)}%"
        parts = [] if self.job is None or self.job == UNREADABLE else NAME_PARTS.findall(self.job)
        for place, part in enumerate(parts):
            condition = f"{condition} AND handler LIKE :part{place} ESCAPE '!'"
            values[f"part{place}"] = f"%{escaped(part)}%"
        return condition, values


@dataclass(frozen=True)
class Detail:
    row: Row
    name: str
    fields: tuple[tuple[str, str], ...]
    """What the job was made with, in Ruby's notation; empty when the handler cannot be read."""
    handler: str
    last_error: str | None


def listed(
    engine: sa.Engine, statements: Statements, wanted: Selection, order: str, now: datetime, most: int, skip: int = 0
) -> list[Row]:
    """`order` is that in which workers take jobs, for states that have none of their own."""
    condition, values = wanted.condition(now)

    def found(limit: int, offset: int = 0) -> Sequence[Any]:
        statement = statements.rows(condition, wanted.state.value[1] or f"{order}, id", limit, offset)
        with reading(engine) as connection, connection.begin():
            return connection.execute(statement, values).all()

    if wanted.job is None:
        return [row_of(row) for row in found(most, skip)]
    limit = skip + most + BATCH
    while True:
        rows = found(limit)
        named = [row for row in rows if wanted.has_name(row)]
        if len(named) >= skip + most or len(rows) < limit or limit >= LOOK_THROUGH_ROWS:
            return [row_of(row) for row in named[skip : skip + most]]
        limit = LOOK_THROUGH_ROWS


def rows_of(engine: sa.Engine, statements: Statements, ids: Sequence[int]) -> list[Row]:
    """Those of these jobs that are still there."""
    known = [each for each in ids if 0 <= each < 2**63]
    found: list[Row] = []
    for start in range(0, len(known), IDS_AT_A_TIME):
        part = known[start : start + IDS_AT_A_TIME]
        with reading(engine) as connection, connection.begin():
            found += map(row_of, connection.execute(statements.of_ids, {"ids": part}))
    return found


def detail(engine: sa.Engine, statements: Statements, job_id: int) -> Detail | None:
    """All that is known of one job."""
    found = rows_of(engine, statements, [job_id])
    if not found:
        return None
    whole = statements.whole
    with reading(engine) as connection, connection.begin():
        row = connection.execute(whole, {"id": job_id}).one_or_none()
    if row is None:
        return None
    handler = text_of(row.handler)
    return Detail(found[0], job_name(handler), fields_of(handler), handler, row.last_error)


def fields_of(handler: str) -> tuple[tuple[str, str], ...]:
    try:
        value = ruby_yaml.load(handler)
    except ruby_yaml.Unreadable:
        return ()
    if not isinstance(value, RubyObject):
        return ()
    return tuple((str(name), ruby.inspect(field)) for name, field in value.fields.items())


def selected(engine: sa.Engine, selection: Selection, now: datetime) -> list[int]:
    """The ids an action would be for; a large table is looked through in parts."""
    if selection.ids:
        return list(selection.ids)
    condition, values = selection.condition(now)
    columns = "id" if selection.job is None else f"id, SUBSTR(handler, 1, {HANDLER_CHARS}) AS handler"
    statement = sa.text(
        f"SELECT {columns} FROM delayed_jobs WHERE id > :after AND id <= :upto AND {condition} ORDER BY id"
    )
    if "now" in values:
        statement = statement.bindparams(*times("now"))
    found: list[int] = []
    for after, upto in parts(engine):
        with reading(engine) as connection, connection.begin():
            rows = connection.execute(statement, {"after": after, "upto": upto, **values})
            found += [row.id for row in rows if selection.has_name(row)]
    return found


def escaped(text: str) -> str:
    """Without meaning for LIKE."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def parts(engine: sa.Engine) -> Iterator[tuple[int, int]]:
    """The table's ids as ranges that each hold a bounded number of rows."""
    after = -(2**63)
    while True:
        with reading(engine) as connection, connection.begin():
            count, upto = connection.execute(BOUNDS, {"after": after, "most": LOOK_THROUGH_ROWS}).one()
        if not count:
            return
        yield after, upto
        after = upto


def retry(engine: sa.Engine, ids: Sequence[int], now: datetime) -> int:
    """Make jobs due now with all their attempts before them; returns how many were, which leaves out running ones."""
    return in_batches(engine, sa.text(RETRY_SQL).bindparams(*times("now")), ids, {"now": now})


def remove(engine: sa.Engine, ids: Sequence[int]) -> int:
    """Delete jobs; returns how many were, which leaves out running ones."""
    return in_batches(engine, sa.text(REMOVE_SQL), ids, {})


def unlock(engine: sa.Engine, rows: Sequence[Row]) -> int:
    """Take away these locks, where they are still held by the same worker; returns how many were."""
    workers = sorted({row.locked_by for row in rows if row.locked_by})
    statement = sa.text(UNLOCK_SQL).bindparams(sa.bindparam("workers", expanding=True))
    return in_batches(engine, statement, [row.id for row in rows], {"workers": workers}) if workers else 0


def dead_locks(locked: Sequence[Row], facts: Facts, now: datetime, max_run: timedelta = MAX_RUN_TIME) -> list[Row]:
    """Locks whose worker is gone, or that are older than any job may run."""
    return [
        row
        for row in locked
        if row.locked_by and row.locked_at and (facts.is_gone(row.locked_by) or now - row.locked_at > max_run)
    ]


def doubtful(dead: Sequence[Row], facts: Facts, now: datetime, max_run: timedelta = MAX_RUN_TIME) -> list[Row]:
    """Those of `dead_locks` that workers of another app with the same database may hold."""
    return [
        row
        for row in dead
        if not facts.is_surely_gone(row.locked_by or "") and row.locked_at and now - row.locked_at <= max_run
    ]


def in_batches(engine: sa.Engine, statement: sa.TextClause, ids: Sequence[int], values: dict[str, Any]) -> int:
    """Small transactions, so that workers are not kept waiting."""
    statement = statement.bindparams(sa.bindparam("ids", expanding=True))
    changed = 0
    for start in range(0, len(ids), BATCH):
        with engine.begin() as connection:
            changed += connection.execute(statement, {**values, "ids": list(ids[start : start + BATCH])}).rowcount
    return changed
