"""A real Rails app with the real delayed_job gem, untouched."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from hkcli.backend.addons.postgresql_cluster import find_binaries
from tests.backends import Backend, wait_for
from tests.dj.conftest import missing
from tests.end_to_end.browser import has_text, looking
from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e

RAILS = Path(__file__).parent.parent / "apps" / "fleeting-mist-rails"


@pytest.fixture(autouse=True)
def ruby() -> None:
    """These tests need Ruby with Rails and the gem; CI has them, so there nothing is skipped."""
    found = (
        subprocess.run(["ruby", "-e", "require 'rails'; require 'delayed_job_active_record'"], capture_output=True)
        if shutil.which("ruby")
        else None
    )
    if found is None or found.returncode:
        missing("Ruby with railties and delayed_job_active_record")


DATABASES = ("sqlite", "postgresql")

ENQUEUE = """
Delayed::Job.enqueue NewsletterJob.new("Hello", ["a@b"]), queue: "mail"
Delayed::Job.enqueue NewsletterJob.new("Nobody", nil), priority: 1
Delayed::Job.enqueue(NewsletterJob.new("Never", nil), priority: 2).update_columns(attempts: 24)
Delayed::Job.enqueue GatedJob.new(ENV.fetch("FIRST")), priority: 3
Delayed::Job.enqueue GatedJob.new(ENV.fetch("SECOND")), priority: 4
Delayed::Job.enqueue NewsletterJob.new("Later", ["a@b"]), run_at: 1.hour.from_now
"""


@dataclass
class Rails:
    """The app, pushed and migrated, on a backend that may be killed."""

    person: Shell
    backend: Backend
    app: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        url = self.backend.ok("GET", f"/apps/{self.app}/config-vars")["DATABASE_URL"]
        if url.startswith("sqlite3:"):
            with closing(sqlite3.connect(url.removeprefix("sqlite3:"))) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(url) as connection:
            return list(connection.execute(sql))

    def count(self, condition: str = "1 = 1") -> int:
        return int(self.rows(f"SELECT COUNT(*) FROM delayed_jobs WHERE {condition}")[0][0])

    def says(self, text: str, times: int = 1) -> str:
        """The log, once it has this so often."""
        logs = partial(self.backend.logs, self.app)
        wait_for(lambda: logs().count(text) >= times, f"{text!r}, {times} times", within_s=180)
        return logs()

    def worker_pid(self, nth: int) -> int:
        """Of the worker that was started as the nth, counting from 1."""
        found = re.findall(STARTED, self.says("Starting job worker\n", nth))
        return int(found[nth - 1])


STARTED = r"app\[worker\.1\]: \[Worker\(host:railgun\.\d+ pid:(\d+)\)\] Starting job worker"


class Gated:
    """What a GatedJob says in its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def said(self, what: str, times: int = 1) -> None:
        wait_for(lambda: self.text().count(what) >= times, f"the job to say {what!r}, {times} times", within_s=180)

    def text(self) -> str:
        said = self.folder / "said"
        return said.read_text() if said.exists() else ""

    def open(self) -> None:
        (self.folder / "gate").touch()


@pytest.fixture(params=DATABASES)
def rails(request: pytest.FixtureRequest, shell: Shell, tmp_path: Path) -> Iterator[Rails]:
    if request.param == "postgresql" and find_binaries() is None:
        missing("PostgreSQL")
    backend = Backend(tmp_path / "backend").start()
    try:
        shell.log_in(backend)
        shell.environment["HEROKU_HOST"] = backend.url
        app = push(shell)
        if request.param == "postgresql":
            shell.ok("heroku", "addons:add", "heroku-postgresql", "--wait")
        shell.ok("heroku", "config:set", "SLEEP_DELAY=1")
        assert "CreateDelayedJobs: migrated" in shell.ok("heroku", "rake", "db:migrate").out
        yield Rails(shell, backend, app)
    finally:
        backend.stop()


def push(person: Shell) -> str:
    """The app's name."""
    shutil.copytree(RAILS, person.folder, dirs_exist_ok=True)
    person.ok("git", "init", "--quiet")
    person.ok("git", "add", ".")
    person.ok("git", "commit", "--quiet", "-m", "A newsletter")
    person.ok("heroku", "create")
    del person.environment["HEROKU_HOST"]
    pushed = person.ok("git", "push", "heroku", "master").err
    assert "Ruby app detected" in pushed and "console, rake, worker" in pushed
    return person.ok("git", "remote", "get-url", "heroku").out.strip().rpartition("/")[2].removesuffix(".git")


