"""What every test stands on: an environment without the user's settings."""

import os
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.backends")

from tests.backends import Backend  # noqa: E402


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or sends, what the person who runs it has set for Heroku."""
    for name in os.environ:
        if name.startswith(("HEROKU_", "HKCLI_", "DJ_", "GIT_")) or name in ("NETRC", "DATABASE_URL"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One backend for all tests of a process that only need apps of their own."""
    backend = Backend(tmp_path_factory.mktemp("backend")).start()
    yield backend
    backend.stop()
