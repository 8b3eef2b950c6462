"""A PostgreSQL server of our own, from the machine's binaries: made, and started."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

PID_FILE = "postmaster.pid"
UNPRIVILEGED = ("postgres", "nobody")
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


def runs(data: Path) -> bool:
    """Whether the server of this data directory does: one that was killed leaves its pid file to any later process."""
    import psutil

    try:
        words = psutil.Process(int((data / PID_FILE).read_text().split("\n", 1)[0])).cmdline()
        return "postgres" in Path(words[0]).name and data.samefile(words[words.index("-D") + 1])
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def initialise(folder: Path, binaries: Path, *, durable: bool = True) -> None:
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
    words += ["--pwfile", str(folder / "password"), "-E", "UTF8", *(["--no-sync"] if not durable else [])]
    run_as_owner(words, folder)
    (folder / "password").unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    descriptor = os.open(folder / "url.partial", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"postgres://postgres:{quote(password)}@127.0.0.1:{port}/postgres")
    (folder / "url.partial").rename(folder / "url")


def is_a_strangers(pid_file: Path) -> bool:
    """Whether its process lives and is no server of this directory: PostgreSQL would not start beside it.

    When there is no such process PostgreSQL removes the file itself, once it has seen that nobody uses the data."""
    import psutil

    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return False
    return psutil.pid_exists(pid) and not runs(pid_file.parent)


def launch(folder: Path, binaries: Path, port: int, *, durable: bool = True) -> "subprocess.Popen[bytes]":
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "posix",
        **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    pid_file = folder / "data" / PID_FILE
    if pid_file.exists() and is_a_strangers(pid_file):
        pid_file.unlink()
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
