"""The client as a person waits for it: start-up, and whole commands against a real backend."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.backends import Backend
from tests.benchmarks.processes import Place
from tests.end_to_end.shell import Shell

LINES = 300_000
FLOOD = f"""python3 -c 'for n in range({LINES}): print(f"Job {{n}} of the queue is done")'; printf 'THE %s\\n' END"""
"""A program that prints a line at a time, as fast as it can."""
HEROKU = (sys.executable, "-m", "hkcli")
LIBRARIES = (sys.executable, "-c", "import click, requests")


def measure() -> Iterator[str]:
    here = Place()
    for word in ("version", "help"):
        yield line(here, (word,), (sys.executable, "-c", "pass"), "python -c pass")
    with deployed() as (shell, backend):
        there = Place(shell.environment, shell.folder)
        for words in (("apps",), ("config",), ("logs", "-n", "100"), ("run", "true")):
            yield line(there, words, LIBRARIES, "importing click and requests")
        yield from tailing(shell, backend)
        assert backend.process is not None
        yield f"backend after that: {psutil.Process(backend.process.pid).memory_info().rss / 1e6:.0f} MB resident"


def line(place: Place, words: tuple[str, ...], floor: tuple[str, ...], floor_name: str) -> str:
    measured = place.compare((*HEROKU, *words), floor)
    return (
        f"heroku {' '.join(words)}: {measured.ours_s * 1000:.0f} ms, {measured.ratio:.1f}x of {floor_name} "
        f"({measured.floor_s * 1000:.0f} ms), peak {place.client_peak_mb(words):.0f} MB"
    )


@contextmanager
def deployed() -> Iterator[tuple[Shell, Backend]]:
    """A running backend with one deployed app, and its owner in the app's folder."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        backend = Backend(root / "backend").start()
        assert backend.process is not None
        print(f"backend when idle: {psutil.Process(backend.process.pid).memory_info().rss / 1e6:.0f} MB resident")
        try:
            shell = Shell.open(root / "person")
            shell.log_in(backend)
            (shell.folder / "Procfile").write_text(f"flood: {FLOOD}\n")
            shell.ok("git", "init", "--quiet")
            shell.ok("git", "add", ".")
            shell.ok("git", "commit", "--quiet", "-m", "A flood")
            shell.ok("heroku", "create", "mist", HEROKU_HOST=backend.url)
            shell.ok("git", "push", "heroku", "master")
            yield shell, backend
        finally:
            backend.stop()


def tailing(shell: Shell, backend: Backend) -> Iterator[str]:
    """Lines a second from a dyno through the backend to `heroku logs --tail`."""
    tail = subprocess.Popen(
        [*HEROKU, "logs", "--tail", "--dyno", "flood"], cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE
    )
    assert tail.stdout is not None
    time.sleep(1)
    begun = time.perf_counter()
    backend.ok("POST", "/apps/mist/dynos", {"command": "flood", "type": "flood"})
    seen, rest = 0, b""
    while b"THE END" not in rest:
        piece = os.read(tail.stdout.fileno(), 1 << 20)
        seen += piece.count(b"\n")
        rest = rest[-100:] + piece
    took = time.perf_counter() - begun
    peak = psutil.Process(tail.pid).memory_info().rss / 1e6
    tail.terminate()
    tail.wait()
    tail.stdout.close()
    yield (
        f"dyno to heroku logs --tail: {seen / took:,.0f} lines/s ({seen:,} of {LINES:,} lines seen), "
        f"client {peak:.0f} MB resident"
    )
