"""All that a backend keeps, removed: its directory, and what it has on a PostgreSQL server."""

import asyncio

from hkcli.backend import snapshots
from hkcli.backend.addons import postgresql
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies, prefix
from hkcli.backend.addons.postgresql_databases import Databases, database_name
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.home import Home, remove


def reset(home: Home) -> str | None:
    """All but snapshots and what they need; what could not be removed, and why. The directory must be locked."""
    left = asyncio.run(clear_postgresql(home, kept=snapshots.needed_copies(home)))
    home.clear()
    return left


async def clear_postgresql(home: Home, kept: frozenset[str] | set[str] = frozenset()) -> str | None:
    """Our own server goes with its folder, unless copies in it are kept; on one that was given, what is ours."""
    server, copies = of_home(home)
    if not server.is_given and not kept:
        await server.stop()
        remove(server.folder)
        return None
    try:
        databases = Databases(server, copies.identity)
        for note in home.addons.glob(f"{postgresql.SERVICE.name}.*"):
            await databases.unmake(note.name.partition(".")[2])
        await copies.drop(copies.unneeded(kept))
    except PostgresError as error:
        names = [database_name(copies.identity, "")] + [prefix(copies.identity)] * (not kept)
        which = " and ".join(f"{each}*" for each in names)
        return f"What this backend has on the PostgreSQL server is left there, databases and roles {which}: {error}"
    finally:
        await server.stop()
    return None


def of_home(home: Home, url: str | None = None, *, durable: bool = True) -> tuple[PostgresServer, Copies]:
    """The PostgreSQL server of a directory: the one that is given now, or was last, or our own; and copies there."""
    identity = home.engine_id()
    server = PostgresServer.at(home.root, identity, url or home.postgres_url(), durable=durable)
    return server, Copies(server, home.copies, identity)
