"""A terminal that changes its size while a one-off is attached to it: a real terminal, backend and dyno."""

import sys

import pexpect
import pytest

from tests.backends import Backend

TELLS_ITS_SIZE = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def deployed(shared_backend: Backend, tmp_path) -> str:
    name = str(shared_backend.ok("POST", "/apps", {})["name"])
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Procfile").write_text("worker: sleep 600\n")
    shared_backend.push(tmp_path / "app", name)
    return name


@pytest.fixture
def child(shared_backend: Backend, deployed, environment, folder):
    environment |= {"HEROKU_HOST": shared_backend.url, "HEROKU_API_KEY": shared_backend.credentials["token"]}
    words = ["-m", "hkcli", "run", "--app", deployed, TELLS_ITS_SIZE]
    started = pexpect.spawn(sys.executable, words, cwd=str(folder), env=environment, dimensions=(30, 100), timeout=60)
    yield started
    started.close(force=True)


def test_the_terminal_there_follows_the_size_of_the_one_here(child):
    child.expect_exact("30 100\r\n")
    child.expect_exact("ready\r\n")
    for lines, columns in ((40, 120), (10, 33)):
        child.setwinsize(lines, columns)
        child.expect_exact(f"{lines} {columns}\r\n")


def test_only_a_terminal_takes_a_size_and_only_one_that_can_be(shared_backend, deployed):
    made = shared_backend.ok("POST", f"/apps/{deployed}/dynos", {"command": "sleep 60", "attach": True})
    path = f"/backend/apps/{deployed}/dynos/{made['name']}/terminal"
    for size in ({"columns": 0, "lines": 10}, {"columns": "80", "lines": 24}, {"columns": 80}, {"columns": True}):
        assert shared_backend.call("PUT", path, size).status_code == 400, size
    assert shared_backend.call("PUT", path, {"columns": 80, "lines": 24}).status_code == 202
    quiet = shared_backend.ok("POST", f"/apps/{deployed}/dynos", {"command": "sleep 60"})
    other = f"/backend/apps/{deployed}/dynos/{quiet['name']}/terminal"
    assert shared_backend.call("PUT", other, {"columns": 80, "lines": 24}).status_code == 422
    assert shared_backend.call("PUT", path.replace(deployed, "nobodys"), {"columns": 80}).status_code == 404
    for each in (made, quiet):
        shared_backend.ok("POST", f"/apps/{deployed}/dynos/{each['name']}/actions/stop")
