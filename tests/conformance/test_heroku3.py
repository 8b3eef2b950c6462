"""Python's heroku3, as PyPI has it, against our backend; told nothing but where the API and the authority are."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.backends import Backend, wait_for

heroku3 = pytest.importorskip("heroku3")
VERSION = version("heroku3")

FAULTS = {
    "app.create_transfer": "it sends PUT, where the API has POST; Heroku does not serve that either",
    "oauthauthorization_create": "it asks itself for a connection that it does not have",
    "keys.add": "it calls a method that its own `Key` does not have",
}
"""What this version cannot do on any platform."""

pytestmark = pytest.mark.e2e


@pytest.fixture
def connection(shared_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(heroku3.api, "HEROKU_URL", shared_backend.url)
    connected = heroku3.from_key(shared_backend.credentials["token"])
    yield connected
    connected._session.close()


@pytest.fixture
def app(connection: Any) -> Any:
    return connection.create_app()


@pytest.fixture
def deployed(shared_backend: Backend, app: Any, tmp_path: Path) -> Any:
    (tmp_path / "Procfile").write_text("worker: echo ready; sleep 600\n")
    shared_backend.push(tmp_path, app.name)
    return app


@pytest.mark.plays("from_key", "account", "ratelimit_remaining")
def test_a_key_is_good_or_not(connection: Any, shared_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.is_authenticated and connection.account().email == shared_backend.credentials["email"]
    assert connection.ratelimit_remaining() > 0
    stranger = heroku3.from_key("wrong")
    assert not stranger.is_authenticated
    stranger._session.close()


@pytest.mark.plays("apps", "app", "create_app", "app.rename", "app.update", "app.delete")
def test_apps_are_created_found_changed_and_deleted(connection: Any, app: Any, shared_backend: Backend) -> None:
    assert app.name in [each.name for each in connection.apps()]
    assert connection.app(app.id).owner.email == shared_backend.credentials["email"]
    assert connection.apps()[app.name].id == app.id
    app.enable_maintenance_mode()
    assert connection.app(app.name).maintenance is True
    app.disable_maintenance_mode()
    assert app.rename(f"{app.name}-b").name == f"{app.name}-b"
    connection.app(f"{app.name}-b").delete()
    assert f"{app.name}-b" not in [each.name for each in connection.apps()]


@pytest.mark.plays("app.install_addon", "app.addons", "addon.upgrade", "addon.delete", "addon_services")
def test_an_addon_is_installed_upgraded_and_removed(connection: Any, app: Any) -> None:
    app.install_addon("dj")
    (addon,) = app.addons()
    assert addon.plan.name == "dj:single"
    assert addon.upgrade("dj:trio").plan.name == "dj:trio"
    assert "dj" in [each.name for each in connection.addon_services()]
    addon.delete()
    assert list(app.addons()) == []


@pytest.mark.plays("app.config", "app.update_config")
def test_config_vars_behave_as_a_dictionary(app: Any) -> None:
    config = app.config()
    config["A"] = "1"
    app.update_config({"B": "2", "C": "3"})
    del config["A"]
    assert {"B": "2", "C": "3"}.items() <= app.config().to_dict().items() and "A" not in app.config()


@pytest.mark.plays(
    "app.process_formation", "app.scale_formation_process", "app.dynos", "dyno.kill", "dyno.restart", "app.restart"
)
def test_the_formation_is_scaled_and_its_dynos_restarted(deployed: Any, shared_backend: Backend) -> None:
    deployed.process_formation()["worker"].scale(2)
    wait_for(lambda: {each.name for each in deployed.dynos()} == {"worker.1", "worker.2"}, "two dynos")
    shared_backend.wait_for_log(deployed.name, "heroku[worker.1]: State changed from starting to up")
    next(each for each in deployed.dynos() if each.name == "worker.1").restart()
    shared_backend.wait_for_log(deployed.name, "heroku[worker.1]: Restarting")
    shared_backend.wait_for_log(deployed.name, "heroku[worker.2]: State changed from starting to up")
    deployed.restart()
    shared_backend.wait_for_log(deployed.name, "heroku[worker.2]: Restarting")
    deployed.kill_dyno("worker.1")
    deployed.batch_scale_formation_processes({"worker": 0})
    assert deployed.scale_formation_process("worker", 1).quantity == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.plays("app.run_command", "app.run_command_detached")
def test_a_command_is_run_and_its_output_read(
    deployed: Any, shared_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = heroku3.rendezvous.Rendezvous.__init__

    def trusting(self: Any, *words: Any, **options: Any) -> None:
        begin(self, *words, **options)
        self.cert = str(shared_backend.home / "authority" / "ca.pem")

    monkeypatch.setattr(heroku3.rendezvous.Rendezvous, "__init__", trusting)
    output, dyno = deployed.run_command("echo hello $WHO", printout=False, env={"WHO": "world"})
    assert "hello world" in output and dyno.name.startswith("run.")
    deployed.run_command_detached("echo from afar")
    shared_backend.wait_for_log(deployed.name, "from afar")


@pytest.mark.plays("app.get_log", "app.stream_log")
def test_the_log_is_read_and_followed(deployed: Any) -> None:
    assert "Release v3 created" in deployed.get_log(lines=100)
    assert "Deploy" in deployed.get_log(source="app", lines=50)
    following = deployed.stream_log(lines=1, timeout=30)
    deployed.config()["SEEN"] = "1"
    deadline = time.monotonic() + 90
    for line in following:
        assert time.monotonic() < deadline
        if b"Set SEEN config vars" in line:
            break
    following.close()


@pytest.mark.plays("app.releases", "app.rollback", "app.slug", "app.builds")
def test_releases_are_listed_by_the_piece_and_rolled_back_to(deployed: Any) -> None:
    assert [each.version for each in deployed.releases(order_by="version", limit=2, sort="desc")] == [3, 2]
    deployed.rollback("v3")
    (newest,) = deployed.releases(order_by="version", limit=1, sort="desc")
    assert newest.description == "Rollback to v3"
    assert len(deployed.slug(newest.slug.id).commit) == 40
    assert [each.status for each in deployed.builds()] == ["succeeded"]


@pytest.mark.plays("app.domains", "app.add_domain", "app.get_domain", "app.remove_domain")
def test_domains_are_added_and_removed(app: Any) -> None:
    name = f"www.{app.name}.example.com"
    app.add_domain(name, None)
    assert app.get_domain(name).hostname == name
    assert {each.hostname for each in app.domains()} == {name, f"{app.name}.localhost"}
    app.remove_domain(name)
    assert [each.hostname for each in app.domains()] == [f"{app.name}.localhost"]


@pytest.mark.plays("app.collaborators", "app.add_collaborator", "app.remove_collaborator")
def test_collaborators_come_and_go(app: Any, shared_backend: Backend) -> None:
    email = f"{app.name}@example.com"
    shared_backend.ok("POST", "/backend/users", {"email": email})
    app.add_collaborator(email)
    assert email in [each.user.email for each in app.collaborators()]
    app.remove_collaborator(email)
    assert email not in [each.user.email for each in app.collaborators()]


@pytest.mark.plays("app.logdrains", "app.create_logdrain", "app.remove_logdrain", "app.features", "app.buildpacks")
def test_drains_features_and_buildpacks(app: Any) -> None:
    drain = app.create_logdrain("https://logs.example.com/in")
    assert [each.token for each in app.logdrains()] == [drain.token]
    app.remove_logdrain(drain.id)
    assert list(app.logdrains()) == []
    app.enable_feature("runtime-dyno-metadata")
    assert [each.name for each in app.features() if each.enabled] == ["runtime-dyno-metadata"]
    app.update_buildpacks(["https://github.com/example/buildpack.git"])
    assert [each.buildpack.url for each in app.buildpacks()] == ["https://github.com/example/buildpack.git"]


@pytest.mark.plays("keys", "key.delete", "oauthauthorizations", "oauthauthorization_delete", "invoices")
def test_keys_and_authorizations(connection: Any, app: Any, shared_backend: Backend) -> None:
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtLUGBPdcBQzz+jT6ImAgLyOZ4DDmlUcVFDvTTtgTpJ " + app.name
    shared_backend.ok("POST", "/account/keys", {"public_key": public})
    keys = connection.keys()
    next(each for each in keys if each.comment == app.name).delete()
    keys = connection.keys()
    assert app.name not in [each.comment for each in keys]
    made = shared_backend.ok("POST", "/oauth/authorizations", {"description": app.name})["id"]
    assert made in [each.id for each in connection.oauthauthorizations()]
    assert connection.oauthauthorization_delete(made)
    assert list(connection.invoices()) == []
