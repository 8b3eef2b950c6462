"""Every call a migration may hold, and what each takes. What is not here is refused before anything is done."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hkcli.dj.migrations.syntax import Call, Refused
from hkcli.dj.ruby import inspect

COLUMN_TYPES = frozenset(
    [
        "bigint",
        "binary",
        "blob",
        "boolean",
        "date",
        "datetime",
        "decimal",
        "float",
        "integer",
        "json",
        "numeric",
        "primary_key",
        "string",
        "text",
        "time",
        "timestamp",
        "bigserial",
        "bit",
        "bit_varying",
        "box",
        "cidr",
        "circle",
        "citext",
        "daterange",
        "hstore",
        "inet",
        "int4range",
        "int8range",
        "interval",
        "jsonb",
        "line",
        "lseg",
        "ltree",
        "macaddr",
        "money",
        "numrange",
        "oid",
        "path",
        "point",
        "polygon",
        "serial",
        "timestamptz",
        "tsrange",
        "tstzrange",
        "tsvector",
        "uuid",
        "xml",
    ]
)
COLUMN = frozenset(
    [
        "limit",
        "precision",
        "scale",
        "null",
        "default",
        "index",
        "comment",
        "collation",
        "array",
        "primary_key",
        "unique_key",
    ]
)
REFERENCE = COLUMN | {"polymorphic", "foreign_key", "type", "if_not_exists", "if_exists"}
INDEX = frozenset(
    [
        "name",
        "unique",
        "order",
        "where",
        "using",
        "length",
        "opclass",
        "if_not_exists",
        "algorithm",
        "comment",
        "internal",
        "type",
    ]
)
FOREIGN_KEY = frozenset(
    ["column", "primary_key", "name", "on_delete", "on_update", "to_table", "validate", "if_exists", "if_not_exists"]
)
CHECK = frozenset(["name", "validate", "if_exists", "if_not_exists"])
TABLE = frozenset(
    [
        "as",
        "comment",
        "default",
        "force",
        "id",
        "if_not_exists",
        "limit",
        "null",
        "precision",
        "primary_key",
        "temporary",
    ]
)


@dataclass(frozen=True)
class Shape:
    """How many arguments (`most` None: any number), which options, and what may stand in the block, if it has one."""

    least: int
    most: int | None = None
    options: frozenset[str] = frozenset()
    block: "dict[str, Shape] | str | None" = None


_COLUMNS = Shape(1, None, COLUMN)
DEFINITIONS = {
    **dict.fromkeys(COLUMN_TYPES, _COLUMNS),
    "column": Shape(2, 2, COLUMN),
    "timestamps": Shape(0, 0, frozenset({"null", "precision", "default"})),
    "references": Shape(1, None, REFERENCE),
    "belongs_to": Shape(1, None, REFERENCE),
    "index": Shape(1, 1, INDEX),
    "primary_key": Shape(1, 2, COLUMN),
    "foreign_key": Shape(1, 1, FOREIGN_KEY),
    "check_constraint": Shape(1, 1, CHECK),
}
CHANGES = DEFINITIONS | {
    "remove": Shape(1, None, COLUMN | {"type", "if_exists"}),
    "rename": Shape(2, 2),
    "change": Shape(2, 2, COLUMN),
    "change_default": Shape(1, 2, frozenset({"from", "to"})),
    "change_null": Shape(2, 3),
    "remove_index": Shape(0, 1, INDEX | {"column"}),
    "rename_index": Shape(2, 2),
    "remove_timestamps": Shape(0, 0, frozenset({"null", "precision"})),
    "remove_references": Shape(1, None, REFERENCE),
    "remove_belongs_to": Shape(1, None, REFERENCE),
    "remove_foreign_key": Shape(0, 1, FOREIGN_KEY),
    "remove_check_constraint": Shape(0, 1, CHECK | {"name"}),
}
JOIN_TABLE = TABLE | {"table_name", "column_options"}
COMMANDS = {
    "create_table": Shape(1, 1, TABLE, DEFINITIONS),
    "drop_table": Shape(1, 1, TABLE | {"if_exists"}, DEFINITIONS),
    "rename_table": Shape(2, 2),
    "create_join_table": Shape(2, 2, JOIN_TABLE, DEFINITIONS),
    "drop_join_table": Shape(2, 2, JOIN_TABLE | {"if_exists"}, DEFINITIONS),
    "change_table": Shape(1, 1, frozenset({"bulk"}), CHANGES),
    "add_column": Shape(3, 3, COLUMN | {"if_not_exists"}),
    "add_columns": Shape(2, None, COLUMN | {"type"}),
    "remove_column": Shape(2, 3, COLUMN | {"if_exists"}),
    "remove_columns": Shape(2, None, COLUMN | {"type"}),
    "rename_column": Shape(3, 3),
    "change_column": Shape(3, 3, COLUMN),
    "change_column_default": Shape(2, 3, frozenset({"from", "to"})),
    "change_column_null": Shape(3, 4),
    "change_column_comment": Shape(2, 3, frozenset({"from", "to"})),
    "change_table_comment": Shape(1, 2, frozenset({"from", "to"})),
    "add_index": Shape(2, 2, INDEX),
    "remove_index": Shape(1, 2, INDEX | {"column", "if_exists"}),
    "rename_index": Shape(3, 3),
    "add_reference": Shape(2, 2, REFERENCE),
    "add_belongs_to": Shape(2, 2, REFERENCE),
    "remove_reference": Shape(2, 2, REFERENCE),
    "remove_belongs_to": Shape(2, 2, REFERENCE),
    "add_foreign_key": Shape(2, 2, FOREIGN_KEY),
    "remove_foreign_key": Shape(1, 2, FOREIGN_KEY),
    "add_timestamps": Shape(1, 1, frozenset({"null", "precision", "default"})),
    "remove_timestamps": Shape(1, 1, frozenset({"null", "precision", "default"})),
    "add_check_constraint": Shape(2, 2, CHECK),
    "remove_check_constraint": Shape(1, 2, CHECK),
    "enable_extension": Shape(1, 1),
    "disable_extension": Shape(1, 1),
    "execute": Shape(1, 1),
    "say": Shape(1, 2),
    "raise": Shape(1, 2),
    "reversible": Shape(0, 0, block={"up": Shape(0, 0, block="commands"), "down": Shape(0, 0, block="commands")}),
    "up_only": Shape(0, 0, block="commands"),
    "revert": Shape(0, 0, block="commands"),
    "say_with_time": Shape(1, 1, block="commands"),
    "suppress_messages": Shape(0, 0, block="commands"),
}


def check(file: str, calls: Iterable[Call], known: "dict[str, Shape] | None" = None) -> None:
    """Raises Refused at the first call that is not known, or not of its shape; looks into blocks."""
    for call in calls:
        shape = (COMMANDS if known is None else known).get(call.method)
        on_variable = f"{call.receiver}." if call.receiver else ""
        if shape is None or bool(call.receiver) != (known is not None):
            raise Refused(file, call.line, f"`{on_variable}{call.method}` is not a migration method known here")
        if not shape.least <= len(call.args) <= (shape.most if shape.most is not None else len(call.args)):
            raise Refused(file, call.line, f"`{on_variable}{call.method}` has {len(call.args)} arguments")
        for option in call.options:
            if option not in shape.options:
                raise Refused(file, call.line, f"`{on_variable}{call.method}` has the unknown option {inspect(option)}")
        _check_names(file, call)
        if call.block is not None:
            if shape.block is None:
                raise Refused(file, call.line, f"`{on_variable}{call.method}` takes no block here")
            check(file, call.block, None if isinstance(shape.block, str) else shape.block)
        elif shape.block == "commands":
            raise Refused(file, call.line, f"`{on_variable}{call.method}` needs a block")


def _check_names(file: str, call: Call) -> None:
    """A constant has a meaning to `raise` alone; a table or column is named by a symbol or a string."""
    if call.method in ("raise", "say", "say_with_time", "execute"):
        return
    bad = [value for value in call.args if not _is_literal(value)]
    bad += [
        value
        for name, value in call.options.items()
        if not _is_literal(value) and name not in ("default", "to", "from")
    ]
    if bad:
        raise Refused(file, call.line, f"`{call.method}` is given {bad[0]}, which cannot be interpreted")
    if call.args and not isinstance(call.args[0], str | list):
        raise Refused(file, call.line, f"`{call.method}` needs a name first, not {inspect(call.args[0])}")


def _is_literal(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_literal(item) for item in value)
    if isinstance(value, dict):
        return all(_is_literal(item) for item in value.values())
    return value is None or isinstance(value, str | int | float | bool)
