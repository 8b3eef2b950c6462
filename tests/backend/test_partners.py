"""Add-ons of third parties: provisioned through their own service, by Heroku's Add-on Partner API v3."""

import copy
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from hkcli.backend.addons.manifest import parse
from hkcli.backend.addons.partner_api import Refused, read
from hkcli.backend.errors import InvalidParams, ServiceUnavailable
from hkcli.backend.provisioning import pause_s
from tests import partner as example
from tests.backends import Backend, wait_for
from tests.partner import SALT, Partner

MANIFEST = example.manifest(4567)


def changed(path: str, value: object) -> dict[str, Any]:
    document: Any = copy.deepcopy(MANIFEST)
    *places, last = path.split(".")
    inner = document
    for each in places:
        inner = inner[each]
    inner[last] = value
    return document  # type: ignore[no-any-return]


def test_a_manifest_says_what_is_sold_and_where() -> None:
    manifest = parse(MANIFEST, "test")
    assert (manifest.base_url, manifest.sso_url) == (
        "http://localhost:4567/heroku/resources",
        "http://localhost:4567/sso/login",
    )
    assert [(each.name, each.cents, each.default) for each in manifest.service.plans][:2] == [
        ("echo-chamber:basic", 0, True),
        ("echo-chamber:large", 500, False),
    ]
    assert manifest.service.attachment == "ECHO_CHAMBER" and manifest.service.several
    assert parse(MANIFEST, "production").base_url == "https://echo.example.com/heroku/resources"
    old = parse(changed("api.test", "http://localhost:5000/"), "test")
    assert old.base_url == "http://localhost:5000/heroku/resources" and old.sso_url is None
    without = {key: value for key, value in MANIFEST.items() if key != "plans"}
    assert [each.name for each in parse(without, "test").service.plans] == ["echo-chamber:test"]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("id", "Echo", "id"),
        ("id", None, "id"),
        ("api", [], "api"),
        ("api.password", "", "api.password"),
        ("api.version", "1", "api.version"),
        ("api.config_vars", ["OTHER_URL"], "OTHER_URL"),
        ("api.config_vars_prefix", "lower", "api.config_vars_prefix"),
        ("api.test.base_url", "http://echo.example.com/", "api.test.base_url"),
        ("api.test.base_url", "https://user:word@echo.example.com/", "api.test.base_url"),
        ("api.test.base_url", "ftp://localhost/", "api.test.base_url"),
        ("api.test.sso_url", "http://[", "api.test.sso_url"),
        ("api.test.sso_url", "https://例え.example/", "api.test.sso_url"),
        ("api.regions", "us", "api.regions"),
        ("plans", ["two words"], "plans"),
        ("plans", ["same", "same"], "plans"),
        ("plans", [{"id": "x", "price": "nan"}], "plans"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused_by_the_field(path: str, value: object, named: str) -> None:
    with pytest.raises(InvalidParams, match=re.escape(named)):
        parse(changed(path, value), "test")


@pytest.mark.parametrize(
    ("status", "raw", "error", "said"),
    [
        (422, b'{"message": "no"}', Refused, "^no$"),
        (404, b"<html>", Refused, "status 404"),
        (401, b"", Refused, "does not accept the id and password"),
        (503, b'{"message": "later"}', ServiceUnavailable, "503. later"),
        (429, b"", ServiceUnavailable, "429"),
        (301, b"", ServiceUnavailable, "redirect"),
        (200, b"hello", ServiceUnavailable, "no JSON object"),
        (201, b"[]", ServiceUnavailable, "no JSON object"),
    ],
)
def test_what_a_partner_answers_is_told_apart(status: int, raw: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read("Echo", status, raw)


def test_a_partner_is_asked_again_less_and_less_often_but_for_ever() -> None:
    assert [pause_s(attempt) for attempt in (0, 1, 2, 5, 6, 2000)] == [1, 2, 4, 32, 60, 60]


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[Backend, Partner]]:
    """A backend, and the service of an add-on that it knows."""
    (folder / "partner").mkdir()
    partner = Partner(folder / "partner").start()
    backend = Backend(folder / "home", options=("--stop-grace", "2", *options)).start()
    try:
        added = backend.ok("POST", "/backend/addons", {"manifest": partner.manifest})
        partner.knows(added["client_secret"])
        yield backend, partner
    finally:
        backend.stop()
        partner.stop()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, Partner]]:
    with running(tmp_path_factory.mktemp("partners"), "--partner-timeout", "8") as both:
        yield both


@pytest.fixture
def backend(both: tuple[Backend, Partner]) -> Backend:
    return both[0]


@pytest.fixture
def partner(both: tuple[Backend, Partner]) -> Partner:
    return both[1]


