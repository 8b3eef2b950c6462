"""One schedule of enqueues, claims, failures, crashes and time, carried out here and by the gem, step by step."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from hkcli.dj.app_jobs import JobClasses
from hkcli.dj.claiming import Limits
from hkcli.dj.database import open_database, parse_url
from hkcli.dj.handlers import dump_job
from hkcli.dj.queue import Job, NewJob, Queue, open_queue
from hkcli.dj.settings import Settings
from hkcli.dj.worker import Worker
from tests.dj.conftest import MIGRATION_4, App
from tests.dj.real import Real

JOB = """
from dataclasses import dataclass

@dataclass
class OutcomeJob:
    fails: bool

    def perform(self):
        if self.fails:
            raise RuntimeError("it fails")
"""
START = datetime(2009, 2, 4, 12, tzinfo=UTC)
MAX_ATTEMPTS = 3
QUEUES = (None, "mail", "reports")
EMPTY = {
    "sqlite": ["DELETE FROM delayed_jobs", "DELETE FROM sqlite_sequence"],
    "postgresql": ["TRUNCATE delayed_jobs RESTART IDENTITY"],
}

names = st.sampled_from(["host:a pid:1", "host:b pid:2", "fixed"])
seconds = st.one_of(st.integers(0, 30), st.sampled_from([60, 600, 4 * 3600 - 1, 4 * 3600 + 1, 86_400]))
bounds = st.one_of(st.none(), st.integers(-2, 2))


class Ours:
    """The embedded one, asked as Ruby is."""

    def __init__(self, queue: Queue, engine: sa.Engine, classes: JobClasses) -> None:
        self.queue = queue
        self.engine = engine
        self.classes = classes
        self.held: dict[str, Job] = {}
        self.now = START

    def start_over(self) -> None:
        with self.engine.begin() as connection:
            for statement in EMPTY[connection.dialect.name]:
                connection.exec_driver_sql(statement)

    def enqueue(self, *, fails: bool, priority: int, run_at: datetime, queue: str | None) -> int:
        job = self.classes.find("OutcomeJob")
        return self.queue.enqueue(NewJob(dump_job(job(fails)), priority, run_at, queue), self.now)

    def reserve(self, worker: str, limits: Limits) -> int | None:
        job = self.queue.reserve(worker, self.now, limits)
        if job:
            self.held[worker] = job
        return job.id if job else None

    def run(self, name: str) -> str:
        lines: list[str] = []
        settings = Settings(name, max_attempts=MAX_ATTEMPTS, destroy_failed_jobs=False)
        Worker(self.queue, self.classes, settings, lines.append, clock=lambda: self.now).run(self.held.pop(name))
        return "".join(line + "\n" for line in lines)

    def rows(self) -> list[list[object]]:
        with self.engine.connect() as connection:
            found = connection.execute(ROWS).all()
        return [
            [*row[:5], (row[5] or "").partition("\n")[0], *(time and to_text(time) for time in row[6:])]
            for row in found
        ]


ROWS = sa.text(
    "SELECT id, priority, attempts, queue, locked_by, last_error, run_at, locked_at, failed_at"
    " FROM delayed_jobs ORDER BY id"
).columns(*(sa.column(str(n)) for n in range(6)), *(sa.column(str(n), sa.DateTime) for n in range(6, 9)))


def to_text(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Schedule(RuleBasedStateMachine):
    """Time moves by a microsecond a step at least, so that no two jobs are equal in order: those come in any."""

    def __init__(self, ours: Ours, real: Real) -> None:
        super().__init__()
        self.ours, self.real = ours, real
        self.ours.now = START
        self.ours.held.clear()
        self.ours.start_over()
        self.real.ask("start_over", max_attempts=MAX_ATTEMPTS)
        for number in range(8):
            self.enqueue(number % 3 == 0, number % 3 - 1, 20 - 7 * number, QUEUES[number % 3])

    def tick(self) -> str:
        self.ours.now += timedelta(microseconds=1)
        return to_text(self.ours.now)

    @rule(fails=st.booleans(), priority=st.integers(-2, 2), in_s=st.integers(-90, 90), queue=st.sampled_from(QUEUES))
    def enqueue(self, fails: bool, priority: int, in_s: int, queue: str | None) -> None:
        now = self.tick()
        run_at = self.ours.now + timedelta(seconds=in_s)
        ours = self.ours.enqueue(fails=fails, priority=priority, run_at=run_at, queue=queue)
        words = {"fails": fails, "priority": priority, "run_at": to_text(run_at), "queue": queue}
        assert ours == self.real.ask("enqueue", now=now, **words)

    @rule(worker=names, low=bounds, high=bounds)
    def reserve_by_priority(self, worker: str, low: int | None, high: int | None) -> None:
        self._reserve(worker, Limits(low, high))

    @rule(worker=names, low=bounds, queues=st.sets(st.sampled_from(QUEUES[1:]), min_size=1))
    def reserve_by_queue(self, worker: str, low: int | None, queues: set[str]) -> None:
        self._reserve(worker, Limits(low, None, tuple(sorted(queues))))

    @rule(worker=names)
    def work(self, worker: str) -> None:
        """Reserve whatever there is, and run it."""
        self._reserve(worker, Limits())
        if worker in self.ours.held:
            self.run_held(worker)

    def _reserve(self, worker: str, limits: Limits) -> None:
        now = self.tick()
        self.ours.held.pop(worker, None)  # a worker that reserves anew has crashed since
        words = {
            "min_priority": limits.min_priority,
            "max_priority": limits.max_priority,
            "queues": limits.queues,
        }
        assert self.ours.reserve(worker, limits) == self.real.ask("reserve", now=now, worker=worker, **words)
        self.same_rows()

    @precondition(lambda self: self.ours.held)
    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        self.run_held(data.draw(st.sampled_from(sorted(self.ours.held))))

    def run_held(self, worker: str) -> None:
        now = self.tick()
        assert untimed(self.ours.run(worker)) == untimed(self.real.ask("run", now=now, worker=worker))
        self.same_rows()

    @rule(worker=names)
    def end(self, worker: str) -> None:
        """A worker ends as it should; a job that it still holds it has forgotten."""
        self.ours.held.pop(worker, None)
        self.ours.queue.clear_locks(worker)
        self.real.ask("clear_locks", worker=worker)
        self.same_rows()

    @rule(number=st.integers(1, 8))
    def delete(self, number: int) -> None:
        """Somebody deletes a row, perhaps one that is being worked on."""
        with self.ours.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM delayed_jobs WHERE id = :id"), {"id": number})
        self.real.ask("delete", id=number)

    @rule(s=seconds)
    def wait(self, s: int) -> None:
        self.ours.now += timedelta(seconds=s)

    @rule(s=seconds)
    def set_back(self, s: int) -> None:
        """The clock is set back: a worker's is all there is, and it may be wrong."""
        self.ours.now -= timedelta(seconds=s)

    def same_rows(self) -> None:
        assert unlocked_when_failed(self.ours.rows()) == unlocked_when_failed(self.real.ask("rows"))


