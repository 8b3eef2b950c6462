"""Snapshots of apps on PostgreSQL: real databases on a real server, and backends that are killed in the midst of it."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from hkcli.backend import clearing, restoring, snapshots
from hkcli.backend.addons import postgresql_server
from hkcli.backend.addons.postgresql_cluster import PostgresError, find_binaries, owner
from hkcli.backend.addons.postgresql_copies import Copies
from hkcli.backend.addons.postgresql_databases import Databases, database_name
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.engines import members
from hkcli.backend.ephemeral import PREFIX, sweep
from hkcli.backend.errors import InvalidParams
from hkcli.backend.home import Home
from hkcli.backend.store import Addon, App, Store, User
from tests.backend.test_snapshots import Killed, kill_at
from tests.backends import Backend, wait_for

pytestmark = pytest.mark.skipif(find_binaries() is None, reason="there is no PostgreSQL on this machine")


def server_of(backend: Backend) -> PostgresServer:
    return PostgresServer.at(backend.home, Home(backend.home).engine_id(), None)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Its server is as those of ephemeral backends are: quick, and not made for a power cut."""
    backend = Backend(tmp_path_factory.mktemp("snapshots")).start()
    with_database(backend, "first")
    with admin(backend) as operator:
        operator.execute("ALTER SYSTEM SET fsync = off")
        operator.execute("SELECT pg_reload_conf()")
    backend.ok("DELETE", "/apps/first")
    wait_for(lambda: databases(backend) == [], "its database to be dropped")
    yield backend
    backend.stop()
    shutil.rmtree(server_of(backend).folder, ignore_errors=True)


def admin(backend: Backend) -> "psycopg.Connection[tuple[Any, ...]]":
    return connect((server_of(backend).folder / "url").read_text())


def connect(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


def with_database(backend: Backend, app: str) -> str:
    """The URL of a new app's database, in which it says `before`."""
    backend.ok("POST", "/apps", {"name": app})
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "heroku-postgresql"})["id"]
    wait_for(lambda: backend.ok("GET", f"/addons/{addon}")["state"] == "provisioned", "the database", 90)
    url = str(backend.ok("GET", f"/apps/{app}/config-vars")["DATABASE_URL"])
    with connect(url) as connection:
        connection.execute("CREATE TABLE words (word text)")
    say(url, "before")
    return url


def say(url: str, word: str) -> None:
    with connect(url) as connection:
        connection.execute("TRUNCATE words")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def said(url: str) -> str:
    with connect(url) as connection:
        return str((connection.execute("SELECT word FROM words").fetchone() or ("nothing",))[0])


def databases(backend: Backend, whose: Home | str | None = None) -> list[str]:
    """Of this backend, or another one on its server: `d` an add-on's, `s` a copy."""
    identity = whose if isinstance(whose, str) else (whose or Home(backend.home)).engine_id()
    query = "SELECT left(datname, 1) FROM pg_database WHERE datname LIKE %s OR datname LIKE %s ORDER BY 1"
    with admin(backend) as operator:
        return [kind for (kind,) in operator.execute(query, [f"d{identity[:8]}%", f"s{identity}%"])]


