"""What Active Record would define for the words of a migration: columns, indexes and keys, before any of it is made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hkcli.dj.migrations.column_types import SchemaError, Verbatim, default_sql, no_binds, sql_type
from hkcli.dj.migrations.compat import Compat
from hkcli.dj.migrations.names import foreign_key_name, pluralize, singularize

ON_ACTION = {"cascade": "CASCADE", "nullify": "SET NULL", "restrict": "RESTRICT"}


@dataclass(frozen=True)
class Definitions:
    """By the rules of a migration's version, for the database that `dialect` (SQLAlchemy's name) is."""

    compat: Compat
    dialect: str

    def column(self, name: str, column_type: str, options: dict[str, Any]) -> sa.Column[Any]:
        """A column as Active Record would define it. Raises SchemaError."""
        if column_type in ("datetime", "timestamp") and self.compat.datetimes_precise and "precision" not in options:
            options = options | {"precision": 6}
        default = options.get("default")
        words = sql_type(column_type, options, self.dialect)
        return sa.Column(
            str(name),
            Verbatim(words),
            server_default=self.default(default, column_type),
            nullable=options.get("null") is not False,
            comment=options.get("comment") if self.dialect == "postgresql" else None,
        )

    def default(self, value: Any, column_type: str) -> sa.TextClause | None:
        return None if value is None else sa.text(no_binds(default_sql(value, column_type, self.dialect)))

    def timestamp_options(self, null: bool | None, options: dict[str, Any]) -> dict[str, Any]:
        """Of created_at and updated_at, by the version's rules."""
        if null is None:
            null = self.compat.timestamps_nullable
        precision = options.get("precision", 6 if self.compat.timestamps_precise else None)
        return {**options, "null": null, "precision": precision}

    def reference_columns(self, name: str, options: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The columns of `references`: of a polymorphic one the type stands first."""
        own = {
            key: value for key, value in options.items() if key not in ("polymorphic", "index", "foreign_key", "type")
        }
        if polymorphic := options.get("polymorphic"):
            yield f"{name}_type", "string", own | (polymorphic if isinstance(polymorphic, dict) else {})
        default = "integer" if self.dialect == "sqlite" or not self.compat.keys_are_bigint else "bigint"
        yield f"{name}_id", str(options.get("type", default)), own

    def reference_index(
        self, table: str, name: str, options: dict[str, Any]
    ) -> tuple[list[str], dict[str, Any]] | None:
        """Columns and options of the index of a reference; None when it is to have none."""
        index = options.get("index", self.compat.references_indexed)
        if not index:
            return None
        index_options = dict(index) if isinstance(index, dict) else {}
        columns = [f"{name}_id"]
        if options.get("polymorphic"):
            columns.insert(0, f"{name}_type")
            if not self.compat.polymorphic_index_names_long:
                index_options.setdefault("name", f"index_{table}_on_{name}")
        return columns, index_options

    def reference_foreign_key(self, name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Table and options of the foreign key of a reference; None when it is to have none."""
        key = options.get("foreign_key")
        if not key:
            return None
        key_options = dict(key) if isinstance(key, dict) else {}
        to_table = str(key_options.pop("to_table", None) or pluralize(str(name)))
        return to_table, {"column": f"{name}_id"} | key_options

    def foreign_key(self, table: str, to_table: str, options: dict[str, Any]) -> dict[str, Any]:
        """What Alembic and SQLAlchemy call its parts."""
        column = str(options.get("column") or f"{singularize(str(to_table))}_id")
        return {
            "name": str(options.get("name") or foreign_key_name(table, column)),
            "columns": [column],
            "to": (str(to_table), str(options.get("primary_key") or "id")),
            "ondelete": _on_action(options.get("on_delete")),
            "onupdate": _on_action(options.get("on_update")),
        }


def _on_action(action: Any) -> str | None:
    if action is None:
        return None
    if action not in ON_ACTION:
        raise SchemaError(
            f"'{action}' is not supported for :on_update or :on_delete.\n"
            "Supported values are: :nullify, :cascade, :restrict"
        )
    return ON_ACTION[action]
