"""Snapshots: what a data directory holds, kept under a name; `restoring` brings it back, whole or not at all.

A snapshot is a folder of files, perhaps copies of PostgreSQL databases, and a document `NAME.json` that is written when
they are all there; it is what counts.

Kept are the store, repositories, slugs, apps' databases, the hosts that may hold locks in them, logs, outputs, uploaded
sources and how far drains have got. Not kept: build caches, which only save time; and what third parties have, so that
while there is an add-on of theirs nothing is saved."""

import asyncio
import json
import logging
import re
import shutil
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hkcli import __version__
from hkcli.backend.addons import postgresql
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.home import Home, remove, write_private
from hkcli.backend.schemas import timestamp
from hkcli.backend.snapshot_files import copy_database, copy_folder
from hkcli.backend.store import SCHEMA_VERSION, Addon, App, Store

log = logging.getLogger(__name__)

FORMAT = 3
"""Of the files; to be raised whenever FOLDERS, FILES or the document changes."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FOLDERS = ("repositories", "slugs", "builds", "databases", "hosts", "logs", "outputs", "sources", "drains")


def every(home: Home) -> list[dict[str, Any]]:
    """The documents of all snapshots, by name."""
    return sorted((public(each) for each in _documents(home)), key=lambda each: each["name"])


def find(home: Home, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    for each in _documents(home):
        if each["name"] == name:
            return each
    known = ", ".join(each["name"] for each in every(home)) or "none"
    raise NotFound(f"There is no snapshot {name!r}; there are: {known}.", "snapshot")


async def save(home: Home, copies: Copies, name: str) -> dict[str, Any]:
    """Its document. What the platform itself writes is copied in this thread, so that nothing of it changes; then the
    apps' databases, each as it is in one moment, however busy. Raises InvalidParams."""
    draft = begin(home, name)
    try:
        await asyncio.to_thread(draft.copy_databases)
        await draft.copy_postgresql(copies)
        return await asyncio.to_thread(draft.finish)
    except BaseException:
        remove(draft.folder)
        raise
    finally:
        await drop_copies(home, copies)