def test_databases_go_back_with_the_rest_whatever_became_of_them(backend: Backend) -> None:
    kept, gone = (with_database(backend, app) for app in ("kept", "gone"))
    with admin(backend) as operator:
        name = psycopg.conninfo.conninfo_to_dict(kept)["dbname"]
        operator.execute(f"ALTER DATABASE {name} SET search_path = elsewhere, public")
    quiet = backend.ok("POST", "/backend/snapshots", {"name": "quiet"})
    with connect(kept) as in_use:
        in_use.execute("BEGIN; UPDATE words SET word = 'not committed'")
        busy = backend.ok("POST", "/backend/snapshots", {"name": "busy"})
        in_use.execute("ROLLBACK")
        assert in_use.execute("SHOW search_path").fetchone() == ("elsewhere, public",), "a save disturbs nobody"
        assert min(quiet["size_bytes"], busy["size_bytes"]) > 10_000_000, "two databases, of some megabytes even empty"

        say(kept, "after")
        in_use.execute("CREATE TABLE later (id int)")
        addon = backend.ok("GET", "/apps/gone/addons")[0]["id"]
        backend.ok("DELETE", "/apps/gone")
        with admin(backend) as operator:
            wait_for(lambda: databases(backend).count("d") == 1, "the database of the app to be dropped")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            connect(gone)
        later = with_database(backend, "later")

        for name in ("busy", "quiet"):
            backend.ok("POST", f"/backend/snapshots/{name}/actions/restore")
            assert (said(kept), said(gone)) == ("before", "before")
            with connect(kept) as connection:
                assert connection.execute("SELECT to_regclass('later')").fetchone() == (None,)
                assert connection.execute("SHOW search_path").fetchone() == ("elsewhere, public",)
            say(kept, "after")
            say(gone, "after")
        with pytest.raises(psycopg.OperationalError):
            in_use.execute("SELECT 1")
    with admin(backend) as operator:
        wait_for(lambda: databases(backend) == ["d", "d", "s", "s", "s", "s"], "what was replaced to be dropped")
        with pytest.raises(psycopg.OperationalError, match=r"authentication failed|does not exist"):
            connect(later)
        backend.ok("DELETE", "/backend/snapshots/busy")
        backend.ok("DELETE", "/apps/gone")
        wait_for(lambda: databases(backend) == ["d", "s", "s"], "the copies to go with their snapshot")
        backend.ok("DELETE", "/backend/snapshots/quiet")
        wait_for(lambda: databases(backend) == ["d"], "the copies to go with their snapshot")
        role = database_name(Home(backend.home).engine_id(), addon)
        query = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
        assert operator.execute(query, [role]).fetchone() == (0,), "nothing of its own is left, in no snapshot"
    backend.ok("DELETE", "/apps/kept")


@contextmanager
def killed_at(backend: Backend, name: str, statement: str, path: str, body: Any = None) -> Iterator[None]:
    """SIGKILL during a request, while the server waits to do what it was told to: somebody else holds the database.

    It goes on with that at the end of the block, if nobody stops it."""

    def ask() -> None:
        with pytest.raises(requests.RequestException):
            backend.call("POST", path, body)

    with admin(backend) as holding, admin(backend) as watching:
        holding.execute("BEGIN")
        holding.execute(f"ALTER DATABASE {name} RENAME TO held")
        asking = threading.Thread(target=ask)
        asking.start()
        query = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'hkcli %'"
        wait_for(lambda: (watching.execute(query).fetchone() or ("",))[0].startswith(statement), f"{statement} to wait")
        backend.kill()
        asking.join()
        yield
        holding.execute("ROLLBACK")


def state(backend: Backend, url: str) -> tuple[str, str]:
    """What the two parts of it say."""
    return said(url), backend.ok("GET", "/apps/kept/config-vars").get("WORD", "before")


def test_a_backend_that_is_killed_while_it_copies_leaves_no_mix_of_states_and_no_copies(backend: Backend) -> None:
    url, notes = with_database(backend, "kept"), backend.home / "copies"
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with killed_at(backend, name, "CREATE DATABASE", "/backend/snapshots", {"name": "one"}):
        backend.start()
    assert backend.ok("GET", "/backend/snapshots") == []
    wait_for(lambda: databases(backend) == ["d"], "the unfinished copy to be dropped")
    backend.ok("POST", "/backend/snapshots", {"name": "one"})
    (copy,) = (each.name for each in notes.iterdir())
    say(url, "after")
    backend.ok("PATCH", "/apps/kept/config-vars", {"WORD": "after"})

    with killed_at(backend, copy, "CREATE DATABASE", "/backend/snapshots/one/actions/restore"):
        backend.start()
    assert state(backend, url) == ("after", "after")
    wait_for(lambda: databases(backend) == ["d", "s"], "what was staged to be dropped")

    with killed_at(backend, name, "ALTER DATABASE", "/backend/snapshots/one/actions/restore"):
        assert (backend.home / "exchanges.json").exists(), "the files are in place"
    backend.start()
    assert state(backend, url) == ("before", "before")
    wait_for(lambda: databases(backend) == ["d", "s"], "what was replaced to be dropped")
    wait_for(lambda: [each.name for each in notes.iterdir()] == [copy], "its note to go as well")
    backend.ok("DELETE", "/backend/snapshots/one")
    backend.ok("DELETE", "/apps/kept")


