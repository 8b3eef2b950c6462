"""Pushes: real git, real builds, real dynos."""

import base64
import os
import re
import socket
import zlib
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from tests.backends import Backend, wait_for

WORKER = "worker: sh -c 'echo started in $DYNO; while :; do sleep 1; done'\n"


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
    (folder / "Procfile").write_text(WORKER)
    return folder


def running(api: Backend, app: str) -> dict[str, str]:
    return {each["name"]: each["state"] for each in api.ok("GET", f"/apps/{app}/dynos")}


def scale(api: Backend, app: str, **quantities: int) -> None:
    updates = [{"type": name, "quantity": quantity} for name, quantity in quantities.items()]
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": updates})


def test_a_push_builds_releases_and_tells_the_pusher(api: Backend, app: str, folder: Path) -> None:
    said = api.push(folder, app)
    for line in (
        "-----> Delayed Job (embedded) app detected",
        "-----> Discovering process types",
        "Procfile declares types     -> worker",
        "Default types for buildpack -> rake, worker",
        "-----> Compressing...",
        "Released v3",
        "Verifying deploy... done.",
    ):
        assert f"remote: {line}" in said.replace("remote:        ", "remote: "), said
    release = api.ok("GET", f"/apps/{app}/releases/current")
    commit = api.git(folder, "rev-parse", "HEAD").stdout.strip()
    assert (release["version"], release["description"]) == (3, f"Deploy {commit[:8]}")
    slug = api.ok("GET", f"/apps/{app}/slugs/{release['slug']['id']}")
    assert slug["commit"] == commit and set(slug["process_types"]) == {"rake", "worker"}
    assert requests.get(slug["blob"]["url"], timeout=30).content[:2] == b"\x1f\x8b"
    formation = api.ok("GET", f"/apps/{app}/formation")
    assert {each["type"]: each["quantity"] for each in formation} == {"rake": 0, "worker": 0}


