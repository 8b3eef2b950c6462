"""The published schema, link by link: everything served is played and answers as published, and every property of every
request is acted on, or refused by its name."""

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends import Backend, wait_for
from tests.conformance import schema
from tests.conformance.test_links import is_served
from tests.partner import Partner

NEVER_ANY = {
    "GET /account/credits/{}": "no account has credits",
    "GET /account/features/{}": "no account has features",
    "PATCH /account/features/{}": "no account has features",
    "GET /account/invoices/{}": "nothing is billed",
    "GET /apps/{}/review-app": "no app is a review app",
}
"""Links whose truthful answer is 404."""


def called(link: schema.Link) -> str:
    return f"{link.method} {schema.template(link.href)}"


@dataclass
class Player:
    """Calls the API, and keeps in mind which links, and which properties of their bodies, it has been through."""

    backend: Backend
    played: set[str] = field(default_factory=set)
    sent: set[tuple[str, str]] = field(default_factory=set)
    token: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
        """The document of an answer that must be a success, and as published."""
        answer = self.backend.ok(method, path, body, **{"headers": self.token, **options})
        self.note(method, path, body)
        return answer

    def note(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        link = schema.find(method, path.partition("?")[0])
        assert link is not None, f"{method} {path} is not in the published schema"
        self.played.add(called(link))
        self.sent |= {(called(link), name) for name in body or {}}

    def refused(self, method: str, path: str, body: dict[str, Any], about: str, **options: Any) -> None:
        """A property that is understood, and refused by its name."""
        answer = self.backend.call(method, path, body, **{"headers": self.token, **options})
        assert answer.status_code in (400, 403, 404, 422) and about in answer.text, answer.text
        link = schema.find(method, path)
        assert link is not None
        self.sent |= {(called(link), name) for name in body}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One that no other test's apps get in the way of."""
    backend = Backend(tmp_path_factory.mktemp("schema")).start()
    yield backend
    backend.stop()


def test_every_link_that_is_served_is_played_and_every_property_is_honoured(backend: Backend, tmp_path: Path) -> None:
    play = Player(backend)
    for scene in SCENES:
        scene(play, tmp_path)
    for never in NEVER_ANY:
        method, _, path = never.partition(" ")
        app = play("POST", "/apps", {})["name"]
        place = path.replace("/apps/{}", f"/apps/{app}").replace("{}", "0")
        answer = backend.call(method, place, {"enabled": True})
        assert (answer.status_code, answer.json()["id"]) == (404, "not_found")
        play.note(method, place, {"enabled": True})
    served = [each for each in schema.links() if is_served(each)]
    assert {called(each) for each in served} - play.played == set()
    documented = {(called(each), name) for each in served for name in (each.request or {}).get("properties") or {}}
    assert documented - play.sent == set()


@dataclass(frozen=True)
class Stage:
    """For every link with a body: the path of something that is there, and a body that would be good."""

    good: dict[str, tuple[str, dict[str, Any]]] = field(repr=False)


@pytest.fixture(scope="module")
def stage(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("stage")
    (folder / "Procfile").write_text("worker: sleep 600\n")
    app, other, spare = (backend.ok("POST", "/apps", {})["name"] for _ in range(3))
    backend.push(folder, app)
    backend.ok("POST", "/backend/users", {"email": "eve@example.com"})
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj", "name": "garbage-dj"})["name"]
    slug = backend.ok("GET", f"/apps/{app}/releases")[2]["slug"]["id"]
    pipeline = backend.ok("POST", "/pipelines", {"name": "garbage-line"})["id"]
    placed = {"app": app, "pipeline": pipeline, "stage": "staging"}
    coupling = backend.ok("POST", "/pipeline-couplings", placed)["id"]
    backend.ok("POST", f"/apps/{app}/domains", {"hostname": "www.garbage.example"})
    token = backend.ok("POST", "/oauth/authorizations", {"description": "garbage", "scope": ["global"]})["id"]
    transfer = backend.ok("POST", "/account/app-transfers", {"app": spare, "recipient": "eve@example.com"})["id"]
    feature = "runtime-dyno-metadata"
    source = backend.ok("POST", "/sources")["source_blob"]["get_url"]
    ends = {"source": {"app": {"id": app}}, "targets": [{"app": {"id": other}}]}
    good: dict[str, tuple[str, dict[str, Any]]] = {
        "PATCH /account": ("/account", {}),
        "PATCH /users/{}": ("/users/~", {}),
        "PATCH /account/features/{}": ("/account/features/none", {}),
        "POST /addon-attachments": ("/addon-attachments", {"app": other, "addon": addon}),
        "POST /actions/addon-attachments/resolve": (
            "/actions/addon-attachments/resolve",
            {"addon_attachment": "DJ", "app": app},
        ),
        "PATCH /addons/{}/config": (f"/addons/{addon}/config", {}),
        "POST /apps/{}/addons": (f"/apps/{other}/addons", {"plan": "dj"}),
        "PATCH /apps/{}/addons/{}": (f"/apps/{app}/addons/{addon}", {}),
        "POST /actions/addons/resolve": ("/actions/addons/resolve", {"addon": "dj", "app": app}),
        "PATCH /apps/{}/features/{}": (f"/apps/{app}/features/{feature}", {}),
        "POST /account/app-transfers": ("/account/app-transfers", {"app": other, "recipient": "eve@example.com"}),
        "PATCH /account/app-transfers/{}": (f"/account/app-transfers/{transfer}", {}),
        "POST /apps": ("/apps", {}),
        "PATCH /apps/{}": (f"/apps/{app}", {}),
        "POST /apps/{}/builds": (f"/apps/{app}/builds", {"source_blob": {"url": source}}),
        "PUT /apps/{}/buildpack-installations": (f"/apps/{app}/buildpack-installations", {}),
        "POST /apps/{}/collaborators": (f"/apps/{app}/collaborators", {"user": "eve@example.com"}),
        "POST /apps/{}/domains": (f"/apps/{app}/domains", {"hostname": "more.garbage.example"}),
        "PATCH /apps/{}/domains/{}": (f"/apps/{app}/domains/www.garbage.example", {}),
        "POST /apps/{}/dynos": (f"/apps/{app}/dynos", {"command": "true"}),
        "PATCH /apps/{}/formation": (f"/apps/{app}/formation", {}),
        "PATCH /apps/{}/formation/{}": (f"/apps/{app}/formation/worker", {}),
        "POST /apps/{}/log-drains": (f"/apps/{app}/log-drains", {}),
        "POST /apps/{}/log-sessions": (f"/apps/{app}/log-sessions", {}),
        "POST /oauth/authorizations": ("/oauth/authorizations", {"description": "more"}),
        "PATCH /oauth/authorizations/{}": (f"/oauth/authorizations/{token}", {}),
        "POST /pipeline-couplings": ("/pipeline-couplings", {**placed, "app": other}),
        "PATCH /pipeline-couplings/{}": (f"/pipeline-couplings/{coupling}", {}),
        "POST /pipeline-promotions": ("/pipeline-promotions", {"pipeline": {"id": pipeline}, **ends}),
        "POST /pipelines": ("/pipelines", {"name": "garbage-more"}),
        "PATCH /pipelines/{}": (f"/pipelines/{pipeline}", {}),
        "POST /apps/{}/releases": (f"/apps/{app}/releases", {"slug": slug}),
    }
    return Stage(good)


BY_NAME_TOO = {"pipeline"}
"""Objects that clients may give by name or id alone: any string could be one."""


def with_bodies() -> list[schema.Link]:
    return [each for each in schema.links() if is_served(each) and (each.request or {}).get("properties")]


def test_a_property_of_the_wrong_kind_is_refused_wherever_it_is_sent(backend: Backend, stage: Stage) -> None:
    accepted = []
    for link in with_bodies():
        path, good = stage.good[called(link)]
        for name, value in schema.wrong_values(link):
            answer = backend.call(link.method, path, {**good, name: value})
            is_identity = isinstance(value, str) and name in BY_NAME_TOO
            expected = (404,) if called(link) in NEVER_ANY or is_identity else (400, 422)
            if answer.status_code not in expected:
                accepted.append(f"{called(link)} {name}={value!r}: {answer.status_code} {answer.text[:100]}")
    assert not accepted, "\n".join(accepted)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, database=None)
@given(data=st.data())
def test_nothing_that_json_can_say_makes_an_endpoint_fail(backend: Backend, stage: Stage, data: st.DataObject) -> None:
    link = data.draw(st.sampled_from(with_bodies()), "link")
    path, good = stage.good[called(link)]
    names = st.sampled_from(sorted((link.request or {})["properties"]))
    body = data.draw(st.dictionaries(names | st.text(max_size=8), JSON, max_size=4), "body")
    answer = backend.call(link.method, path, {**good, **body})
    assert answer.status_code < 500, answer.text
    assert answer.ok or set(answer.json()) >= {"id", "message"}


def person(play: Player, email: str) -> Player:
    """Another user of the backend."""
    made = play.backend.ok("POST", "/backend/users", {"email": email, "password": "password of theirs"})
    return Player(play.backend, play.played, play.sent, {"Authorization": f"Bearer {made['token']}"})


def accounts(play: Player, folder: Path) -> None:
    ada = person(play, "ada@example.com")
    for path in ("/account", "/users/~"):
        assert ada("PATCH", path, {"name": f"Ada of {path}", "beta": False, "allow_tracking": False})["beta"] is False
        assert ada("GET", path)["name"] == f"Ada of {path}"
        ada.refused("PATCH", path, {"beta": True}, "beta")
        ada.refused("PATCH", path, {"allow_tracking": True}, "allow_tracking")
    for path in ("delinquency", "rate-limits", "features", "credits", "invoices", "keys"):
        ada("GET", f"/account/{path}")
    ada("GET", "/users/~/sms-number")
    ada("GET", "/users/~/preferences")
    ada.backend.ok("POST", "/account/keys", {"public_key": KEY}, headers=ada.token)
    (key,) = ada("GET", "/account/keys")
    assert ada("GET", f"/account/keys/{key['id']}")["comment"] == "ada@laptop"
    made = ada("POST", "/oauth/authorizations", {"description": "one", "expires_in": 60, "scope": ["read"]})
    assert made["access_token"]["expires_in"] == 60 and made["scope"] == ["read"]
    place = f"/oauth/authorizations/{made['id']}"
    assert ada("PATCH", place, {"description": "two"})["description"] == "two"
    client = {"client": "01234567-89ab-cdef-0123-456789abcdef"}
    ada.refused("POST", "/oauth/authorizations", client, "client")
    ada.refused("PATCH", place, {"client": {"id": client["client"]}}, "client")
    assert ada("POST", f"{place}/actions/regenerate-tokens")["access_token"]["token"] != made["access_token"]["token"]
    assert ada("GET", place)["id"] == made["id"] and ada("GET", "/oauth/authorizations")
    ada("DELETE", place)
    for path in ("/account", "/users/~"):
        gone = person(play, f"gone{len(path)}@example.com")
        gone.backend.call("DELETE", path, headers={**gone.token, "Heroku-Password": "wrong"})
        gone("DELETE", path, headers={**gone.token, "Heroku-Password": "password of theirs"})
        assert gone.backend.call("GET", "/account", headers=gone.token).status_code == 401


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"  # gitleaks:allow


def shelves(play: Player, folder: Path) -> None:
    """What there is to choose from."""
    app = play("POST", "/apps", {})["name"]
    for kind in ("addon-services", "regions", "stacks", "dyno-sizes", "generations"):
        for each in play("GET", f"/{kind}"):
            assert play("GET", f"/{kind}/{each['name']}") == play("GET", f"/{kind}/{each['id']}") == each
    for plan in play("GET", "/addon-services/dj/plans"):
        assert play("GET", f"/plans/{plan['name']}") == play("GET", f"/addon-services/dj/plans/{plan['id']}") == plan
    for path in ("available-stacks", "available-dyno-sizes", "webhooks", "webhook-deliveries", "webhook-events"):
        play("GET", f"/apps/{app}/{path}")
    for path in ("sni-endpoints", "telemetry-drains"):
        assert play("GET", f"/apps/{app}/{path}") == []
    for path in ("spaces", "teams", "enterprise-accounts", "oauth/clients", "addon-region-capabilities"):
        assert play("GET", f"/{path}") == []
    play("GET", "/teams/permissions")


def apps(play: Player, folder: Path) -> None:
    flags = ["runtime-dyno-metadata"]
    wish = {"name": "schema-app", "region": "eu", "stack": "heroku-22", "feature_flags": flags}
    made = play("POST", "/apps", wish)
    assert (made["name"], made["region"]["name"], made["stack"]["name"]) == ("schema-app", "eu", "heroku-22")
    feature = play("GET", "/apps/schema-app/features/runtime-dyno-metadata")
    assert feature["enabled"] is True and feature in play("GET", "/apps/schema-app/features")
    assert play("PATCH", "/apps/schema-app/features/runtime-dyno-metadata", {"enabled": False})["enabled"] is False
    wish = {"name": "schema-app-2", "maintenance": True, "build_stack": "heroku-24"}
    changed = play("PATCH", "/apps/schema-app", wish)
    assert (changed["name"], changed["maintenance"], changed["build_stack"]["name"]) == (
        "schema-app-2",
        True,
        "heroku-24",
    )
    assert changed in play("GET", "/apps") and changed in play("GET", "/users/~/apps")
    assert play("GET", "/apps/schema-app-2") == changed
    (found,) = play("POST", "/filters/apps", {"in": {"id": [made["id"], "none"]}})
    assert found["id"] == made["id"]
    assert play("PATCH", "/apps/schema-app-2/config-vars", {"A": "1", "B": "2"})["A"] == "1"
    assert "B" not in play("PATCH", "/apps/schema-app-2/config-vars", {"B": None})
    assert play("GET", "/apps/schema-app-2/releases/3/config-vars")["B"] == "2"
    assert play("GET", "/apps/schema-app-2/config-vars")["A"] == "1"
    packs = [{"buildpack": "https://github.com/example/pack.git"}]
    play("PUT", "/apps/schema-app-2/buildpack-installations", {"updates": packs})
    assert play("GET", "/apps/schema-app-2/buildpack-installations")[0]["buildpack"]["url"] == packs[0]["buildpack"]
    play("PATCH", "/apps/schema-app-2", {"maintenance": False})


def sharing(play: Player, folder: Path) -> None:
    grace = person(play, "grace@example.com")
    app = play("POST", "/apps", {})["name"]
    shared = play("POST", f"/apps/{app}/collaborators", {"user": "grace@example.com", "silent": True})
    assert shared in play("GET", f"/apps/{app}/collaborators")
    assert play("GET", f"/apps/{app}/collaborators/grace@example.com") == shared
    assert grace("GET", f"/apps/{app}")["name"] == app
    play("DELETE", f"/apps/{app}/collaborators/{shared['id']}")
    wish = {"app": app, "recipient": "grace@example.com", "silent": True}
    withdrawn = play("POST", "/account/app-transfers", wish)
    play("DELETE", f"/account/app-transfers/{withdrawn['id']}")
    offered = play("POST", "/account/app-transfers", wish)
    assert grace("GET", f"/account/app-transfers/{offered['id']}") in grace("GET", "/account/app-transfers")
    assert grace("PATCH", f"/account/app-transfers/{offered['id']}", {"state": "accepted"})["state"] == "accepted"
    assert grace("GET", f"/apps/{app}")["owner"]["email"] == "grace@example.com"


def facilities(play: Player, folder: Path) -> None:
    app = play("POST", "/apps", {})["name"]
    domain = play("POST", f"/apps/{app}/domains", {"hostname": "www.schema.example", "sni_endpoint": None})
    place = f"/apps/{app}/domains/www.schema.example"
    assert play("GET", place) == play("PATCH", place, {"sni_endpoint": None}) == domain
    play.refused("PATCH", place, {"sni_endpoint": "north"}, "SNI endpoint")
    assert domain in play("GET", f"/apps/{app}/domains")
    play("DELETE", place)
    drain = play("POST", f"/apps/{app}/log-drains", {"url": "syslog://localhost:1"})
    assert play("GET", f"/apps/{app}/log-drains") == [drain]
    assert play("GET", f"/apps/{app}/log-drains/{drain['id']}") == drain
    play("DELETE", f"/apps/{app}/log-drains/{drain['id']}")
    body = {"lines": 1, "source": "app", "dyno_name": "api", "tail": False}
    session = play("POST", f"/apps/{app}/log-sessions", body)
    assert len(requests.get(session["logplex_url"], timeout=30).text.splitlines()) == 1
    other = play("POST", f"/apps/{app}/log-sessions", {"type": "web", "source": "app"})
    assert requests.get(other["logplex_url"], timeout=30).text == ""


def addons(play: Player, folder: Path) -> None:
    (folder / "partner").mkdir()
    partner = Partner(folder / "partner").start()
    try:
        added = play.backend.ok("POST", "/backend/addons", {"manifest": partner.manifest})
        partner.knows(added["client_secret"])
        app, other = (play("POST", "/apps", {})["name"] for _ in range(2))
        wish = {"plan": "echo-chamber:basic", "name": "echo-one", "config": {"colour": "red"}}
        addon = play("POST", f"/apps/{app}/addons", {**wish, "attachment": {"name": "LOUD"}})
        again = {"plan": "echo-chamber", "attachment": {"name": "LOUD"}, "confirm": app}
        assert play.backend.call("POST", f"/apps/{app}/addons", {**again, "confirm": None}).status_code == 423
        replaced = play("POST", f"/apps/{app}/addons", again)
        assert addon["name"] == "echo-one" and partner.asked[0]["body"]["options"] == {"colour": "red"}
        assert play("GET", "/addons/echo-one") == play("GET", f"/apps/{app}/addons/echo-one")
        for path in ("/addons", f"/apps/{app}/addons", "/users/~/addons"):
            assert addon["id"] in [each["id"] for each in play("GET", path)]
        for path in ("webhooks", "webhook-deliveries", "webhook-events"):
            assert play("GET", f"/addons/echo-one/{path}") == []
        assert [each["addon"]["id"] for each in play("GET", "/addons/echo-one/log-drains")] == [addon["id"]]
        body = {"plan": "echo-chamber:large", "name": "echo-two"}
        changed = play("PATCH", f"/apps/{app}/addons/echo-one", body)
        assert (changed["name"], changed["plan"]["name"]) == ("echo-two", "echo-chamber:large")
        body = {"addon": "echo-chamber", "app": app, "addon_service": "echo-chamber"}
        assert addon["id"] in [each["id"] for each in play("POST", "/actions/addons/resolve", body)]

        wish = {"app": other, "addon": "echo-two", "name": "FAR"}
        far = play("POST", "/addon-attachments", {**wish, "namespace": None, "namespace_config": None})
        assert play.backend.call("POST", "/addon-attachments", wish).status_code == 423
        play("POST", "/addon-attachments", {**wish, "confirm": other})
        play.refused("POST", "/addon-attachments", {**wish, "namespace": "credential:x"}, "namespace")
        play.refused("POST", "/addon-attachments", {**wish, "namespace_config": {"a": "b"}}, "namespace_config")
        (far,) = play("GET", f"/apps/{other}/addon-attachments")
        assert play("GET", f"/apps/{other}/addon-attachments/FAR") == play("GET", f"/addon-attachments/{far['id']}")
        assert far in play("GET", "/addon-attachments") and far in play("GET", "/addons/echo-two/addon-attachments")
        body = {"addon_attachment": "FAR", "app": other, "addon_service": "echo-chamber"}
        assert play("POST", "/actions/addon-attachments/resolve", body) == [far]
        play.refused("POST", "/actions/addon-attachments/resolve", {**body, "addon_service": "dj"}, "attachment")
        play("DELETE", f"/addon-attachments/{far['id']}")

        later = play("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:background"})
        wait_for(lambda: play("GET", f"/addons/{later['id']}")["state"] == "provisioned", "the partner to call back")
        theirs = Player(play.backend, play.played, play.sent)
        theirs.token = {"Authorization": f"Bearer {(folder / 'partner' / 'token').read_text()}"}
        config = [{"name": "ECHO_CHAMBER_URL", "value": "echo://again"}]
        assert theirs("PATCH", f"/addons/{later['id']}/config", {"config": config}) == config
        assert play("GET", f"/addons/{later['id']}/config") == config
        theirs("POST", f"/addons/{later['id']}/actions/provision")
        theirs("POST", f"/addons/{later['id']}/actions/deprovision")
        for each in (addon, replaced):
            play("DELETE", f"/apps/{app}/addons/{each['id']}")
        partner.wait_for_requests("DELETE", number=3)
    finally:
        partner.stop()


