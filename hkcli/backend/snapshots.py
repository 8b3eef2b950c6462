"""Snapshots: what a data directory holds, kept under a name, and brought back whole or not at all.

A snapshot is a folder of files, and a document `NAME.json` that is written when they are all there; it is what counts.
Restoring copies the files aside (`restoring.partial`, renamed to `restoring` when complete) and moves them into place
(`conclude`): a backend that is killed in between finishes that at its next start, before it reads anything.

Kept are the store, repositories, slugs, apps' SQLite databases, the hosts that may hold locks in them, logs, outputs,
uploaded sources and how far drains have got. Not kept: build caches, which only save time, and what an add-on has
elsewhere, as PostgreSQL databases."""

import json
import os
import re
import shutil
import sqlite3
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hkcli import __version__
from hkcli.backend import accounts
from hkcli.backend.errors import InvalidParams, NotFound, Unauthorized
from hkcli.backend.home import Home, remove, write_private
from hkcli.backend.schemas import timestamp
from hkcli.backend.store import SCHEMA_VERSION, Addon, App, Store

FORMAT = 2
"""Of the files; to be raised whenever FOLDERS or FILES change."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FOLDERS = ("repositories", "slugs", "builds", "databases", "hosts", "logs", "outputs", "sources", "drains")
FILES = ("epoch", "store.id", "platform.sqlite3")
PARTIAL = shutil.ignore_patterns("*.partial")
BUSY_S = 30.0
"""How long an app may keep its database locked while it is to be copied."""


def every(home: Home) -> list[dict[str, Any]]:
    """The documents of all snapshots, by name."""
    return sorted((_public(each) for each in _documents(home)), key=lambda each: each["name"])


def find(home: Home, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    for each in _documents(home):
        if each["name"] == name:
            return each
    known = ", ".join(each["name"] for each in every(home)) or "none"
    raise NotFound(f"There is no snapshot {name!r}; there are: {known}.", "snapshot")


def remove_named(home: Home, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    document = find(home, name)
    _document_path(home, name).unlink()
    sweep(home)
    return _public(document)


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


@dataclass(frozen=True)
class Draft:
    """A snapshot that is being taken; it does not exist before `finish`."""

    home: Home
    folder: Path
    document: dict[str, Any]

    def copy_databases(self) -> None:
        """Those of the apps, each as it is in one moment, however busy it is. Raises InvalidParams."""
        for path in self.home.databases.glob("*.sqlite3"):
            copy_database(path, self.folder / "databases" / path.name)

    def finish(self) -> dict[str, Any]:
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        document = {**self.document, "size_bytes": size}
        write_private(_document_path(self.home, document["name"]), document)
        sweep(self.home)
        return _public(document)


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
        document = _describe(home, name, folder)
        for part in FOLDERS:
            if part == "databases":
                (folder / part).mkdir(mode=0o700)
            else:
                copy_folder(home.root / part, folder / part)
    except BaseException:
        remove(folder)
        raise
    return Draft(home, folder, document)


def _describe(home: Home, name: str, folder: Path) -> dict[str, Any]:
    """The document of a snapshot whose store is in the folder. Raises InvalidParams when it could not be restored."""
    with closing(Store(f"sqlite:///{folder / home.store.name}")) as store, store.transaction() as session:
        made = {note.name.partition(".")[2] for note in home.addons.iterdir()}
        if elsewhere := session.scalars(select(Addon.name).where(Addon.id.in_(made))).all():
            raise InvalidParams(
                f"A snapshot does not keep what {', '.join(elsewhere)} holds outside of the data directory. "
                "Destroy such add-ons first: heroku addons:destroy NAME"
            )
        apps = sorted(session.scalars(select(App.name)))
        shutil.copy2(home.store_id, folder / home.store_id.name)
    return {
        "name": name,
        "folder": folder.name,
        "format": FORMAT,
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "created_at": timestamp(datetime.now(UTC)),
        "apps": apps,
    }


def save(home: Home, name: str) -> dict[str, Any]:
    """A snapshot of a directory in which nothing runs. Raises InvalidParams."""
    draft = begin(home, name)
    draft.copy_databases()
    return draft.finish()


def restore(home: Home, name: str) -> dict[str, Any]:
    """Of a directory in which nothing runs. Raises NotFound, InvalidParams."""
    document = stage(home, name)
    conclude(home)
    discard(home)
    return document


def stage(home: Home, name: str) -> dict[str, Any]:
    """Have a snapshot ready to take the place of what is here, by `conclude`. Raises NotFound, InvalidParams."""
    document = find(home, name)
    its, ours = (document["format"], document["schema"]), (FORMAT, SCHEMA_VERSION)
    if its != ours:
        raise InvalidParams(
            f"Snapshot {name} was saved by version {document['version']} (format {its[0]}, schema {its[1]}); this one, "
            f"{__version__}, reads format {ours[0]}, schema {ours[1]}. Nothing was changed. "
            f"Remove it: heroku backend:snapshot:remove {name}"
        )
    partial = home.restoring.with_suffix(".partial")
    remove(partial)
    try:
        _copy_aside(home, home.snapshots / document["folder"], partial)
    except (OSError, shutil.Error) as error:
        raise InvalidParams(f"Snapshot {name} cannot be restored: {error}. Nothing was changed.") from None
    partial.replace(home.restoring)
    return _public(document)


def _copy_aside(home: Home, source: Path, partial: Path) -> None:
    partial.mkdir(mode=0o700)
    for part in FOLDERS:
        copy_folder(source / part, partial / part)
    for file in (home.store.name, home.store_id.name):
        shutil.copy2(source / file, partial / file)
    (partial / home.epoch.name).write_text(str(uuid.uuid4()))
    _keep_owner(home, partial / home.store.name)


def _keep_owner(home: Home, path: Path) -> None:
    """The token that the owner's programs have stays good, also when the snapshot is from before it was made."""
    owner = home.owner()
    if owner is None or not home.store.exists() or not _is_token(home.store, owner["token"]):
        return
    if not _is_token(path, owner["token"]):
        with closing(Store(f"sqlite:///{path}")) as store, store.transaction() as session:
            user = accounts.restore_user(session, owner["email"], owner["password"])
            accounts.authorize(session, user, "hkcli on this machine", token=owner["token"])