def nothing_owed(backend: Backend) -> bool:
    return all(each["to_deprovision"] == 0 for each in backend.ok("GET", "/backend/addons"))


def test_an_addon_comes_changes_and_goes_at_once_when_its_partner_says_so(backend: Backend, partner: Partner) -> None:
    assert "echo-chamber" in [each["name"] for each in backend.ok("GET", "/addon-services")]
    app = backend.ok("POST", "/apps", {})
    body = {"plan": "echo-chamber", "config": {"colour": "blue"}, "attachment": {"name": "SOUND"}}
    addon = backend.ok("POST", f"/apps/{app['name']}/addons", body)
    assert (addon["state"], addon["provision_message"]) == ("provisioned", "Echo, echo.")
    assert addon["config_vars"] == ["SOUND_SIZE", "SOUND_URL"] and addon["provider_id"] == f"echo-{addon['id']}"
    (asked,) = partner.wait_for_requests("POST", addon["id"])
    assert asked["headers"]["Accept"] == "application/vnd.heroku-addons+json; version=3"
    assert backend.credentials["token"] not in str(asked)
    grant, drain_token = asked["body"].pop("oauth_grant"), asked["body"].pop("log_drain_token")
    assert grant["type"] == "authorization_code" and grant["code"] and drain_token.startswith("d.")
    assert asked["body"] == {
        "callback_url": f"{backend.url}/addons/{addon['id']}",
        "name": addon["name"],
        "options": {"colour": "blue"},
        "plan": "basic",
        "region": "amazon-web-services::us-east-1",
        "uuid": addon["id"],
    }
    assert backend.ok("GET", f"/apps/{app['name']}/config-vars")["SOUND_URL"] == f"echo://{addon['id']}"
    (drain,) = backend.ok("GET", f"/apps/{app['name']}/log-drains")
    assert (drain["token"], drain["addon"]["name"]) == (drain_token, addon["name"])
    assert backend.call("DELETE", f"/apps/{app['name']}/log-drains/{drain['id']}").status_code == 403
    descriptions = [each["description"] for each in backend.ok("GET", f"/apps/{app['name']}/releases")]
    assert descriptions[2:] == [f"Attach SOUND (@ref:{addon['name']})"]

    upgraded = backend.ok("PATCH", f"/apps/{app['name']}/addons/{addon['name']}", {"plan": "echo-chamber:large"})
    assert (upgraded["plan"]["name"], upgraded["provision_message"]) == ("echo-chamber:large", "You have large now.")
    assert backend.ok("GET", f"/apps/{app['name']}/config-vars")["SOUND_SIZE"] == "large"
    wait_for(lambda: f"Update {addon['name']} to echo-chamber:large" in partner.log, "the log at the partner's drain")
    no = backend.call("PATCH", f"/apps/{app['name']}/addons/{addon['name']}", {"plan": "echo-chamber:refused"})
    assert (no.status_code, no.json()["message"]) == (422, "It cannot shrink that far.")
    assert backend.ok("GET", f"/addons/{addon['name']}")["plan"]["name"] == "echo-chamber:large"

    backend.ok("DELETE", f"/apps/{app['name']}/addons/{addon['name']}")
    (told,) = partner.wait_for_requests("DELETE", addon["id"])
    assert told["path"] == f"/heroku/resources/echo-{addon['id']}"
    wait_for(lambda: addon["id"] not in partner.resources, "the partner to give it up")
    assert backend.ok("GET", f"/apps/{app['name']}/log-drains") == []


