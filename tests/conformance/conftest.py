import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends import Backend
from tests.conformance.official import OfficialShell, install
from tests.end_to_end.conftest import SAMPLE


@pytest.fixture(scope="session")
def program() -> Path:
    """The official CLI."""
    return install()


@pytest.fixture
def shell(
    tmp_path: Path, program: Path, shared_backend: Backend, request: pytest.FixtureRequest
) -> Iterator[OfficialShell]:
    """The person's folder holds the sample app, committed; what the test is marked to play, it must have played."""
    shell = OfficialShell.open(tmp_path)
    assert isinstance(shell, OfficialShell)
    shell.set_up(shared_backend, program)
    shutil.copytree(SAMPLE, shell.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for command in ("git init --quiet", "git add .", "git commit --quiet -m newsletter"):
        shell.ok(*command.split())
    yield shell
    assert not list(shell.home.rglob("autoupdate*")), "the CLI went to look for a newer one"
    marker = request.node.get_closest_marker("plays")
    assert marker is not None and set(marker.args) == shell.played


@pytest.fixture
def app(shared_backend: Backend) -> str:
    return str(shared_backend.ok("POST", "/apps", {})["name"])


@pytest.fixture
def deployed(shared_backend: Backend, shell: OfficialShell, app: str) -> str:
    """An app with the sample pushed, a quiet worker, and the official CLI's remote to it in the person's folder."""
    (shell.folder / "Procfile").write_text("worker: sleep 600\n")
    shell.ok("git", "add", "Procfile")
    shell.ok("git", "commit", "--quiet", "-m", "Sleep")
    shell.ok("git", "remote", "add", "heroku", f"https://localhost:{shared_backend.port}/{app}.git")
    shell.ok("git", "push", "--quiet", "heroku", "master")
    return app
