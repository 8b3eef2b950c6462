"""The fixtures that give other people's tests a platform."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.backend.runtime import is_running
from tests.backends import wait_for

pytestmark = pytest.mark.e2e

SUITE = """
import os, subprocess, sys
import pytest
pytest_plugins = ["hkcli.testing"]

def test_their_script(heroku_platform):
    name = heroku_platform.api.create_app({"name": "their-app"})["name"]
    words = [sys.executable, "-m", "hkcli", "config:set", "A=1", "--app", name]
    subprocess.run(words, env={**os.environ, **heroku_platform.environment}, check=True)
    assert heroku_platform.api.config_vars(name)["A"] == "1"
    heroku_platform.save("with-an-app")

@pytest.mark.parametrize("number", [1, 2])
def test_each_on_a_platform_that_nobody_has_used(fresh_heroku_platform, number):
    assert fresh_heroku_platform.api.apps() == []
    fresh_heroku_platform.api.create_app({"name": "fresh"})

def test_a_state_of_their_own(heroku_platform):
    heroku_platform.restore("with-an-app")
    assert [app["name"] for app in heroku_platform.api.apps()] == ["their-app"]
    print("PLATFORM", heroku_platform.environment["HKCLI_BACKEND_HOME"], flush=True)
    if os.environ.get("STAYS"):
        import time
        time.sleep(600)
"""


def begin(folder: Path, **variables: str) -> "subprocess.Popen[str]":
    """A run of their suite."""
    (folder / "test_theirs.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = {**inherited, "TMPDIR": str(folder), **variables}
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_suite_that_asks_for_a_platform_gets_one_that_is_gone_afterwards(tmp_path: Path) -> None:
    with begin(tmp_path) as suite:
        said, _ = suite.communicate(timeout=120)
    assert suite.returncode == 0 and "4 passed" in said, said
    home = next(line.split()[-1] for line in said.splitlines() if "PLATFORM" in line)
    assert home.startswith(str(tmp_path)) and not Path(home).exists()


def test_a_suite_that_is_killed_leaves_nothing_of_its_platform(tmp_path: Path) -> None:
    with begin(tmp_path, STAYS="1") as suite:
        assert suite.stdout is not None
        home = Path(next(line.split()[-1] for line in suite.stdout if "PLATFORM" in line))
        backends = [each for each in psutil.Process(suite.pid).children() if "--ephemeral" in each.cmdline()]
        assert len(backends) == 1 and home.exists()
        suite.kill()
        wait_for(lambda: not is_running(backends[0].pid), "the backend to end with its parent")
        assert not home.exists()
