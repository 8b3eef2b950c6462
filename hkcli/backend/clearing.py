"""All that a backend keeps, removed: its directory, and what it has on a PostgreSQL server."""

import asyncio
from functools import partial
from urllib.parse import urlsplit

from hkcli.backend import snapshots
from hkcli.backend.addons import postgresql
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies, prefix
from hkcli.backend.addons.postgresql_databases import Databases, database_name
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.home import Home, remove

OWN = "own"
"""Names the server of our own where a URL names another."""


def reset(home: Home) -> str | None:
    """All but snapshots and what they need; what could not be removed, and why. The directory must be locked."""
    left = asyncio.run(clear_postgresql(home, kept=snapshots.needed_copies(home)))
    home.clear()
    return left


async def clear_postgresql(home: Home, kept: frozenset[str] | set[str] = frozenset()) -> str | None:
    """Our own server goes with its folder, unless copies in it are kept; on one that was given, what is ours."""
    server, copies = of_home(home)
    left = []
    try:
        if server.is_given or kept:
            await _drop(home, server, copies, kept)
    except PostgresError as error:
        names = [database_name(copies.identity, "")] + [prefix(copies.identity)] * (not kept)
        which = " and ".join(f"{each}*" for each in names)
        left.append(
            f"What this backend has on the PostgreSQL server is left there, databases and roles {which}: {error}"
        )
    try:
        await server.stop()
        if server.is_given or not kept:
            remove(server.folder)
    except PostgresError as error:
        left.append(f"The backend's own PostgreSQL server still runs, in {server.folder}: {error}")
    return "\n".join(left) or None


async def _drop(home: Home, server: PostgresServer, copies: Copies, kept: frozenset[str] | set[str]) -> None:
    """Raises PostgresError."""
    databases = Databases(server, copies.identity)
    for note in home.addons.glob(f"{postgresql.SERVICE.name}.*"):
        await databases.unmake(note.name.partition(".")[2])
    await copies.drop(copies.unneeded(kept))


def of_home(home: Home, wanted: str | None = None, *, durable: bool = True) -> tuple[PostgresServer, Copies]:
    """The PostgreSQL server of a directory, and copies there: the server that was last, or the one that is wanted now.

    `wanted` is the URL of one, which is kept once it has answered, or OWN. Raises PostgresError when databases are on
    another."""
    identity = home.engine_id()
    url = home.postgres_url() if wanted is None else _choose(home, wanted)
    reached = partial(home.keep_postgres_url, url)
    server = PostgresServer.at(home.root, identity, url, durable=durable, reached=reached)
    return server, Copies(server, home.copies, identity)


def _choose(home: Home, wanted: str) -> str | None:
    """The URL; None for the server of our own, by whichever name. Raises PostgresError."""
    own = PostgresServer.at(home.root, home.engine_id(), None).folder / "url"
    own_place = place(own.read_text()) if own.exists() else None
    url = None if wanted == OWN or place(wanted) == own_place else wanted
    kept = home.postgres_url()
    now, then = place(url) if url else own_place, place(kept) if kept else own_place
    has_databases = any(home.addons.glob(f"{postgresql.SERVICE.name}.*")) or any(home.copies.iterdir())
    if then and now != then and has_databases:
        where = f"the PostgreSQL server at {then[0]}:{then[1]}" if kept else "the backend's own PostgreSQL server"
        raise PostgresError(
            f"The databases of add-ons and snapshots here are on {where}, and --postgres names another. Start without "
            "--postgres; to change the server, first destroy those add-ons and remove the snapshots (heroku "
            "backend:snapshots), or give up all that is here: heroku backend:reset"
        )
    return url


def place(url: str) -> tuple[str, int]:
    """Host and port of a PostgreSQL server. Raises PostgresError for what is no URL of one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme not in ("postgres", "postgresql"):
        raise PostgresError(
            "--postgres takes the URL of a superuser, postgres://USER:PASSWORD@HOST:PORT/postgres, or `own` for the "
            "backend's own server."
        )
    return host, port
