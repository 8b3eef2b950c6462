"""A platform of its own for a test: `pytest_plugins = ["hkcli.testing"]`, and a fixture named `heroku_platform`.

    def test_my_deploy_script(heroku_platform):
        app = heroku_platform.api.create_app({"name": "my-app"})
        subprocess.run(["./deploy", app["name"]], env={**os.environ, **heroku_platform.environment}, check=True)

It is one backend for all tests of a process, on a free port; with pytest-xdist, one for each worker.
`fresh_heroku_platform` is the same one, brought back before each test to what it was when it started, in a fraction of
a second: apps, releases, config, databases (PostgreSQL's too), logs, and the dynos that should run.

What it starts with is made once, by the function that the fixture `heroku_platform_setup` gives; yours goes into
conftest.py:

    @pytest.fixture(scope="session")
    def heroku_platform_setup():
        def deploy(platform):
            for command in ("heroku create shop --no-remote", "heroku addons:create heroku-postgresql -a shop --wait"):
                subprocess.run(command.split(), env={**os.environ, **platform.environment}, check=True)

        return deploy

    def test_an_order(fresh_heroku_platform):
        ...

More states than one are kept by `save(name)`, and brought back by `restore(name)`.

The backend, and all that it holds, is gone after the session, however it ends: by Ctrl-C and by `kill -9` as well. The
extra `backend` must be installed.
"""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hkcli.api.client import PlatformAPI
from hkcli.cli.local_backend import START_S, STOP_S, require_installed

START = "start"
"""The snapshot of a platform as it is when it starts."""


@dataclass(frozen=True)
class TestPlatform:
    """A running backend: its address, the token of its owner, and calls made with it."""

    __test__ = False

    url: str
    token: str
    api: PlatformAPI
    environment: dict[str, str]
    """What clients need to use it, as `heroku backend:env` prints it."""

    def save(self, name: str) -> None:
        """Keep all that the platform holds now under a name."""
        self.api.save_snapshot(name)

    def restore(self, name: str) -> None:
        """Bring it back to what was saved; the address and the token stay."""
        self.api.restore_snapshot(name)


@contextmanager
def ephemeral_backend() -> Iterator[dict[str, Any]]:
    """A backend that ends, with all its data, at the end of the block, or of this process; where it is."""
    require_installed()
    words = [sys.executable, "-m", "hkcli.backend", "--ephemeral"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            if not select.select([process.stdout], [], [], START_S)[0]:
                raise RuntimeError(f"The backend did not start within {START_S} s.")
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def heroku_platform_setup() -> Callable[[TestPlatform], object]:
    """To be overridden: a function that makes what is there before the first test."""
    return lambda platform: None


@pytest.fixture(scope="session")
def heroku_platform(heroku_platform_setup: Callable[[TestPlatform], object]) -> Iterator[TestPlatform]:
    """A platform for the tests of this process, on a free port."""
    with ephemeral_backend() as state:
        environment = {"HKCLI_BACKEND_HOME": state["home"], **state["environment"]}
        token = environment["HEROKU_API_KEY"]
        platform = TestPlatform(state["api_url"], token, PlatformAPI(state["api_url"], token), environment)
        heroku_platform_setup(platform)
        platform.save(START)
        yield platform


@pytest.fixture
def fresh_heroku_platform(heroku_platform: TestPlatform) -> TestPlatform:
    """The platform of the session as it was when it started."""
    heroku_platform.restore(START)
    return heroku_platform
