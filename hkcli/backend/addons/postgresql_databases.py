"""The add-on's databases: each with a role of its own, and of the same name, on a PostgreSQL server."""

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.errors import InvalidParams

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]


class Databases:
    """Maker of heroku-postgresql. `identity` is the backend's: several may share a server."""

    def __init__(self, server: PostgresServer, identity: str) -> None:
        self._server, self._identity = server, identity

    def require(self) -> None:
        try:
            self._server.require()
        except PostgresError as error:
            raise InvalidParams(str(error)) from None

    async def make(self, addon_id: str) -> dict[str, str]:
        """A new, empty database; what an interrupted attempt left is replaced. Raises PostgresError."""
        name, password = database_name(self._identity, addon_id), secrets.token_hex(24)
        await self._server.administer(lambda connection: create(connection, name, password))
        parts = urlsplit(await self._server.url())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return {"URL": f"postgres://{name}:{password}@{host}:{parts.port or 5432}/{name}"}

    async def unmake(self, addon_id: str) -> None:
        """Raises PostgresError."""
        name = database_name(self._identity, addon_id)
        await self._server.administer(lambda connection: drop(connection, name))


def database_name(identity: str, addon_id: str) -> str:
    """Of an add-on's database, and of its role."""
    return f"d{identity[:8]}_{addon_id.replace('-', '')}"


def create(connection: "Connection", name: str, password: str) -> None:
    """Nobody but the role, and superusers, may connect."""
    from psycopg import sql

    drop(connection, name)
    let_in(connection, name, password)
    identifier = sql.Identifier(name)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(identifier))


def let_in(connection: "Connection", role: str, password: str | None) -> None:
    """Have a role, with this password; without one, as it was, or one that nobody logs in as."""
    from psycopg import sql

    identifier = sql.Identifier(role)
    is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount
    if not is_there:
        connection.execute(sql.SQL("CREATE ROLE {}").format(identifier))
    if password is not None:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(identifier, sql.Literal(password)))


def drop(connection: "Connection", name: str) -> None:
    from psycopg import sql

    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    dismiss(connection, name)


def dismiss(connection: "Connection", role: str) -> None:
    """Remove a role; while a snapshot has something of its own, it stays, and nobody logs in as it."""
    from psycopg import errors, sql

    identifier = sql.Identifier(role)
    try:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(identifier))
    except errors.DependentObjectsStillExist:
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(identifier))