@pytest.fixture
def guest(backend: Backend, tmp_path: Path) -> Home:
    """The directory, in which nothing runs, of somebody whose server is that of the backend."""
    home = Home.create(tmp_path / "home")
    home.keep_postgres_url((server_of(backend).folder / "url").read_text())
    server, copies = clearing.of_home(home)
    config = asyncio.run(Databases(server, copies.identity).make(ADDON))
    (home.addons / f"heroku-postgresql.{ADDON}").touch()
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        app = App(name="before", owner=User(email="a@localhost", password_hash=""))
        session.add(Addon(id=ADDON, app=app, name="flat", service="heroku-postgresql", plan="p", config=config))
        home.store_id.write_text("guest")
    with connect(config["URL"]) as connection:
        connection.execute("CREATE TABLE words (word text)")
    say(config["URL"], "before")
    return home


ADDON = str(uuid.uuid4())


@contextmanager
def opened(home: Home) -> Iterator[tuple[App, str]]:
    """Its app, and the URL of its database."""
    with closing(Store(f"sqlite:///{home.store}")) as store, store.transaction() as session:
        yield session.query(App).one(), session.get_one(Addon, ADDON).config["URL"]


def test_restoring_that_is_killed_at_any_moment_leaves_one_state_or_the_other(backend: Backend, guest: Home) -> None:
    copies = clearing.of_home(guest)[1]
    asyncio.run(snapshots.save(guest, copies, "a"))
    outcomes = []
    for step in range(1, 100):
        with opened(guest) as (app, url):
            app.name = "after"
            say(url, "after")
        with pytest.MonkeyPatch.context() as patched:
            count = kill_at(step, patched, [(PostgresServer, "administer"), (Path, "replace"), (restoring, "remove")])
            with suppress(Killed):
                asyncio.run(restoring.restore(guest, clearing.of_home(guest)[1], "a"))
        asyncio.run(restoring.resume(guest, clearing.of_home(guest)[1]))
        with opened(guest) as (app, url):
            assert app.name == said(url), f"killed at step {step}"
            outcomes.append(app.name)
        if count() < step:
            break
    assert set(outcomes) == {"before", "after"} and outcomes == sorted(outcomes) and len(outcomes) > 7
    asyncio.run(snapshots.remove_named(guest, copies, "a"))
    assert databases(backend, guest) == ["d"]
    assert clearing.reset(guest) is None


def test_a_reset_keeps_the_databases_of_snapshots_and_leaves_no_other_on_a_server_of_others(
    backend: Backend, guest: Home
) -> None:
    hosts = databases(backend, Home(backend.home))
    asyncio.run(snapshots.save(guest, clearing.of_home(guest)[1], "a"))
    assert clearing.reset(guest) is None
    assert databases(backend, guest) == ["s"]
    home = Home.create(guest.root)
    asyncio.run(restoring.restore(home, clearing.of_home(home)[1], "a"))
    with opened(home) as (_, url):
        assert said(url) == "before"
    asyncio.run(snapshots.remove_named(home, clearing.of_home(home)[1], "a"))
    identity = home.engine_id()
    assert clearing.reset(home) is None
    assert list(home.root.iterdir()) == []
    assert databases(backend, identity) == [] and databases(backend, Home(backend.home)) == hosts


