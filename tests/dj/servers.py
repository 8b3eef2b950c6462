"""A PostgreSQL server of one's own, started from the machine's programs."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 60


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
    # Not under pytest's own folder, which only its owner may enter.
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if owner := user():
        shutil.chown(data, owner)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = [str(programs() / "initdb"), "-D", str(data / "db"), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(run, user=owner, cwd=data, check=True, capture_output=True)
    where = ["-D", str(data / "db"), "-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    with (data / "log").open("wb") as log:
        words = [str(programs() / "postgres"), *where, *options]
        server = subprocess.Popen(words, user=owner, cwd=data, stdout=log, stderr=log)
    try:
        ends_at = time.monotonic() + START_S
        while not accepts(port):
            assert server.poll() is None and time.monotonic() < ends_at, (data / "log").read_text()
            time.sleep(0.02)
        yield f"postgres://postgres@127.0.0.1:{port}/"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_S)
        shutil.rmtree(data)


def accepts(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", connect_timeout=30).close()
    except psycopg.OperationalError:
        return False
    return True
