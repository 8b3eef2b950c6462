"""The release phase: a command that has to succeed before a release takes over."""

import threading
from pathlib import Path

import pytest
import requests

from tests.backends import Backend, wait_for

PROCFILE = "release: {command}\nworker: sh -c 'echo running v$WANTED; while :; do sleep 1; done'\n"
REPORT = "echo migrating $DYNO with $WANTED; exit ${STATUS:-0}"


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Procfile").write_text(PROCFILE.format(command=REPORT))
    return folder


def release(api: Backend, app: str, version: int | str) -> dict[str, object]:
    return dict(api.ok("GET", f"/apps/{app}/releases/{version}"))


def settled(api: Backend, app: str, version: int) -> dict[str, object]:
    return dict(
        wait_for(
            lambda: found if (found := release(api, app, version))["status"] != "pending" else None,
            f"the end of the release command of v{version}",
        )
    )


def test_a_push_shows_the_release_command_and_its_release_takes_over(api: Backend, app: str, folder: Path) -> None:
    said = api.push(folder, app)
    told = [line.removeprefix("remote:").strip() for line in said.splitlines()]
    wanted = [
        "!     Release command declared: this new release will not be available until the command succeeds.",
        "Released v3",
        "Verifying deploy... done.",
        "Running release command...",
        "Waiting for release.... done.",
    ]
    assert [line for line in told if line in wanted] == wanted
    assert any(line.startswith("migrating release.") for line in told)
    current = release(api, app, "current")
    assert (current["version"], current["status"], current["current"]) == (3, "succeeded", True)
    output = requests.get(str(current["output_stream_url"]), timeout=30)
    assert output.text.startswith("migrating release.") and output.text.endswith(" with\n")
    assert output.headers["Content-Type"].startswith("text/plain")
    events = requests.get(str(current["output_stream_url"]), headers={"Accept": "text/event-stream"}, timeout=30).text
    assert events.startswith(f"id: {len(output.text)}\ndata: migrating release.")
    logs = api.logs(app)
    order = [
        "Release v3 created by user",
        "Running release v3 commands by user",
        "heroku[release.",
        "migrating release.",
    ]
    assert [logs.index(each) for each in order] == sorted(logs.index(each) for each in order)
    assert {each["type"] for each in api.ok("GET", f"/apps/{app}/formation")} == {"rake", "worker"}


def test_a_failing_command_leaves_the_old_release_running_and_accepts_the_push(
    api: Backend, app: str, folder: Path
) -> None:
    api.push(folder, app)
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    (folder / "Procfile").write_text(PROCFILE.format(command="echo this breaks; exit 3"))
    said = api.push(folder, app)
    assert "this breaks" in said and "Waiting for release.... failed." in said and "[remote rejected]" not in said
    assert release(api, app, 4)["status"] == "failed" and release(api, app, "current")["version"] == 3
    assert "Release v4 command failed by user" in api.logs(app)
    [dyno] = wait_for(lambda: api.ok("GET", f"/apps/{app}/dynos"), "the worker")
    assert dyno["release"]["version"] == 3
    commit = api.git(folder, "rev-parse", "HEAD").stdout.strip()
    assert api.git(folder, "ls-remote", f"{api.url}/{app}.git", "main").stdout.split()[0] == commit
    api.ok("PATCH", f"/apps/{app}/config-vars", {"WANTED": "later"})
    assert settled(api, app, 5)["status"] == "succeeded"
    assert release(api, app, 5)["slug"] == release(api, app, 3)["slug"]


def test_config_and_rollback_run_the_command_with_their_own_environment(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    api.ok("PATCH", f"/apps/{app}/config-vars", {"WANTED": "one", "STATUS": "1"})
    assert settled(api, app, 4)["status"] == "failed"
    assert " with one\n" in requests.get(str(release(api, app, 4)["output_stream_url"]), timeout=30).text
    assert release(api, app, "current")["version"] == 3
    made = api.ok("POST", f"/apps/{app}/releases", {"release": release(api, app, 3)["id"]})
    assert (made["version"], made["status"], made["current"]) == (5, "pending", False)
    assert settled(api, app, 5)["status"] == "succeeded" and release(api, app, "current")["version"] == 5


def test_releases_made_meanwhile_wait_for_their_turn(api: Backend, app: str, folder: Path) -> None:
    command = f"echo begun $WANTED; while ! test -e {folder.parent}/$WANTED; do sleep 0.05; done"
    api.push(folder, app)
    (folder / "Procfile").write_text(PROCFILE.format(command=command))
    (folder.parent / "first").touch()
    api.ok("PATCH", f"/apps/{app}/config-vars", {"WANTED": "first"})
    settled(api, app, 4)
    api.push(folder, app)
    for name in ("second", "third"):
        api.ok("PATCH", f"/apps/{app}/config-vars", {"WANTED": name})
    api.wait_for_log(app, "begun second")
    assert "begun third" not in api.logs(app)
    assert [release(api, app, version)["status"] for version in (5, 6, 7)] == ["succeeded", "pending", "pending"]
    (folder.parent / "second").touch()
    assert settled(api, app, 6)["status"] == "succeeded"
    (folder.parent / "third").touch()
    assert settled(api, app, 7)["status"] == "succeeded"


def test_a_backend_killed_meanwhile_leaves_no_release_pending(tmp_path: Path, folder: Path) -> None:
    backend = Backend(tmp_path / "home").start()
    try:
        app = backend.ok("POST", "/apps", {})["name"]
        backend.push(folder, app)
        (folder / "Procfile").write_text(PROCFILE.format(command="echo sleeping; sleep 600"))
        backend.ok("PATCH", f"/apps/{app}/config-vars", {"WANTED": "x"})
        settled(backend, app, 4)
        push = threading.Thread(target=lambda: backend.push(folder, app, check=False))
        push.start()
        backend.wait_for_log(app, "sleeping")
        backend.kill()
        push.join()
        backend.start()
        assert release(backend, app, 5)["status"] == "failed" and release(backend, app, "current")["version"] == 4
        assert "Release v5 command failed" in backend.logs(app)
    finally:
        backend.stop()
