import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends import Backend
from tests.dj.conftest import missing
from tests.end_to_end.browser import PROGRAM, browser
from tests.end_to_end.shell import Shell

SAMPLE = Path(__file__).parent.parent.parent / "hkcli" / "quickstart" / "app"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell.open(tmp_path)


@pytest.fixture
def person(shell: Shell, shared_backend: Backend) -> Shell:
    """Somebody who is logged in to a running backend, but in no app's folder."""
    shell.log_in(shared_backend)
    shell.environment["HEROKU_HOST"] = shared_backend.url
    return shell


@pytest.fixture
def app(person: Shell) -> str:
    """The sample app in the person's folder, created, with its remote, not pushed."""
    shutil.copytree(SAMPLE, person.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    person.ok("git", "init", "--quiet")
    person.ok("git", "add", ".")
    person.ok("git", "commit", "--quiet", "-m", "A newsletter")
    person.ok("heroku", "create")
    del person.environment["HEROKU_HOST"]
    url = person.ok("git", "remote", "get-url", "heroku").out.strip()
    return url.rpartition("/")[2].removesuffix(".git")


@pytest.fixture
def deployed(person: Shell, app: str) -> str:
    """The same, pushed and migrated."""
    person.ok("git", "push", "heroku", "master")
    person.ok("heroku", "rake", "db:migrate")
    return app


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Not for longer than a module: while it is there, an event loop runs, beside which tests can have none."""
    if PROGRAM is None:
        missing("Chromium")
    with browser() as started:
        yield started