def _is_token(path: Path, token: str) -> bool:
    """Whether it is good in this store."""
    with closing(Store(f"sqlite:///{path}")) as store, store.transaction() as session:
        try:
            accounts.find_authorization(session, token)
        except Unauthorized:
            return False
        return True


def conclude(home: Home) -> None:
    """Move what was staged into place. For the start, before anything is read; may be killed and done again.

    What was there is moved away, for `discard`: removing it may take its time."""
    sweep(home)
    remove(home.restoring.with_suffix(".partial"))
    if not home.restoring.exists():
        return
    for part in (*FOLDERS, *FILES):
        staged, live, old = home.restoring / part, home.root / part, home.restoring / f"replaced-{part}"
        if staged.exists():
            if live.exists() and not old.exists():
                live.rename(old)
            remove(live)
            staged.rename(live)
    discard(home)
    home.restoring.rename(home.replaced)


def discard(home: Home) -> None:
    """Remove what was replaced."""
    remove(home.replaced)


def copy_folder(source: Path, target: Path) -> None:
    """Files that are never written again are shared, all others copied."""
    shares, is_git = source.name in ("slugs", "sources"), source.name == "repositories"

    def copy(file: str, to: str) -> None:
        if shares or (is_git and f"{os.sep}objects{os.sep}" in file):
            try:
                os.link(file, to)
                return
            except OSError:  # another file system, or one that has no hard links
                pass
        shutil.copy2(file, to)

    shutil.copytree(source, target, symlinks=True, ignore=unfinished_git if is_git else PARTIAL, copy_function=copy)


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


def _documents(home: Home) -> list[dict[str, Any]]:
    found = []
    for path in home.snapshots.glob("*.json"):
        with suppress(FileNotFoundError):  # another thread removes one
            found.append(json.loads(path.read_text()))
    return found


def _document_path(home: Home, name: str) -> Path:
    return home.snapshots / f"{name}.json"


def _public(document: dict[str, Any]) -> dict[str, Any]:
    hidden = ("folder", "format")
    return {key: value for key, value in document.items() if key not in hidden}