def code(play: Player, folder: Path) -> None:
    """Builds, releases, formation and dynos."""
    app = play("POST", "/apps", {"name": "schema-code"})["name"]
    source = play("POST", "/sources")["source_blob"]
    play("POST", f"/apps/{app}/sources")
    requests.put(source["put_url"], data=tarball({"Procfile": "worker: sleep 600\n"}), timeout=30).raise_for_status()
    blob = {"url": source["get_url"], "version": "c0ffee", "version_description": "Work", "checksum": None}
    build = play("POST", f"/apps/{app}/builds", {"source_blob": blob, "buildpacks": []})
    assert build["source_blob"]["version_description"] == "Work" and build["source_blob"]["version"] == "c0ffee"
    place = f"/apps/{app}/builds/{build['id']}"
    wait_for(lambda: play("GET", place)["status"] != "pending", "the build")
    assert play("GET", f"/apps/{app}/builds")[0]["status"] == "succeeded"
    cancelled = play.backend.call("DELETE", place)
    assert cancelled.status_code in (200, 409, 422)
    play.note("DELETE", place, None)
    play("DELETE", f"/apps/{app}/build-cache")
    release = play("GET", f"/apps/{app}/releases")[-1]
    assert play("GET", f"/apps/{app}/slugs/{release['slug']['id']}")["process_types"]["worker"] == "sleep 600"
    wish = {"slug": release["slug"]["id"], "description": "By hand"}
    deployed = play("POST", f"/apps/{app}/releases", wish)
    assert play("GET", f"/apps/{app}/releases/{deployed['version']}")["description"] == "By hand"
    play.refused("POST", f"/apps/{app}/releases", {**wish, "oci_image": release["id"]}, "oci_image")
    again = play("POST", f"/apps/{app}/releases", {"release": release["id"]})
    assert again["description"] == f"Rollback to v{release['version']}"

    sizes = {each["name"]: each for each in play("GET", "/dyno-sizes")}
    updates = [{"type": "worker", "quantity": 1, "dyno_size": {"id": sizes["Standard-1X"]["id"]}}]
    play("PATCH", f"/apps/{app}/formation", {"updates": updates})
    row = play("GET", f"/apps/{app}/formation/worker")
    assert (row["quantity"], row["size"]) == (1, "Standard-1X")
    place = f"/apps/{app}/formation/worker"
    row = play("PATCH", place, {"quantity": 2, "dyno_size": {"name": "Basic"}})
    assert (row["quantity"], row["size"]) == (2, "Basic") and play("GET", place)["id"] == row["id"]
    assert row in play("GET", f"/apps/{app}/formation")
    wait_for(lambda: len(play("GET", f"/apps/{app}/dynos")) == 2, "two dynos")
    assert play("GET", f"/apps/{app}/dynos/worker.2")["type"] == "worker"
    for method, path in (
        ("DELETE", "dynos"),
        ("DELETE", "dynos/worker.1"),
        ("DELETE", "formations/worker"),
        ("POST", "dynos/worker.1/actions/stop"),
        ("POST", "formations/worker/actions/stop"),
    ):
        play(method, f"/apps/{app}/{path}")
    env = {"COLOUR": "blue"}
    wish = {"command": "echo $COLOUR $DYNO; sleep 600", "env": env, "size": "Standard-2X", "type": "probe"}
    dyno = play("POST", f"/apps/{app}/dynos", {**wish, "attach": False, "force_no_tty": None, "time_to_live": 1})
    assert (dyno["size"], dyno["type"], dyno["attach_url"]) == ("Standard-2X", "probe", None)
    logs = play.backend.wait_for_log(app, f"heroku[{dyno['name']}]: State changed from up to complete")
    assert f"blue {dyno['name']}" in logs and "Process exited with status 143" in logs
    attached = play("POST", f"/apps/{app}/dynos", {"command": "true", "attach": True, "force_no_tty": True})
    assert attached["attach_url"].startswith("rendezvous://")
    play("DELETE", "/apps/schema-code")


