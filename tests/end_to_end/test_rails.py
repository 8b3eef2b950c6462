"""A real Rails app with the real delayed_job gem, untouched."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.backends import Backend, wait_for
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
        reason = "Ruby with railties and delayed_job_active_record is not on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def rails(person: Shell) -> str:
    """The Rails app, pushed and migrated."""
    shutil.copytree(RAILS, person.folder, dirs_exist_ok=True)
    person.ok("git", "init", "--quiet")
    person.ok("git", "add", ".")
    person.ok("git", "commit", "--quiet", "-m", "A newsletter")
    person.ok("heroku", "create")
    del person.environment["HEROKU_HOST"]
    pushed = person.ok("git", "push", "heroku", "master").err
    assert "Ruby app detected" in pushed and "console, rake, worker" in pushed
    assert "CreateDelayedJobs: migrated" in person.ok("heroku", "rake", "db:migrate").out
    return person.ok("git", "remote", "get-url", "heroku").out.strip().rpartition("/")[2].removesuffix(".git")


def enqueue(person: Shell, text: str, options: str = "") -> None:
    person.ok(
        "heroku", "run", "bin/rails", "runner", f'Delayed::Job.enqueue NewsletterJob.new("{text}", ["a@b"]){options}'
    )


def count(person: Shell) -> int:
    return int(person.ok("heroku", "run", "bin/rails", "runner", "puts Delayed::Job.count").out)


def test_the_quick_start_works_with_the_real_gem(person: Shell, rails: str, shared_backend: Backend) -> None:
    person.ok("heroku", "addons:add", "dj")
    logs = shared_backend.wait_for_log(rails, "Starting job worker\n")
    started = re.search(r"app\[worker\.1\]: \[Worker\(host:railgun\.\d+ pid:(\d+)\)\] Starting job worker", logs)
    assert started, logs
    enqueue(person, "Hello")
    shared_backend.wait_for_log(rails, 'Sent "Hello" to a@b')
    shared_backend.wait_for_log(rails, "Job NewsletterJob (id=1) COMPLETED after")
    enqueue(person, "Later", ", run_at: 1.hour.from_now")
    assert count(person) == 1
    person.ok("heroku", "rake", "jobs:clear")
    assert count(person) == 0
    person.ok("heroku", "addons:remove", "dj", "--confirm", rails)
    wait_for(lambda: not Path(f"/proc/{started[1]}").exists(), "the worker to end")


def test_a_first_deploy_sets_what_rails_needs(person: Shell, rails: str, shared_backend: Backend) -> None:
    config = shared_backend.ok("GET", f"/apps/{rails}/config-vars")
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
