"""heroku-postgresql: real databases on a real server."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from hkcli.backend.addons.postgresql_cluster import find_binaries, initialise
from hkcli.backend.addons.postgresql_databases import Databases
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.errors import InvalidParams
from hkcli.backend.home import Home
from tests.backends import Backend, wait_for

needs_postgresql = pytest.mark.skipif(find_binaries() is None, reason="there is no PostgreSQL on this machine")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    home = tmp_path_factory.mktemp("postgresql")
    backend = Backend(home).start()
    yield backend
    backend.stop()
    server = server_of(backend)
    shutil.rmtree(server.folder, ignore_errors=True)


def server_of(backend: Backend) -> PostgresServer:
    return PostgresServer.at(backend.home, Home(backend.home).engine_id(), None)


def provisioned(api: Backend, app: str, **request: Any) -> dict[str, Any]:
    made = api.ok("POST", f"/apps/{app}/addons", {"plan": "heroku-postgresql", **request})
    assert made["state"] == "provisioning" and "addons:wait" in made["provision_message"]
    path = f"/addons/{made['id']}"
    return dict(
        wait_for(lambda: now if (now := api.ok("GET", path))["state"] == "provisioned" else None, "the database", 90)
    )


def config(api: Backend, app: str) -> dict[str, str]:
    return dict(api.ok("GET", f"/apps/{app}/config-vars"))


def connect(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


@needs_postgresql
def test_an_app_gets_a_database_of_its_own_that_goes_with_the_addon(api: Backend) -> None:
    app = api.ok("POST", "/apps", {})["name"]
    before = config(api, app)["DATABASE_URL"]
    addon = provisioned(api, app)
    assert addon["plan"]["name"] == "heroku-postgresql:essential-0" and addon["config_vars"] == ["DATABASE_URL"]
    url = config(api, app)["DATABASE_URL"]
    release = api.ok("GET", f"/apps/{app}/releases/current")
    assert release["description"] == f"@ref:{addon['name']} completed provisioning, setting DATABASE_URL."
    assert f"{release['description']} by user" in api.logs(app)
    with connect(url) as connection:
        connection.execute("CREATE TABLE things (name text)")
        connection.execute("INSERT INTO things VALUES ('kept')")
        assert connection.execute(
            "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (
            False,
            False,
        )
    api.kill()
    api.start()
    assert config(api, app)["DATABASE_URL"] == url
    with connect(url) as connection:
        assert connection.execute("SELECT name FROM things").fetchall() == [("kept",)]
    api.ok("DELETE", f"/apps/{app}/addons/{addon['name']}")
    assert config(api, app)["DATABASE_URL"] == before

    def is_gone() -> bool:
        try:
            connect(url).close()
        except psycopg.OperationalError:
            return True
        return False

    wait_for(is_gone, "the database to be gone")


@needs_postgresql
def test_a_database_is_closed_to_the_roles_of_others_and_goes_with_its_app(api: Backend) -> None:
    one, two = (api.ok("POST", "/apps", {})["name"] for _ in range(2))
    provisioned(api, one)
    provisioned(api, two, attachment={"name": "LEDGER"})
    own, other = config(api, one)["DATABASE_URL"], config(api, two)["LEDGER_URL"]
    assert config(api, two)["DATABASE_URL"].startswith("sqlite3:")
    stranger = urlsplit(own)._replace(path=urlsplit(other).path).geturl()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(stranger)
    second = provisioned(api, one)
    assert second["config_vars"] == ["DATABASE_2_URL"]
    api.ok("DELETE", f"/apps/{two}")
    admin = (server_of(api).folder / "url").read_text()
    name = urlsplit(other).path[1:]
    with connect(admin) as connection:
        query = "SELECT count(*) FROM pg_database, pg_roles WHERE datname = %s OR rolname = %s"
        wait_for(lambda: connection.execute(query, (name, name)).fetchone() == (0,), "database and role to be gone")


@needs_postgresql
def test_the_first_server_of_a_machine_can_reach_its_folder_whatever_the_umask() -> None:
    above = Path(tempfile.mkdtemp(prefix="hkcli-"))
    binaries = find_binaries()
    assert binaries
    above.chmod(0o755)
    before = os.umask(0o077)
    try:
        initialise(above / "hkcli" / "identity", binaries)
        assert (above / "hkcli" / "identity" / "data" / "PG_VERSION").exists()
    finally:
        os.umask(before)
        shutil.rmtree(above)


@needs_postgresql
def test_a_server_that_is_given_is_used(api: Backend, tmp_path: Path) -> None:
    provisioned(api, api.ok("POST", "/apps", {})["name"])
    admin = (server_of(api).folder / "url").read_text()
    other = Backend(tmp_path, options=("--stop-grace", "2", "--postgres", admin)).start()
    try:
        app = other.ok("POST", "/apps", {})["name"]
        provisioned(other, app)
        url = config(other, app)["DATABASE_URL"]
        assert urlsplit(url).port == urlsplit(admin).port and not server_of(other).folder.exists()
        connect(url).close()
    finally:
        other.stop()


@needs_postgresql
def test_a_server_that_cannot_be_reached_takes_the_addon_back_and_says_why(tmp_path: Path) -> None:
    nobody = "postgres://postgres:secret@127.0.0.1:1/postgres"
    backend = Backend(tmp_path, options=("--stop-grace", "2", "--postgres", nobody)).start()
    try:
        app = backend.ok("POST", "/apps", {})["name"]
        before = config(backend, app)
        backend.ok("POST", f"/apps/{app}/addons", {"plan": "heroku-postgresql"})
        logs = backend.wait_for_log(app, "Provisioning of postgresql-")
        assert "failed: PostgreSQL refuses: " in logs and "secret" not in logs
        assert backend.ok("GET", f"/apps/{app}/addons") == [] and config(backend, app) == before
    finally:
        backend.stop()


def test_without_a_server_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    databases = Databases(PostgresServer(tmp_path / "postgresql", None, None, "identity"), "identity")
    with pytest.raises(InvalidParams, match=r"Install it .* or name a server .* --postgres URL"):
        databases.require()
