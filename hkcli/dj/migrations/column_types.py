"""Rails' column types and defaults as each database spells them (activerecord's connection_adapters)."""

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from hkcli.dj.migrations.syntax import RawSQL

PLAIN = {
    "sqlite": {"string": "varchar", "binary": "blob", "blob": "blob", "timestamp": "datetime", "numeric": "decimal"},
    "postgresql": {
        "string": "character varying",
        "datetime": "timestamp",
        "binary": "bytea",
        "blob": "bytea",
        "numeric": "decimal",
        "bit_varying": "bit varying",
    },
}
LIMITED = {"string", "float", "bit", "bit_varying"}
LIMITED_ON_SQLITE = LIMITED | {"text", "binary", "blob", "integer", "boolean"}
PRECISE = {"datetime", "timestamp", "timestamptz", "time", "interval"}
INTEGERS = {"integer", "bigint"}


class SchemaError(Exception):
    """The migration asks for what cannot be; the message is Rails'."""

    def __init__(self, message: str, ruby_name: str = "ArgumentError") -> None:
        super().__init__(message)
        self.ruby_name = ruby_name


class Verbatim(sa.types.UserDefinedType[Any]):
    """A type by the words that stand in the statement."""

    cache_ok = True

    def __init__(self, words: str) -> None:
        self.words = words

    def get_col_spec(self, **_: Any) -> str:
        return self.words


def sql_type(column_type: str, options: Mapping[str, Any], dialect: str) -> str:
    """The type as Active Record 6.1 writes it. Raises SchemaError."""
    words = PLAIN[dialect].get(column_type, column_type)
    limit, precision, scale = options.get("limit"), options.get("precision"), options.get("scale")
    if column_type in ("decimal", "numeric"):
        words = _decimal(words, precision, scale)
    elif column_type in PRECISE:
        words = _precise(words, precision)
    elif dialect == "postgresql" and column_type == "integer":
        words = _postgresql_integer(limit)
    elif limit is not None and column_type in (LIMITED if dialect == "postgresql" else LIMITED_ON_SQLITE):
        words = f"{words}({limit})"
    if options.get("array"):
        if dialect != "postgresql":
            raise SchemaError("Columns with array: true need PostgreSQL")
        words += "[]"
    if collation := options.get("collation"):
        words += f' COLLATE "{collation}"'
    return words


def _decimal(words: str, precision: int | None, scale: int | None) -> str:
    if precision is None:
        if scale is not None:
            raise SchemaError("Error adding decimal column: precision cannot be empty if scale is specified")
        return words
    return f"{words}({precision})" if scale is None else f"{words}({precision},{scale})"


def _precise(words: str, precision: int | None) -> str:
    if precision is None:
        return words
    if not 0 <= precision <= 6:
        raise SchemaError(
            f"No {words} type has precision of {precision}. The allowed range of precision is from 0 to 6"
        )
    return f"{words}({precision})"


def _postgresql_integer(limit: int | None) -> str:
    if limit is None or limit in (3, 4):
        return "integer"
    if limit in (1, 2):
        return "smallint"
    if 5 <= limit <= 8:
        return "bigint"
    raise SchemaError(f"No integer type has byte size {limit}. Use a numeric with scale 0 instead.")


def default_sql(value: Any, column_type: str, dialect: str) -> str:
    """What stands after DEFAULT."""
    if isinstance(value, RawSQL):
        return value.text
    if isinstance(value, dict | list):
        if isinstance(value, list) and column_type not in ("json", "jsonb"):
            return _literal("{" + ",".join(_array_item(item) for item in value) + "}")
        return _literal(json.dumps(value))
    if column_type == "boolean":
        is_true = value not in (False, 0, "0", "f", "F", "false", "FALSE", "off", "")
        return (("0", "1") if dialect == "sqlite" else ("FALSE", "TRUE"))[is_true]
    if column_type in INTEGERS:
        return str(_leading_integer(value))
    if isinstance(value, bool):
        return _literal("t" if value else "f")
    if column_type in ("float", "decimal", "numeric"):
        return str(float(value)) if column_type == "float" else str(value)
    return _literal(str(value))


def _leading_integer(value: Any) -> int:
    try:
        return int(value)
    except ValueError:
        return int(float(value)) if str(value).replace(".", "", 1).isdigit() else 0


def _array_item(item: Any) -> str:
    return str(item) if isinstance(item, int | float) else json.dumps(str(item))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def no_binds(sql: str) -> str:
    """For sa.text, in which `:name` would be a parameter."""
    return re.sub(r"(?<![:\\]):(?=\w)", r"\\:", sql)
