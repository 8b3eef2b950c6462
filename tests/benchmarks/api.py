"""Requests a second to the API of a real backend with many apps, beside a bare Starlette route with the same bytes."""

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import psutil
import requests

from tests.backends import Backend, wait_for

APPS, CLIENTS, SECONDS = 200, 50, 5.0
BARE = """\
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
body = open(sys.argv[2], "rb").read()
async def answer(request): return Response(body, media_type="application/json")
uvicorn.run(Starlette(routes=[Route("/", answer)]), port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


@dataclass(frozen=True)
class Figures:
    requests_per_s: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"{self.requests_per_s:,.0f} requests/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"


def measure() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        backend = Backend(Path(folder) / "backend").start()
        try:
            names = [backend.ok("POST", "/apps", {})["name"] for _ in range(APPS)]
            for shown, paths in (("/apps/{}", [f"/apps/{name}" for name in names]), ("/apps", ["/apps"])):
                yield compare(backend, shown, paths, Path(folder))
            assert backend.process is not None
            yield f"backend after that: {psutil.Process(backend.process.pid).memory_info().rss / 1e6:.0f} MB resident"
        finally:
            backend.stop()


def compare(backend: Backend, shown: str, paths: list[str], folder: Path) -> str:
    """`paths` are asked for in turn."""
    token = backend.credentials["token"]
    body = backend.call("GET", paths[0]).content
    (folder / "body").write_bytes(body)
    ours = asyncio.run(load(backend.port, paths, token))
    with bare(folder) as port:
        floor = asyncio.run(load(port, ["/"], token))
    return (
        f"GET {shown} ({len(body):,} bytes), {APPS} apps, {CLIENTS} clients: {ours}\n"
        f"  a bare Starlette route with the same bytes: {floor};"
        f" ours has {ours.requests_per_s / floor.requests_per_s:.1%} of that"
    )


async def load(port: int, paths: list[str], token: str) -> Figures:
    """Every client asks again as soon as it has its answer, on one connection."""
    rest = f"HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    heads = cycle([f"GET {path} {rest}".encode() for path in paths])
    times: list[float] = []

    async def client(end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            begun = time.perf_counter()
            writer.write(next(heads))
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            times.append(time.perf_counter() - begun)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client(begun + SECONDS) for _ in range(CLIENTS)))
    cuts = statistics.quantiles(times, n=100)
    return Figures(len(times) / (time.perf_counter() - begun), cuts[49] * 1000, cuts[98] * 1000)


@contextmanager
def bare(folder: Path) -> Iterator[int]:

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port), str(folder / "body")])

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/", timeout=30).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for(answers, "the bare route")
        yield port
    finally:
        process.kill()
        process.wait()