def test_a_push_restarts_what_runs_with_the_new_code(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    scale(api, app, worker=1)
    api.wait_for_log(app, "started in worker.1")
    (folder / "Procfile").write_text(WORKER.replace("started", "begun"))
    api.push(folder, app)
    logs = api.wait_for_log(app, "begun in worker.1")
    order = ["started in worker.1", "Restarting", "Stopping all processes with SIGTERM", "begun in worker.1"]
    assert [logs.index(each) for each in order] == sorted(logs.index(each) for each in order)
    wait_for(lambda: running(api, app) == {"worker.1": "up"}, "one worker")


def test_a_failed_build_rejects_the_push_and_keeps_the_old_release(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    before = api.git(folder, "rev-parse", "HEAD").stdout
    scale(api, app, worker=1)
    wait_for(lambda: running(api, app) == {"worker.1": "up"}, "the worker")
    (folder / "Procfile").write_text("this is no Procfile\n")
    said = api.push(folder, app, check=False)
    assert "Procfile, line 1: 'this is no Procfile' is not `type: command`." in said
    assert f"Push rejected to {app}. v3 keeps running." in said and "[remote rejected]" in said
    assert api.ok("GET", f"/apps/{app}/releases/current")["version"] == 3
    assert api.git(folder, "ls-remote", f"{api.url}/{app}.git", "main").stdout.split()[0] == before.strip()
    assert sorted(each["status"] for each in api.ok("GET", f"/apps/{app}/builds")) == ["failed", "succeeded"]
    assert running(api, app) == {"worker.1": "up"}
    (folder / "Procfile").write_text(WORKER)
    assert "Released v4" in api.push(folder, app)


def test_a_folder_with_nothing_to_run_is_refused(api: Backend, app: str, tmp_path: Path) -> None:
    (tmp_path / "README").write_text("nothing\n")
    said = api.push(tmp_path, app, check=False)
    assert "No default language could be detected for this app." in said and "[remote rejected]" in said


def test_only_main_and_master_are_deployed(api: Backend, app: str, folder: Path) -> None:
    said = api.push(folder, app, branch="topic")
    assert "only main and master are" in said and "git push heroku topic:main" in said
    assert api.ok("GET", f"/apps/{app}/releases/current")["slug"] is None
    assert "Released v3" in api.push(folder, app, branch="master")


def test_pushing_what_is_deployed_changes_nothing(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    said = api.git(folder, "push", f"{api.url}/{app}.git", "HEAD:refs/heads/main").stderr
    assert "Everything up-to-date" in said
    assert api.ok("GET", f"/apps/{app}/releases/current")["version"] == 3


def test_a_push_to_an_unknown_app_says_so(api: Backend, folder: Path) -> None:
    said = api.push(folder, "no-such-app", check=False)
    assert "Couldn't find that app." in said


def test_a_push_without_a_token_is_refused(api: Backend, app: str, folder: Path) -> None:
    api.git(folder, "init", "--quiet", "-b", "main")
    answer = requests.get(f"{api.url}/{app}.git/info/refs?service=git-receive-pack", timeout=30)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Basic")
    wrong = requests.get(f"{api.url}/{app}.git/info/refs?service=git-receive-pack", auth=("x", "wrong"), timeout=30)
    assert wrong.status_code == 401


def test_what_was_pushed_can_be_cloned(api: Backend, app: str, folder: Path, tmp_path: Path) -> None:
    api.push(folder, app)
    api.git(tmp_path, "clone", "--quiet", f"{api.url}/{app}.git", "copy")
    assert (tmp_path / "copy" / "Procfile").read_text() == WORKER


def test_a_large_push_arrives_whole(api: Backend, app: str, folder: Path) -> None:
    (folder / "blob").write_bytes(os.urandom(8 << 20))
    assert "Released v3" in api.push(folder, app)


def test_dj_keeps_the_worker_at_its_plan_until_it_is_removed(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    wait_for(lambda: running(api, app) == {"worker.1": "up"}, "the worker")
    refused = api.call("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 0}]})
    assert refused.status_code == 422 and "held at 1 by the add-on" in refused.json()["message"]
    api.ok("PATCH", f"/apps/{app}/addons/dj", {"plan": {"name": "dj:trio"}})
    wait_for(lambda: set(running(api, app)) == {"worker.1", "worker.2", "worker.3"}, "three workers")
    api.ok("DELETE", f"/apps/{app}/addons/dj")
    wait_for(lambda: running(api, app) == {}, "no worker")


def test_dj_added_before_the_first_push_starts_its_worker_with_it(api: Backend, app: str, folder: Path) -> None:
    api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    api.push(folder, app)
    wait_for(lambda: running(api, app) == {"worker.1": "up"}, "the worker")


def test_a_config_change_reaches_what_runs(api: Backend, app: str, folder: Path) -> None:
    (folder / "Procfile").write_text("worker: sh -c 'echo greeting is $GREETING; exec sleep 1000'\n")
    api.push(folder, app)
    scale(api, app, worker=1)
    api.wait_for_log(app, "greeting is\n")
    api.ok("PATCH", f"/apps/{app}/config-vars", {"GREETING": "hello"})
    api.wait_for_log(app, "greeting is hello\n")


def test_a_rollback_runs_the_old_code_with_the_old_config(api: Backend, app: str, folder: Path) -> None:
    (folder / "Procfile").write_text("worker: sh -c 'echo old $A; exec sleep 1000'\n")
    api.push(folder, app)
    (folder / "Procfile").write_text("worker: sh -c 'echo new $A; exec sleep 1000'\n")
    api.push(folder, app)
    api.ok("PATCH", f"/apps/{app}/config-vars", {"A": "config"})
    scale(api, app, worker=1)
    api.wait_for_log(app, "new config\n")
    release = api.ok("POST", f"/apps/{app}/releases", {"release": "3"})
    assert release["description"] == "Rollback to v3"
    api.wait_for_log(app, "old\n")
    assert "A" not in api.ok("GET", f"/apps/{app}/config-vars")


def test_a_detached_one_off_runs_and_is_logged(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    dyno = api.ok("POST", f"/apps/{app}/dynos", {"command": "echo $FOO from $DYNO", "env": {"FOO": 12}})
    api.wait_for_log(app, f"app[{dyno['name']}]: 12 from {dyno['name']}\n")
    api.wait_for_log(app, f"heroku[{dyno['name']}]: Process exited with status 0\n")


def test_a_destroyed_app_stops_running_and_leaves_nothing(api: Backend, app: str, folder: Path) -> None:
    (folder / "Procfile").write_text("worker: sh -c 'echo my pid is $$; exec sleep 1000'\n")
    api.push(folder, app)
    scale(api, app, worker=1)
    pid = str(wait_for(lambda: re.search(r"my pid is (\d+)", api.logs(app)), "the worker").group(1))
    app_id = api.ok("GET", f"/apps/{app}")["id"]
    slug_id = api.ok("GET", f"/apps/{app}/releases/current")["slug"]["id"]
    api.ok("DELETE", f"/apps/{app}")
    kept = [path.name for folder in ("repositories", "slugs") for path in (api.home / folder).iterdir()]
    assert not [name for name in kept if app_id in name or slug_id in name]
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the worker to end")


def test_a_push_that_came_too_late_is_not_released(api: Backend, app: str, folder: Path, tmp_path: Path) -> None:
    api.push(folder, app)
    api.git(tmp_path, "clone", "--quiet", f"{api.url}/{app}.git", "mate")
    mate = tmp_path / "mate"
    (mate / "README").write_text("first\n")
    (folder / "README").write_text("second\n")
    advertised = api.git(folder, "ls-remote", f"{api.url}/{app}.git", "main").stdout.split()[0]
    api.push(mate, app)
    api.git(folder, "add", "--all")
    api.git(folder, "commit", "--quiet", "-m", "Late")
    late = api.git(folder, "rev-parse", "HEAD").stdout.strip()
    revisions = f"{late}\n^{advertised}\n".encode()
    pack = api.git_bytes(folder, "pack-objects", "--stdout", "--revs", "--quiet", stdin=revisions)
    line = f"{advertised} {late} refs/heads/main\0 report-status side-band-64k\n".encode()
    body = b"%04x" % (len(line) + 4) + line + b"0000" + pack.stdout
    answer = requests.post(
        f"{api.url}/{app}.git/git-receive-pack", data=body, auth=("", api.credentials["token"]), timeout=30
    )
    assert b"Somebody else has pushed meanwhile" in answer.content and b"ng refs/heads/main" in answer.content
    assert api.ok("GET", f"/apps/{app}/releases/current")["version"] == 4


def test_a_push_that_is_broken_off_leaves_no_git_behind(api: Backend, app: str) -> None:
    assert api.process is not None
    backend = psutil.Process(api.process.pid)
    begun = b"00b0half of a line"
    deflate = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    compressed = deflate.compress(begun) + deflate.flush(zlib.Z_SYNC_FLUSH)
    for headers, body in (("", begun), ("Content-Encoding: gzip\r\n", compressed)):
        token = base64.b64encode(f":{api.credentials['token']}".encode()).decode()
        with socket.create_connection(("localhost", api.port)) as connection:
            head = f"POST /{app}.git/git-receive-pack HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {token}\r\n"
            connection.sendall(f"{head}Content-Length: 1000\r\n{headers}\r\n".encode() + body)
            wait_for(lambda: "git" in programs_of(backend), "git to run")
    wait_for(lambda: "git" not in programs_of(backend), "git to end")


def programs_of(parent: psutil.Process) -> set[str]:
    """Names of the processes below one; those that end meanwhile are left out."""
    found = set()
    for each in parent.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found.add(each.name())
    return found


def test_where_what_a_build_says_cannot_be_kept_the_pusher_is_told_and_the_next_build_works(
    tmp_path: Path, folder: Path
) -> None:
    backend = Backend(tmp_path / "home").start()
    try:
        app = backend.ok("POST", "/apps", {})["name"]
        builds = tmp_path / "home" / "builds"
        builds.rename(away := tmp_path / "away")
        builds.touch()
        assert "What a build says cannot be written down here" in backend.push(folder, app, check=False)
        builds.unlink()
        away.rename(builds)
        assert [each["status"] for each in backend.ok("GET", f"/apps/{app}/builds")] == ["failed"]
        assert "Released v3" in backend.push(folder, app)
    finally:
        backend.stop()
