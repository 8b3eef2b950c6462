"""A snapshot takes the place of what a data directory holds, whole or not at all.

`stage` has everything ready: the files aside (`restoring.partial`), the PostgreSQL databases under names of their own;
`restoring.partial` renamed to `restoring` decides. `settle` moves all of it into place; a backend that is killed in
between does that at its next start, before it reads anything."""

import asyncio
import json
import shutil
import uuid
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from hkcli import __version__
from hkcli.backend import accounts
from hkcli.backend.addons import postgresql
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies, Exchange
from hkcli.backend.engines import members
from hkcli.backend.errors import InvalidParams, Unauthorized
from hkcli.backend.home import Home, remove, write_private
from hkcli.backend.snapshot_files import copy_folder
from hkcli.backend.snapshots import FOLDERS, FORMAT, drop_copies, find, public, sweep
from hkcli.backend.store import SCHEMA_VERSION, Addon, Store

FILES = ("epoch", "store.id", "exchanges.json", "platform.sqlite3")


async def restore(home: Home, copies: Copies, name: str) -> dict[str, Any]:
    """Of a directory in which nothing runs. Raises NotFound, InvalidParams, PostgresError."""
    document = await stage(home, copies, name)
    await settle(home, copies)
    discard(home)
    await drop_copies(home, copies)
    return document


async def stage(home: Home, copies: Copies, name: str) -> dict[str, Any]:
    """Have a snapshot ready to take the place of what is here, by `settle`. Raises NotFound, InvalidParams."""
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
        await asyncio.to_thread(_copy_aside, home, home.snapshots / document["folder"], partial)
        exchanges = await _stage_databases(copies, document["databases"])
    except (OSError, shutil.Error, PostgresError) as error:
        await drop_copies(home, copies)
        raise InvalidParams(f"Snapshot {name} cannot be restored: {error} Nothing was changed.") from None
    if exchanges:
        write_private(partial / home.exchanges.name, {"exchanges": [asdict(each) for each in exchanges]})
    partial.replace(home.restoring)
    return public(document)


async def _stage_databases(copies: Copies, databases: dict[str, str]) -> list[Exchange]:
    """All at once; none is under way when this returns. Raises PostgresError."""
    staging = [copies.stage(copy, copies.database(addon_id)) for addon_id, copy in databases.items()]
    staged = []
    for each in await asyncio.gather(*staging, return_exceptions=True):
        if isinstance(each, BaseException):
            raise each
        staged.append(each)
    return staged


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


async def resume(home: Home, copies: Copies) -> None:
    """Finish what an earlier backend has staged, whose dynos may still run. Raises PostgresError."""
    if home.restoring.exists() or home.exchanges.exists():
        await asyncio.to_thread(members.end_engine, home.engine_id(), grace_s=0)
    await settle(home, copies)


async def settle(home: Home, copies: Copies) -> None:
    """Finish what was staged, before anything is read; may be killed and done again. Raises PostgresError.

    What was there is moved away, for `discard` and `drop_copies`: removing it may take its time."""
    await asyncio.to_thread(conclude, home)
    if home.exchanges.exists():
        try:
            await _exchange(home, copies)
        except PostgresError as error:
            raise PostgresError(
                f"A snapshot is being restored, and its PostgreSQL databases cannot be: {error} Start again when that "
                "is mended. Or give up all that is here: heroku backend:reset"
            ) from None


async def _exchange(home: Home, copies: Copies) -> None:
    """Raises PostgresError."""
    exchanges = [Exchange(**each) for each in json.loads(home.exchanges.read_text())["exchanges"]]
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        query = select(Addon).where(Addon.service == postgresql.SERVICE.name, Addon.state == "provisioned")
        addons = list(session.scalars(query))
    for addon in addons:
        (home.addons / f"{addon.service}.{addon.id}").touch()
    urls = [urlsplit(addon.config["URL"]) for addon in addons]
    await copies.carry_out(exchanges, {url.username or "": url.password or "" for url in urls})
    remove(home.exchanges)


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
