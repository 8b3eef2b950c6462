"""Copies of the add-on's databases, for snapshots, and databases that copies take the place of.

A copy is a database of its own on the same server, closed to everybody. PostgreSQL copies a database as files, exactly
and quickly, while nobody is connected to it; one in use is dumped instead, which disturbs nobody. A copy that is to be
used is copied once more, and that takes the name of the database when the rest of the state has changed.

Before any of these is made there is a note of its name on disk, so that one that nothing refers to can be dropped."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_databases import database_name, dismiss, let_in
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.home import remove

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Exchange:
    """A copy that is to take a database's place."""

    database: str
    staged: str
    """The copy's name until then."""
    replaced: str
    """The name of what was there, from then on."""


@dataclass(frozen=True)
class Copies:
    """`notes` is a folder with a file for each; `identity` is the backend's: several may share a server."""

    server: PostgresServer
    notes: Path
    identity: str

    def database(self, addon_id: str) -> str:
        return database_name(self.identity, addon_id)

    async def save(self, database: str, room: Path) -> tuple[str, int]:
        """The name of a new copy, and its bytes. `room`: a folder for what takes part of it. Raises PostgresError."""
        copy = self._new_name()
        if not await self.server.administer(lambda connection: duplicate(connection, database, copy, owner=database)):
            await self._dump(database, copy, room / "dump")
        return copy, await self.server.administer(lambda connection: closed(connection, copy))

    async def stage(self, copy: str, database: str) -> Exchange:
        """Have a copy ready to take a database's place. Raises PostgresError."""
        staged = self._new_name()
        if not await self.server.administer(lambda connection: duplicate(connection, copy, staged, owner=database)):
            raise PostgresError(f"Somebody is connected to {copy}.")
        return Exchange(database, staged, replaced=self._new_name())

    async def carry_out(self, exchanges: list[Exchange], passwords: Mapping[str, str]) -> None:
        """All of them or none, whoever is connected; done again it changes nothing. Raises PostgresError."""
        await self.server.administer(lambda connection: carry_out(connection, exchanges, passwords))

    def unneeded(self, needed: Iterable[str]) -> set[str]:
        """What there is, or may be, besides these."""
        return {note.name for note in self.notes.glob("*")} - set(needed)

    async def drop(self, names: Iterable[str]) -> None:
        """Raises PostgresError."""
        for name in names:
            await self.server.administer(partial(drop, name=name))
            (self.notes / name).unlink(missing_ok=True)

    def _new_name(self) -> str:
        name = prefix(self.identity) + uuid.uuid4().hex
        (self.notes / name).touch()
        return name

    async def _dump(self, database: str, copy: str, file: Path) -> None:
        """Raises PostgresError."""
        words = ["--exit-on-error", "--single-transaction", str(file)]
        await self.server.run("pg_dump", database, "--format=custom", f"--file={file}")
        await self.server.administer(lambda connection: create_empty(connection, copy, owner=database))
        await self.server.run("pg_restore", copy, *words)
        await self.server.administer(lambda connection: copy_settings(connection, database, copy))
        remove(file)


def prefix(identity: str) -> str:
    """What the names of all of a backend's copies begin with."""
    return f"s{identity}_"


def duplicate(connection: "Connection", source: str, target: str, *, owner: str) -> bool:
    """Whether the target is there now: not while somebody is connected to the source. Raises PostgresError."""
    from psycopg import errors, sql

    query = (
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datid = oid AND backend_type <> 'autovacuum worker') "
        "FROM pg_database WHERE datname = %s"
    )
    found = connection.execute(query, [source]).fetchone()
    if not found:
        raise PostgresError(
            f"There is no database {source} here: it is on another server (--postgres URL), or was dropped."
        )
    if found[0]:
        return False
    let_in(connection, owner, None)
    words = [sql.Identifier(each) for each in (target, source, owner)]
    try:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} ALLOW_CONNECTIONS false").format(*words))
    except errors.ObjectInUse:
        return False
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(words[0]))
    copy_settings(connection, source, target)
    return True


def create_empty(connection: "Connection", name: str, *, owner: str) -> None:
    from psycopg import sql

    words = [sql.Identifier(each) for each in (name, owner)]
    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {}").format(*words))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(words[0]))


def copy_settings(connection: "Connection", source: str, target: str) -> None:
    """What ALTER DATABASE ... SET has set, which belongs to the server, not to the database."""
    connection.execute(
        "INSERT INTO pg_db_role_setting SELECT target.oid, setrole, setconfig FROM pg_db_role_setting "
        "JOIN pg_database source ON source.oid = setdatabase, pg_database target "
        "WHERE source.datname = %s AND target.datname = %s",
        [source, target],
    )


def closed(connection: "Connection", name: str) -> int:
    """Nobody can connect to it from now on; its bytes."""
    from psycopg import sql

    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    (size,) = connection.execute("SELECT pg_database_size(%s)", [name]).fetchone() or (0,)
    return int(size)


def carry_out(connection: "Connection", exchanges: list[Exchange], passwords: Mapping[str, str]) -> None:
    """`passwords` by database: those that the state in whose place they come has for their roles."""
    from psycopg import sql

    present = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    if lost := [each.database for each in exchanges if not {each.database, each.staged} & present]:
        raise PostgresError(
            f"Neither {lost[0]} nor what is to take its place is there. This is another server than the one on which "
            "the snapshot was being restored, or it was emptied: start with that one, by its --postgres URL, or "
            "--postgres own for the backend's own."
        )
    due = [each for each in exchanges if each.staged in present]
    for each in due:
        if each.database in present:
            closed(connection, each.database)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [each.database]
            )
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with connection.transaction():
        for each in due:
            database, staged, replaced = map(sql.Identifier, (each.database, each.staged, each.replaced))
            if each.database in present:
                connection.execute(rename.format(database, replaced))
            connection.execute(rename.format(staged, database))
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database))
            let_in(connection, each.database, passwords.get(each.database))


def drop(connection: "Connection", name: str) -> None:
    """With its owner, when that has no database of its own."""
    from psycopg import sql

    query = (
        "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = %s "
        "AND NOT EXISTS (SELECT FROM pg_database other WHERE other.datname = pg_get_userbyid(pg_database.datdba))"
    )
    alone = connection.execute(query, [name]).fetchone()
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    if alone:
        dismiss(connection, alone[0])
