"""Carrying out a migration's calls with Alembic, so that the schema is what Active Record would have made.

One public method for each call of the vocabulary that changes something, with the same name.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import BatchOperations, Operations

from hkcli.dj.migrations.column_types import SchemaError, Verbatim, default_sql, no_binds, sql_type
from hkcli.dj.migrations.compat import Compat
from hkcli.dj.migrations.inversion import table_changes
from hkcli.dj.migrations.names import (
    MAX_INDEX_NAME,
    check_name,
    foreign_key_name,
    index_name,
    join_table_name,
    pluralize,
    singularize,
)
from hkcli.dj.migrations.syntax import Call, RawSQL
from hkcli.dj.migrations.table_definition import TableDefinition
from hkcli.dj.ruby import Symbol

ON_ACTION = {"cascade": "CASCADE", "nullify": "SET NULL", "restrict": "RESTRICT"}


class Schema:
    """One migration's way to the database; the transaction is the caller's."""

    def __init__(self, connection: sa.Connection, compat: Compat) -> None:
        self.connection = connection
        self.compat = compat
        self.dialect = connection.dialect.name
        self.op = Operations(MigrationContext.configure(connection))

    def apply(self, call: Call) -> None:
        """Raises SchemaError, SQLAlchemyError."""
        getattr(self, call.method)(*call.args, block=call.block, **call.options)

    # --- tables -------------------------------------------------------------------------------------------------------

    def create_table(self, table: str, *, block: tuple[Call, ...] | None = None, **options: Any) -> None:
        if options.get("force"):
            self.drop_table(table, if_exists=True, force=options["force"])
        if options.get("if_not_exists") and self._has_table(table):
            return
        if query := options.get("as"):
            self._create_table_as(table, str(query), bool(options.get("temporary")))
            return
        definition = TableDefinition(self, table, options)
        definition.read(block or ())
        self.op.create_table(
            table,
            *definition.columns.values(),
            *definition.constraints(),
            comment=options.get("comment") if self.dialect == "postgresql" else None,
            prefixes=["TEMPORARY"] if options.get("temporary") else [],
            **({"sqlite_autoincrement": True} if definition.has_auto_key else {}),
        )
        for columns, index_options in definition.indexes:
            self.add_index(table, columns, **index_options)

    def _create_table_as(self, table: str, query: str, temporary: bool) -> None:
        kind = "TEMPORARY TABLE" if temporary else "TABLE"
        self.execute(f"CREATE {kind} {self._quote(table)} AS {query}")

    def drop_table(self, table: str, *, if_exists: bool = False, force: Any = None, **_: Any) -> None:
        if if_exists and not self._has_table(table):
            return
        cascade = " CASCADE" if force == "cascade" and self.dialect == "postgresql" else ""
        self.execute(f"DROP TABLE {self._quote(table)}{cascade}")

    def rename_table(self, table: str, new_name: str, **_: Any) -> None:
        self.op.rename_table(table, new_name)
        if self.dialect == "postgresql":
            self._rename_key_of_postgresql(table, new_name)
        for name, columns in self._indexes(new_name):
            if name == index_name(table, columns):
                self.rename_index(new_name, name, index_name(new_name, columns))

    def _rename_key_of_postgresql(self, table: str, new_name: str) -> None:
        for kind, suffix in (("INDEX", "_pkey"), ("SEQUENCE", "_id_seq")):
            old, new = self._quote(table + suffix), self._quote(new_name + suffix)
            self.execute(f"ALTER {kind} IF EXISTS {old} RENAME TO {new}")

    def create_join_table(
        self, first: str, second: str, *, block: tuple[Call, ...] | None = None, **options: Any
    ) -> None:
        table = str(options.pop("table_name", None) or join_table_name(str(first), str(second)))
        column = {Symbol("null"): False, **options.pop("column_options", {})}
        column_type = column.pop("type", Symbol("bigint"))
        if self.dialect == "sqlite" and column_type == "bigint":
            column_type = Symbol("integer")
        names = [f"{singularize(str(name))}_id" for name in (first, second)]
        references = tuple(Call(str(column_type), (name,), column) for name in names)
        self.create_table(table, block=references + (block or ()), **{**options, "id": False})

    def drop_join_table(self, first: str, second: str, *, table_name: str | None = None, **options: Any) -> None:
        options.pop("column_options", None)
        self.drop_table(table_name or join_table_name(str(first), str(second)), **options)

    def change_table(self, table: str, *, block: tuple[Call, ...] | None = None, **_: Any) -> None:
        for call in table_changes(Call("change_table", (table,), block=block)):
            self.apply(self._as_in_a_block(call))

    def _as_in_a_block(self, call: Call) -> Call:
        """The version's rules, without what only shows in the line that is printed."""
        changed = self.compat.called(call, self.dialect)
        return Call(changed.method, changed.args, changed.options, changed.block, line=changed.line)

    def change_table_comment(self, table: str, *comment: Any, **options: Any) -> None:
        text = comment[0] if comment else options.get("to")
        if self.dialect == "postgresql":
            self.op.create_table_comment(table, text)

    # --- columns ------------------------------------------------------------------------------------------------------

    def column(self, name: str, column_type: str, options: dict[str, Any]) -> sa.Column[Any]:
        """A column as Active Record would define it. Raises SchemaError."""
        if column_type in ("datetime", "timestamp") and self.compat.datetimes_precise and "precision" not in options:
            options = options | {"precision": 6}
        default = options.get("default")
        words = sql_type(column_type, options, self.dialect)
        return sa.Column(
            str(name),
            Verbatim(words),
            server_default=self._default(default, column_type),
            nullable=options.get("null") is not False,
            comment=options.get("comment") if self.dialect == "postgresql" else None,
        )

    def _default(self, value: Any, column_type: str) -> sa.TextClause | None:
        return None if value is None else sa.text(no_binds(default_sql(value, column_type, self.dialect)))

    def add_column(
        self, table: str, name: str, column_type: str, *, if_not_exists: bool = False, **options: Any
    ) -> None:
        options.pop("block", None)
        if if_not_exists and name in self._column_names(table):
            return
        if str(column_type) == "primary_key":
            raise SchemaError("A primary key cannot be added to a table that is there already")
        column = self.column(name, str(column_type), options)
        needs_rebuild = (not column.nullable and column.server_default is None) or isinstance(
            options.get("default"), RawSQL
        )
        if self.dialect == "sqlite" and needs_rebuild:
            with self._altered(table) as batch:
                batch.add_column(column)
        else:
            self.op.add_column(table, column)
        if index := options.get("index"):
            self.add_index(table, name, **(index if isinstance(index, dict) else {}))

    def add_columns(self, table: str, *names: str, **options: Any) -> None:
        column_type = options.pop("type")
        for name in names:
            self.add_column(table, name, column_type, **options)

    def remove_column(self, table: str, name: str, *_type: Any, if_exists: bool = False, **_: Any) -> None:
        if if_exists and name not in self._column_names(table):
            return
        self.remove_columns(table, name)

    def remove_columns(self, table: str, *names: str, **_: Any) -> None:
        self._must_have(table, names)
        with self._altered(table, without=names) as batch:
            for name in names:
                batch.drop_column(str(name))

    def rename_column(self, table: str, name: str, new_name: str, **_: Any) -> None:
        self._must_have(table, [name])
        before = self._indexes(table)
        # SQLite's own statement, unlike a copy of the table, follows the name into indexes, checks and references.
        quoted = (self._quote(word) for word in (table, name, new_name))
        self.execute("ALTER TABLE {} RENAME COLUMN {} TO {}".format(*quoted))
        for index, columns in before:
            renamed = [new_name if column == name else column for column in columns]
            if renamed != columns and index == index_name(table, columns):
                self.rename_index(table, index, index_name(table, renamed))

    def change_column(self, table: str, name: str, column_type: str, **options: Any) -> None:
        options.pop("block", None)
        self._must_have(table, [name])
        if self.dialect == "postgresql" and self.compat.changes_type_alone:
            self._change_column_step_by_step(table, name, column_type, options)
            return
        column = self.column(name, str(column_type), options)
        changes: dict[str, Any] = {}
        if "null" in options:
            changes["nullable"] = options["null"] is not False
        if "default" in options:
            changes["server_default"] = self._default(options["default"], str(column_type))
        if self.dialect == "postgresql" and "comment" in options:
            changes["comment"] = options["comment"]
        with self._altered(table) as batch:
            batch.alter_column(str(name), type_=column.type, **changes)

    def _change_column_step_by_step(self, table: str, name: str, column_type: str, options: dict[str, Any]) -> None:
        """As before 5.2: also rows that hold no value get the default when nulls are forbidden."""
        type_options = {key: options[key] for key in options if key not in ("default", "null", "comment")}
        with self._altered(table) as batch:
            batch.alter_column(str(name), type_=self.column(name, str(column_type), type_options).type)
        if "default" in options:
            self.change_column_default(table, name, options["default"])
        if "null" in options:
            self.change_column_null(table, name, options["null"], options.get("default"))
        if "comment" in options:
            self.change_column_comment(table, name, options["comment"])

    def change_column_default(self, table: str, name: str, *value: Any, **options: Any) -> None:
        default = value[0] if value else options.get("to")
        if isinstance(default, dict) and {"from", "to"} <= set(default):
            default = default["to"]
        column = self._must_have(table, [name])[0]
        sql = None if default is None else default_sql(default, _rails_type(column["type"]), self.dialect)
        with self._altered(table) as batch:
            batch.alter_column(str(name), server_default=None if sql is None else sa.text(no_binds(sql)))

    def change_column_null(self, table: str, name: str, null: bool, default: Any = None, **_: Any) -> None:
        column = self._must_have(table, [name])[0]
        if not null and default is not None:
            sql = default_sql(default, _rails_type(column["type"]), self.dialect)
            quoted = self._quote(name)
            self.execute(f"UPDATE {self._quote(table)} SET {quoted}={sql} WHERE {quoted} IS NULL")
        with self._altered(table) as batch:
            batch.alter_column(str(name), nullable=bool(null))

    def change_column_comment(self, table: str, name: str, *comment: Any, **options: Any) -> None:
        text = comment[0] if comment else options.get("to")
        if self.dialect == "postgresql":
            self.op.alter_column(table, name, comment=text)

    def add_timestamps(self, table: str, *, null: bool | None = None, block: Any = None, **options: Any) -> None:
        for name in ("created_at", "updated_at"):
            self.add_column(table, name, "datetime", **self.timestamp_options(null, options))

    def timestamp_options(self, null: bool | None, options: dict[str, Any]) -> dict[str, Any]:
        """Of created_at and updated_at, by the version's rules."""
        if null is None:
            null = self.compat.timestamps_nullable
        precision = options.get("precision", 6 if self.compat.timestamps_precise else None)
        return {**options, "null": null, "precision": precision}

    def remove_timestamps(self, table: str, **_: Any) -> None:
        self.remove_columns(table, "updated_at", "created_at")

    # --- indexes ------------------------------------------------------------------------------------------------------

    def add_index(self, table: str, columns: Any, **options: Any) -> None:
        options.pop("block", None)
        names = [str(name) for name in columns] if isinstance(columns, list) else [str(columns)]
        expression = not isinstance(columns, list) and re.search(r"\W", names[0]) is not None
        name = str(options.get("name") or index_name(table, names[0] if expression else names))
        limit = MAX_INDEX_NAME[self.dialect]
        if len(name) > limit:
            raise SchemaError(f"Index name '{name}' on table '{table}' is too long; the limit is {limit} characters")
        self.op.create_index(
            name,
            table,
            [sa.text(no_binds(names[0]))] if expression else self._ordered(names, options),
            unique=bool(options.get("unique")),
            if_not_exists=options.get("if_not_exists"),
            **self._index_words(options),
        )
        if (comment := options.get("comment")) and self.dialect == "postgresql":
            text = str(comment).replace("'", "''")
            self.execute(f"COMMENT ON INDEX {self._quote(name)} IS '{text}'")

    def _index_words(self, options: dict[str, Any]) -> dict[str, Any]:
        words: dict[str, Any] = {}
        if where := options.get("where"):
            words[f"{self.dialect}_where"] = sa.text(no_binds(str(where)))
        if self.dialect == "postgresql":
            if using := options.get("using"):
                words["postgresql_using"] = str(using)
            if options.get("algorithm") == "concurrently":
                words["postgresql_concurrently"] = True
        return words

    def _ordered(self, names: list[str], options: dict[str, Any]) -> list[Any]:
        """Columns with their operator classes (PostgreSQL's) and directions, each given for all or by column."""
        classes = _by_name(names, options.get("opclass") if self.dialect == "postgresql" else None)
        orders = {name: order.upper() for name, order in _by_name(names, options.get("order")).items()}
        return [
            sa.text(no_binds(" ".join(filter(None, [self._quote(name), classes.get(name), orders.get(name)]))))
            if name in classes or name in orders
            else name
            for name in names
        ]

    def remove_index(self, table: str, columns: Any = None, **options: Any) -> None:
        columns = options.get("column") if columns is None else columns
        name = self._index_to_remove(table, columns, options.get("name"))
        if name is None:
            if options.get("if_exists"):
                return
            if self.compat.removes_index_by_name:
                raise SchemaError(f"Index name '{options.get('name')}' on table '{table}' does not exist")
            raise SchemaError(f"No indexes found on {table} with the options provided.")
        self.op.drop_index(name, table_name=table)

    def _index_to_remove(self, table: str, columns: Any, name: Any) -> str | None:
        indexes = self._indexes(table)
        if name is not None:
            return next((index for index, _ in indexes if index == str(name)), None)
        wanted = [str(item) for item in columns] if isinstance(columns, list) else [str(columns)]
        for index, found in indexes:
            if found == wanted or index == index_name(table, wanted if isinstance(columns, list) else str(columns)):
                return index
        return None

    def rename_index(self, table: str, name: str, new_name: str, **_: Any) -> None:
        if self.dialect == "postgresql":
            self.execute(f"ALTER INDEX {self._quote(name)} RENAME TO {self._quote(new_name)}")
            return
        sql = next((sql for index, sql in self._index_statements(table) if index == name), None)
        if sql is None:
            raise SchemaError(f"Index name '{name}' on table '{table}' does not exist")
        self.op.drop_index(name, table_name=table)
        self.execute(re.sub(r"(?i)(\bINDEX\s+)(\"[^\"]+\"|\S+)", rf"\1{self._quote(new_name)}", sql, count=1))

    # --- references, foreign keys, checks -----------------------------------------------------------------------------

    def add_reference(self, table: str, name: str, *, block: Any = None, **options: Any) -> None:
        options.pop("_uses_legacy_reference_index_name", None)
        for column, column_type, column_options in self.reference_columns(name, options):
            self.add_column(table, column, column_type, **column_options)
        if index := self.reference_index(table, name, options):
            self.add_index(table, index[0], **index[1])
        if key := self.reference_foreign_key(name, options):
            self.add_foreign_key(table, key[0], **key[1])

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

    def remove_reference(self, table: str, name: str, **options: Any) -> None:
        if options.get("foreign_key"):
            self.remove_foreign_key(table, column=f"{name}_id")
        columns = [f"{name}_id"] + ([f"{name}_type"] if options.get("polymorphic") else [])
        for index, found in self._indexes(table):
            if set(found) == set(columns):
                self.op.drop_index(index, table_name=table)
        self.remove_columns(table, *columns)

    add_belongs_to = add_reference
    remove_belongs_to = remove_reference

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

    def add_foreign_key(self, table: str, to_table: str, **options: Any) -> None:
        key = self.foreign_key(table, to_table, options)
        if options.get("if_not_exists") and any(key["name"] == found["name"] for found in self._foreign_keys(table)):
            return
        if options.get("validate") is False and self.dialect == "postgresql":
            self._add_constraint_unchecked(table, self._foreign_key_words(key))
            return
        with self._altered(table) as batch:
            batch.create_foreign_key(
                key["name"],
                key["to"][0],
                key["columns"],
                [key["to"][1]],
                ondelete=key["ondelete"],
                onupdate=key["onupdate"],
            )

    def _foreign_key_words(self, key: dict[str, Any]) -> str:
        name, column, to_table, to_column = map(self._quote, (key["name"], key["columns"][0], *key["to"]))
        actions = [f"ON {on[2:].upper()} {key[on]}" for on in ("ondelete", "onupdate") if key[on]]
        return " ".join([f"{name} FOREIGN KEY ({column}) REFERENCES {to_table} ({to_column})", *actions])

    def _add_constraint_unchecked(self, table: str, words: str) -> None:
        self.execute(f"ALTER TABLE {self._quote(table)} ADD CONSTRAINT {words} NOT VALID")

    def remove_foreign_key(self, table: str, to_table: str | None = None, **options: Any) -> None:
        to_table = to_table or options.get("to_table")
        for key in self._foreign_keys(table):
            if (
                (to_table is None or key["referred_table"] == to_table)
                and (options.get("column") is None or key["constrained_columns"] == [options["column"]])
                and (options.get("name") is None or key["name"] == options["name"])
            ):
                with self._altered(table) as batch:
                    batch.drop_constraint(key["name"], type_="foreignkey")
                return
        if not options.get("if_exists"):
            raise SchemaError(f"Table '{table}' has no foreign key for {to_table or options}")

    def add_check_constraint(self, table: str, expression: str, **options: Any) -> None:
        name = str(options.get("name") or check_name(table, expression))
        if options.get("validate") is False and self.dialect == "postgresql":
            self._add_constraint_unchecked(table, f"{self._quote(name)} CHECK ({expression})")
            return
        with self._altered(table) as batch:
            batch.create_check_constraint(name, sa.text(no_binds(expression)))

    def remove_check_constraint(self, table: str, expression: str | None = None, **options: Any) -> None:
        name = str(options.get("name") or check_name(table, str(expression)))
        if name not in {check["name"] for check in self._inspector().get_check_constraints(table)}:
            if options.get("if_exists"):
                return
            raise SchemaError(f"Table '{table}' has no check constraint for {options.get('name') or expression}")
        if self.dialect == "postgresql":
            self.op.drop_constraint(name, table, type_="check")
            return
        with self._altered(table, without_check=name):
            pass

    # --- the rest -----------------------------------------------------------------------------------------------------

    def execute(self, sql: str, **_: Any) -> None:
        # Without parameters, `%` and `:name` in the text mean themselves.
        self.connection.execution_options(no_parameters=True).exec_driver_sql(sql)

    def enable_extension(self, name: str, **_: Any) -> None:
        if self.dialect == "postgresql":
            self.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}"')

    def disable_extension(self, name: str, **_: Any) -> None:
        if self.dialect == "postgresql":
            self.execute(f'DROP EXTENSION IF EXISTS "{name}" CASCADE')

    # --- what is there ------------------------------------------------------------------------------------------------

    def _inspector(self) -> sa.Inspector:
        return sa.inspect(self.connection)

    def _quote(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote_identifier(str(name))

    def _has_table(self, table: str) -> bool:
        return self._inspector().has_table(table)

    def _column_names(self, table: str) -> set[str]:
        return {column["name"] for column in self._inspector().get_columns(table)}

    def _must_have(self, table: str, names: Sequence[str]) -> list[Any]:
        columns = {column["name"]: column for column in self._inspector().get_columns(table)}
        for name in names:
            if name not in columns:
                raise SchemaError(f"No such column: {table}.{name}", "ActiveRecord::StatementInvalid")
        return [columns[name] for name in names]

    def _foreign_keys(self, table: str) -> list[Any]:
        return list(self._inspector().get_foreign_keys(table))

    def _indexes(self, table: str) -> list[tuple[str, list[str]]]:
        """Name and columns of each index; an expression is not a column."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            indexes = self._inspector().get_indexes(table)
        known = [(str(index["name"]), [str(name) for name in index["column_names"] if name]) for index in indexes]
        missing = {name for name, _ in self._index_statements(table)} - {name for name, _ in known}
        return known + [(name, []) for name in sorted(missing)]

    def _index_statements(self, table: str) -> list[tuple[str, str]]:
        if self.dialect == "postgresql":
            return []
        sql = sa.text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
        )
        return [(str(name), str(statement)) for name, statement in self.connection.execute(sql, {"table": table})]

    @contextmanager
    def _altered(
        self, table: str, without: Sequence[str] = (), without_check: str | None = None
    ) -> Iterator[BatchOperations]:
        """ALTER TABLE; on SQLite by copying the table, with its indexes put back from their own statements.

        An index of a column that goes keeps its name and its other columns, as with Active Record.
        """
        if self.dialect == "postgresql":
            with self.op.batch_alter_table(table, recreate="never") as batch:
                yield batch
            return
        columns, statements = dict(self._indexes(table)), self._index_statements(table)
        for name, _ in statements:
            self.op.drop_index(name, table_name=table)
        with self.op.batch_alter_table(
            table,
            recreate="always",
            copy_from=self._as_it_is(table, without_check),
            table_kwargs={"sqlite_autoincrement": self._autoincrements(table)},
        ) as batch:
            yield batch
        for name, statement in statements:
            kept = [column for column in columns[name] if column not in without]
            if kept == columns[name]:
                self.execute(statement)
            elif kept:
                self.add_index(table, kept, name=name, unique=statement.upper().startswith("CREATE UNIQUE"))

    def _as_it_is(self, table: str, without_check: str | None) -> sa.Table:
        """The table with its types as they were written: what SQLAlchemy makes of them has forgotten precisions.

        Checks are put in by hand, since whether a reflected table has them depends on SQLAlchemy's version.
        """
        rows = self.connection.exec_driver_sql(f"PRAGMA table_info({self._quote(table)})")
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
        for check in self._inspector().get_check_constraints(table):
            if check["name"] is None or check["name"] != without_check:
                found.append_constraint(sa.CheckConstraint(no_binds(check["sqltext"]), name=check["name"]))
        return found

    def _autoincrements(self, table: str) -> bool:
        return "AUTOINCREMENT" in self._table_statement(table).upper()

    def _table_statement(self, table: str) -> str:
        sql = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
        return str(self.connection.execute(sql, {"table": table}).scalar())


def _by_name(names: Sequence[str], given: Any) -> dict[str, str]:
    """An option of an index that is given for all its columns, or for some by name."""
    each = given if isinstance(given, dict) else dict.fromkeys(names, given) if given else {}
    return {str(name): str(value) for name, value in each.items()}


def _on_action(action: Any) -> str | None:
    if action is None:
        return None
    if action not in ON_ACTION:
        raise SchemaError(
            f"'{action}' is not supported for :on_update or :on_delete.\n"
            "Supported values are: :nullify, :cascade, :restrict"
        )
    return ON_ACTION[action]


def _rails_type(column_type: sa.types.TypeEngine[Any]) -> str:
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
