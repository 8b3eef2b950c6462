"""Lines a second from a dyno into the store of a real backend, and on to 1, 10 and 100 tailing clients.

The peer is honcho, which prefixes the same program's lines and keeps nothing."""

import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.backends import Backend

LINES = 1_000_000
PRINT = f"seq -f 'Job %.0f of the queue is done, it took 0.0123 s and no retry' {LINES}; echo THE END; sleep 600"
END = b"app[flood.1]: THE END\n"
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass
class Reader:
    """One tailing client: counts lines, and those that it was told it had lost."""

    connection: socket.socket
    lines: int = 0
    lost: int = 0
    rest: bytes = b""
    has_ended: bool = False

    def read(self) -> None:
        data = self.rest[-200:] + self.connection.recv(1 << 20)
        new = data[min(len(self.rest), 200) :]
        assert new, "the stream ended early"
        self.lines += new.count(b"\n") - new.count(b"\r\n")
        for found in re.finditer(rb"dropped (\d+) messages", data):
            self.lost += int(found[1]) if found.end() > min(len(self.rest), 200) else 0
        self.has_ended = END in data
        self.rest = data


def measure() -> Iterator[str]:
    honcho = peer()
    yield f"honcho: {honcho:,.0f} lines/s into a pipe, kept nowhere"
    for clients in (0, 1, 10, 100):
        yield once(clients, honcho)


def peer() -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Procfile").write_text(f"flood: {PRINT.replace('; sleep 600', '')}\n")
        words = [sys.executable, "-m", "honcho", "start"]
        begun = time.perf_counter()
        with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            lines = 0
            while data := os.read(process.stdout.fileno(), 1 << 20):
                lines += data.count(b"\n")
        return lines / (time.perf_counter() - begun)


def once(clients: int, honcho: float) -> str:
    with tempfile.TemporaryDirectory() as place:
        backend = Backend(Path(place) / "backend").start()
        try:
            (Path(place) / "app").mkdir()
            (Path(place) / "app" / "Procfile").write_text(f"flood: {PRINT}\n")
            app = backend.ok("POST", "/apps", {})["name"]
            backend.push(Path(place) / "app", app)
            readers = [tail(backend, app) for _ in range(clients)]
            begun = time.perf_counter()
            backend.ok("PATCH", f"/apps/{app}/formation/flood", {"quantity": 1})
            seconds = follow(readers, begun) if readers else kept(backend, app, begun)
            assert backend.process is not None
            peak = PEAK.search(Path(f"/proc/{backend.process.pid}/status").read_text())
        finally:
            backend.stop()
    assert peak is not None
    lost = sum(reader.lost for reader in readers) / max(clients, 1) / LINES
    sent = f", {LINES * clients * (1 - lost) / seconds:,.0f} lines/s sent, {lost:.0%} told lost" if readers else ""
    return (
        f"dyno to store and {clients} tailing: {LINES / seconds:,.0f} lines/s ({LINES / seconds / honcho:.1f}x honcho)"
        f"{sent}, backend's peak memory {int(peak[1]) / 1024:.0f} MB"
    )


def tail(backend: Backend, app: str) -> Reader:
    body = {"tail": True, "lines": 0, "source": "app", "dyno": "flood"}
    url = urlsplit(backend.ok("POST", f"/apps/{app}/log-sessions", body)["logplex_url"])
    connection = socket.create_connection(("127.0.0.1", backend.port))
    connection.sendall(f"GET {url.path} HTTP/1.1\r\nHost: localhost:{backend.port}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200")
    return Reader(connection)


def follow(readers: list[Reader], begun: float) -> float:
    """Seconds until every client has read the last line."""
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader.connection, selectors.EVENT_READ, reader)
        while selector.get_map():
            for key, _ in selector.select():
                key.data.read()
                if key.data.has_ended:
                    selector.unregister(key.data.connection)
                    key.data.connection.close()
    return time.perf_counter() - begun


def kept(backend: Backend, app: str, begun: float) -> float:
    """Seconds until the last line is on disk."""
    folder = backend.home / "logs" / backend.ok("GET", f"/apps/{app}")["id"]
    while True:
        newest = sorted(folder.glob("*.log"))[-1]
        with newest.open("rb") as file:
            file.seek(max(newest.stat().st_size - 4096, 0))
            if END in file.read():
                return time.perf_counter() - begun
        time.sleep(0.01)