def test_an_ephemeral_backend_leaves_nothing_on_a_server_of_others(backend: Backend) -> None:
    server = (server_of(backend).folder / "url").read_text()
    words = [sys.executable, "-m", "hkcli.backend", "--ephemeral", "--postgres", server]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        told = json.loads(process.stdout.readline())
        identity = Home(Path(told["home"])).engine_id()
        guest = Backend(Path(told["home"]), port=told["port"])
        guest.session.headers["Authorization"] = f"Bearer {guest.credentials['token']}"
        guest.session.headers["Accept"] = "application/vnd.heroku+json; version=3"
        url = with_database(guest, "guest")
        guest.ok("POST", "/backend/snapshots", {"name": "a"})
        say(url, "after")
        guest.ok("POST", "/backend/snapshots/a/actions/restore")
        assert said(url) == "before" and set(databases(backend, identity)) == {"d", "s"}
        guest.session.close()
        process.stdin.close()
        assert process.wait(60) == 0
    assert databases(backend, identity) == [] and not Path(told["home"]).exists()


def test_a_snapshot_of_another_server_is_refused_and_nothing_is_changed(guest: Home) -> None:
    copies = clearing.of_home(guest)[1]
    asyncio.run(snapshots.save(guest, copies, "a"))
    asyncio.run(copies.drop(copies.unneeded(set())))
    with pytest.raises(InvalidParams, match=r"There is no database s\w+ here: it is on another server .* Nothing was"):
        asyncio.run(restoring.restore(guest, clearing.of_home(guest)[1], "a"))
    with opened(guest) as (_, url):
        assert said(url) == "before"
    snapshots.find(guest, "a")
    asyncio.run(snapshots.remove_named(guest, copies, "a"))
    assert clearing.reset(guest) is None


def crashed(server: PostgresServer, pid: int | None = None) -> None:
    """Run a server, and end it as an out-of-memory killer does; its pid file names the process `pid` from then on."""
    asyncio.run(server.url())
    file = server.folder / "data" / "postmaster.pid"
    first, *rest = file.read_text().splitlines(keepends=True)
    process = psutil.Process(int(first))
    process.kill()
    psutil.wait_procs([process], 30)
    file.write_text("".join([f"{pid}\n" if pid else first, *rest]))


@pytest.mark.parametrize("is_reused", [False, True])
def test_a_server_that_was_killed_keeps_nobody_from_going_on(tmp_path: Path, is_reused: bool) -> None:
    remains = Home.create(tmp_path / f"{PREFIX}killed")
    server = PostgresServer.at(remains.root, remains.engine_id(), None, durable=False)
    with subprocess.Popen(["sleep", "600"], cwd="/", user=owner()) as stranger:
        try:
            for _ in range(2):
                crashed(server, stranger.pid if is_reused else None)
                asyncio.run(server.stop())
            words = [sys.executable, "-m", "hkcli.backend", "--home", str(remains.root), "--snapshot", "list"]
            subprocess.run(words, check=True, timeout=120, capture_output=True)
            sweep(tmp_path)
            assert not remains.root.exists() and not server.folder.exists()
            assert stranger.poll() is None, "whoever has the pid now is not signalled"
        finally:
            stranger.kill()
            shutil.rmtree(server.folder, ignore_errors=True)


def test_remains_that_cannot_be_removed_do_not_keep_others_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = [Home.create(tmp_path / f"{PREFIX}{name}") for name in ("one", "two")]
    for home in homes:
        home.secret()

    def refuses(engine_id: str, *, grace_s: float) -> None:
        if engine_id == homes[0].engine_id():
            raise RuntimeError("for a reason of its own")

    monkeypatch.setattr(members, "end_engine", refuses)
    sweep(tmp_path)
    assert [home.root.exists() for home in homes] == [True, False]
    assert f"{homes[0].root} cannot be removed: for a reason of its own" in capsys.readouterr().err


