"""What the block of create_table says: columns, keys, constraints and indexes, before any of it is made."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hkcli.dj.migrations.column_types import SchemaError, no_binds
from hkcli.dj.migrations.definitions import Definitions
from hkcli.dj.migrations.names import check_name
from hkcli.dj.migrations.syntax import Call, RawSQL

AUTO_KEYS = {"primary_key", "integer", "bigint", "serial", "bigserial"}


class TableDefinition:
    """What the block of create_table says."""

    def __init__(self, definitions: Definitions, table: str, options: dict[str, Any]) -> None:
        self.definitions = definitions
        self.table = table
        self.has_auto_key = False
        self.columns: dict[str, sa.Column[Any]] = {}
        self.indexes: list[tuple[Any, dict[str, Any]]] = []
        self.keys: list[str] = []
        self._constraints: list[sa.Constraint] = []
        self._if_not_exists = {"if_not_exists": True} if options.get("if_not_exists") else {}
        self._add_key(options)

    def constraints(self) -> list[sa.Constraint]:
        several = [sa.PrimaryKeyConstraint(*self.keys)] if self.keys else []
        return [*several, *self._constraints]

    def read(self, calls: Sequence[Call]) -> None:
        for call in calls:
            method = {"belongs_to": "references"}.get(call.method, call.method)
            own = getattr(self, f"_{method}", None)
            if own is not None:
                own(*call.args, **call.options)
            else:
                for name in call.args:
                    self._column(name, method, **call.options)

    def _add_key(self, options: dict[str, Any]) -> None:
        key = options.get("primary_key", "id")
        if options.get("id") is False and not isinstance(key, list):
            return
        if isinstance(key, list):
            self.keys = [str(name) for name in key]
            return
        kind = options.get("id")
        kind = "primary_key" if kind in (None, True) else str(kind)
        rest = {name: options[name] for name in ("default", "limit", "precision") if name in options}
        self._primary_key(key, kind, **rest)

    def _primary_key(self, name: str, kind: str = "primary_key", **options: Any) -> None:
        kind, dialect, compat = str(kind), self.definitions.dialect, self.definitions.compat
        if kind in AUTO_KEYS and "default" not in options:
            small = kind in ("integer", "serial") or (kind == "primary_key" and not compat.keys_are_bigint)
            key_type = sa.Integer() if small or dialect == "sqlite" else sa.BigInteger()
            self._define(sa.Column(str(name), key_type, primary_key=True, autoincrement=True))
            self.has_auto_key = True
            return
        if kind == "uuid" and "default" not in options and dialect == "postgresql":
            options["default"] = RawSQL(compat.uuid_default)
        elif kind == "uuid" and isinstance(options.get("default"), str):
            options["default"] = RawSQL(options["default"])
        self._define(self._key_column(name, kind, options))

    def _key_column(self, name: str, kind: str, options: dict[str, Any]) -> sa.Column[Any]:
        column = self.definitions.column(name, kind, options | {"null": False})
        column.primary_key, column.autoincrement = True, False
        return column

    def _column(
        self, name: str, column_type: str, *, index: Any = None, primary_key: bool = False, **options: Any
    ) -> None:
        if str(column_type) == "primary_key":
            self._primary_key(name, **options)
            return
        if primary_key:
            self._define(self._key_column(name, str(column_type), options))
        else:
            self._define(self.definitions.column(name, str(column_type), options))
        if index:
            self._index(name, **(index if isinstance(index, dict) else {}))

    def _define(self, column: sa.Column[Any]) -> None:
        if column.name in self.columns:
            raise SchemaError(f"you can't define an already defined column '{column.name}'.")
        self.columns[column.name] = column

    def _timestamps(self, *, null: bool | None = None, **options: Any) -> None:
        for name in ("created_at", "updated_at"):
            self._column(name, "datetime", **self.definitions.timestamp_options(null, options))

    def _index(self, columns: Any, **options: Any) -> None:
        self.indexes.append((columns, options | self._if_not_exists))

    def _references(self, *names: str, **options: Any) -> None:
        for name in names:
            for column, column_type, column_options in self.definitions.reference_columns(name, options):
                self._column(column, column_type, **column_options)
            if index := self.definitions.reference_index(self.table, name, options):
                self._index(index[0], **index[1])
            if key := self.definitions.reference_foreign_key(name, options):
                self._foreign_key(key[0], **key[1])

    def _foreign_key(self, to_table: str, **options: Any) -> None:
        key = self.definitions.foreign_key(self.table, to_table, options)
        to = ".".join(key["to"])
        # Alembic makes an empty table of that name so that the key has something to refer to.
        self._constraints.append(
            sa.ForeignKeyConstraint(
                key["columns"], [to], name=key["name"], ondelete=key["ondelete"], onupdate=key["onupdate"]
            )
        )

    def _check_constraint(self, expression: str, **options: Any) -> None:
        name = str(options.get("name") or check_name(self.table, expression))
        self._constraints.append(sa.CheckConstraint(sa.text(no_binds(expression)), name=name))