def tarball(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def pipelines(play: Player, folder: Path) -> None:
    me = play("GET", "/account")["id"]
    pipeline = play("POST", "/pipelines", {"name": "schema-line", "owner": {"id": me, "type": "user"}})
    play.refused("POST", "/pipelines", {"name": "schema-of", "owner": {"id": KEY[:36], "type": "team"}}, "owner")
    place = f"/pipelines/{pipeline['id']}"
    assert play("PATCH", place, {"name": "schema-pipe"})["name"] == "schema-pipe" == play("GET", place)["name"]
    assert pipeline["id"] in [each["id"] for each in play("GET", "/pipelines")]
    first, second = (play("POST", "/apps", {}) for _ in range(2))
    (folder / "code").mkdir()
    (folder / "code" / "Procfile").write_text("worker: sleep 600\n")
    play.backend.push(folder / "code", first["name"])
    for app, stage in ((first, "staging"), (second, "staging")):
        placed = play("POST", "/pipeline-couplings", {"app": app["id"], "pipeline": pipeline["id"], "stage": stage})
    coupling = f"/pipeline-couplings/{placed['id']}"
    assert play("PATCH", coupling, {"stage": "production"})["stage"] == "production" == play("GET", coupling)["stage"]
    paths = ("/pipeline-couplings", "/users/~/pipeline-couplings", f"{place}/pipeline-couplings")
    for path in paths:
        assert {each["app"]["id"] for each in play("GET", path)} == {first["id"], second["id"]}
    assert play("GET", f"/apps/{second['id']}/pipeline-couplings")["id"] == placed["id"]
    ends = {"source": {"app": {"id": first["id"]}}, "targets": [{"app": {"id": second["id"]}}]}
    promotion = play("POST", "/pipeline-promotions", {"pipeline": {"id": pipeline["id"]}, **ends})
    assert play("GET", f"/pipeline-promotions/{promotion['id']}")["status"] == "completed"
    (target,) = play("GET", f"/pipeline-promotions/{promotion['id']}/promotion-targets")
    assert target["app"]["id"] == second["id"]
    for path in (
        "latest-builds",
        "latest-deployments",
        "latest-releases",
        "pipeline-stack",
        "review-apps",
        "test-runs",
    ):
        play("GET", f"{place}/{path}")
    play("DELETE", coupling)
    play("DELETE", place)


SCENES: tuple[Callable[[Player, Path], None], ...] = (
    accounts,
    shelves,
    apps,
    sharing,
    facilities,
    addons,
    code,
    pipelines,
)
