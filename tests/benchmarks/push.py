"""From `git push` to a worker that is up: the sample app, with the add-on dj, on a real backend."""

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.backends import Backend

SAMPLE = Path(__file__).parent.parent.parent / "hkcli" / "quickstart" / "app"
ROUNDS = 5
UP = re.compile(r"^(\S+) heroku\[worker\.1\]: State changed from starting to up$", re.MULTILINE)
ACCEPTED = re.compile(r"^(\S+) app\[api\]: Build started", re.MULTILINE)


def measure() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        backend = Backend(folder / "backend").start()
        try:
            shutil.copytree(SAMPLE, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
            app = backend.ok("POST", "/apps", {})["name"]
            rounds = [once(backend, folder, app, number) for number in range(ROUNDS)]
        finally:
            backend.stop()
    pushed, accepted, floor = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    yield f"git push of the sample app: {pushed:.2f} s, of which a push into a bare repository takes {floor:.2f} s"
    yield f"from the push being accepted to its worker being up: {accepted:.2f} s (medians of {len(rounds) - 1} pushes)"


def once(backend: Backend, folder: Path, app: str, number: int) -> tuple[float, float, float]:
    """Seconds of the push, from its acceptance to the worker, and of the same push into a bare repository."""
    (folder / "app" / "number").write_text(str(number))
    if number == 0:
        backend.git(folder / "app", "init", "--quiet", "-b", "main")
    backend.git(folder / "app", "add", "--all")
    backend.git(folder / "app", "commit", "--quiet", "-m", f"Change {number}")
    begun = time.perf_counter()
    backend.git(folder / "app", "push", "--quiet", f"{backend.url}/{app}.git", "HEAD:refs/heads/main")
    pushed = time.perf_counter() - begun
    if number == 0:
        backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
        subprocess.run(["git", "init", "--quiet", "--bare", folder / "bare.git"], check=True)
    while len(UP.findall(log := backend.logs(app))) < number + 1:
        time.sleep(0.02)
    accepted = datetime.fromisoformat(ACCEPTED.findall(log)[-1])
    up = datetime.fromisoformat(UP.findall(log)[-1])
    begun = time.perf_counter()
    backend.git(folder / "app", "push", "--quiet", str(folder / "bare.git"), "HEAD:main")
    return pushed, (up - accepted).total_seconds(), time.perf_counter() - begun
