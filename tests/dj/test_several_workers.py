"""Workers of the real gem and embedded ones on one table, at the same time."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dj.conftest import DEADLINE_S, MIGRATION_4, App, wait_for
from tests.dj.real import need_ruby

JOBS = int(os.environ.get("CROWD_OF_JOBS", "800"))
EACH = 4
"""So many workers in Ruby, and as many in Python."""

PYTHON_JOB = """
import time
from dataclasses import dataclass

@dataclass
class Mark:
    number: int
    by: object = None
    def perform(self):
        time.sleep(0.005)
        with open("done", "a") as done:
            done.write(f"{self.number} python\\n")
"""
"""Takes so long that the workers in Ruby, which are slower at everything else, get their share of the jobs."""

RUBY_WORKER = """
require "logger"
require "active_record"
require "delayed_job_active_record"
Mark = Struct.new(:number, :by) do
  def perform
    File.open("done", "a") { |done| done.write("#{number} ruby\\n") }
  end
end
$stdout.sync = true
url = ENV.fetch("DATABASE_URL")
sqlite = {adapter: "sqlite3", database: url.delete_prefix("sqlite3:"), timeout: 30_000}
ActiveRecord::Base.establish_connection(url.start_with?("sqlite3:") ? sqlite : url)
ActiveRecord::Base.default_timezone = :utc
Time.zone_default = Time.find_zone!("UTC")
Delayed::Worker.sleep_delay = 0.1
Delayed::Worker.new(quiet: false).start
"""


@pytest.fixture
def crowd(app_anywhere: App) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """All workers, of both kinds, up and idle; none outlives the test."""
    need_ruby()
    app_anywhere.write("app/jobs/mark.py", PYTHON_JOB)
    script = app_anywhere.write("worker.rb", RUBY_WORKER)
    app_anywhere.migration("20090204000000_create_delayed_jobs", MIGRATION_4)
    app_anywhere.migrate()
    words = [["ruby", str(script)], [sys.executable, "-m", "hkcli.dj.rake", "jobs:work"]] * EACH
    workers = [start(app_anywhere, number, each) for number, each in enumerate(words)]
    yield workers
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def start(app: App, number: int, words: list[str]) -> "subprocess.Popen[bytes]":
    with log_of(app, number).open("wb") as log:
        return subprocess.Popen(words, cwd=app.root, env=app.variables(), stdout=log, stderr=subprocess.STDOUT)


def log_of(app: App, number: int) -> Path:
    return app.root / f"crowd-{number}.log"


def test_eight_workers_of_both_kinds_do_each_job_once(
    app_anywhere: App, crowd: list["subprocess.Popen[bytes]"]
) -> None:
    logs = [log_of(app_anywhere, number) for number in range(len(crowd))]
    wait_for(lambda: all("Starting job worker" in log.read_text() for log in logs), "all workers to be up")
    app_anywhere.python(
        f"from hkcli.dj import enqueue_many\nfrom app.jobs.mark import Mark\nenqueue_many(map(Mark, range({JOBS})))"
    )

    def left() -> int:
        assert all(worker.poll() is None for worker in crowd), "a worker died"
        return int(str(app_anywhere.rows("SELECT COUNT(*) AS jobs FROM delayed_jobs")[0]["jobs"]))

    counts = [JOBS]
    while counts[-1]:
        wait_for(lambda: left() < counts[-1], f"one of {counts[-1]} jobs to be done")
        counts.append(left())
    for worker in crowd:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(DEADLINE_S) for worker in crowd] == [0] * len(crowd)
    done = [line.split() for line in (app_anywhere.root / "done").read_text().splitlines()]
    assert Counter(int(number) for number, _ in done) == Counter(range(JOBS))
    assert {kind for _, kind in done} == {"ruby", "python"}
    said = "".join(log.read_text() for log in logs)
    assert said.count(" COMPLETED after ") == JOBS and " 0 failed" in said
    for trouble in ("Error while", "FAILED", "busy", "deadlock", "locked"):
        assert trouble not in said, said
    assert app_anywhere.rows() == []
