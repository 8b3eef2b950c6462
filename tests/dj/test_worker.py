"""Workers as real processes, each on a database of its own."""

import os
import re
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from hkcli.dj.worker import is_dead
from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, App, WorkerProcess

Start = Callable[..., WorkerProcess]

JOBS = """
import os, signal, sys, time
from dataclasses import dataclass

@dataclass
class Ok:
    text: str = "x"
    def perform(self):
        print("did", self.text)

@dataclass
class Slow:
    seconds: float
    def perform(self):
        print("slow begins")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        print("slow ends")

class Gated:
    def perform(self):
        print("waits at the gate")
        while not os.path.exists("gate-is-open"):
            time.sleep(0.01)
        print("is through")

class Boom:
    def perform(self):
        raise ValueError("bad\\nnews")

class Exits:
    def perform(self):
        sys.exit(3)

class Forks:
    def perform(self):
        self.child = os.fork()
        if self.child == 0:
            print("in the child", flush=True)
        else:
            os.waitpid(self.child, 0)

class ForksAndStops:
    def perform(self):
        self.child = os.fork()
        if self.child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        print(f"the child ended with {os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])}", flush=True)

class Forever:
    max_run_time = 1
    def perform(self):
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                pass

class Once:
    max_attempts = 1
    def perform(self):
        raise RuntimeError("once")
    def failure(self, job):
        print("failure hook", job.id)

class Hooked:
    def before(self, job): print("before", job.id)
    def perform(self): print("perform")
    def success(self): print("success")
    def after(self, job): print("after")

class Loud:
    def perform(self):
        for _ in range(200_000):
            print("x" * 100)
"""


@pytest.fixture(params=[MIGRATION_2009, MIGRATION_4], ids=["2009", "4"])
def jobs_app(request: pytest.FixtureRequest, app: App) -> App:
    return prepared(app, request.param)


@pytest.fixture
def app_2009(app: App) -> App:
    return prepared(app, MIGRATION_2009)


@pytest.fixture
def app_4(app: App) -> App:
    return prepared(app, MIGRATION_4)


def prepared(app: App, migration: str) -> App:
    app.write("app/jobs/jobs.py", JOBS)
    app.migration("20090204000000_create_delayed_jobs", migration)
    app.migrate()
    return app


def enqueue(app: App, *jobs: str, **options: object) -> None:
    """Jobs are written as they would be in the app: `Ok('a')`."""
    how = "".join(f", {name}={value!r}" for name, value in options.items())
    calls = "\n".join(f"enqueue({job}{how})" for job in jobs)
    app.python(f"from hkcli.dj import enqueue\nfrom app.jobs.jobs import *\n{calls}")


def open_gate(app: App) -> None:
    """Let `Gated` jobs go on."""
    app.write("gate-is-open", "")


def put_handler(app: App, handler: str, **columns: object) -> None:
    values = {"handler": handler, "priority": 0, "attempts": 0, "run_at": "2020-01-01 00:00:00"} | columns
    names = ", ".join(values)
    app.execute(f"INSERT INTO delayed_jobs ({names}) VALUES ({', '.join(':' + name for name in values)})", **values)


def times_hidden(text: str) -> str:
    return re.sub(r"\d+\.\d{4}", "N", text)


def test_a_worker_of_2009_writes_what_it_wrote_in_2009(app_2009: App, start: Start) -> None:
    enqueue(app_2009, "Ok('hello')")
    worker = start()
    worker.says("1 jobs processed")
    worker.signal(signal.SIGTERM)
    assert worker.ends() == 0
    assert times_hidden(worker.output) == (
        f"*** Starting job worker {worker.name}\n"
        "* [JOB] aquiring lock on Ok\n"
        "did hello\n"
        "* [JOB] Ok completed after N\n"
        "1 jobs processed at N j/s, 0 failed ...\n"
        "Exiting...\n"
    )
    assert app_2009.rows() == []


def test_a_worker_of_the_gem_writes_what_the_gem_writes(app_4: App, start: Start) -> None:
    enqueue(app_4, "Ok('hello')")
    enqueue(app_4, "Ok('there')", queue="mail")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    prefix = f"[Worker({worker.name})]"
    assert times_hidden(worker.output) == (
        f"{prefix} Starting job worker\n"
        f"{prefix} Job Ok (id=1) RUNNING\n"
        "did hello\n"
        f"{prefix} Job Ok (id=1) COMPLETED after N\n"
        f"{prefix} Job Ok (id=2) (queue=mail) RUNNING\n"
        "did there\n"
        f"{prefix} Job Ok (id=2) (queue=mail) COMPLETED after N\n"
        f"{prefix} 2 jobs processed at N j/s, 0 failed\n"
        f"{prefix} No more jobs available. Exiting\n"
    )


