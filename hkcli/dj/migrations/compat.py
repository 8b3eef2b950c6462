"""What the number in `ActiveRecord::Migration[5.0]` changes, as activerecord's migration/compatibility.rb has it."""

from dataclasses import dataclass
from typing import Any

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
    uuid_default: str

    def called(self, call: Call, dialect: str) -> Call:
        """The call with the options that this version adds; they are seen in the line that is printed."""
        options = dict(call.options)
        if call.method == "create_table" and not self.keys_are_bigint:
            options = self._created(options, dialect)
        elif call.method == "create_join_table" and not self.keys_are_bigint:
            options = {
                Symbol("column_options"): {Symbol("type"): Symbol("integer"), **options.pop("column_options", {})}
            } | options
        elif call.method == "add_timestamps":
            if self.timestamps_nullable and options.get("null") is None:
                options[Symbol("null")] = True
            if not self.timestamps_precise and not options.get("precision"):
                options[Symbol("precision")] = None
        elif call.method in ("add_reference", "add_belongs_to"):
            options = self._referred(options, dialect)
        return Call(call.method, call.args, options, call.block, call.receiver, call.line)

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
        uuid_default="gen_random_uuid()" if since("5.1") else "uuid_generate_v4()",
    )
