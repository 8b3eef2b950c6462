"""The fixture that gives other people's tests a platform."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SUITE = """
import os, subprocess, sys
pytest_plugins = ["hkcli.testing"]

def test_their_script(heroku_platform):
    name = heroku_platform.api.create_app({"name": "their-app"})["name"]
    words = [sys.executable, "-m", "hkcli", "config:set", "A=1", "--app", name]
    subprocess.run(words, env={**os.environ, **heroku_platform.environment}, check=True)
    assert heroku_platform.api.config_vars(name)["A"] == "1"
    print("PLATFORM", heroku_platform.environment["HKCLI_BACKEND_HOME"], heroku_platform.url)
"""


def test_a_suite_that_asks_for_a_platform_gets_one_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    played = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert played.returncode == 0, played.stdout + played.stderr
    home = next(line.split()[1] for line in played.stdout.splitlines() if line.startswith("PLATFORM"))
    assert not (Path(home) / "platform.sqlite3").exists() and not (Path(home) / "lock").exists()
