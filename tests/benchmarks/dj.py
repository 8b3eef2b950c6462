"""Jobs and enqueues a second of the embedded Delayed Job, on SQLite: `python -m tests.benchmarks dj`"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, REPOSITORY

JOBS = 5_000
SINGLE_ENQUEUES = 1_000
JOB = """
from dataclasses import dataclass

@dataclass
class NewsletterJob:
    text: str
    emails: list
    def perform(self): pass
"""
ENQUEUE = """
import sys, time
from hkcli.dj import enqueue, enqueue_many
from app.jobs.newsletter_job import NewsletterJob

single, many = int(sys.argv[1]), int(sys.argv[2])
enqueue(NewsletterJob("lorem", ["a@example.org"]))
started = time.perf_counter()
for _ in range(single):
    enqueue(NewsletterJob("lorem", ["a@example.org"]))
middle = time.perf_counter()
enqueue_many(NewsletterJob("lorem", ["a@example.org"]) for _ in range(many))
print(single / (middle - started), many / (time.perf_counter() - middle))
"""


@dataclass(frozen=True)
class Measured:
    """All a second. `steady` is the median of the worker's own figures for 100 jobs; `whole` counts its start too."""

    enqueue: float
    enqueue_many: float
    jobs_steady: float
    jobs_whole: float
    peak_mb: float


def once(migration: str = MIGRATION_2009, jobs: int = JOBS, singles: int = SINGLE_ENQUEUES) -> Measured:
    """One worker on a fresh SQLite database, its lines written to a file, everything in processes of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "app/jobs").mkdir(parents=True)
        (root / "app/jobs/newsletter_job.py").write_text(JOB)
        (root / "db/migrate").mkdir(parents=True)
        (root / "db/migrate/20090204000000_create_delayed_jobs.rb").write_text(migration)
        environ = os.environ | {"DATABASE_URL": f"sqlite3:{root}/app.sqlite3", "PYTHONPATH": str(REPOSITORY)}
        _run(root, environ, "-m", "hkcli.dj.rake", "db:migrate")
        enqueued = _run(root, environ, "-c", ENQUEUE, str(singles), str(jobs - singles - 1)).split()
        started = time.perf_counter()
        log, peak_mb = _work_off(root, environ)
        whole = time.perf_counter() - started
        rates = sorted(float(rate) for rate in re.findall(r"jobs processed at ([\d.]+) j/s", log))
        assert len(re.findall(r"ompleted after|COMPLETED after", log)) == jobs, "not every job was done"
        return Measured(float(enqueued[0]), float(enqueued[1]), rates[len(rates) // 2], jobs / whole, peak_mb)


def _run(root: Path, environ: dict[str, str], *words: str) -> str:
    return subprocess.run(
        [sys.executable, *words], cwd=root, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _work_off(root: Path, environ: dict[str, str]) -> tuple[str, float]:
    """The worker's output, and the most memory it had."""
    with (root / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "hkcli.dj.rake", "jobs:workoff"], cwd=root, env=environ, stdout=log
        )
        _, status, usage = os.wait4(worker.pid, 0)
    worker.returncode = os.waitstatus_to_exitcode(status)
    assert worker.returncode == 0
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return (root / "worker.log").read_text(), usage.ru_maxrss / unit


def measure() -> Iterator[str]:
    for name, migration in (("2009's table", MIGRATION_2009), ("the gem's table", MIGRATION_4)):
        found = once(migration)
        yield (
            f"{name}, SQLite, {JOBS} jobs: {found.jobs_steady:,.0f} jobs/s steady,"
            f" {found.jobs_whole:,.0f} with start-up, {found.enqueue:,.0f} enqueue/s,"
            f" {found.enqueue_many:,.0f} enqueue_many/s, {found.peak_mb:.0f} MB at most"
        )
