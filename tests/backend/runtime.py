"""What the tests of the runtime share: slugs, specs, waiting for facts, and a real event loop around a test."""

import asyncio
import io
import tarfile
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import psutil

from hkcli.backend.dynos import DynoSpec
from hkcli.backend.log_channel import LogFilter
from hkcli.backend.logplex import Logplex

DEADLINE_S = 90.0


def make_slug(path: Path, files: Mapping[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (files or {"Procfile": "worker: true\n"}).items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            member.mode = 0o755 if text.startswith("#!") else 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def make_spec(slug: Path, command: str, *, name: str = "worker.1", version: int = 1, **env: str) -> DynoSpec:
    return DynoSpec("app-1", "example-app", name, command, f"release-{version}", version, slug, env)


def run(coroutine: Coroutine[Any, Any, Any], loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> Any:
    """Run a test's body in a loop of its own, never longer than the deadline."""

    async def bounded() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await coroutine

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(bounded())


async def until(fact: Callable[[], Any], within_s: float = 60.0) -> Any:
    """Wait for a fact; its value. Fails with the last value."""
    deadline = time.monotonic() + within_s
    while not (value := fact()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        await asyncio.sleep(0.01)
    return value


def is_running(pid: int | None) -> bool:
    """Zombies do not run; in a container an orphan may stay one, nobody being there to wait for it."""
    try:
        return psutil.Process(pid or 0).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def read_log(logplex: Logplex, app_id: str = "app-1", lines: int = 1500, **which: str | None) -> list[str]:
    """The log's lines without their times."""
    pieces = [piece async for piece in logplex.stream(app_id, filter=LogFilter(**which), lines=lines)]
    return [line.partition(" ")[2] for line in b"".join(pieces).decode().splitlines()]


def logged(logplex: Logplex, app_id: str = "app-1") -> list[str]:
    """The same at once, without a loop."""
    coroutine = read_log(logplex, app_id)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return list(end.value)
    raise AssertionError("reading history waited for something")
