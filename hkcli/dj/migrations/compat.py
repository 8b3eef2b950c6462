"""What the number in `ActiveRecord::Migration[5.0]` changes, as activerecord's migration/compatibility.rb has it."""

from dataclasses import dataclass
from typing import Any

from hkcli.dj.migrations.names import index_name
from hkcli.dj.migrations.syntax import Call
from hkcli.dj.ruby import Symbol

VERSIONS = ("4.2", "5.0", "5.1", "5.2", "6.0", "6.1", "7.0", "7.1", "7.2", "8.0", "8.1")
OLDEST = "4.2"


@dataclass(frozen=True)
class Compat:
    """The differences that reach a schema; each is named for what is so when it is true."""

    version: str
    timestamps_nullable: bool
    timestamps_precise: bool
    datetimes_precise: bool
    keys_are_bigint: bool
    references_indexed: bool
    polymorphic_index_names_long: bool
    changes_type_alone: bool
    removes_index_by_name: bool
    uuid_default: str

    def called(self, call: Call, dialect: str) -> Call:
        """The call with the options that this version adds; they are seen in the line that is printed."""
        options, method, args = dict(call.options), call.method, call.args
        if call.method == "create_table" and not self.keys_are_bigint:
            options = self._created(options, dialect)
        elif call.method == "create_join_table" and not self.keys_are_bigint:
            column = {Symbol("type"): Symbol("integer"), **options.pop("column_options", {})}
            options[Symbol("column_options")] = column
        elif call.method == "add_timestamps":
            if self.timestamps_nullable and options.get("null") is None:
                options[Symbol("null")] = True
            if not self.timestamps_precise and not options.get("precision"):
                options[Symbol("precision")] = None
        elif call.method in ("add_reference", "add_belongs_to"):
            options = self._referred(options, dialect)
            method = "add_reference" if self.polymorphic_index_names_long else method
        elif call.method == "remove_index" and self.removes_index_by_name:
            args, options = _index_by_name(args, options)
        return Call(method, args, options, call.block, call.receiver, call.line)

    def shown(self, call: Call, dialect: str) -> Call:
        """The call as it is printed."""
        if call.method != "change_column" or dialect != "postgresql" or not self.changes_type_alone:
            return call
        options = {name: value for name, value in call.options.items() if name not in ("default", "null", "comment")}
        return Call(call.method, call.args, options, line=call.line)

    def _created(self, options: dict[str, Any], dialect: str) -> dict[str, Any]:
        if dialect == "postgresql" and options.get("id") == "uuid" and "default" not in options:
            options[Symbol("default")] = self.uuid_default
        if options.get("id") in ("integer", "bigint") and "default" not in options:
            options[Symbol("default")] = None
        options.setdefault(Symbol("id"), Symbol("integer"))
        return options

    def _referred(self, options: dict[str, Any], dialect: str) -> dict[str, Any]:
        if not self.references_indexed:
            options[Symbol("index")] = options.get("index") or False
        if not self.keys_are_bigint:
            options = {Symbol("type"): Symbol("integer")} | options
        if self.polymorphic_index_names_long:
            if dialect == "sqlite":
                options[Symbol("type")] = Symbol("integer")
            options[Symbol("_uses_legacy_reference_index_name")] = True
        return options


def _index_by_name(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What remove_index of 4.2 calls itself: always with the name."""
    columns = args[1] if len(args) > 1 else None
    wanted = columns if columns is not None else options.get("column")
    if wanted is not None and "name" not in options:
        options[Symbol("name")] = index_name(str(args[0]), wanted)
    return (args[0], columns), options


def compat_of(version: str) -> Compat:
    """The rules of one of VERSIONS."""
    number = VERSIONS.index(version)

    def since(first: str) -> bool:
        return number >= VERSIONS.index(first)

    return Compat(
        version=version,
        timestamps_nullable=not since("5.0"),
        timestamps_precise=since("6.0"),
        datetimes_precise=since("7.0"),
        keys_are_bigint=since("5.1"),
        references_indexed=since("5.0"),
        polymorphic_index_names_long=not since("6.1"),
        changes_type_alone=not since("5.2"),
        removes_index_by_name=not since("5.0"),
        uuid_default="gen_random_uuid()" if since("5.1") else "uuid_generate_v4()",
    )