def test_the_quick_start_works_with_the_real_gem_and_no_kill_loses_a_job(rails: Rails, tmp_path: Path) -> None:
    person, app = rails.person, rails.app
    first, second = Gated(tmp_path / "first"), Gated(tmp_path / "second")
    person.ok("heroku", "addons:add", "dj")
    pid = rails.worker_pid(1)
    words = ("--env", f"FIRST={first.folder};SECOND={second.folder}")
    person.ok("heroku", "run", *words, "--", "bin/rails", "runner", ENQUEUE)

    first.said("begun")
    logs = rails.says("Job GatedJob (id=4) RUNNING")
    assert 'app[worker.1]: Sent "Hello" to a@b\n' in logs and "Job NewsletterJob (id=1) (queue=mail) COMPLETED" in logs
    assert "Job NewsletterJob (id=2) FAILED (0 prior attempts) with NoMethodError" in logs
    assert "Job NewsletterJob (id=3) FAILED permanently because of 25 consecutive failures" in logs
    assert rails.count("attempts = 1 AND last_error LIKE 'undefined method%'") == 1

    os.kill(pid, signal.SIGKILL)
    assert f"pid:{pid}, which is gone" in rails.says("heroku[worker.1]: Released 1 jobs of host:railgun.")
    first.said("begun", 2)
    first.open()
    second.said("begun")
    assert first.text() == "begun\nbegun\ndone\n"

    pid = rails.worker_pid(2)
    person.ok("heroku", "addons:remove", "dj", "--confirm", app)
    assert "app[worker.1]: [Worker" in rails.says("] Exiting...")
    assert f"pid:{pid}, which is gone" in rails.says("Released 1 jobs of", 2)
    assert not psutil.pid_exists(pid) and rails.count("locked_by IS NOT NULL") == 0
    person.ok("heroku", "addons:add", "dj")
    second.said("begun", 2)

    rails.backend.kill()
    rails.backend.start()
    second.said("begun", 3)
    assert rails.says("Released 1 jobs of", 3)
    assert rails.rows("SELECT attempts, last_error FROM delayed_jobs WHERE id = 5") == [(0, None)]
    second.open()
    rails.says("Job GatedJob (id=5) COMPLETED")
    assert second.text() == "begun\nbegun\nbegun\ndone\n"

    rails.says("Job NewsletterJob (id=2) FAILED (1 prior attempts)")
    assert rails.rows("SELECT id FROM delayed_jobs ORDER BY id") == [(2,), (6,)]
    person.ok("heroku", "rake", "jobs:clear")
    assert rails.count() == 0
    pid = rails.worker_pid(4)
    person.ok("heroku", "addons:remove", "dj", "--confirm", app)
    wait_for(lambda: not psutil.pid_exists(pid), "the worker to end")


JOBS_TO_LOOK_AT = """
20.times { |number| Delayed::Job.enqueue NewsletterJob.new("No. #{number}", ["a@b"]), queue: "mail" }
Delayed::Job.enqueue NewsletterJob.new("Nobody", nil), queue: "mail", attempts: 5
Delayed::Job.enqueue ImportJob.new(ENV.fetch("STOCK")), queue: "imports"
"""


@pytest.mark.parametrize("rails", ["sqlite"], indirect=True)
def test_the_page_counts_the_real_gems_work_and_has_it_try_a_job_again(
    rails: Rails, chromium: Any, tmp_path: Path
) -> None:
    person, stock = rails.person, tmp_path / "stock.csv"
    person.ok("heroku", "addons:add", "dj")
    link = rails.backend.ok("GET", f"/apps/{rails.app}/addons")[0]["web_url"]
    with looking(chromium, rails.backend, link) as page:
        person.ok("heroku", "run", "--env", f"STOCK={stock}", "--", "bin/rails", "runner", JOBS_TO_LOOK_AT)
        has_text(page, "#errors", "No such file or directory")
        has_text(page, "#errors", "undefined method `each' for nil")
        has_text(page, "#verdict h2", "1 job was given up.")
        has_text(page, "#workers tbody .number", "20 2 failed")
        page.wait_for_selector("#charts rect.done")
        page.wait_for_selector("#charts rect.failed")
        kinds = page.inner_text("#kinds")
        assert "NewsletterJob" in kinds and "ImportJob" in kinds and page.locator("#kinds .number.failed").count() == 2

        stock.write_text("12 lamps")
        page.click("#errors a >> text=ImportJob")
        page.check("input[name=id]")
        page.click("button >> text=Retry chosen…")
        page.click("button >> text=Retry 1 job")
        assert page.inner_text(".said") == "1 job due now."
        page.click("nav a >> text=Overview")
        assert "app[worker.1]: Imported 12 lamps\n" in rails.says("(queue=imports) COMPLETED")
        has_text(page, "#workers tbody .number", "21 2 failed")
        page.wait_for_function("() => document.querySelector('.stop.failed .value').textContent === '0'")


def test_a_first_deploy_sets_what_rails_needs(person: Shell, shared_backend: Backend) -> None:
    app = push(person)
    config = shared_backend.ok("GET", f"/apps/{app}/config-vars")
    assert config["RAILS_ENV"] == config["RACK_ENV"] == "production"
    assert len(config["SECRET_KEY_BASE"]) == 128
    assert person.ok("heroku", "run", "bin/rails", "runner", "puts Rails.env").out == "production\n"


def test_an_app_with_a_gemfile_can_opt_in_to_the_embedded_delayed_job(person: Shell, shared_backend: Backend) -> None:
    shutil.copytree(RAILS, person.folder, dirs_exist_ok=True)
    person.ok("git", "init", "--quiet")
    person.ok("git", "add", ".")
    person.ok("git", "commit", "--quiet", "-m", "A newsletter")
    person.ok("heroku", "create")
    person.ok("heroku", "config:set", "DJ_RUNTIME=embedded")
    assert "Delayed Job (embedded) app detected" in person.ok("git", "push", "heroku", "master").err
    assert "CreateDelayedJobs: migrated" in person.ok("heroku", "rake", "db:migrate").out


def test_without_ruby_the_push_is_rejected_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "tar", "sh", "bash", "cat", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    backend = Backend(tmp_path / "home").start()
    try:
        folder = tmp_path / "source"
        shutil.copytree(RAILS, folder)
        backend.ok("POST", "/apps", {"name": "no-ruby"})
        said = backend.push(folder, "no-ruby", check=False)
    finally:
        backend.stop()
    assert "[remote rejected]" in said and "there is no `ruby` on this machine" in said
    assert "apt install ruby" in said and "heroku config:set DJ_RUNTIME=embedded" in said
