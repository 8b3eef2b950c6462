"""The PostgreSQL server behind the add-on: one that was given by URL, or the machine's own binaries, started at need.

The started one keeps its port and its password, so that a DATABASE_URL stays good from run to run; it outlives a
backend that is killed, and the next one takes it over."""

import asyncio
import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from hkcli.backend.errors import InvalidParams

if TYPE_CHECKING:
    import psycopg

START_S = 60.0
POLL_S = 0.05
UNPRIVILEGED = ("postgres", "nobody")
SYSTEM_FOLDER = Path("/var/lib/hkcli")
PASSABLE = 0o711
"""Of a folder that others pass through to what is theirs, whatever our umask."""


class PostgresError(Exception):
    """There is no server, or it does not do what it should; the message is for whoever wants a database."""


def find_binaries() -> Path | None:
    """The folder with the newest initdb and postgres of this machine."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: version_of(path.parts[-3]))
    on_path = shutil.which("postgres")
    newest = versions[-1] if versions else Path(on_path) if on_path else None
    return newest.parent if newest and (newest.parent / "initdb").exists() else None


def version_of(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class PostgresServer:
    """`url` is that of a superuser on a server that runs already; without it `folder` holds one of our own."""

    def __init__(self, folder: Path, url: str | None, binaries: Path | None) -> None:
        self._given, self.folder, self._binaries = url, folder, binaries
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(cls, home: Path, identity: str, url: str | None) -> "PostgresServer":
        """PostgreSQL does not run as root, nor does any other user reach root's folders: then it has one elsewhere."""
        folder = home / "postgresql" if os.geteuid() else SYSTEM_FOLDER / identity
        return cls(folder, url, find_binaries())

    def require(self) -> None:
        """Raises PostgresError when there can be no database."""
        if not self._given and not self._binaries:
            raise PostgresError(
                "There is no PostgreSQL on this machine. Install it (apt install postgresql, brew install postgresql),"
                " or name a server when the backend is started: python -m hkcli.backend --postgres URL"
            )

    async def create(self, name: str) -> str:
        """A new, empty database with a role of its own; the URL for the app. Raises PostgresError."""
        admin = await self.url()
        password = secrets.token_hex(24)
        await asyncio.to_thread(administer, admin, lambda connection: create(connection, name, password))
        parts = urlsplit(admin)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"postgres://{name}:{password}@{host}:{parts.port or 5432}/{name}"

    async def drop(self, name: str) -> None:
        await asyncio.to_thread(administer, await self.url(), lambda connection: drop(connection, name))

    async def url(self) -> str:
        """Of a superuser; the server runs. Raises PostgresError."""
        self.require()
        if self._given:
            return self._given
        async with self._starting:
            return await self._start()

    async def stop(self) -> None:
        if self._binaries and (self.folder / "data" / "postmaster.pid").exists():
            words = [str(self._binaries / "pg_ctl"), "stop", "-D", str(self.folder / "data"), "-m", "fast", "-s"]
            await asyncio.to_thread(run_as_owner, words, self.folder)
        if self._process:
            await asyncio.to_thread(self._process.wait)

    async def _start(self) -> str:
        assert self._binaries
        if not (self.folder / "url").exists():
            await asyncio.to_thread(initialise, self.folder, self._binaries)
        url = (self.folder / "url").read_text()
        if await asyncio.to_thread(answers, url):
            return url
        self._process = await asyncio.to_thread(launch, self.folder, self._binaries, urlsplit(url).port or 0)
        deadline = asyncio.get_running_loop().time() + START_S
        while not await asyncio.to_thread(answers, url):
            if self._process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise PostgresError(f"PostgreSQL does not start; its log is {self.folder / 'server.log'}.")
            await asyncio.sleep(POLL_S)
        return url


def owner() -> str | None:
    """The user that the server runs as; None for our own."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in known), None)


def run_as_owner(words: list[str], folder: Path) -> None:
    """Raises PostgresError with what the program said."""
    done = subprocess.run(
        words, user=owner(), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PostgresError(f"{Path(words[0]).name} ended with status {done.returncode}: {done.stderr.strip()}")


def environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def initialise(folder: Path, binaries: Path) -> None:
    """A new cluster, with a port that stays its own; `url` is written last."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.parent.exists():
        folder.parent.mkdir()
        folder.parent.chmod(PASSABLE)
    folder.mkdir(mode=0o700)
    password = secrets.token_hex(24)
    (folder / "password").write_text(password)
    if user := owner():
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    words = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "scram-sha-256"]
    run_as_owner([*words, "--pwfile", str(folder / "password"), "-E", "UTF8"], folder)
    (folder / "password").unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    descriptor = os.open(folder / "url.partial", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"postgres://postgres:{quote(password)}@127.0.0.1:{port}/postgres")
    (folder / "url.partial").rename(folder / "url")


def launch(folder: Path, binaries: Path, port: int) -> "subprocess.Popen[bytes]":
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "posix",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *settings],
            user=owner(),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def administer(url: str, action: "Callable[[psycopg.Connection[tuple[object, ...]]], None]") -> None:
    import psycopg

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            action(connection)
    except psycopg.Error as error:
        raise PostgresError(f"PostgreSQL refuses: {error}") from error


def create(connection: "psycopg.Connection[tuple[object, ...]]", name: str, password: str) -> None:
    """Nobody but the role, and superusers, may connect. What an interrupted attempt left is replaced."""
    from psycopg import sql

    drop(connection, name)
    identifier = sql.Identifier(name)
    for statement in (
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(identifier, sql.Literal(password)),
        sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier),
        sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(identifier),
    ):
        connection.execute(statement)


def drop(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    from psycopg import sql

    identifier = sql.Identifier(name)
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(identifier))


class Databases:
    """Maker of heroku-postgresql."""

    def __init__(self, server: PostgresServer, identity: str) -> None:
        self._server, self._identity = server, identity

    def require(self) -> None:
        try:
            self._server.require()
        except PostgresError as error:
            raise InvalidParams(str(error)) from None

    async def make(self, addon_id: str) -> dict[str, str]:
        return {"URL": await self._server.create(self._name(addon_id))}

    async def unmake(self, addon_id: str) -> None:
        await self._server.drop(self._name(addon_id))

    def _name(self, addon_id: str) -> str:
        """Of database and role; several backends may share a server."""
        return f"d{self._identity[:8]}_{addon_id.replace('-', '')}"
