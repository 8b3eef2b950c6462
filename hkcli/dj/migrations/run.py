"""One migration, in one transaction, with its lines."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hkcli.dj.migrations.inversion import Irreversible, forward, inverted
from hkcli.dj.migrations.reader import Migration
from hkcli.dj.migrations.report import Report
from hkcli.dj.migrations.syntax import Call, Constant
from hkcli.dj.ruby import inspect

if TYPE_CHECKING:
    from hkcli.dj.migrations.schema import Schema


class MigrationError(Exception):
    """A migration, or what was asked of them, failed; `ruby_name` is the class Rails raises."""

    def __init__(self, ruby_name: str, message: str) -> None:
        super().__init__(message)
        self.ruby_name = ruby_name


@dataclass(frozen=True)
class Plan:
    """A migration with the calls that take it `up` or `down`."""

    migration: Migration
    direction: str
    calls: tuple[Call, ...]

    @property
    def title(self) -> str:
        return f"{self.migration.file.version} {self.migration.file.name}: "


def plan(migration: Migration, direction: str, dialect: str) -> Plan:
    """Raises MigrationError when `change` cannot be turned round, before anything is done."""

    def as_recorded(call: Call) -> Call:
        return migration.compat.called(call, dialect)

    written = migration.up if direction == "up" else migration.down
    try:
        if migration.change is None or written is not None:
            calls = list(forward(written or (), as_recorded))
        else:
            calls = (
                list(forward(migration.change, as_recorded))
                if direction == "up"
                else inverted(migration.change, as_recorded)
            )
    except Irreversible as error:
        raise canceled(error, migration.in_transaction) from error
    return Plan(migration, direction, tuple(calls))


def run(engine: sa.Engine, plan: Plan, report: Report) -> None:
    """Carry it out and record it. Raises MigrationError; the schema is then as it was."""
    going, gone = ("migrating", "migrated") if plan.direction == "up" else ("reverting", "reverted")
    report.banner(plan.title + going)
    started = report.clock()
    try:
        with _connection(engine, plan.migration.in_transaction) as connection:
            _carry_out(connection, plan, report)
            _record(connection, plan)
    except Exception as error:
        raise canceled(error, plan.migration.in_transaction) from error
    report.banner(f"{plan.title}{gone} ({report.clock() - started:.4f}s)")
    report.line()


@contextmanager
def _connection(engine: sa.Engine, in_transaction: bool) -> Iterator[sa.Connection]:
    """One transaction for everything, or, after `disable_ddl_transaction!`, none."""
    if in_transaction:
        with engine.begin() as connection:
            yield connection
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT", hkcli_no_transaction=True) as connection:
            yield connection


def _carry_out(connection: sa.Connection, plan: Plan, report: Report) -> None:
    from hkcli.dj.migrations.schema import Schema

    _Run(Schema(connection, plan.migration.compat), report).calls(plan.calls)


def _record(connection: sa.Connection, plan: Plan) -> None:
    sql = "INSERT INTO schema_migrations (version) VALUES (:version)"
    if plan.direction == "down":
        sql = "DELETE FROM schema_migrations WHERE version = :version"
    connection.execute(sa.text(sql), {"version": str(plan.migration.file.version)})


class _Run:
    """The calls of one migration; some are about the run itself, the others are the schema's."""

    def __init__(self, schema: "Schema", report: Report) -> None:
        self._schema = schema
        self._report = report
        self._own: dict[str, Callable[[Call], None]] = {
            "say": self._say,
            "say_with_time": self._say_with_time,
            "suppress_messages": self._suppress_messages,
            "raise": _raise,
        }

    def calls(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if own := self._own.get(call.method):
                own(call)
                continue
            called = self._schema.compat.called(call, self._schema.dialect)
            shown = self._schema.compat.shown(called, self._schema.dialect)
            with self._report.step(f"{shown.method}({announced(shown)})"):
                self._schema.apply(called)

    def _say(self, call: Call) -> None:
        message, *is_sub_item = call.args
        self._report.line(f"{'   ->' if any(is_sub_item) else '--'} {message}")

    def _say_with_time(self, call: Call) -> None:
        with self._report.step(str(call.args[0])):
            self.calls(forward(call.block or ()))

    def _suppress_messages(self, call: Call) -> None:
        with self._report.suppressed():
            self.calls(forward(call.block or ()))


def announced(call: Call) -> str:
    """The arguments, as Ruby would print them; what a block holds is not shown."""
    return ", ".join(inspect(value) for value in [*call.args, *([call.options] if call.options else [])])


def _raise(call: Call) -> None:
    kind, *message = call.args
    if isinstance(kind, Constant):
        raise MigrationError(kind.name, str(message[0]) if message else kind.name)
    raise MigrationError("RuntimeError", str(kind))


def canceled(error: Exception, in_transaction: bool) -> MigrationError:
    """Rails' words round what went wrong."""
    which = "this and all later migrations canceled" if in_transaction else "all later migrations canceled"
    reason = " ".join(str(error.orig).split()) if isinstance(error, sa.exc.DBAPIError) else str(error)
    return MigrationError("StandardError", f"An error has occurred, {which}:\n\n{reason}")