def unlocked_when_failed(rows: list[list[object]]) -> list[list[object]]:
    """The gem leaves its lock on a row that failed for good; here it is unlocked (DIFFERENCES.md)."""
    return [[*row[:4], None, row[5], row[6], None, row[8]] if row[8] else row for row in rows]


def untimed(lines: str) -> str:
    return re.sub(r"after \d+\.\d{4}$", "after N", lines, flags=re.MULTILINE)


@pytest.fixture
def both(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, app_anywhere: App, tmp_path: Path, real: Real
) -> Iterator[Ours]:
    """Ours and the gem, each with a database of its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
        monkeypatch.delitem(sys.modules, name)
    app_anywhere.migration("20090204000000_create_delayed_jobs", MIGRATION_4)
    app_anywhere.migrate()
    app_anywhere.write("app/jobs/outcome_job.py", JOB)
    if app_anywhere.engine.dialect.name == "sqlite":
        theirs = f"sqlite3:{tmp_path}/theirs.sqlite3"
    else:
        theirs = request.getfixturevalue("second_postgresql_url")
    real.ask("migrate", url=theirs, folder=str(tmp_path / "db/migrate"), direction="up")
    real.ask("connect", url=theirs)
    queue = open_queue(open_database(parse_url(app_anywhere.database_url)), {})
    yield Ours(queue, app_anywhere.engine, JobClasses(tmp_path))
    queue.close()
    real.ask("disconnect")


def test_every_schedule_has_the_same_course_here_and_in_the_gem(both: Ours, real: Real) -> None:
    limits = settings(
        max_examples=30,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    run_state_machine_as_test(lambda: Schedule(both, real), settings=limits)  # type: ignore[no-untyped-call]
