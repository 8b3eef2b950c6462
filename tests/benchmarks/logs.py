"""Log lines a second: a real process prints, a real HTTP client tails.

The floor beside it is the same process printing into a pipe that is only read, in the same run."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from hkcli.backend.dyno_log import DynoLog
from hkcli.backend.dynos import DynoSpec
from hkcli.backend.engines.local import LocalEngine
from hkcli.backend.logplex import Framing, Logplex
from tests.backend.runtime import make_slug, until

LINES = 1_000_000
PRINT = f"seq -f 'Job %.0f of the queue is done, it took 0.0123 s and no retry' {LINES}; echo END; sleep 60"


@dataclass(frozen=True)
class Measurement:
    lines_per_s: float
    """Printed by the dyno and received by the tailing client."""
    lost: int
    """Lines that the client was told it had lost."""
    floor_lines_per_s: float
    """The same process into a pipe which is read and thrown away."""
    longest_stall_ms: float
    """The longest time the platform's loop could not answer meanwhile."""
    peak_memory_mb: float

    def __str__(self) -> str:
        return (
            f"logs, dyno to tailing client: {self.lines_per_s:,.0f} lines/s"
            f" ({self.lines_per_s / self.floor_lines_per_s:.0%} of a bare pipe's {self.floor_lines_per_s:,.0f}),"
            f" {self.lost} lost, loop never held longer than {self.longest_stall_ms:.0f} ms,"
            f" peak memory {self.peak_memory_mb:.0f} MB"
        )


def measure() -> list[str]:
    return [f"{framing.name.lower()}: {once(framing)}" for framing in Framing]


def once(framing: Framing) -> Measurement:
    floor = bare_pipe()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(through_the_platform(Path(folder), floor, framing))


def bare_pipe() -> float:
    """Lines a second of the printing process alone."""
    begun = time.perf_counter()
    with subprocess.Popen(["bash", "-c", PRINT.replace("; sleep 60", "")], stdout=subprocess.PIPE) as process:
        assert process.stdout
        while os.read(process.stdout.fileno(), 128 * 1024):
            pass
    return LINES / (time.perf_counter() - begun)


async def through_the_platform(folder: Path, floor: float, framing: Framing) -> Measurement:
    logplex = Logplex(folder / "logs")
    engine = LocalEngine(folder / "dynos", f"benchmark-{os.getpid()}")
    spec = DynoSpec("app", "app", "worker.1", PRINT, "release", 1, make_slug(folder / "slug.tgz"))
    async with serving(logplex, framing) as port:
        tail = Tail(port)
        reading = asyncio.create_task(asyncio.to_thread(tail.read))
        await until(lambda: logplex.tails("app"))
        watch = asyncio.create_task(longest_stall())
        begun = time.perf_counter()
        process = await engine.start(spec, "dyno")
        following = asyncio.create_task(DynoLog(logplex, spec).follow(process))
        received, lost = await reading
        seconds = time.perf_counter() - begun
        watch.cancel()
        await process.close()
        await following
        logplex.close()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    return Measurement(received / seconds, lost, floor, stalls[-1] * 1000, peak_memory_mb())


stalls: list[float] = []


async def longest_stall() -> None:
    """Notes how late a short sleep wakes up."""
    worst = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - before - 0.005)
    finally:
        stalls.append(worst)


def peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


@dataclass
class Tail:
    """A client as plain as can be, in a process of its own: it counts newlines."""

    port: int

    def read(self) -> tuple[int, int]:
        program = (
            "import http.client, re, sys\n"
            f"connection = http.client.HTTPConnection('127.0.0.1', {self.port})\n"
            "connection.request('GET', '/')\n"
            "response = connection.getresponse()\n"
            "lines = lost = 0; last = b''\n"
            "while b'END\\n' not in last:\n"
            "    data = response.read1(1 << 20)\n"
            "    assert data, 'the stream ended early'\n"
            "    lines += data.count(b' app[worker.1]: ')\n"
            "    if b'L11' in data: lost += sum(map(int, re.findall(rb'dropped (\\d+) messages', data)))\n"
            "    last = last[-3:] + data\n"
            "print(lines, lost)\n"
        )
        output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        lines, lost = map(int, output.split())
        return lines, lost


@contextlib.asynccontextmanager
async def serving(logplex: Logplex, framing: Framing) -> AsyncIterator[int]:
    """The log on a real HTTP server, on a free port."""

    async def tail(request: Request) -> StreamingResponse:
        return StreamingResponse(logplex.stream("app", tail=True, lines=0, framing=framing), media_type=framing.value)

    config = uvicorn.Config(Starlette(routes=[Route("/", tail)]), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


if __name__ == "__main__":
    for each in Framing:
        print(each.name, measure(each))
