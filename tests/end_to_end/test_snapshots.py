"""Snapshots as people take them: in either spelling, of a backend that runs and of one that does not."""

import json

import pytest

from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e


def test_a_backend_goes_back_to_what_it_was_running_or_not(shell: Shell) -> None:
    url = json.loads(shell.ok("heroku", "backend:start", "-d", "-p", "0", "--json").out)["api_url"]
    try:
        shell.environment["HEROKU_HOST"] = url
        shell.ok("heroku", "create", "kept", "--no-remote")
        assert "done, 1 app, " in shell.ok("heroku", "backend:snapshot", "save", "one").err
        shell.ok("heroku", "destroy", "-a", "kept", "--confirm", "kept")
        assert shell("heroku", "backend:snapshot", "restore", "two").err.count("there are: one") == 1
        shell.ok("heroku", "backend:snapshot:restore", "one")
        assert shell.ok("heroku", "apps").out == "kept\n"
    finally:
        shell.ok("heroku", "backend:stop")
    shell.ok("heroku", "backend:snapshot:save", "two")
    assert shell.ok("heroku", "backend", "snapshot", "restore", "two", "--json").out.startswith("{")
    shell.ok("heroku", "backend:snapshot:remove", "two")
    listed = json.loads(shell.ok("heroku", "backend:snapshot", "list", "--json").out)
    assert [(each["name"], each["apps"]) for each in listed] == [("one", ["kept"])]
    assert "no name for a snapshot" in shell("heroku", "backend:snapshot:save", "--", "-x").err
