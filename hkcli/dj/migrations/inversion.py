"""What undoes a call, as activerecord's migration/command_recorder.rb has it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hkcli.dj.migrations.syntax import Call
from hkcli.dj.ruby import Symbol

COLUMN_CHANGES = {
    "remove": "remove_columns",
    "rename": "rename_column",
    "change": "change_column",
    "change_default": "change_column_default",
    "change_null": "change_column_null",
    "index": "add_index",
    "timestamps": "add_timestamps",
    "references": "add_reference",
    "belongs_to": "add_reference",
    "foreign_key": "add_foreign_key",
    "check_constraint": "add_check_constraint",
    "remove_references": "remove_reference",
    "remove_belongs_to": "remove_reference",
}


class Irreversible(Exception):
    """There is nothing that undoes the call; the message is Rails'."""

    ruby_name = "ActiveRecord::IrreversibleMigration"


def forward(calls: Iterable[Call], as_recorded: Callable[[Call], Call] = lambda call: call) -> Iterator[Call]:
    """What is to be carried out on the way up."""
    for call in calls:
        block = call.block or ()
        if call.method == "reversible":
            yield from _side(call, "up")
        elif call.method == "up_only":
            yield from block
        elif call.method == "revert":
            yield from inverted(block, as_recorded)
        else:
            yield call


def inverted(calls: Iterable[Call], as_recorded: Callable[[Call], Call] = lambda call: call) -> list[Call]:
    """The calls that undo these, in order. Raises Irreversible before anything is done.

    `as_recorded` gives a call the options of its migration's version: Rails records calls with these.
    """
    return [inverse for call in reversed(list(calls)) for inverse in _inverses(as_recorded(call), as_recorded)]


def _inverses(call: Call, as_recorded: Callable[[Call], Call]) -> list[Call]:
    match call.method:
        case "reversible":
            return _side(call, "down")
        case "revert":
            return list(forward(call.block or (), as_recorded))
        case "change_table":
            return inverted(table_changes(call), as_recorded)
        case "say_with_time" | "suppress_messages":
            return inverted(call.block or (), as_recorded)
        case "say" | "up_only":
            return []
    return [_inverse(call)]


def _side(call: Call, side: str) -> list[Call]:
    """What `reversible` holds for one direction, as it was written."""
    return [inner for half in call.block or () if half.method == side for inner in half.block or ()]


def table_changes(call: Call) -> list[Call]:
    """The calls on the table that a change_table's block stands for."""
    table = call.args[0]
    return [change for inner in call.block or () for change in _table_change(table, inner)]


def _table_change(table: str, call: Call) -> Iterable[Call]:
    method = COLUMN_CHANGES.get(call.method, call.method)
    if method in ("add_reference", "remove_reference"):
        return [Call(method, (table, name), call.options, line=call.line) for name in call.args]
    if method in SIMPLE or method in SWAPPED or method in OWN_RULES or method in NEVER:
        return [Call(method, (table, *call.args), call.options, line=call.line)]
    if method == "column":
        return [Call("add_column", (table, *call.args), call.options, line=call.line)]
    return [_added(table, name, method, call) for name in call.args]


def _added(table: str, name: str, column_type: str, call: Call) -> Call:
    return Call("add_column", (table, name, Symbol(column_type)), call.options, line=call.line)


SIMPLE = {
    "create_join_table": "drop_join_table",
    "add_column": "remove_column",
    "add_columns": "remove_columns",
    "add_index": "remove_index",
    "add_timestamps": "remove_timestamps",
    "remove_timestamps": "add_timestamps",
    "add_reference": "remove_reference",
    "add_belongs_to": "remove_reference",
    "remove_reference": "add_reference",
    "remove_belongs_to": "add_reference",
    "add_foreign_key": "remove_foreign_key",
    "add_check_constraint": "remove_check_constraint",
    "enable_extension": "disable_extension",
    "disable_extension": "enable_extension",
    "create_table": "drop_table",
    "drop_join_table": "create_join_table",
}
SWAPPED = {"change_column_default", "change_column_comment", "change_table_comment"}
NEVER = {"change_column", "execute", "raise"}


def _inverse(call: Call) -> Call:
    method = call.method
    if method in SIMPLE:
        return _with(call, SIMPLE[method])
    if method in SWAPPED:
        if not {"from", "to"} <= set(call.options):
            raise Irreversible(f"{method} is only reversible if given a :from and :to option.")
        return _with(call, method, options={Symbol("from"): call.options["to"], Symbol("to"): call.options["from"]})
    if method in OWN_RULES:
        return OWN_RULES[method](call)
    raise Irreversible(
        f"This migration uses {method}, which is not automatically reversible.\n"
        "To make the migration reversible you can either:\n"
        "1. Define #up and #down methods in place of the #change method.\n"
        "2. Use the #reversible method to define reversible behavior."
    )


def _with(call: Call, method: str, args: tuple[Any, ...] | None = None, options: dict[str, Any] | None = None) -> Call:
    args, options = call.args if args is None else args, call.options if options is None else options
    return Call(method, args, options, call.block, line=call.line)


def _drop_table(call: Call) -> Call:
    if call.block is None and not call.options:
        raise Irreversible(
            "To avoid mistakes, drop_table is only reversible if given options or a block (can be empty)."
        )
    return _with(
        call, "create_table", options={key: value for key, value in call.options.items() if key != "if_exists"}
    )


def _remove_column(call: Call) -> Call:
    if len(call.args) < 3:
        raise Irreversible("remove_column is only reversible if given a type.")
    return _with(call, "add_column")


def _remove_columns(call: Call) -> Call:
    if "type" not in call.options:
        raise Irreversible("remove_columns is only reversible if given a type.")
    return _with(call, "add_columns")


def _remove_index(call: Call) -> Call:
    columns = call.args[1] if len(call.args) > 1 else call.options.get("column")
    if columns is None:
        raise Irreversible("remove_index is only reversible if given a :column option.")
    options = {key: value for key, value in call.options.items() if key != "column"}
    return _with(call, "add_index", (call.args[0], columns), options)


def _remove_foreign_key(call: Call) -> Call:
    to_table = call.args[1] if len(call.args) > 1 else call.options.get("to_table")
    if to_table is None:
        raise Irreversible("remove_foreign_key is only reversible if given a second table")
    options = {key: value for key, value in call.options.items() if key != "to_table"}
    return _with(call, "add_foreign_key", (call.args[0], to_table), options)


def _remove_check(call: Call) -> Call:
    if len(call.args) < 2:
        raise Irreversible("remove_check_constraint is only reversible if given an expression.")
    return _with(call, "add_check_constraint")


def _change_null(call: Call) -> Call:
    table, column, null, *default = call.args
    return _with(call, "change_column_null", (table, column, not null, *default))


OWN_RULES: dict[str, Callable[[Call], Call]] = {
    "drop_table": _drop_table,
    "remove_column": _remove_column,
    "remove_columns": _remove_columns,
    "remove_index": _remove_index,
    "remove_foreign_key": _remove_foreign_key,
    "remove_check_constraint": _remove_check,
    "change_column_null": _change_null,
    "rename_table": lambda call: _with(call, "rename_table", call.args[::-1]),
    "rename_column": lambda call: _with(call, "rename_column", (call.args[0], call.args[2], call.args[1])),
    "rename_index": lambda call: _with(call, "rename_index", (call.args[0], call.args[2], call.args[1])),
}
