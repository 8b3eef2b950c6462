"""The tables that a database has: their columns, indexes and keys, and, of SQLite's, the statements that made them."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hkcli.dj.migrations.column_types import SchemaError, Verbatim, no_binds


@dataclass(frozen=True)
class Existing:
    """Read anew at each call, within the caller's transaction."""

    connection: sa.Connection

    def has_table(self, table: str) -> bool:
        return sa.inspect(self.connection).has_table(table)

    def column_names(self, table: str) -> set[str]:
        return {column["name"] for column in sa.inspect(self.connection).get_columns(table)}

    def must_have(self, table: str, names: Sequence[str]) -> list[Any]:
        columns = {column["name"]: column for column in sa.inspect(self.connection).get_columns(table)}
        for name in names:
            if name not in columns:
                raise SchemaError(f"No such column: {table}.{name}", "ActiveRecord::StatementInvalid")
        return [columns[name] for name in names]

    def foreign_keys(self, table: str) -> list[Any]:
        return list(sa.inspect(self.connection).get_foreign_keys(table))

    def indexes(self, table: str) -> list[tuple[str, list[str]]]:
        """Name and columns of each index; an expression is not a column."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            indexes = sa.inspect(self.connection).get_indexes(table)
        known = [(str(index["name"]), [str(name) for name in index["column_names"] if name]) for index in indexes]
        missing = {name for name, _ in self.index_statements(table)} - {name for name, _ in known}
        return known + [(name, []) for name in sorted(missing)]

    def index_statements(self, table: str) -> list[tuple[str, str]]:
        if self.connection.dialect.name == "postgresql":
            return []
        sql = sa.text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
        )
        return [(str(name), str(statement)) for name, statement in self.connection.execute(sql, {"table": table})]

    def as_it_is(self, table: str, without_check: str | None) -> sa.Table:
        """The table with its types as they were written: what SQLAlchemy makes of them has forgotten precisions.

        Checks are put in by hand, since whether a reflected table has them depends on SQLAlchemy's version.
        """
        rows = self.connection.exec_driver_sql(f"PRAGMA table_info({quoted(self.connection, table)})")
        words = {str(row[1]): str(row[2]) for row in rows}
        collations = dict(re.findall(r'[(,]\s*"?([^",\s]+)"?\s[^,]*?( COLLATE "\w+")', self._table_statement(table)))

        def column_reflect(_inspector: Any, _table: Any, column: Any) -> None:
            if not (column.get("primary_key") and words[column["name"]].lower() == "integer"):
                column["type"] = Verbatim(words[column["name"]] + collations.get(column["name"], ""))

        found = sa.Table(
            table,
            sa.MetaData(),
            autoload_with=self.connection,
            resolve_fks=False,
            listeners=[("column_reflect", column_reflect)],
        )
        found.constraints -= {check for check in found.constraints if isinstance(check, sa.CheckConstraint)}
        for check in sa.inspect(self.connection).get_check_constraints(table):
            if check["name"] is None or check["name"] != without_check:
                found.append_constraint(sa.CheckConstraint(no_binds(check["sqltext"]), name=check["name"]))
        return found

    def autoincrements(self, table: str) -> bool:
        return "AUTOINCREMENT" in self._table_statement(table).upper()

    def _table_statement(self, table: str) -> str:
        sql = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
        return str(self.connection.execute(sql, {"table": table}).scalar())


def quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(str(name))


def rails_type(column_type: sa.types.TypeEngine[Any]) -> str:
    """Which of Rails' types a column of the database is, as far as a default's spelling needs it."""
    for kind, name in (
        (sa.Boolean, "boolean"),
        (sa.Integer, "integer"),
        (sa.Float, "float"),
        (sa.Numeric, "decimal"),
        (sa.JSON, "json"),
    ):
        if isinstance(column_type, kind):
            return name
    return "string"
