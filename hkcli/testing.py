"""A platform of its own for a test: `pytest_plugins = ["hkcli.testing"]`, and a fixture named `heroku_platform`.

    def test_my_deploy_script(heroku_platform, tmp_path):
        app = heroku_platform.api.create_app({"name": "my-app"})
        subprocess.run(["./deploy", app["name"]], env={**os.environ, **heroku_platform.environment}, check=True)

It is one backend for the whole session, with data that is gone afterwards; the extra `backend` must be installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hkcli.api.client import PlatformAPI
from hkcli.cli.local_backend import LocalBackend


@dataclass(frozen=True)
class TestPlatform:
    """A running backend: its address, the token of its owner, and calls made with it."""

    __test__ = False

    url: str
    token: str
    api: PlatformAPI
    environment: dict[str, str]
    """What clients need to use it, as `heroku backend:env` prints it."""


@pytest.fixture(scope="session")
def heroku_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    """A platform for the tests of this process, on a free port."""
    backend = LocalBackend(tmp_path_factory.mktemp("heroku"))
    backend.start(["--port", "0", "--stop-grace", "2"])
    try:
        url, token = backend.running()["api_url"], backend.credentials()["token"]
        api = PlatformAPI(url, token)
        environment = {"HKCLI_BACKEND_HOME": str(backend.home), **backend.exports()}
        yield TestPlatform(url, token, api, environment)
    finally:
        backend.stop()
        backend.clear()
