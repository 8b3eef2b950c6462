"""Carrying out a migration's calls with Alembic, so that the schema is what Active Record would have made.

One public method for each call of the vocabulary that changes something, with the same name.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import BatchOperations, Operations

from hkcli.dj.migrations.column_types import SchemaError, default_sql, no_binds
from hkcli.dj.migrations.compat import Compat
from hkcli.dj.migrations.definitions import Definitions
from hkcli.dj.migrations.existing import Existing, quoted, rails_type
from hkcli.dj.migrations.inversion import table_changes
from hkcli.dj.migrations.names import (
    MAX_INDEX_NAME,
    check_name,
    index_name,
    join_table_name,
    singularize,
)
from hkcli.dj.migrations.syntax import Call, RawSQL
from hkcli.dj.migrations.table_definition import TableDefinition
from hkcli.dj.ruby import Symbol


class Schema:
    """One migration's way to the database; the transaction is the caller's."""

    def __init__(self, connection: sa.Connection, compat: Compat) -> None:
        self.connection = connection
        self.compat = compat
        self.dialect = connection.dialect.name
        self.definitions, self.there = Definitions(compat, self.dialect), Existing(connection)
        self.op = Operations(MigrationContext.configure(connection))

    def apply(self, call: Call) -> None:
        """Raises SchemaError, SQLAlchemyError."""
        getattr(self, call.method)(*call.args, block=call.block, **call.options)

    # --- tables -------------------------------------------------------------------------------------------------------

    def create_table(self, table: str, *, block: tuple[Call, ...] | None = None, **options: Any) -> None:
        if options.get("force"):
            self.drop_table(table, if_exists=True, force=options["force"])
        if options.get("if_not_exists") and self.there.has_table(table):
            return
        if query := options.get("as"):
            self._create_table_as(table, str(query), bool(options.get("temporary")))
            return
        definition = TableDefinition(self.definitions, table, options)
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
        if if_exists and not self.there.has_table(table):
            return
        cascade = " CASCADE" if force == "cascade" and self.dialect == "postgresql" else ""
        self.execute(f"DROP TABLE {self._quote(table)}{cascade}")

    def rename_table(self, table: str, new_name: str, **_: Any) -> None:
        self.op.rename_table(table, new_name)
        if self.dialect == "postgresql":
            self._rename_key_of_postgresql(table, new_name)
        for name, columns in self.there.indexes(new_name):
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

    def add_column(
        self, table: str, name: str, column_type: str, *, if_not_exists: bool = False, **options: Any
    ) -> None:
        options.pop("block", None)
        if if_not_exists and name in self.there.column_names(table):
            return
        if str(column_type) == "primary_key":
            raise SchemaError("A primary key cannot be added to a table that is there already")
        column = self.definitions.column(name, str(column_type), options)
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
        if if_exists and name not in self.there.column_names(table):
            return
        self.remove_columns(table, name)

    def remove_columns(self, table: str, *names: str, **_: Any) -> None:
        self.there.must_have(table, names)
        with self._altered(table, without=names) as batch:
            for name in names:
                batch.drop_column(str(name))

    def rename_column(self, table: str, name: str, new_name: str, **_: Any) -> None:
        self.there.must_have(table, [name])
        before = self.there.indexes(table)
        # SQLite's own statement, unlike a copy of the table, follows the name into indexes, checks and references.
        quoted = (self._quote(word) for word in (table, name, new_name))
        self.execute("ALTER TABLE {} RENAME COLUMN {} TO {}".format(*quoted))
        for index, columns in before:
            renamed = [new_name if column == name else column for column in columns]
            if renamed != columns and index == index_name(table, columns):
                self.rename_index(table, index, index_name(table, renamed))

    def change_column(self, table: str, name: str, column_type: str, **options: Any) -> None:
        options.pop("block", None)
        self.there.must_have(table, [name])
        if self.dialect == "postgresql" and self.compat.changes_type_alone:
            self._change_column_step_by_step(table, name, column_type, options)
            return
        column = self.definitions.column(name, str(column_type), options)
        changes: dict[str, Any] = {}
        if "null" in options:
            changes["nullable"] = options["null"] is not False
        if "default" in options:
            changes["server_default"] = self.definitions.default(options["default"], str(column_type))
        if self.dialect == "postgresql" and "comment" in options:
            changes["comment"] = options["comment"]
        with self._altered(table) as batch:
            batch.alter_column(str(name), type_=column.type, **changes)

    def _change_column_step_by_step(self, table: str, name: str, column_type: str, options: dict[str, Any]) -> None:
        """As before 5.2: also rows that hold no value get the default when nulls are forbidden."""
        type_options = {key: options[key] for key in options if key not in ("default", "null", "comment")}
        with self._altered(table) as batch:
            batch.alter_column(str(name), type_=self.definitions.column(name, str(column_type), type_options).type)
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
        column = self.there.must_have(table, [name])[0]
        sql = None if default is None else default_sql(default, rails_type(column["type"]), self.dialect)
        with self._altered(table) as batch:
            batch.alter_column(str(name), server_default=None if sql is None else sa.text(no_binds(sql)))

    def change_column_null(self, table: str, name: str, null: bool, default: Any = None, **_: Any) -> None:
        column = self.there.must_have(table, [name])[0]
        if not null and default is not None:
            sql = default_sql(default, rails_type(column["type"]), self.dialect)
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
            self.add_column(table, name, "datetime", **self.definitions.timestamp_options(null, options))

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
        indexes = self.there.indexes(table)
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
        sql = next((sql for index, sql in self.there.index_statements(table) if index == name), None)
        if sql is None:
            raise SchemaError(f"Index name '{name}' on table '{table}' does not exist")
        self.op.drop_index(name, table_name=table)
        self.execute(re.sub(r"(?i)(\bINDEX\s+)(\"[^\"]+\"|\S+)", rf"\1{self._quote(new_name)}", sql, count=1))

    # --- references, foreign keys, checks -----------------------------------------------------------------------------

    def add_reference(self, table: str, name: str, *, block: Any = None, **options: Any) -> None:
        options.pop("_uses_legacy_reference_index_name", None)
        for column, column_type, column_options in self.definitions.reference_columns(name, options):
            self.add_column(table, column, column_type, **column_options)
        if index := self.definitions.reference_index(table, name, options):
            self.add_index(table, index[0], **index[1])
        if key := self.definitions.reference_foreign_key(name, options):
            self.add_foreign_key(table, key[0], **key[1])

    def remove_reference(self, table: str, name: str, **options: Any) -> None:
        if options.get("foreign_key"):
            self.remove_foreign_key(table, column=f"{name}_id")
        columns = [f"{name}_id"] + ([f"{name}_type"] if options.get("polymorphic") else [])
        for index, found in self.there.indexes(table):
            if set(found) == set(columns):
                self.op.drop_index(index, table_name=table)
        self.remove_columns(table, *columns)

    add_belongs_to = add_reference
    remove_belongs_to = remove_reference

    def add_foreign_key(self, table: str, to_table: str, **options: Any) -> None:
        key = self.definitions.foreign_key(table, to_table, options)
        if options.get("if_not_exists") and any(
            key["name"] == found["name"] for found in self.there.foreign_keys(table)
        ):
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
        for key in self.there.foreign_keys(table):
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
        if name not in {check["name"] for check in sa.inspect(self.connection).get_check_constraints(table)}:
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

    def _quote(self, name: str) -> str:
        return quoted(self.connection, name)

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
        columns, statements = dict(self.there.indexes(table)), self.there.index_statements(table)
        for name, _ in statements:
            self.op.drop_index(name, table_name=table)
        with self.op.batch_alter_table(
            table,
            recreate="always",
            copy_from=self.there.as_it_is(table, without_check),
            table_kwargs={"sqlite_autoincrement": self.there.autoincrements(table)},
        ) as batch:
            yield batch
        for name, statement in statements:
            kept = [column for column in columns[name] if column not in without]
            if kept == columns[name]:
                self.execute(statement)
            elif kept:
                self.add_index(table, kept, name=name, unique=statement.upper().startswith("CREATE UNIQUE"))


def _by_name(names: Sequence[str], given: Any) -> dict[str, str]:
    """An option of an index that is given for all its columns, or for some by name."""
    each = given if isinstance(given, dict) else dict.fromkeys(names, given) if given else {}
    return {str(name): str(value) for name, value in each.items()}
