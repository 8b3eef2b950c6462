"""The fixtures that give other people's tests a platform."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from hkcli.backend.addons.postgresql_cluster import find_binaries
from tests.backend.runtime import is_running
from tests.backends import wait_for

pytestmark = pytest.mark.e2e

SUITE = """
import os, subprocess, sys
import psycopg, pytest
pytest_plugins = ["hkcli.testing"]

def heroku(platform, *words):
    subprocess.run([sys.executable, "-m", "hkcli", *words], env={**os.environ, **platform.environment}, check=True)

@pytest.fixture(scope="session")
def heroku_platform_setup():
    def deploy(platform):
        heroku(platform, "create", "their-app", "--no-remote")
        heroku(platform, "addons:create", "heroku-postgresql", "--app", "their-app", "--wait")
        with psycopg.connect(url(platform)) as database:
            database.execute("CREATE TABLE orders (number int)")
    return deploy

def url(platform):
    return platform.api.config_vars("their-app")["DATABASE_URL"]

@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_each_on_a_platform_as_it_was_when_it_started(fresh_heroku_platform, number):
    assert [app["name"] for app in fresh_heroku_platform.api.apps()] == ["their-app"]
    with psycopg.connect(url(fresh_heroku_platform)) as database:
        assert database.execute("SELECT * FROM orders").fetchall() == []
        database.execute("INSERT INTO orders VALUES (1)")
    heroku(fresh_heroku_platform, "create", "made-by-a-test", "--no-remote")

def test_a_state_of_their_own(heroku_platform):
    heroku_platform.restore("start")
    heroku(heroku_platform, "config:set", "A=1", "--app", "their-app")
    heroku_platform.save("configured")
    heroku(heroku_platform, "destroy", "--app", "their-app", "--confirm", "their-app")
    heroku_platform.restore("configured")
    assert heroku_platform.api.config_vars("their-app")["A"] == "1"
    if os.environ.get("STAYS"):
        open(os.environ["STAYS"], "w").close()
        import time
        time.sleep(600)
"""

needs_postgresql = pytest.mark.skipif(find_binaries() is None, reason="there is no PostgreSQL on this machine")


@contextmanager
def begun(folder: Path, *options: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """A run of their suite, in a process group of its own, as a shell has it. It is killed with the block."""
    (folder / "test_theirs.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "--rootdir", str(folder), *options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = {**inherited, "TMPDIR": str(folder), **variables}
    with subprocess.Popen(
        [*words, str(folder)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as suite:
        try:
            yield suite
        finally:
            with suppress(ProcessLookupError):
                os.killpg(suite.pid, signal.SIGKILL)


def platforms(suite: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The backends of a suite, and the servers that they have started."""
    found = []
    for each in psutil.Process(suite.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "--ephemeral" in each.cmdline() or each.name() == "postgres":
                found.append(each)
    return found


def homes(folder: Path) -> list[Path]:
    return list(folder.glob("hkcli-ephemeral-*"))


@needs_postgresql
def test_a_suite_gets_the_platform_that_it_sets_up_before_each_test_and_a_worker_its_own(tmp_path: Path) -> None:
    with begun(tmp_path, "-n", "2") as suite:
        said, _ = suite.communicate(timeout=240)
    assert suite.returncode == 0 and "5 passed" in said, said
    assert homes(tmp_path) == []


@needs_postgresql
@pytest.mark.parametrize(
    ("number", "options"), [(signal.SIGKILL, []), (signal.SIGINT, ["-n", "1"])], ids=["kill -9", "Ctrl-C with xdist"]
)
def test_a_suite_that_is_interrupted_leaves_nothing_of_its_platform(
    tmp_path: Path, number: signal.Signals, options: list[str]
) -> None:
    with begun(tmp_path, *options, STAYS=str(tmp_path / "stays")) as suite:
        wait_for(lambda: (tmp_path / "stays").exists(), "their suite to stay", 240)
        running = platforms(suite)
        assert len(running) > 2 and len(homes(tmp_path)) == 1
        if number is signal.SIGINT:
            os.killpg(suite.pid, number)
        else:
            suite.kill()
        wait_for(lambda: not any(is_running(each.pid) for each in running), "what they started to end")
        assert homes(tmp_path) == []
        suite.communicate(timeout=60)
        assert suite.returncode == (2 if number is signal.SIGINT else -number)
