"""Snapshots: a platform brought back whole, while it runs, and however it is interrupted."""

import asyncio
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from hkcli.backend import accounts, clearing, restoring, snapshots
from hkcli.backend.errors import InvalidParams, NotFound, Unauthorized
from hkcli.backend.home import Home
from hkcli.backend.log_segments import SEGMENT_BYTES
from hkcli.backend.store import Addon, App, Store, User
from tests.backend.runtime import is_running
from tests.backends import Backend, wait_for

FOLDERS = [part for part in snapshots.FOLDERS if part != "databases"]
WORDS = {"repositories": "repositories/a.git/objects"}
"""Where a part of a state that is made up says its word, if not at its top."""
CUT_OFF = 0
"""In place of a status."""
PID = re.compile(r"app\[worker\.1\]: my pid is (\d+)")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path / "home", options=("--stop-grace", "20")).start()
    yield backend
    backend.stop()


def dynos(backend: Backend, app: str) -> dict[str, str]:
    return {each["name"]: each["state"] for each in backend.ok("GET", f"/apps/{app}/dynos")}


def test_a_running_platform_goes_back_to_a_snapshot_at_the_same_address(backend: Backend, tmp_path: Path) -> None:
    app = backend.ok("POST", "/apps", {"name": "kept"})
    source, database = tmp_path / "source", backend.home / "databases" / f"{app['id']}.sqlite3"
    source.mkdir()
    (source / "Procfile").write_text(
        "worker: [ -z \"$A\" ] || trap '' TERM; echo my pid is $$; while true; do sleep 1; done\n"
    )
    backend.push(source, "kept")
    backend.ok("PATCH", "/apps/kept/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    backend.wait_for_log("kept", "app[worker.1]: my pid is")
    writer = sqlite3.connect(database)
    writer.executescript("PRAGMA journal_mode = WAL; CREATE TABLE word (word); INSERT INTO word VALUES ('before');")
    saved = backend.ok("POST", "/backend/snapshots", {"name": "one"})
    assert (saved["name"], saved["apps"]) == ("one", ["kept"])

    writer.execute("INSERT INTO word VALUES ('after')")
    writer.commit()
    writer.close()
    commit = backend.git(source, "rev-parse", "HEAD").stdout
    backend.push(source, "kept", branch="topic")
    log_url = backend.ok("POST", "/apps/kept/log-sessions", {"tail": True})["logplex_url"]
    tail = requests.get(log_url, stream=True, timeout=60)
    backend.ok("PATCH", "/apps/kept/config-vars", {"A": "ignores SIGTERM"})
    pids = wait_for(lambda: found if len(found := PID.findall(backend.logs("kept"))) == 2 else None, "a restart")
    backend.ok("POST", "/apps", {"name": "made-later"})
    backend.ok("POST", "/backend/faults", {"pattern": "GET /regions", "status": 503})

    assert backend.ok("POST", "/backend/snapshots/one/actions/restore") == saved
    assert [each["name"] for each in backend.ok("GET", "/apps")] == ["kept"]
    assert "A" not in backend.ok("GET", "/apps/kept/config-vars")
    assert backend.ok("GET", "/regions")
    assert not is_running(int(pids[-1]))
    wait_for(lambda: dynos(backend, "kept") == {"worker.1": "up"}, "the worker of the snapshot to run")
    wait_for(
        lambda: backend.logs("kept").count("app[worker.1]: my pid is") == 2,
        "the worker's line after that of the snapshot",
    )
    with closing(sqlite3.connect(database)) as reader:
        assert reader.execute("SELECT word FROM word").fetchall() == [("before",)]
    refs = backend.git(source, "ls-remote", f"{backend.url}/kept.git").stdout
    assert commit.strip() in refs and "refs/heads/topic" not in refs
    assert tail.raw.read(1 << 20).endswith(b"\n")
    assert requests.get(log_url, timeout=30).status_code == 404

    backend.kill()
    backend.start()
    assert [each["name"] for each in backend.ok("GET", "/apps")] == ["kept"]
    assert [each["name"] for each in backend.ok("GET", "/backend/snapshots")] == ["one"]


def test_requests_wait_while_a_snapshot_is_restored_and_none_is_lost(backend: Backend, tmp_path: Path) -> None:
    backend.ok("POST", "/apps", {"name": "kept"})
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "Procfile").write_text('web: exec python3 -m http.server "$PORT"\n')
    backend.push(tmp_path / "source", "kept")
    site = {"Host": f"kept.localhost:{backend.port}"}
    assert requests.get(backend.url, headers=site, timeout=60).status_code == 200
    backend.ok("POST", "/backend/snapshots", {"name": "one"})
    is_over = Event()
    statuses: dict[str, list[int]] = {"/apps": [], "/Procfile": []}

    def ask(path: str, headers: dict[str, str]) -> None:
        with requests.Session() as session:
            while not is_over.is_set():
                try:
                    status = session.get(backend.url + path, headers=headers, timeout=60).status_code
                except requests.exceptions.ChunkedEncodingError:
                    status = CUT_OFF
                statuses[path].append(status)

    token = {"Authorization": f"Bearer {backend.credentials['token']}"}
    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask, path, headers) for path, headers in (("/apps", token), ("/Procfile", site))]
        try:
            for _ in range(2):
                backend.ok("POST", "/backend/snapshots/one/actions/restore")
                seen = len(statuses["/Procfile"])
                wait_for(
                    lambda seen=seen: len(statuses["/Procfile"]) > seen + 9 or any(each.done() for each in asking),
                    "requests after the restoration",
                )
        finally:
            is_over.set()
        for each in asking:
            each.result(60)
    assert set(statuses["/apps"]) == {200}
    ended = [each for each in statuses["/Procfile"] if each != 200]
    assert set(ended) <= {503, CUT_OFF}, "what a dyno was working on when it was ended is an H13, or half an answer"
    assert len(ended) <= 2