def test_a_restore_that_was_decided_is_not_over_on_another_server(guest: Home) -> None:
    copies = clearing.of_home(guest)[1]
    asyncio.run(snapshots.save(guest, copies, "a"))
    with opened(guest) as (app, url):
        app.name = "after"
        say(url, "after")
    asyncio.run(restoring.stage(guest, copies, "a"))
    notes = sorted(guest.copies.iterdir())
    other = PostgresServer.at(guest.root, copies.identity, None, durable=False)
    try:
        with pytest.raises(PostgresError, match=r"another server than the one on which .* start with that one"):
            asyncio.run(restoring.resume(guest, Copies(other, guest.copies, copies.identity)))
        with pytest.raises(PostgresError, match=r"add-ons and snapshots here are on the PostgreSQL server at 127"):
            clearing.of_home(guest, clearing.OWN)
    finally:
        asyncio.run(other.stop())
    assert guest.exchanges.exists() and sorted(guest.copies.iterdir()) == notes
    asyncio.run(restoring.resume(guest, copies))
    with opened(guest) as (app, url):
        assert (app.name, said(url)) == ("before", "before")
    asyncio.run(snapshots.remove_named(guest, copies, "a"))
    assert clearing.reset(guest) is None
    assert not other.folder.exists(), "our own server goes with a reset, also when one is given"


def test_a_server_is_kept_once_it_has_answered_and_left_when_nothing_is_there(backend: Backend, tmp_path: Path) -> None:
    given = (server_of(backend).folder / "url").read_text()
    wrong = given.replace("//postgres:", "//postgres:wrong-")
    home = Home.create(tmp_path / "other")

    def start(url: str) -> None:
        other = Backend(home.root, options=("--stop-grace", "2", "--postgres", url)).start()
        other.stop()

    start("postgres://postgres:secret@127.0.0.1:1/postgres")
    assert home.postgres_url() is None
    start(given)
    assert home.postgres_url() == given
    start(wrong)
    assert home.postgres_url() == given
    note = home.addons / f"heroku-postgresql.{ADDON}"
    note.touch()
    for elsewhere in (clearing.OWN, "postgres://postgres:secret@127.0.0.1:1/postgres"):
        words = [sys.executable, "-m", "hkcli.backend", "--home", str(home.root), "--port=0", "--postgres", elsewhere]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "--postgres names another. Start without --postgres" in done.stderr
        assert "secret" not in done.stderr and home.postgres_url() == given
    note.unlink()
    start(clearing.OWN)
    assert home.postgres_url() is None
    for nonsense in ("localhost", "mysql://a@b/c", "postgres:///db", "postgres://a@b:port/c"):
        with pytest.raises(PostgresError, match="takes the URL of a superuser"):
            clearing.of_home(home, nonsense)


def test_a_reset_goes_on_where_its_server_does_not_end_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.create(tmp_path)
    server = PostgresServer.at(home.root, home.engine_id(), None, durable=False)
    asyncio.run(server.url())
    process = psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]))
    process.suspend()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(postgresql_server, "STOP_S", 1)
            left = clearing.reset(home)
        assert left and f"still runs, in {server.folder}: pg_ctl ended with status 1" in left
        assert not home.slugs.exists()
    finally:
        process.kill()
        asyncio.run(server.stop())
        shutil.rmtree(server.folder, ignore_errors=True)


def test_a_backend_that_does_not_run_saves_resets_and_restores_with_a_server_of_its_own(backend: Backend) -> None:
    url = with_database(backend, "kept")
    backend.stop()
    folder = server_of(backend).folder

    def carry_out(*words: str) -> str:
        command = [sys.executable, "-m", "hkcli.backend", "--home", str(backend.home), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    carry_out("--snapshot", "save", "--name", "rest")
    carry_out("--reset")
    carry_out("--snapshot", "restore", "--name", "rest")
    backend.start()
    assert said(url) == "before" and "kept" in [each["name"] for each in backend.ok("GET", "/apps")]
    backend.stop()
    carry_out("--snapshot", "remove", "--name", "rest")
    carry_out("--reset")
    assert not folder.exists() and list(backend.home.iterdir()) == []
    backend.start()
