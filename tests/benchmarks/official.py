"""The client beside Heroku's own CLI, both as a person would install them, on one backend and one app."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.backends import Backend
from tests.benchmarks.processes import Place
from tests.conformance.official import OfficialShell, install

ROOT = Path(__file__).parents[2]
COMMANDS = (("version",), ("help",), ("apps",), ("logs", "-n", "100"), ("config",), ("run", "true"))
RUNS = 5
NOT_OURS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
"""What every virtual environment holds, whatever is installed into it."""


def measure() -> Iterator[str]:
    theirs = install()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        ours = install_client(root / "client")
        yield sizes(root / "client", theirs.parents[2])
        backend = Backend(root / "backend").start()
        try:
            here = person(root / "person", backend, theirs)
            for words in COMMANDS:
                yield line(here, words, ours, theirs)
        finally:
            backend.stop()


def install_client(folder: Path) -> Path:
    """The client alone, as pip installs it from this checkout, without the extra that brings the backend."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    words = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ROOT]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "bin" / "heroku"


def sizes(client: Path, official: Path) -> str:
    packages = next(client.glob("lib/python*/site-packages"))
    mine = sum(megabytes(each) for each in packages.iterdir() if not each.name.startswith(NOT_OURS))
    its = megabytes(official)
    return (
        f"installed, without the language itself: {mine:.1f} MB, 1/{its / mine:.0f} of the official CLI ({its:.0f} MB)"
    )


def megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(each.stat().st_size for each in files) / 1e6


def person(root: Path, backend: Backend, program: Path) -> Place:
    """In the folder of a deployed app, with a log of some length."""
    shell = OfficialShell.open(root)
    assert isinstance(shell, OfficialShell)
    shell.set_up(backend, program)
    backend.ok("POST", "/apps", {"name": "mist"})
    (shell.folder / "Procfile").write_text("worker: seq 1000; sleep 600\n")
    backend.push(shell.folder, "mist")
    shell.ok("git", "remote", "add", "heroku", f"https://localhost:{backend.port}/mist.git")
    backend.ok("PATCH", "/apps/mist/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    backend.wait_for_log("mist", "app[worker.1]: 1000")
    return Place({**os.environ, **shell.environment}, shell.folder)


def line(place: Place, words: tuple[str, ...], ours: Path, theirs: Path) -> str:
    found = place.compare((str(ours), *words), (str(theirs), *words), RUNS)
    return (
        f"heroku {' '.join(words)}: {found.ours_s * 1000:.0f} ms, the official CLI {found.floor_s * 1000:.0f} ms, "
        f"{1 / found.ratio:.1f} times as fast"
    )