def test_snapshots_are_for_whoever_runs_the_backend_alone(shared_backend: Backend) -> None:
    made = shared_backend.ok("POST", "/backend/users", {"email": "snap@example.com"})
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/a"), ("POST", "/a/actions/restore")):
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert shared_backend.call(method, f"/backend/snapshots{path}", headers=headers).status_code == 403
    shared_backend.ok("DELETE", "/backend/users/snap@example.com")


# --- at rest


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A directory of a backend that does not run, in the state "old"."""
    home = Home.create(tmp_path / "home")
    fill(home, "old")
    return home


def save(home: Home, name: str) -> dict[str, Any]:
    return asyncio.run(snapshots.save(home, clearing.of_home(home)[1], name))


def stage(home: Home, name: str) -> dict[str, Any]:
    return asyncio.run(restoring.stage(home, clearing.of_home(home)[1], name))


def restore(home: Home, name: str) -> dict[str, Any]:
    return asyncio.run(restoring.restore(home, clearing.of_home(home)[1], name))


def remove_named(home: Home, name: str) -> None:
    asyncio.run(snapshots.remove_named(home, clearing.of_home(home)[1], name))


def fill(home: Home, word: str) -> None:
    """Make every part of a state say this word."""
    for path in (home.store, home.store_id, home.database("app")):
        path.unlink(missing_ok=True)
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        session.add(App(name=word, owner=User(email="a@localhost", password_hash="")))
        home.store_id.write_text(word)
    for part in snapshots.FOLDERS:
        shutil.rmtree(home.root / part)
        (home.root / WORDS.get(part, part)).mkdir(parents=True)
        (home.root / WORDS.get(part, part) / "word").write_text(word)
    with closing(sqlite3.connect(home.database("app"))) as database:
        database.execute(f"CREATE TABLE {word} (id)")


def words(home: Home) -> set[str]:
    """What the parts of the state say: one word, unless it is a mix."""
    found = {(home.root / WORDS.get(part, part) / "word").read_text() for part in FOLDERS} | {home.store_id.read_text()}
    for path, question in (
        (home.store, "SELECT name FROM apps"),
        (home.database("app"), "SELECT name FROM sqlite_master"),
    ):
        with closing(sqlite3.connect(path)) as database:
            found |= {name for (name,) in database.execute(question)}
    return found


class Killed(BaseException):
    """What `kill -9` is in these tests."""


CHANGES = (
    *((Path, name) for name in ("rename", "replace", "mkdir", "unlink", "write_text")),
    *((shutil, name) for name in ("rmtree", "copy2", "copytree")),
)


def kill_at(
    step: int, monkeypatch: pytest.MonkeyPatch, changes: Iterable[tuple[Any, str]] = CHANGES
) -> Callable[[], int]:
    """End whoever makes this many-th change, by default to the file system, and any later one; how many there were."""
    done = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*words: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done >= step:
                raise Killed
            return change(*words, **options)

        return changed

    for owner, name in changes:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return lambda: done


def killed_at_each(template: Home, action: Callable[[Home], object], stride: int = 1) -> list[str]:
    """What the state is after the next start, for every moment (or every so many) at which an action is killed."""
    outcomes = []
    for step in range(1, 1000, stride):
        home = Home(template.root.with_name(f"{template.root.name}-{len(outcomes)}"))
        shutil.copytree(template.root, home.root)
        with pytest.MonkeyPatch.context() as patched:
            count = kill_at(step, patched)
            with suppress(Killed):
                action(home)
        restoring.conclude(Home.create(home.root))
        found = words(home)
        assert len(found) == 1 and not home.restoring.exists(), f"killed at step {step}: {found}"
        outcomes += found
        if count() < step:
            break
    return outcomes


def test_restoring_that_is_killed_at_any_moment_leaves_one_state_or_the_other(home: Home) -> None:
    save(home, "old")
    fill(home, "new")
    staged = killed_at_each(home, lambda home: stage(home, "old"), stride=4)
    assert set(staged[:-1]) == {"new"} and len(staged) > 5
    half = Home(Path(shutil.copytree(home.root, home.root.with_name("staged"))))
    stage(half, "old")
    moved = killed_at_each(half, restoring.conclude)
    assert set(moved) == {"old"} and len(moved) > 20


def test_saving_that_is_killed_at_any_moment_leaves_the_snapshot_of_that_name_as_it_was(home: Home) -> None:
    save(home, "a")
    fill(home, "new")
    for step in range(1, 1000):
        with pytest.MonkeyPatch.context() as patched:
            count = kill_at(step, patched)
            with suppress(Killed):
                save(home, "a")
        restoring.conclude(Home.create(home.root))
        assert len(list(home.snapshots.iterdir())) == 2
        snapshot = snapshots.find(home, "a")
        if snapshot["apps"] == ["new"]:
            break
        assert snapshot["apps"] == ["old"] and count() >= step
    assert step > 10
    restore(home, "a")
    assert words(home) == {"new"}


def test_of_builds_that_are_under_way_only_what_they_have_said_is_kept(home: Home) -> None:
    (home.builds / "one").mkdir()
    os.mkfifo(home.builds / "one" / "pipe")
    (home.builds / "one.log").write_text("-----> At work")
    save(home, "a")
    (kept,) = (each for each in home.snapshots.iterdir() if each.is_dir())
    assert sorted(each.name for each in (kept / "builds").iterdir()) == ["one.log", "word"]


def test_what_cannot_be_copied_is_named_and_no_half_snapshot_is_left(home: Home) -> None:
    os.mkfifo(home.outputs / "pipe")
    with pytest.raises(InvalidParams, match=r"No snapshot was made: .*pipe"):
        save(home, "a")
    assert list(home.snapshots.iterdir()) == []


def test_full_segments_of_a_log_are_shared_and_the_one_that_grows_is_copied(home: Home) -> None:
    (log := home.logs / "app").mkdir()
    (log / "1.log").write_bytes(b"x" * SEGMENT_BYTES)
    (log / "9.log").write_bytes(b"x")
    save(home, "a")
    assert ((log / "1.log").stat().st_nlink, (log / "9.log").stat().st_nlink) == (2, 1)


def test_a_snapshot_of_another_version_is_refused_and_nothing_is_changed(home: Home) -> None:
    save(home, "a")
    path = home.snapshots / "a.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 1, "version": "0.0.1"}))
    fill(home, "new")
    with pytest.raises(InvalidParams, match=r"saved by version 0\.0\.1 \(format \d+, schema 1\).*Nothing was changed"):
        restore(home, "a")
    assert words(home) == {"new"}


def test_a_snapshot_of_which_something_is_missing_is_refused_and_nothing_is_changed(home: Home) -> None:
    save(home, "a")
    fill(home, "new")
    shutil.rmtree(next(home.snapshots.glob("*/slugs")))
    with pytest.raises(InvalidParams, match=r"cannot be restored: .*slugs.*Nothing was changed"):
        restore(home, "a")
    assert words(home) == {"new"}


def test_a_reset_leaves_snapshots_until_the_last_is_removed(home: Home) -> None:
    save(home, "a")
    home.clear()
    assert [each["name"] for each in snapshots.every(home)] == ["a"]
    restore(Home.create(home.root), "a")
    assert words(home) == {"old"}
    remove_named(home, "a")
    home.clear()
    assert list(home.root.iterdir()) == []


def test_what_cannot_be_kept_or_found_is_refused_by_name(home: Home) -> None:
    with pytest.raises(InvalidParams, match="no name for a snapshot"):
        save(home, "../a")
    with pytest.raises(NotFound, match="there are: none"):
        restore(home, "a")
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        session.add(Addon(id="1", app=session.query(App).one(), name="echo-flat", service="echo", plan="p"))
    (home.addons / "echo.1").touch()
    with pytest.raises(InvalidParams, match=r"what echo-flat on old \(echo\) holds .* heroku addons:destroy echo-flat"):
        save(home, "a")
    assert list(home.snapshots.iterdir()) == []


@pytest.mark.parametrize("is_revoked", [False, True], ids=["good", "revoked"])
def test_the_token_of_now_stays_good_if_it_is_though_the_snapshot_is_from_before_it_was_made(
    home: Home, is_revoked: bool
) -> None:
    save(home, "a")
    owner = {"email": "a@localhost", "password": "made-after-a-reset", "token": "HRKU-made-after-a-reset"}
    home.credentials.write_text(json.dumps(owner))
    if not is_revoked:
        with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
            accounts.authorize(session, accounts.users(session)[0], "now", token=owner["token"])
    restore(home, "a")
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        if is_revoked:
            with pytest.raises(Unauthorized):
                accounts.find_authorization(session, owner["token"])
        else:
            user = accounts.find_authorization(session, owner["token"]).user
            assert accounts.log_in(session, owner["email"], owner["password"]) is user
            accounts.check_operator(session, user)
