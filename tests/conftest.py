"""What every test stands on: an environment without the user's settings."""

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("any machine")
pytest.register_assert_rewrite("tests.backends")

from tests.backends import Backend  # noqa: E402

NOT_TO_BE_INSTALLED = ("no IPv6 on this machine",)
"""Reasons to skip a test that no set-up can take away."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything that tests need is installed: a test that is skipped for want of it fails there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.endswith(NOT_TO_BE_INSTALLED):
            report.outcome, report.longrepr = "failed", f"{reason}: not in CI, where nothing is missing"
    return report


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