async def remove_named(home: Home, copies: Copies, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    document = find(home, name)
    _document_path(home, name).unlink()
    await asyncio.to_thread(sweep, home)
    await drop_copies(home, copies)
    return public(document)


def sweep(home: Home) -> None:
    """Remove what belongs to no snapshot: one that was replaced, removed, or never finished."""
    documents = _documents(home)
    home.snapshots.mkdir(mode=0o700, exist_ok=True)
    known = {name for each in documents for name in (each["folder"], _document_path(home, each["name"]).name)}
    for path in home.snapshots.iterdir():
        if path.name not in known:
            remove(path)
    if not known:
        home.snapshots.rmdir()


async def drop_copies(home: Home, copies: Copies, at_most: int | None = None) -> bool:
    """Those of PostgreSQL databases that belong to nothing; whether there are more.

    What cannot be dropped now is dropped another time."""
    unneeded = sorted(copies.unneeded(needed_copies(home)))
    try:
        await copies.drop(unneeded[:at_most])
    except PostgresError as error:
        log.warning("event=copies_not_dropped count=%d reason=%s", len(unneeded), error)
        return False
    return at_most is not None and len(unneeded) > at_most


def needed_copies(home: Home) -> set[str]:
    """Of snapshots, and those by which a state is being restored."""
    needed = {copy for each in _documents(home) for copy in each.get("databases", {}).values()}
    for path in (home.restoring / home.exchanges.name, home.exchanges):
        with suppress(FileNotFoundError):
            needed |= {name for each in json.loads(path.read_text())["exchanges"] for name in each.values()}
    return needed


@dataclass(frozen=True)
class Draft:
    """A snapshot that is being taken; it does not exist before `finish`."""

    home: Home
    folder: Path
    document: dict[str, Any]
    addons: dict[str, str]
    """Names, by id, of those that have a PostgreSQL database."""

    def copy_databases(self) -> None:
        """SQLite's. Raises InvalidParams."""
        for path in self.home.databases.glob("*.sqlite3"):
            copy_database(path, self.folder / "databases" / path.name)

    async def copy_postgresql(self, copies: Copies) -> None:
        """Raises InvalidParams."""
        for addon_id, name in self.addons.items():
            try:
                copy, size = await copies.save(copies.database(addon_id), self.folder)
            except PostgresError as error:
                raise InvalidParams(
                    f"The database of {name} cannot be copied: {error} Nothing was saved. If it is in use, stop what "
                    "is connected to it (heroku ps:scale TYPE=0), and try again: then it is copied as files."
                ) from None
            self.document["databases"][addon_id] = copy
            self.document["size_bytes"] += size

    def finish(self) -> dict[str, Any]:
        self.document["size_bytes"] += sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        write_private(_document_path(self.home, self.document["name"]), self.document)
        sweep(self.home)
        return public(self.document)


def begin(home: Home, name: str) -> Draft:
    """Copy all but the apps' databases, quickly: nobody may write meanwhile. Raises InvalidParams."""
    if not NAME.fullmatch(name):
        raise InvalidParams(f"{name!r} is no name for a snapshot. Use letters, digits, dots, dashes and underscores.")
    if not home.store.exists():
        raise InvalidParams(f"{home.root} holds no store: it is elsewhere (--store), or there was no backend yet.")
    folder = home.snapshots / str(uuid.uuid4())
    folder.mkdir(mode=0o700, parents=True)
    try:
        copy_database(home.store, folder / home.store.name)
        shutil.copy2(home.store_id, folder / home.store_id.name)
        apps, addons = _contents(home, folder)
        for part in FOLDERS:
            if part == "databases":
                (folder / part).mkdir(mode=0o700)
            else:
                copy_folder(home.root / part, folder / part)
    except BaseException as error:
        remove(folder)
        if isinstance(error, OSError):
            raise InvalidParams(f"No snapshot was made: {error}") from error
        raise
    document = {
        "name": name,
        "folder": folder.name,
        "format": FORMAT,
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "created_at": timestamp(datetime.now(UTC)),
        "apps": apps,
        "databases": {},
        "size_bytes": 0,
    }
    return Draft(home, folder, document, addons)


def _contents(home: Home, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Of the store in the folder: apps' names, and names, by id, of add-ons with a PostgreSQL database.

    Raises InvalidParams when it could not be restored."""
    made = {addon_id: service for service, _, addon_id in (note.name.partition(".") for note in home.addons.iterdir())}
    with closing(Store(f"sqlite:///{folder / home.store.name}")) as store, store.transaction() as session:
        addons = [each for each in session.scalars(select(Addon)) if each.id in made]
        if theirs := [each for each in addons if made[each.id] != postgresql.SERVICE.name]:
            whose = ", ".join(f"{each.name} on {each.app.name} ({each.service})" for each in theirs)
            raise InvalidParams(
                f"A snapshot would be of one side only: what {whose} holds is at its provider, and cannot be brought "
                f"back. Save without it, and add it after each restoration, which has the provider remove it again: "
                f"heroku addons:destroy {theirs[0].name} --app {theirs[0].app.name}"
            )
        kept = {each.id: each.name for each in addons if each.state == "provisioned"}
        return sorted(session.scalars(select(App.name))), kept


def _documents(home: Home) -> list[dict[str, Any]]:
    found = []
    for path in home.snapshots.glob("*.json"):
        with suppress(FileNotFoundError):  # another thread removes one
            found.append(json.loads(path.read_text()))
    return found


def _document_path(home: Home, name: str) -> Path:
    return home.snapshots / f"{name}.json"


def public(document: dict[str, Any]) -> dict[str, Any]:
    hidden = ("folder", "format", "databases")
    return {key: value for key, value in document.items() if key not in hidden}
