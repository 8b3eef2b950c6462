"""The PostgreSQL server behind the add-on: one that was given by URL, or the machine's own binaries, started at need.

The started one keeps its port and its password, so that a DATABASE_URL stays good from run to run; it outlives a
backend that is killed, and the next one takes it over."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from hkcli.backend.addons.postgresql_cluster import (
    PostgresError,
    environment,
    find_binaries,
    initialise,
    launch,
    run_as_owner,
    runs,
)

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
START_S = 60.0
STOP_S = 60
POLL_S = 0.05
CONNECT_S = 10
STATEMENT_S = 600
"""For the longest that is asked of a server: to copy a database."""
ENDED_S = 10.0
"""How long sessions may take to end that are told to."""
SYSTEM_FOLDER = Path("/var/lib/hkcli")


class PostgresServer:
    """`url` is that of a superuser on a server that runs already; without it `folder` holds one of our own.

    `identity` is that of the backend, by which its sessions are known on a server that others use too. A server of our
    own that is not `durable` is faster, and what it holds may be lost with the machine's power. `reached` is called
    when the server has answered for the first time, before anything is made there."""

    def __init__(
        self,
        folder: Path,
        url: str | None,
        binaries: Path | None,
        identity: str,
        *,
        durable: bool = True,
        reached: Callable[[], None] = lambda: None,
    ) -> None:
        self._given, self.folder, self._binaries, self._durable = url, folder, binaries, durable
        self._reached = reached
        self._session = f"hkcli {identity}"
        self._starting = asyncio.Lock()
        self._is_taken_over = False
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(
        cls,
        home: Path,
        identity: str,
        url: str | None,
        *,
        durable: bool = True,
        reached: Callable[[], None] = lambda: None,
    ) -> "PostgresServer":
        """PostgreSQL does not run as root, nor does any other user reach root's folders: then it has one elsewhere."""
        folder = home / "postgresql" if os.geteuid() else SYSTEM_FOLDER / identity
        return cls(folder, url, find_binaries(), identity, durable=durable, reached=reached)

    def require(self) -> None:
        """Raises PostgresError when there can be no database."""
        if not self._given and not self._binaries:
            raise PostgresError(
                "There is no PostgreSQL on this machine. Install it (apt install postgresql, brew install postgresql),"
                " or name a server when the backend is started: python -m hkcli.backend --postgres URL"
            )

    @property
    def is_given(self) -> bool:
        return self._given is not None

    async def administer(self, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
        """Do something as a superuser: to its end, also when whoever asks for it is cancelled. Raises PostgresError."""
        admin = await self.url()
        return await whole(asyncio.to_thread(administer, admin, self._session, action))

    async def url(self) -> str:
        """Of a superuser; the server runs, and nothing that an earlier backend began there. Raises PostgresError."""
        self.require()
        async with self._starting:
            url = self._given or await self._start()
            if not self._is_taken_over:
                await asyncio.to_thread(administer, url, self._session, end_earlier_sessions)
                self._reached()
                self._is_taken_over = True
        return url

    async def run(self, program: str, database: str, *words: str) -> None:
        """One of PostgreSQL's own programs, as a superuser of this database. Raises PostgresError."""
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        admin = conninfo_to_dict(await self.url())
        password = str(admin.pop("password", ""))
        where = make_conninfo("", **{**admin, "dbname": database, "application_name": self._session})
        process = await asyncio.create_subprocess_exec(
            *(self._program(program), *words, "--dbname", where),
            env={**environment(), **({"PGPASSWORD": password} if password else {})},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(STATEMENT_S):
                _, said = await process.communicate()
        except TimeoutError:
            raise PostgresError(f"{program} of {database} was not done within {STATEMENT_S} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise PostgresError(
                f"{program} ended with status {process.returncode}: {words_of(said.decode(errors='replace'))}"
            )

    def _program(self, name: str) -> str:
        beside = self._binaries / name if self._binaries else None
        found = beside if beside and beside.exists() else shutil.which(name)
        if not found:
            raise PostgresError(f"There is no {name} on this machine. Install it: apt install postgresql-client")
        return str(found)

    async def stop(self) -> None:
        """End the server of our own, if it runs. Raises PostgresError when it does not end in time."""
        data = self.folder / "data"
        if self._binaries and runs(data):
            words = [str(self._binaries / "pg_ctl"), "stop", "-D", str(data), "-m", "fast", "-s", "-t", str(STOP_S)]
            try:
                await asyncio.to_thread(run_as_owner, words, self.folder)
            except PostgresError:
                if runs(data):
                    raise
        if self._process:
            await asyncio.to_thread(end, self._process, self.folder)
        self._is_taken_over = False

    async def _start(self) -> str:
        assert self._binaries
        if not (self.folder / "url").exists():
            await asyncio.to_thread(initialise, self.folder, self._binaries, durable=self._durable)
        url = (self.folder / "url").read_text()
        if await asyncio.to_thread(answers, url):
            return url
        port = urlsplit(url).port or 0
        self._process = await asyncio.to_thread(launch, self.folder, self._binaries, port, durable=self._durable)
        deadline = asyncio.get_running_loop().time() + START_S
        while not await asyncio.to_thread(answers, url):
            if self._process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise PostgresError(f"PostgreSQL does not start; its log is {self.folder / 'server.log'}.")
            await asyncio.sleep(POLL_S)
        return url


def end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """One that we started, also when it has no pid file yet. Raises PostgresError."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise PostgresError(
            f"PostgreSQL (process {process.pid}) has not ended within {STOP_S} s; its log is {folder / 'server.log'}."
        ) from None


def answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Not to be left half done: a thread cannot be cancelled, and goes on unseen."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody is left to hear of it
        raise


def administer(url: str, session: str, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
    """Raises PostgresError."""
    import psycopg

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S, application_name=session) as connection:
            connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
            return action(connection)
    except psycopg.Error as error:
        raise PostgresError(f"PostgreSQL refuses: {words_of(str(error))}") from error


def words_of(message: str) -> str:
    """In one line, as sentences."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(line if line.endswith((".", "?", ":")) else f"{line}." for line in lines)


def end_earlier_sessions(connection: "psycopg.Connection[Any]") -> None:
    """What a backend of ours that was killed has asked for would still be done, some time. Raises PostgresError."""
    earlier = "FROM pg_stat_activity WHERE application_name = current_setting('application_name')"
    others = f"{earlier} AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + ENDED_S
    while connection.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone() != (0,):
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL still works for an earlier backend, after {ENDED_S:g} s. Try again.")
        time.sleep(POLL_S)
