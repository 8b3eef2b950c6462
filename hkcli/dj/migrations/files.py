"""Which migrations there are: the files in db/migrate, found and named as ActiveRecord::MigrationContext does it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = re.compile(r"(?P<version>[0-9]+)_(?P<name>[_a-z0-9]*)\.?(?P<scope>[_a-z0-9]*)?\.rb\Z")


class MigrationNameError(Exception):
    """Two files clash, or one is named wrongly; `ruby_name` is the class Rails raises."""

    def __init__(self, ruby_name: str, message: str) -> None:
        super().__init__(message)
        self.ruby_name = ruby_name


@dataclass(frozen=True)
class MigrationFile:
    """`name` is the class it must hold; `shown` is how messages call the file, relative to the app."""

    version: int
    name: str
    path: Path
    shown: str


def find_migrations(root: Path) -> list[MigrationFile]:
    """All of db/migrate, by version. Raises MigrationNameError."""
    folder = root / "db" / "migrate"
    files = [_read_name(path, root) for path in sorted(folder.rglob("[0-9]*_*.rb"))]
    files.sort(key=lambda file: file.version)
    if twice := _twice(file.version for file in files):
        raise MigrationNameError(
            "ActiveRecord::DuplicateMigrationVersionError", f"Multiple migrations have the version number {twice}."
        )
    if twice := _twice(file.name for file in files):
        raise MigrationNameError(
            "ActiveRecord::DuplicateMigrationNameError", f"Multiple migrations have the name {twice}."
        )
    return files


def _read_name(path: Path, root: Path) -> MigrationFile:
    match = FILE_NAME.match(path.name)
    if match is None:
        raise MigrationNameError(
            "ActiveRecord::IllegalMigrationNameError",
            f"Illegal name for migration file: {path.relative_to(root)}\n"
            "\t(only lower case letters, numbers, and '_' allowed).",
        )
    return MigrationFile(int(match["version"]), camelize(match["name"]), path, str(path.relative_to(root)))


def _twice(items: Iterable[object]) -> object:
    counted = Counter(items)
    return next((item for item, count in counted.items() if count > 1), None)


def camelize(name: str) -> str:
    """`create_delayed_jobs` to `CreateDelayedJobs`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
