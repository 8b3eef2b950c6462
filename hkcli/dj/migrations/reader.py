"""One migration file as a value, checked whole: what is returned here can be carried out."""

import re
from dataclasses import dataclass

from hkcli.dj.migrations.compat import OLDEST, VERSIONS, Compat, compat_of
from hkcli.dj.migrations.files import MigrationFile
from hkcli.dj.migrations.syntax import Call, ClassBody, Refused, read_classes
from hkcli.dj.migrations.vocabulary import check

SUPERCLASS = re.compile(r"(?:::)?ActiveRecord::Migration(?:\s*\[\s*[\"']?(?P<version>[\d.]+)[\"']?\s*\])?\Z")


@dataclass(frozen=True)
class Migration:
    """`change`, or `up` and `down`; a missing one is None, and does nothing."""

    file: MigrationFile
    compat: Compat
    change: tuple[Call, ...] | None
    up: tuple[Call, ...] | None
    down: tuple[Call, ...] | None
    in_transaction: bool


def read_migration(file: MigrationFile) -> Migration:
    """Raises Refused, naming file and line."""
    classes = read_classes(file.shown, file.path.read_bytes())
    found = next((body for body in classes if body.name.lower() == file.name.lower()), None)
    if found is None:
        names = ", ".join(body.name for body in classes) or "no class"
        raise Refused(
            file.shown, 1, f"uninitialized constant {file.name}: the file's name asks for it, the file holds {names}"
        )
    for call in found.macros:
        if call.method != "disable_ddl_transaction!":
            raise Refused(file.shown, call.line, f"`{call.method}` is not known in a migration's class")
    for calls in found.methods.values():
        check(file.shown, calls)
    methods = found.methods
    return Migration(
        file,
        _compat(file, found),
        methods.get("change"),
        methods.get("up"),
        methods.get("down"),
        in_transaction=not found.macros,
    )


def _compat(file: MigrationFile, body: ClassBody) -> Compat:
    """No bracket, and even no superclass, is how migrations were written before there were brackets."""
    if not body.superclass:
        return compat_of(OLDEST)
    match = SUPERCLASS.match(body.superclass)
    if match is None:
        raise Refused(
            file.shown, body.line, f"class {body.name} inherits from {body.superclass}, not ActiveRecord::Migration"
        )
    version = match["version"] or OLDEST
    if version not in VERSIONS:
        known = ", ".join(f'"{known}"' for known in VERSIONS)
        raise Refused(file.shown, body.line, f'Unknown migration version "{version}"; expected one of {known}')
    return compat_of(version)
