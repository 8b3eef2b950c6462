"""Database servers of one's own, started from the machine's programs: PostgreSQL, and MariaDB for MySQL."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 60
MARIADB = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


def programs() -> Path:
    """The folder of the newest initdb and postgres; they may not be there."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else Path(shutil.which("postgres") or "/none/postgres").parent


def user() -> str | None:
    """As whom it must run: root may not."""
    return "postgres" if os.geteuid() == 0 else None


def why_no_postgresql() -> str:
    """What is missing for a server; empty when nothing is."""
    if not (programs() / "initdb").exists():
        return "PostgreSQL"
    if user() and user() not in {entry.pw_name for entry in pwd.getpwall()}:
        return "a user to run PostgreSQL as (root may not)"
    return ""


@contextmanager
def postgresql(*options: str) -> Iterator[str]:
    """Its address without the name of a database: `postgres://postgres@127.0.0.1:5433/`."""
    owner, port = user(), free_port()
    data = folder_of(owner)
    run = [str(programs() / "initdb"), "-D", str(data / "db"), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(run, user=owner, cwd=data, check=True, capture_output=True)
    where = ["-D", str(data / "db"), "-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    with (data / "log").open("wb") as log:
        words = [str(programs() / "postgres"), *where, *options]
        server = subprocess.Popen(words, user=owner, cwd=data, stdout=log, stderr=log)
    with running(server, data, lambda: accepts_postgresql(port), signal.SIGINT):
        yield f"postgres://postgres@127.0.0.1:{port}/"


def why_no_mysql() -> str:
    """What is missing for a server; empty when nothing is."""
    if MARIADB is None:
        return "MariaDB"
    try:
        import pymysql  # noqa: F401
    except ImportError:
        return "PyMySQL"
    return ""


@contextmanager
def mysql() -> Iterator[str]:
    """The same of a MariaDB, `mysql2://root@127.0.0.1:3307/`: without system tables, so that it starts at once."""
    owner, port = "nobody" if os.geteuid() == 0 else None, free_port()
    data = folder_of(owner)
    settings = [f"--datadir={data}", f"--port={port}", f"--socket={data}/socket", "--bind-address=127.0.0.1"]
    settings += ["--skip-grant-tables", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
    with (data / "log").open("wb") as log:
        words = [str(MARIADB), "--no-defaults", *settings]
        server = subprocess.Popen(words, user=owner, cwd=data, stdout=log, stderr=log)
    with running(server, data, lambda: accepts_mysql(port), signal.SIGTERM):
        yield f"mysql2://root@127.0.0.1:{port}/"


def folder_of(owner: str | None) -> Path:
    """Not under pytest's own folder, which only its owner may enter."""
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if owner:
        shutil.chown(data, owner)
    return data


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    server: "subprocess.Popen[bytes]", data: Path, accepts: Callable[[], bool], end: signal.Signals
) -> Iterator[None]:
    """From when it accepts connections until it has ended and its folder is gone."""
    try:
        ends_at = time.monotonic() + START_S
        while not accepts():
            assert server.poll() is None and time.monotonic() < ends_at, (data / "log").read_text()
            time.sleep(0.02)
        yield
    finally:
        server.send_signal(end)
        server.wait(START_S)
        shutil.rmtree(data)


def accepts_postgresql(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", connect_timeout=30).close()
    except psycopg.OperationalError:
        return False
    return True


def accepts_mysql(port: int) -> bool:
    import pymysql

    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=30).close()
    except pymysql.MySQLError:
        return False
    return True