def test_an_addon_in_the_background_is_there_when_its_partner_says_so_with_a_token_of_its_own(
    backend: Backend, partner: Partner
) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:background"})
    assert addon["state"] == "provisioning" and addon["provision_message"] == "The echo is on its way."
    wait_for(lambda: backend.ok("GET", f"/addons/{addon['id']}")["state"] == "provisioned", "the partner to call back")
    assert backend.ok("GET", f"/apps/{app}/config-vars")["ECHO_CHAMBER_URL"] == f"echo://{addon['id']}"
    last = backend.ok("GET", f"/apps/{app}/releases")[-1]["description"]
    assert last == f"@ref:{addon['name']} completed provisioning, setting ECHO_CHAMBER_URL."

    token = {"Authorization": f"Bearer {(partner.folder / 'token').read_text()}"}
    assert backend.ok("GET", f"/apps/{app}", headers=token)["name"] == app
    for method, path in (
        ("GET", "/apps"),
        ("GET", f"/apps/{app}/config-vars"),
        ("POST", f"/apps/{app}/dynos"),
        ("GET", "/addons/other"),
        ("DELETE", f"/apps/{app}/addons/{addon['id']}"),
        ("GET", "/backend/addons"),
    ):
        assert backend.call(method, path, headers=token).status_code == 403, path
    assert backend.call("POST", f"/addons/{addon['id']}/actions/provision").status_code == 403
    assert backend.call("PATCH", f"/addons/{addon['id']}/config", {"config": []}).status_code == 403
    backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    pages = {each["plan"]["name"]: each["web_url"] for each in backend.ok("GET", f"/apps/{app}/addons", headers=token)}
    assert pages["dj:single"] is None and pages["echo-chamber:background"], "its own dashboard, and nobody else's"
    wrong = {"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "y"}
    assert requests.post(f"{backend.url}/oauth/token", data=wrong, timeout=30).status_code == 401
    (asked,) = partner.wait_for_requests("POST", addon["id"])
    secret = backend.ok("GET", "/backend/addons")[0]["client_secret"]
    words = {"grant_type": "authorization_code", "code": asked["body"]["oauth_grant"]["code"], "client_secret": secret}
    given = requests.post(f"{backend.url}/oauth/token", data=words | {"refresh_token": "weak"}, timeout=30).json()
    assert given["refresh_token"].startswith("HRKU-"), "tokens are for us to choose"

    doomed = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:doomed"})
    gone = wait_for(lambda: backend.call("GET", f"/addons/{doomed['id']}").status_code == 404, "the partner to give up")
    assert gone and f"{doomed['name']} was deprovisioned by its provider" in backend.logs(app)
    assert partner.wait_for_requests("DELETE", doomed["id"])


@pytest.mark.parametrize(
    ("plan", "status", "said"),
    [
        ("refused", 422, "No echo for you on a Wednesday."),
        ("broken", 503, "failed with status 500"),
        ("silent", 503, "did not answer within 8 s"),
        ("moved", 503, "redirect"),
        ("nonsense", 503, "PATH, which its manifest does not list"),
        ("nameless", 503, "without the id"),
    ],
)
def test_a_partner_that_does_not_provision_is_told_of_and_leaves_nothing(
    backend: Backend, partner: Partner, plan: str, status: int, said: str
) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    answer = backend.call("POST", f"/apps/{app}/addons", {"plan": f"echo-chamber:{plan}"})
    assert answer.status_code == status and said in answer.json()["message"]
    assert backend.ok("GET", f"/apps/{app}/addons") == [] and len(backend.ok("GET", f"/apps/{app}/releases")) == 2
    assert re.search(rf"Provisioning of echo-chamber-\S+ failed: .*{re.escape(said)}", backend.logs(app))
    (asked,) = [each for each in partner.asked if each["method"] == "POST" and each["body"]["plan"] == plan]
    if plan != "refused":
        assert partner.wait_for_requests("DELETE", asked["body"]["uuid"])
    wait_for(lambda: nothing_owed(backend), "nothing to be owed")


def test_a_second_drain_to_the_same_place_is_refused_in_words(backend: Backend, partner: Partner) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:shared"})
    again = backend.call("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:shared"})
    assert again.status_code == 503 and f"a log drain that {app} has already" in again.json()["message"]
    wait_for(lambda: nothing_owed(backend), "the second one to be given back")
    assert len(backend.ok("GET", f"/apps/{app}/addons")) == 1


def test_a_killed_backend_neither_loses_nor_doubles_what_a_partner_made(tmp_path: Path) -> None:
    with running(tmp_path) as (backend, partner):
        make_and_unmake_with_interruptions(backend, partner)


def make_and_unmake_with_interruptions(backend: Backend, partner: Partner) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    backend.ok("POST", "/backend/snapshots", {"name": "before"})
    later = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber"})["id"]
    backend.ok("POST", "/backend/snapshots/before/actions/restore")
    wait_for(lambda: later not in partner.resources, "what a restored platform does not know to be deprovisioned")

    def ask() -> None:
        with pytest.raises(requests.RequestException):
            backend.call("POST", f"/apps/{app}/addons", {"plan": "echo-chamber:silent"})

    asking = threading.Thread(target=ask)
    asking.start()
    (first,) = partner.wait_for_requests("POST", "silent")
    backend.kill()
    asking.join()
    partner.stop()
    partner.let_go()
    backend.start()
    (waiting,) = backend.ok("GET", f"/apps/{app}/addons")
    assert waiting["state"] == "provisioning"
    partner.start()
    wait_for(lambda: backend.ok("GET", f"/apps/{app}/addons")[0]["state"] == "provisioned", "the add-on to be made")
    again = partner.wait_for_requests("POST", "silent", number=2)
    assert {each["body"]["uuid"] for each in again} == {first["body"]["uuid"]}
    assert list(partner.resources) == [first["body"]["uuid"]]

    assert backend.call("DELETE", "/backend/addons/echo-chamber").status_code == 422

    partner.stop()
    backend.ok("DELETE", f"/apps/{app}")
    assert backend.ok("GET", "/backend/addons")[0]["to_deprovision"] == 1
    refused = backend.call("DELETE", "/backend/addons/echo-chamber")
    assert refused.status_code == 422 and "has not acknowledged yet that 1" in refused.json()["message"]
    backend.kill()
    backend.start()
    partner.start()
    assert partner.wait_for_requests("DELETE", first["body"]["uuid"])
    wait_for(lambda: nothing_owed(backend), "the partner's acknowledgement")
    assert partner.resources == {}
    backend.ok("DELETE", "/backend/addons/echo-chamber")
    assert "echo-chamber" not in [each["name"] for each in backend.ok("GET", "/addon-services")]


