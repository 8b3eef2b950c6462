"""The backend is killed at the worst moments; started again, everything is there and nothing runs twice."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from hkcli.backend.listening import listen
from tests.backend.test_builds import write_buildpack
from tests.backends import Backend, wait_for

WORKER = "worker: sh -c 'echo pid $$; exec sleep 1000'\n"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path / "home").start()
    yield backend
    backend.stop()


@pytest.fixture
def app(backend: Backend, tmp_path: Path) -> str:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Procfile").write_text(WORKER)
    backend.ok("POST", "/apps", {"name": "mist"})
    backend.push(folder, "mist")
    backend.ok("POST", "/apps/mist/addons", {"plan": "dj"})
    backend.wait_for_log("mist", "app[worker.1]: pid ")
    return "mist"


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that works below a data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home / "dynos") in process.environ().get("HOME", ""):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_everything_is_there_after_kill_9_and_the_worker_runs_once(backend: Backend, app: str) -> None:
    backend.ok("PATCH", f"/apps/{app}/config-vars", {"KEPT": "yes"})
    wait_for(lambda: backend.logs(app).count("app[worker.1]: pid ") == 2, "the worker with the new config")
    before = backend.logs(app)
    old = {process.pid for process in processes_of(backend.home)}
    assert old
    backend.kill()
    backend.start()
    wait_for(lambda: backend.logs(app).count("app[worker.1]: pid ") == 3, "the worker of the new run")
    assert backend.logs(app).startswith(before)
    assert backend.ok("GET", f"/apps/{app}/config-vars")["KEPT"] == "yes"
    assert [each["plan"]["name"] for each in backend.ok("GET", f"/apps/{app}/addons")] == ["dj:single"]
    assert len(backend.ok("GET", f"/apps/{app}/releases")) == 5
    now = {process.pid for process in processes_of(backend.home)}
    assert len(now) == 1 and not now & old


def test_a_build_that_was_interrupted_has_failed(backend: Backend, app: str, tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "Gemfile").write_text("sleep 60\n")
    backend.git(folder, "init", "--quiet", "-b", "main")
    backend.git(folder, "add", "--all")
    backend.git(folder, "commit", "--quiet", "-m", "slow")
    token = backend.credentials["token"]
    url = f"http://heroku:{token}@localhost:{backend.port}/{app}.git"
    pushing = subprocess.Popen(["git", "push", "--force", url, "main"], cwd=folder, stderr=subprocess.PIPE)
    wait_for(lambda: "pending" in [each["status"] for each in backend.ok("GET", f"/apps/{app}/builds")], "the build")
    backend.kill()
    assert pushing.wait(30) != 0 and pushing.stderr is not None
    pushing.stderr.close()
    backend.start()
    assert sorted(each["status"] for each in backend.ok("GET", f"/apps/{app}/builds")) == ["failed", "succeeded"]
    assert backend.ok("GET", f"/apps/{app}/releases/current")["version"] == 4
    assert {path.suffix for path in (backend.home / "builds").iterdir()} == {".log"}


def test_sigterm_ends_every_process_in_order(backend: Backend, app: str) -> None:
    assert processes_of(backend.home)
    backend.stop()
    assert backend.process is not None and backend.process.returncode == 0
    assert processes_of(backend.home) == []
    assert not (backend.home / "backend.json").exists()


def test_a_second_backend_on_the_same_data_is_refused(backend: Backend) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "hkcli.backend", "--home", str(backend.home)], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1
    assert "heroku backend:stop" in second.stderr and str(backend.home) in second.stderr


def test_a_port_in_use_is_refused_when_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            [sys.executable, "-m", "hkcli.backend", "--home", str(tmp_path), "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in refused.stderr and "--port" in refused.stderr


def test_a_restart_keeps_the_port_that_git_remotes_lead_to(tmp_path: Path) -> None:
    home = tmp_path / "data"
    first = Backend(home).start()
    first.stop()
    again = subprocess.Popen([sys.executable, "-m", "hkcli.backend", "--home", str(home)])
    try:
        wait_for(lambda: (home / "backend.json").exists(), "the restart")
        assert json.loads((home / "backend.json").read_text())["port"] == first.port
    finally:
        again.terminate()
        again.wait(30)


def test_a_last_port_that_is_taken_since_gives_way_to_another(backend: Backend) -> None:
    listeners = listen("127.0.0.1", None, backend.port)
    try:
        assert listeners[0].getsockname()[1] != backend.port
    finally:
        for each in listeners:
            each.close()


def test_it_listens_on_loopback_alone(backend: Backend) -> None:
    assert backend.process is not None
    addresses = {
        each.laddr.ip for each in psutil.Process(backend.process.pid).net_connections() if each.status == "LISTEN"
    }
    assert addresses and addresses <= {"127.0.0.1", "::1"}


def test_tickets_and_tokens_are_good_after_a_restart(backend: Backend, app: str) -> None:
    url = backend.ok("POST", f"/apps/{app}/log-sessions", {})["logplex_url"]
    backend.kill()
    backend.start()
    assert requests.get(url, timeout=30).ok
    assert backend.ok("GET", "/account")["email"] == backend.credentials["email"]


def test_a_store_of_another_version_is_refused_with_words(tmp_path: Path) -> None:
    home = tmp_path / "home"
    backend = Backend(home).start()
    backend.stop()
    import sqlite3

    with sqlite3.connect(home / "platform.sqlite3") as store:
        store.execute("UPDATE schema SET version = 99")
    store.close()
    refused = subprocess.run(
        [sys.executable, "-m", "hkcli.backend", "--home", str(home), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert refused.returncode == 1 and "heroku backend:reset" in refused.stderr


def test_a_second_signal_does_not_wait(backend: Backend, tmp_path: Path) -> None:
    folder = tmp_path / "stubborn"
    folder.mkdir()
    (folder / "Procfile").write_text("worker: trap '' TERM; echo stubborn; while :; do sleep 1; done\n")
    backend.ok("POST", "/apps", {"name": "stubborn"})
    backend.push(folder, "stubborn")
    backend.ok("PATCH", "/apps/stubborn/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    backend.wait_for_log("stubborn", "app[worker.1]: stubborn")
    assert backend.process is not None
    os.kill(backend.process.pid, signal.SIGTERM)
    wait_for(lambda: not (backend.home / "backend.json").exists(), "the shutdown to begin")
    os.kill(backend.process.pid, signal.SIGTERM)
    assert backend.process.wait(10) != 0
    wait_for(lambda: processes_of(backend.home) == [], "every dyno to be gone", 5)


def start_in_vain(home: Path, *options: str) -> str:
    """What a backend that cannot start says."""
    words = [sys.executable, "-m", "hkcli.backend", "--home", str(home), "--port", "0", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done
    return done.stderr


def test_another_store_on_a_used_directory_is_refused_and_nothing_is_swept(backend: Backend, app: str) -> None:
    backend.stop()
    before = sorted(path for path in backend.home.rglob("*") if "dynos" not in path.parts)
    assert "holds the files of another store" in start_in_vain(
        backend.home, "--store", f"sqlite:///{backend.home}/o.db"
    )
    (backend.home / "o.db").unlink()
    after = sorted(path for path in backend.home.rglob("*") if "dynos" not in path.parts)
    assert [path for path in before if path not in after and "platform" not in path.name] == []
    backend.start()
    wait_for(lambda: backend.logs(app).count("app[worker.1]: pid ") == 2, "the worker of the old store")


def test_a_store_that_is_none_is_named(tmp_path: Path) -> None:
    assert "The store foo://x cannot be opened" in start_in_vain(tmp_path, "--store", "foo://x")


def test_an_owner_without_a_valid_token_gets_a_new_one(backend: Backend, app: str) -> None:
    backend.stop()
    credentials = backend.home / "credentials.json"
    credentials.write_text(credentials.read_text().replace("HRKU-", "HRKU-stale"))
    backend.start()
    assert [each["name"] for each in backend.ok("GET", "/apps")] == [app]


def test_files_are_private_in_a_directory_that_is_not(tmp_path: Path) -> None:
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    backend = Backend(home).start()
    backend.stop()
    kept = [path for path in home.rglob("*") if path.is_file() and path.parent.name != "stack"]
    assert {path.name for path in kept if path.stat().st_mode & 0o077} <= {"ca.pem"}


def test_both_loopback_addresses_are_ours(backend: Backend) -> None:
    for address in ("127.0.0.1", "[::1]"):
        answer = backend.session.get(f"http://{address}:{backend.port}/account", timeout=30)
        assert answer.json()["email"] == backend.credentials["email"]


def test_reset_removes_what_a_backend_keeps_and_nothing_else(backend: Backend, app: str) -> None:
    assert "already" in start_in_vain(backend.home, "--reset")
    backend.stop()
    (backend.home / "mine.txt").write_text("not the backend's")
    subprocess.run([sys.executable, "-m", "hkcli.backend", "--home", str(backend.home), "--reset"], check=True)
    assert [path.name for path in backend.home.iterdir()] == ["mine.txt"]


def test_an_open_tail_does_not_hold_up_the_end_of_the_backend(
    backend: Backend, app: str, capfd: pytest.CaptureFixture[str]
) -> None:
    url = backend.ok("POST", f"/apps/{app}/log-sessions", {"lines": 1, "tail": True})["logplex_url"]
    with requests.get(url, stream=True, timeout=30) as stream:
        lines = stream.iter_lines()
        next(lines)
        backend.stop()
        list(lines)
    assert capfd.readouterr().err == ""


def test_who_pushes_is_told_when_the_backend_is_stopped(
    backend: Backend, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pack = write_buildpack(tmp_path / "pack", detect="echo Endless", compile="echo compiling; sleep 600")
    sources = {"building": "worker: true\n", "releasing": "release: echo migrating; sleep 600\n"}
    for name, procfile in sources.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "Procfile").write_text(procfile)
        backend.ok("POST", "/apps", {"name": name})
    wanted = [{"buildpack": str(pack)}]
    backend.ok("PUT", "/apps/building/buildpack-installations", {"updates": wanted})
    with ThreadPoolExecutor() as threads:
        building, releasing = (threads.submit(backend.push, tmp_path / name, name, check=False) for name in sources)
        (build,) = wait_for(lambda: backend.ok("GET", "/apps/building/builds"), "the build")
        output = requests.get(build["output_stream_url"], stream=True, timeout=30)
        read = output.iter_lines()
        assert any(line == b"compiling" for line in read)
        backend.wait_for_log("releasing", "migrating")
        capfd.readouterr()
        backend.stop()
        told = "The backend is being stopped; have it built again when it is back."
        assert told in building.result() and "pre-receive hook declined" in building.result()
        assert f" !     {told}".encode() in list(read)
        assert "The backend is being stopped; its release command ends with it. See: heroku rel" in releasing.result()
        assert "[new branch]" in releasing.result()
    assert capfd.readouterr().err == ""
    backend.start()
    assert [each["status"] for each in backend.ok("GET", "/apps/building/builds")] == ["failed"]
    assert backend.ok("GET", "/apps/releasing/releases")[-1]["status"] == "failed"
