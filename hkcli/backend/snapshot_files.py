"""Files copied for a snapshot, and back: quickly, and each in one consistent state."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from hkcli.backend.errors import InvalidParams
from hkcli.backend.log_segments import SEGMENT_BYTES

PARTIAL = shutil.ignore_patterns("*.partial")
BUSY_S = 30.0
"""How long an app may keep its database locked while it is to be copied."""


def copy_folder(source: Path, target: Path) -> None:
    """Files that are never written again are shared, all others copied. Of builds only what they have said."""

    def is_final(file: str) -> bool:
        match source.name:
            case "slugs" | "sources":
                return True
            case "repositories":
                return f"{os.sep}objects{os.sep}" in file
            case "logs":
                return Path(file).stat().st_size >= SEGMENT_BYTES
        return False

    def copy(file: str, to: str) -> None:
        if is_final(file):
            try:
                os.link(file, to)
                return
            except OSError:  # another file system, or one that has no hard links
                pass
        shutil.copy2(file, to)

    ignore = {"repositories": unfinished_git, "builds": under_way}.get(source.name, PARTIAL)
    shutil.copytree(source, target, symlinks=True, ignore=ignore, copy_function=copy)


def under_way(folder: str, names: list[str]) -> list[str]:
    """Where buildpacks are at work."""
    return [name for name in names if not Path(folder, name).is_file()]


def unfinished_git(folder: str, names: list[str]) -> list[str]:
    """What git is about to write, and objects that it has not accepted; a branch may have any other name."""
    is_objects = Path(folder).name == "objects"
    return [name for name in names if name.endswith(".lock") or (is_objects and name.startswith(("tmp_", "incoming-")))]


def copy_database(source: Path, target: Path) -> None:
    """A SQLite database in one consistent state; a file that is none as it is. Raises InvalidParams."""
    begun = datetime.now(UTC)

    def in_time(_status: int, _remaining: int, _total: int) -> None:
        if (datetime.now(UTC) - begun).total_seconds() > BUSY_S:
            raise InvalidParams(f"{source} was locked for {BUSY_S:g} s. Stop what writes to it, and try again.")

    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy, progress=in_time)
    except sqlite3.OperationalError as error:
        if source.exists():
            raise InvalidParams(f"{source} cannot be copied: {error}") from None
    except sqlite3.DatabaseError:
        shutil.copy2(source, target)
