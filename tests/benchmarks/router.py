"""Requests a second through the router, beside the same dyno asked directly in the same run."""

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from hkcli.backend.store import Store
from tests.backend.test_router import routed

CLIENTS, REQUESTS = 20, 100
BODY_BYTES = 64 << 20
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000


async def dyno(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"GET /large"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
        piece = b"x" * 65536
        for _ in range(BODY_BYTES // len(piece)):
            writer.write(piece)
            await writer.drain()
    else:
        writer.write(PAGE)
    writer.close()


async def ask(port: int, path: str = "/") -> float:
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n\r\n".encode())
    while await reader.read(1 << 18):
        pass
    writer.close()
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Figures:
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    megabytes_per_s: float

    def __str__(self) -> str:
        return (
            f"{self.requests_per_s:,.0f} requests/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms,"
            f" {self.megabytes_per_s:,.0f} MB/s of one body"
        )


async def load(port: int) -> Figures:
    begun = time.perf_counter()

    async def client() -> list[float]:
        return [await ask(port) for _ in range(REQUESTS)]

    times = [each for one in await asyncio.gather(*(client() for _ in range(CLIENTS))) for each in one]
    rate = len(times) / (time.perf_counter() - begun)
    cuts = statistics.quantiles(times, n=100)
    return Figures(rate, cuts[49] * 1000, cuts[98] * 1000, BODY_BYTES / 1e6 / await ask(port, "/large"))


async def both(folder: Path) -> tuple[Figures, Figures]:
    async with routed(Store(f"sqlite:///{folder / 'store.sqlite3'}"), dyno) as house:
        port = house.dynos[0].port
        assert port is not None
        return await load(house.port), await load(port)


def measure() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        routed_figures, direct = asyncio.run(both(Path(folder)))
    return [
        f"router, {CLIENTS} clients, each request a connection; router, dyno and clients share one thread",
        f"  through the router: {routed_figures}",
        f"  straight to it:     {direct}",
    ]
