"""Several users on one backend, as those who run it and those who use it see it."""

import json

import pytest

from tests.backends import Backend
from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e


@pytest.fixture
def operator(shell: Shell, shared_backend: Backend) -> Shell:
    """Whoever runs the backend; not logged in: the data directory is enough."""
    shell.environment["HKCLI_BACKEND_HOME"] = str(shared_backend.home)
    shell.environment["HEROKU_HOST"] = shared_backend.url
    return shell


def test_a_user_is_added_works_with_the_token_and_is_removed(operator: Shell, shared_backend: Backend) -> None:
    added = operator.ok("heroku", "backend:users:add", "ada@example.com", "--unverified")
    shown = dict(line.split(":", 1) for line in added.out.splitlines())
    token = shown["Token"].strip()
    account = json.loads(operator.ok("heroku", "api", "GET", "/account", HEROKU_API_KEY=token).out)
    assert account["verified"] is False
    assert "ada@example.com" in operator.ok("heroku", "backend:users").out
    assert operator.ok("heroku", "whoami", HEROKU_API_KEY=token).out == "ada@example.com\n"
    assert operator.ok("heroku", "apps", HEROKU_API_KEY=token).out == ""
    operator.ok("heroku", "backend:users:remove", "ada@example.com")
    users = [each["email"] for each in json.loads(operator.ok("heroku", "backend:users", "--json").out)]
    assert shared_backend.credentials["email"] in users and "ada@example.com" not in users
    assert operator("heroku", "whoami", HEROKU_API_KEY=token).status != 0


def test_who_is_not_there_is_not_removed_and_nobody_is_added_without_an_email(operator: Shell) -> None:
    gone = operator("heroku", "backend:users:remove", "nobody@example.com")
    assert gone.status == 1 and "no user nobody@example.com" in gone.err
    bad = operator("heroku", "backend:users:add", "nobody")
    assert bad.status == 1 and "is not an email address" in bad.err
