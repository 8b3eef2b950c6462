"""The real gem and the embedded Delayed Job in one app, on one database, in turn: `python -m tests.benchmarks dj`

The app is tests/apps/fleeting-mist-rails with one job more, which does nothing, in Ruby and in Python. Workers write
their lines to a file. What is a ratio was measured in turn, so that a busy machine slows both alike.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from hkcli.dj.database import open_database, parse_url
from hkcli.dj.engine import connect
from hkcli.dj.queue import NewJob, Queue, open_queue
from tests.dj.conftest import REPOSITORY
from tests.dj.servers import postgresql, why_no_postgresql

RAILS = REPOSITORY / "tests/apps/fleeting-mist-rails"
ROUNDS = 3
JOBS, SINGLES = 1_000, 300
"""A round, for each of the two; more would only make the gem take longer."""
CROWD = 1_500
WAITING = 1_000_000
CLAIMS = 300

PYTHON_JOB = """
import time
from dataclasses import dataclass

@dataclass
class NoopJob:
    text: str
    emails: list
    def perform(self): pass

class BusyJob:
    def perform(self):
        ends_at = time.thread_time() + 0.002
        while time.thread_time() < ends_at:
            pass
"""
RUBY_JOB = """
NoopJob = Struct.new(:text, :emails) do
  def perform; end
end
"""
PYTHON_ENQUEUE = """
import sys, time
from hkcli.dj import enqueue, enqueue_many
from app.jobs.noop_job import NoopJob

single, many = int(sys.argv[1]), int(sys.argv[2])
enqueue(NoopJob("lorem", ["a@example.org"]))
started = time.perf_counter()
for _ in range(single):
    enqueue(NoopJob("lorem", ["a@example.org"]))
middle = time.perf_counter()
enqueue_many(NoopJob("lorem", ["a@example.org"]) for _ in range(many))
print(single / (middle - started), many / (time.perf_counter() - middle))
"""
RUBY_ENQUEUE = """
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
def enqueue = Delayed::Job.enqueue(NoopJob.new("lorem", ["a@example.org"]))
single, many = ARGV.map(&:to_i)
enqueue
started = now
single.times { enqueue }
middle = now
Delayed::Job.transaction { many.times { enqueue } }
puts "#{single / (middle - started)} #{many / (now - middle)}"
"""


@dataclass(frozen=True)
class Kind:
    """How one of the two is called: `rake` takes tasks, `enqueue` the numbers of single jobs and of those at once."""

    name: str
    rake: tuple[str, ...]
    enqueue: tuple[str, ...]


GEM = Kind("the gem", ("bundle", "exec", "rake"), ("bin/rails", "runner", "enqueue.rb"))
OURS = Kind("embedded", (sys.executable, "-m", "hkcli.dj.rake"), (sys.executable, "enqueue.py"))


@dataclass(frozen=True)
class Round:
    """All a second. `steady` is the median of the worker's own figures for 100 jobs; `whole` counts its start too."""

    enqueue: float
    enqueue_many: float
    steady: float
    whole: float
    peak_mb: float


@dataclass(frozen=True)
class App:
    """The app's folder, and the environment of its processes."""

    root: Path
    environ: dict[str, str]
    engine: sa.Engine

    @classmethod
    def made(cls, root: Path, database_url: str) -> "App":
        shutil.copytree(RAILS, root, dirs_exist_ok=True)
        for name, text in {
            "app/jobs/noop_job.py": PYTHON_JOB,
            "app/jobs/noop_job.rb": RUBY_JOB,
            "enqueue.py": PYTHON_ENQUEUE,
            "enqueue.rb": RUBY_ENQUEUE,
        }.items():
            (root / name).write_text(text)
        environ = os.environ | {
            "DATABASE_URL": database_url,
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(root))),
            "RAILS_ENV": "production",
            "SECRET_KEY_BASE": "0" * 128,
            "RUBYOPT": f"-r{REPOSITORY}/hkcli/backend/engines/railgun.rb",
        }
        app = cls(root, environ, connect(parse_url(database_url)))
        app.run(*OURS.rake, "db:migrate")
        return app

    def queue(self) -> Queue:
        return open_queue(open_database(parse_url(self.environ["DATABASE_URL"])), {})

    def run(self, *words: str) -> str:
        return subprocess.run(
            words, cwd=self.root, env=self.environ, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def start(self, kind: Kind, task: str, log: Path) -> "subprocess.Popen[bytes]":
        with log.open("wb") as out:
            return subprocess.Popen([*kind.rake, task], cwd=self.root, env=self.environ, stdout=out)

    def round(self, kind: Kind) -> Round:
        """Enqueue, then work off with one worker."""
        singly, at_once = map(float, self.run(*kind.enqueue, str(SINGLES), str(JOBS - SINGLES - 1)).split())
        log = self.root / "worker.log"
        started = time.perf_counter()
        worker = self.start(kind, "jobs:workoff", log)
        peak_mb = 0.0
        while worker.poll() is None:
            peak_mb = max(peak_mb, peak_of(worker.pid))
            time.sleep(0.02)
        whole_s = time.perf_counter() - started
        rates = [float(rate) for rate in re.findall(r"jobs processed at ([\d.]+) j/s", log.read_text())]
        assert worker.returncode == 0 and log.read_text().count(" COMPLETED after ") == JOBS, "not every job was done"
        return Round(singly, at_once, statistics.median(rates), JOBS / whole_s, peak_mb)

    def together(self, workers: int) -> float:
        """Jobs a second of so many embedded workers, each job taking 2 ms of a processor; start-up does not count."""
        queue = self.queue()
        queue.enqueue_many([NewJob("--- !ruby/object:BusyJob {}\n")] * CROWD, datetime.now(UTC))
        logs = [self.root / f"worker-{number}.log" for number in range(workers)]
        started = [self.start(OURS, "jobs:workoff", log) for log in logs]
        wait_until(lambda: all(" COMPLETED after " in log.read_text() for log in logs))
        begun, left = time.perf_counter(), sum(astuple(queue.counts(datetime.now(UTC))))
        queue.close()
        assert not any(worker.wait(300) for worker in started)
        return left / (time.perf_counter() - begun)

    def claims(self) -> float:
        """Milliseconds that one worker takes to lock a job and to delete it again, as its median."""
        queue = self.queue()
        job = queue.reserve("host:benchmark pid:1", datetime.now(UTC))
        took = []
        for _ in range(CLAIMS):
            begun = time.perf_counter()
            job = queue.reserve("host:benchmark pid:1", datetime.now(UTC), done=job)
            took.append(time.perf_counter() - begun)
            assert job is not None
        queue.close()
        return statistics.median(took) * 1000

    def fill(self, rows: int) -> None:
        """Jobs that wait, of several priorities and times, written by the database itself."""
        if self.engine.dialect.name == "postgresql":
            numbers = f"generate_series(1, {rows}) AS n(i)"
            time_of = "TIMESTAMP '2020-01-01' + i * INTERVAL '1 s'"
        else:
            numbers = (
                f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n)"
            )
            time_of = "datetime('2020-01-01', '+' || i || ' seconds')"
        insert = sa.text(
            "INSERT INTO delayed_jobs (priority, attempts, handler, run_at)"
            f" SELECT i % 10, 0, :handler, {time_of} FROM {numbers}"
        )
        with self.engine.begin() as connection:
            connection.execute(insert, {"handler": "--- !ruby/struct:NoopJob\ntext: lorem\nemails: []\n"})
            connection.exec_driver_sql("ANALYZE delayed_jobs")