def test_who_waits_for_a_partner_is_told_when_the_backend_is_stopped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as (backend, partner):
        app = backend.ok("POST", "/apps", {})["name"]
        small = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber"})["name"]
        silent = {"plan": "echo-chamber:silent"}
        with ThreadPoolExecutor() as threads:
            made = threads.submit(backend.call, "POST", f"/apps/{app}/addons", silent)
            changed = threads.submit(backend.call, "PATCH", f"/apps/{app}/addons/{small}", silent)
            partner.wait_for_requests("POST", "silent")
            partner.wait_for_requests("PUT", "silent")
            capfd.readouterr()
            backend.stop()
        assert [each.result().status_code for each in (made, changed)] == [503, 503]
        assert re.fullmatch(
            r"The backend is being stopped; echo-chamber-\S+ is made when it is back\.", made.result().json()["message"]
        )
        again = "The backend is being stopped; ask for echo-chamber:silent again when it is back."
        assert changed.result().json()["message"] == again
        assert capfd.readouterr().err == ""


def test_a_browser_is_logged_in_to_the_partners_dashboard(backend: Backend, partner: Partner) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber"})
    assert requests.head(addon["web_url"], timeout=30).status_code == 503, "a look does not use the link up"
    page = requests.get(addon["web_url"], timeout=30)
    fields = {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page.text)}
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None and page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    entered = requests.post(unescape(action[1]), data=fields, timeout=30)
    assert entered.status_code == 200 and entered.json()["email"] == backend.credentials["email"]
    forged = requests.post(unescape(action[1]), data={**fields, "timestamp": "1"}, timeout=30)
    assert forged.status_code == 403
    again = requests.get(addon["web_url"], timeout=30)
    assert again.status_code == 403 and "heroku addons:open ADDON" in again.text and SALT not in again.text
    new = backend.ok("GET", f"/apps/{app}/addons")[0]["web_url"]
    assert new != addon["web_url"] and requests.get(new[:-1] + "0", timeout=30).status_code == 403
    backend.ok("DELETE", f"/apps/{app}/addons/{addon['name']}")
    gone = requests.get(new, timeout=30)
    assert gone.status_code == 404 and "text/html" in gone.headers["Content-Type"]


def test_a_program_is_told_what_a_browser_would_send_to_the_dashboard(backend: Backend) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "echo-chamber"})
    asked = backend.ok("GET", f"/addons/{addon['id']}/sso")
    assert asked["method"] == "post" and asked["params"]["resource_id"] == addon["id"]


def test_who_has_no_credit_card_gets_only_what_is_free(backend: Backend) -> None:
    wish = {"email": "grace@example.com", "verified": False}
    token = {"Authorization": f"Bearer {backend.ok('POST', '/backend/users', wish)['token']}"}
    app = backend.ok("POST", "/apps", {}, headers=token)["name"]
    for path, method, plan in (("", "POST", "echo-chamber:large"), ("/echo-free", "PATCH", "echo-chamber:large")):
        answer = backend.call(method, f"/apps/{app}/addons{path}", {"plan": plan}, headers=token)
        assert (answer.status_code, answer.json()["id"]) == (422, "verification_needed")
        if method == "POST":
            wish = {"plan": "echo-chamber:basic", "name": "echo-free"}
            assert backend.ok("POST", f"/apps/{app}/addons", wish, headers=token)["state"] == "provisioned"


def test_only_the_operator_adds_addons_and_none_of_the_backends_own_names(backend: Backend) -> None:
    user = backend.ok("POST", "/backend/users", {"email": "ada@example.com"})
    token = {"Authorization": f"Bearer {user['token']}"}
    for method, path in (("GET", "/backend/addons"), ("POST", "/backend/addons"), ("DELETE", "/backend/addons/x")):
        assert backend.call(method, path, {"manifest": MANIFEST}, headers=token).status_code == 403
    assert backend.call("POST", "/backend/addons", {"manifest": changed("id", "dj")}).status_code == 422
    listed = backend.call("GET", "/backend/addons").text
    assert example.PASSWORD not in listed and example.SALT not in listed