def test_an_idle_worker_ends_at_once_when_asked(jobs_app: App, start: Start) -> None:
    worker = start(SLEEP_DELAY="600")
    worker.says("tarting job worker")
    worker.signal(signal.SIGTERM)
    assert worker.ends() == 0
    assert worker.output.endswith("Exiting...\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_busy_worker_finishes_its_job_before_it_ends(app_4: App, start: Start, number: int) -> None:
    enqueue(app_4, "Gated()", "Ok()")
    worker = start()
    worker.says("waits at the gate")
    worker.signal(number)
    worker.says("Exiting...")
    open_gate(app_4)
    assert worker.ends() == 0
    assert worker.output.index("Exiting...") < worker.output.index("is through") < worker.output.index("COMPLETED")
    (left,) = app_4.rows()
    assert "Ok" in str(left["handler"]) and left["locked_by"] is None


def test_a_job_that_outlasts_the_grace_goes_back_and_does_not_count_as_run(jobs_app: App, start: Start) -> None:
    enqueue(jobs_app, "Slow(600)")
    worker = start(DJ_GRACE="0.3")
    worker.says("slow begins")
    worker.signal(signal.SIGTERM)
    assert worker.ends() == 0
    (left,) = jobs_app.rows()
    assert (left["attempts"], left["locked_by"], left["locked_at"], left["last_error"]) == (0, None, None, None)


def test_a_killed_workers_job_is_done_by_the_next_one(jobs_app: App, start: Start) -> None:
    enqueue(jobs_app, "Gated()")
    first = start()
    first.says("waits at the gate")
    first.signal(signal.SIGKILL)
    first.ends()
    (row,) = jobs_app.rows()
    assert row["locked_by"] == first.name
    open_gate(jobs_app)
    second = start("jobs:workoff")
    assert second.ends() == 0
    assert f"Released 1 jobs of {first.name}, which is gone" in second.output
    assert "is through" in second.output and jobs_app.rows() == []


def test_a_living_workers_lock_is_respected(app_4: App, start: Start) -> None:
    enqueue(app_4, "Slow(600)")
    first = start(DJ_GRACE="0")
    first.says("slow begins")
    second = start("jobs:workoff")
    assert second.ends() == 0
    assert "RUNNING" not in second.output and "Released" not in second.output
    first.signal(signal.SIGTERM)
    assert first.ends() == 0


def test_only_a_worker_of_the_same_host_is_known_to_be_dead() -> None:
    me, gone = f"host:railgun.2 pid:{os.getpid()}", 2**22 + 1
    assert is_dead(f"host:railgun.2 pid:{gone}", me)
    assert is_dead(f"delayed_job.0 host:railgun.2 pid:{gone}", me)
    assert is_dead(f"host:{socket.gethostname()} pid:{gone}", me)
    assert not is_dead(f"host:railgun.1 pid:{gone}", me)
    assert not is_dead(f"host:railgun.2 pid:{os.getppid()}", me)
    assert not is_dead(me, me)
    assert not is_dead("web-1", me)


@pytest.mark.parametrize(
    ("job", "message"),
    [("Boom()", "ValueError: bad\nnews"), ("Exits()", "SystemExit: 3")],
    ids=["raises", "exits"],
)
def test_a_job_that_fails_is_tried_again_and_the_worker_goes_on(
    jobs_app: App, start: Start, job: str, message: str
) -> None:
    enqueue(jobs_app, job, "Ok('after')")
    before = datetime.now(UTC)
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert message in worker.output and "did after" in worker.output and "1 failed" in worker.output
    (row,) = jobs_app.rows()
    assert (row["attempts"], row["locked_by"], row["failed_at"]) == (1, None, None)
    first, *_, last = str(row["last_error"]).split("\n")
    assert first == message.split(": ")[1].split("\n")[0]
    assert re.fullmatch(r".*/app/jobs/jobs.py:\d+:in `perform'", last)
    wait_s = (datetime.fromisoformat(f"{row['run_at']}+00:00") - before).total_seconds()
    delay = 5 if "JOB" in worker.output else 6
    assert delay <= wait_s < delay + 30


def test_the_lines_of_a_failure_are_those_of_the_era(jobs_app: App, start: Start) -> None:
    enqueue(jobs_app, "Boom()")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    lines = worker.output
    if "[JOB]" in lines:
        assert "* [JOB] Boom failed with ValueError: bad\nnews - 1 failed attempts\n" in lines
    else:
        assert "Job Boom (id=1) FAILED (0 prior attempts) with ValueError: bad\nnews\n" in lines


@pytest.mark.parametrize(("keep", "left"), [("true", 0), ("false", 1)])
def test_after_the_last_attempt_a_job_is_removed_or_kept_as_failed(
    app_4: App, start: Start, keep: str, left: int
) -> None:
    enqueue(app_4, "Once()")
    worker = start("jobs:workoff", DJ_DESTROY_FAILED_JOBS=keep)
    assert worker.ends() == 0
    assert "FAILED permanently because of 1 consecutive failures\nfailure hook 1\n" in worker.output
    rows = app_4.rows()
    assert len(rows) == left and all(row["failed_at"] and row["attempts"] == 1 for row in rows)


def test_2009_gives_up_at_the_26th_run(app_2009: App, start: Start) -> None:
    put_handler(app_2009, "--- !ruby/object:Boom {}\n", attempts=24)
    put_handler(app_2009, "--- !ruby/object:Boom {}\n", attempts=25)
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert "* [JOB] PERMANENTLY removing Boom because of 25 consequetive failures.\n" in worker.output
    assert [row["attempts"] for row in app_2009.rows()] == [25]


BOMB = "--- !ruby/object:Ok\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
UNREADABLE = {
    "--- !ruby/object:Missing {}\n": "undefined class/module Missing",
    "--- !ruby/object:Gem::Installer\ni: !ruby/object:Gem::Package::TarReader {}\n": "undefined class/module Gem::",
    "--- !ruby/struct:Process::Status\npid: 1\n": "undefined class/module Process::",
    "rubbish: [": "Job failed to load",
    "--- !!python/object/apply:os.system ['touch hacked']\n": "Job failed to load",
    "--- " + "[" * 50_000: "nest",  # libyaml has a limit of its own since 0.2.6
    BOMB: "more than 100,000 values",
    "x" * 2_000_000: "more than the",
}


def test_rows_that_cannot_be_read_are_kept_as_failed_and_the_worker_goes_on(jobs_app: App, start: Start) -> None:
    for handler in UNREADABLE:
        put_handler(jobs_app, handler)
    enqueue(jobs_app, "Ok('after')")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert "did after" in worker.output and not (jobs_app.root / "hacked").exists()
    for row, reason in zip(jobs_app.rows(), UNREADABLE.values(), strict=True):
        assert reason in str(row["last_error"]) and row["failed_at"] and row["attempts"] == 0
        assert row["locked_by"] is None


def test_a_job_that_forks_is_done_once(jobs_app: App, start: Start) -> None:
    enqueue(jobs_app, "Forks()", "Ok('after')")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert worker.output.count("in the child") == 1 and worker.output.count("did after") == 1
    assert worker.output.count("2 jobs processed") == 1 and jobs_app.rows() == []


def test_the_child_of_a_job_that_is_told_to_stop_leaves_the_job_to_its_parent(jobs_app: App, start: Start) -> None:
    enqueue(jobs_app, "ForksAndStops()")
    worker = start("jobs:workoff", DJ_GRACE="0.1")
    assert worker.ends() == 0
    assert worker.output.count("the child ended with 1") == 1 and worker.output.count("1 jobs processed") == 1
    assert "back in the queue" not in worker.output and jobs_app.rows() == []


def test_a_job_that_never_returns_is_ended_after_its_max_run_time(app_4: App, start: Start) -> None:
    enqueue(app_4, "Forever()", "Ok('after')")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert "Delayed::WorkerTimeout: execution expired (Delayed::Worker.max_run_time is only 1 seconds)" in worker.output
    assert "did after" in worker.output
    (row,) = app_4.rows()
    assert row["attempts"] == 1 and str(row["last_error"]).startswith("execution expired")


def test_the_limit_for_all_jobs_holds_in_2009_too(app_2009: App, start: Start) -> None:
    enqueue(app_2009, "Slow(600)")
    worker = start("jobs:workoff", DJ_MAX_RUN_TIME="1")
    assert worker.ends() == 0
    assert "execution expired" in worker.output


def test_hooks_are_called_in_the_gems_order(app_4: App, start: Start) -> None:
    enqueue(app_4, "Hooked()")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert "before 1\nperform\nsuccess\nafter\n" in worker.output


def test_quiet_means_quiet_and_false_means_loud(app_4: App, start: Start) -> None:
    enqueue(app_4, "Ok('a')")
    assert (quiet := start("jobs:workoff", QUIET="true")).ends() == 0
    assert quiet.output == "did a\n"
    assert (loud := start("jobs:workoff", QUIET="false")).ends() == 0
    assert "No more jobs available" in loud.output


def test_a_worker_takes_only_its_queues(app_4: App, start: Start) -> None:
    enqueue(app_4, "Ok('mail')", queue="mail")
    enqueue(app_4, "Ok('none')")
    worker = start("jobs:workoff", QUEUES="sms, mail")
    assert worker.ends() == 0
    assert "did mail" in worker.output and "did none" not in worker.output


def test_a_flood_of_output_does_not_stop_the_worker(app_4: App, start: Start) -> None:
    enqueue(app_4, "Loud()")
    worker = start("jobs:workoff")
    assert worker.ends() == 0
    assert worker.log.stat().st_size > 20_000_000 and "COMPLETED" in worker.output


def test_a_table_that_vanishes_is_said_once_and_waited_for(app_4: App, start: Start) -> None:
    worker = start(SLEEP_DELAY="0.5")
    worker.says("Starting job worker")
    app_4.execute("ALTER TABLE delayed_jobs RENAME TO away")
    worker.says("Error while reserving job: no such table: delayed_jobs")
    app_4.execute("ALTER TABLE away RENAME TO delayed_jobs")
    worker.says("Reserving jobs again")
    worker.signal(signal.SIGTERM)
    assert worker.ends() == 0
    assert worker.output.count("Error while reserving job") == 1


def test_a_database_that_stays_away_ends_the_worker(app_4: App, start: Start) -> None:
    worker = start(SLEEP_DELAY="0.05")
    worker.says("Starting job worker")
    app_4.execute("DROP TABLE delayed_jobs")
    assert worker.ends() == 1
    assert "rake aborted!\nDelayed::FatalBackendError: no such table: delayed_jobs" in worker.output


def test_a_setting_that_is_no_number_is_named(app_4: App) -> None:
    done = app_4.rake("jobs:work", MIN_PRIORITY="high")
    assert done.returncode == 1
    assert "MIN_PRIORITY is 'high'. It must be a whole number, for example MIN_PRIORITY=5" in done.stderr


def test_a_database_that_goes_and_comes_back_is_said_once_and_no_job_is_lost(
    postgresql_url: str, app: App, start: Start
) -> None:
    app.engine.dispose()
    app.database_url = postgresql_url
    app.__post_init__()
    prepared(app, MIGRATION_4)
    enqueue(app, "Gated()")
    worker = start(SLEEP_DELAY="1")
    worker.says("waits at the gate")
    elsewhere = connect(parse_url(postgresql_url.rpartition("/")[0] + "/postgres"))
    name = app.engine.url.database
    with elsewhere.execution_options(isolation_level="AUTOCOMMIT").connect() as server:

        def close(is_closed: bool) -> None:
            server.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if is_closed else 'true'}")
            if is_closed:
                server.exec_driver_sql(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                )

        close(True)
        open_gate(app)
        worker.says("Error while saving job: ")
        close(False)
        worker.says("Job Gated (id=1) COMPLETED")
        close(True)
        worker.says("Error while reserving job: ")
        worker.says("not currently accepting connections")
        close(False)
        worker.says("Reserving jobs again")
    elsewhere.dispose()
    app.engine.dispose()
    enqueue(app, "Ok('still here')")
    worker.says("did still here")
    worker.signal(signal.SIGTERM)
    assert worker.ends() == 0
    troubles = [line for line in worker.output.splitlines() if "Error while" in line]
    assert len(troubles) == len(set(troubles)), "each is said once"
    assert app.rows() == [] and worker.output.count("is through") == 1