def peak_of(pid: int) -> float:
    """The most memory (MB) that a process has had since it began to run its program; 0 where that is not told."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def wait_until(fact: Callable[[], bool], within_s: float = 300) -> None:
    ends_at = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < ends_at, "it takes too long"
        time.sleep(0.02)


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Their names with an address each; PostgreSQL where there is one."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": f"sqlite3:{folder}/app.sqlite3"}
        if not why_no_postgresql():
            found["PostgreSQL"] = stack.enter_context(postgresql()) + "postgres"
        yield found


def measure() -> Iterator[str]:
    with databases() as addresses:
        for database, address in addresses.items():
            with tempfile.TemporaryDirectory() as folder:
                app = App.made(Path(folder), address)
                yield from compare(app, database)
                yield from scale(app, database)
                yield from crowd(app, database)
                app.engine.dispose()


def compare(app: App, database: str) -> Iterator[str]:
    kinds = [OURS] if not has_gem() else [GEM, OURS]
    rounds: dict[str, list[Round]] = {kind.name: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in kinds:
            rounds[kind.name].append(app.round(kind))
    for name, found in rounds.items():
        middle = medians(found)
        yield (
            f"{database}, {name}, {JOBS} jobs: {middle.steady:,.0f} jobs/s, {middle.whole:,.0f} with start-up,"
            f" {middle.enqueue:,.0f} enqueue/s, {middle.enqueue_many:,.0f} at once, {middle.peak_mb:.0f} MB at most"
        )
    if len(kinds) == 2:
        theirs, ours = rounds[GEM.name], rounds[OURS.name]
        ratios = {
            field: statistics.median(
                getattr(our, field) / getattr(their, field) for our, their in zip(ours, theirs, strict=True)
            )
            for field in vars(ours[0])
        }
        yield (
            f"{database}, embedded / gem: {ratios['steady']:.1f}x jobs, {ratios['whole']:.1f}x with start-up,"
            f" {ratios['enqueue']:.1f}x enqueue, {ratios['enqueue_many']:.1f}x at once,"
            f" {ratios['peak_mb']:.2f}x memory"
        )


def medians(rounds: Sequence[Round]) -> Round:
    return Round(*(statistics.median(getattr(each, field) for each in rounds) for field in vars(rounds[0])))


def has_gem() -> bool:
    return (
        bool(shutil.which("bundle"))
        and not subprocess.run(
            ["ruby", "-e", 'require "rails"; require "delayed_job_active_record"'], capture_output=True
        ).returncode
    )


def scale(app: App, database: str) -> Iterator[str]:
    """A second worker, in turn with one."""
    pairs = [(app.together(1), app.together(2)) for _ in range(ROUNDS)]
    yield (
        f"{database}, embedded, jobs of 2 ms: {statistics.median(one for one, _ in pairs):,.0f} jobs/s with one worker,"
        f" {statistics.median(two for _, two in pairs):,.0f} with two:"
        f" {statistics.median(two / one for one, two in pairs):.2f}x"
    )


def crowd(app: App, database: str) -> Iterator[str]:
    app.fill(1_000)
    few = app.claims()
    app.fill(WAITING)
    many = app.claims()
    yield (
        f"{database}, embedded: {few:.2f} ms to lock and delete one of 1,000 waiting jobs,"
        f" {many:.2f} ms one of {WAITING:,}: {many / few:.2f}x"
    )
