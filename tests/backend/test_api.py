"""The control plane through its door: real HTTP, every answer held against Heroku's published schema."""

import re
import uuid
from typing import Any

import pytest
import requests

from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


def error(answer: requests.Response) -> tuple[int, str]:
    document = answer.json()
    assert document["message"]
    return answer.status_code, document["id"]


def test_a_request_without_a_token_is_refused(api: Backend) -> None:
    assert error(requests.get(f"{api.url}/apps", timeout=30)) == (401, "unauthorized")


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic !!!", "Basic OndlYWs=", "Digest x", "Bearer "])
def test_a_wrong_token_is_refused(api: Backend, header: str) -> None:
    answer = requests.get(f"{api.url}/account", headers={"Authorization": header}, timeout=30)
    assert error(answer) == (401, "unauthorized")


def test_the_token_is_taken_as_a_basic_password_too(api: Backend) -> None:
    answer = requests.get(f"{api.url}/account", auth=("", api.credentials["token"]), timeout=30)
    assert answer.json()["email"] == api.credentials["email"]


def test_tokens_and_passwords_are_stored_hashed(api: Backend) -> None:
    stored = b"".join(path.read_bytes() for path in api.home.glob("platform.sqlite3*"))
    assert api.credentials["email"].encode() in stored
    assert api.credentials["token"].encode() not in stored
    assert api.credentials["password"].encode() not in stored


def test_files_with_secrets_are_for_their_owner_alone(api: Backend) -> None:
    for name in ("credentials.json", "secret.key", "backend.json"):
        assert (api.home / name).stat().st_mode & 0o777 == 0o600, name
    assert api.home.stat().st_mode & 0o077 == 0


def test_a_request_for_a_foreign_host_is_refused(api: Backend) -> None:
    answer = api.session.get(f"{api.url}/account", headers={"Host": "attacker.example"}, timeout=30)
    assert error(answer) == (403, "forbidden")


def test_another_version_of_the_api_is_not_served(api: Backend) -> None:
    assert error(api.call("GET", "/account", headers={"Accept": "text/html"})) == (406, "not_acceptable")


def test_a_path_that_does_not_exist_says_so(api: Backend) -> None:
    assert error(api.call("GET", "/nonsense")) == (404, "not_found")


@pytest.mark.parametrize("body", ["{", "[]", '"x"'])
def test_a_body_that_is_no_json_object_is_refused(api: Backend, body: str) -> None:
    answer = api.session.post(f"{api.url}/apps", data=body, timeout=30)
    assert error(answer) == (400, "bad_request")


def test_a_request_id_is_echoed_or_made(api: Backend) -> None:
    assert api.call("GET", "/account", headers={"Request-Id": "mine,older"}).headers["Request-Id"] == "mine"
    assert re.fullmatch(r"[0-9a-f-]{36}", api.call("GET", "/account").headers["Request-Id"])


def test_an_app_is_created_with_a_name_a_database_and_two_releases(api: Backend) -> None:
    app = api.ok("POST", "/apps", {})
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d{5}", app["name"])
    assert app["git_url"] == f"{api.url}/{app['name']}.git"
    config = api.ok("GET", f"/apps/{app['id']}/config-vars")
    assert config == {"DATABASE_URL": f"sqlite3:{api.home}/databases/{app['id']}.sqlite3"}
    releases = api.ok("GET", f"/apps/{app['name']}/releases")
    assert [each["description"] for each in releases] == ["Initial release", "Enable Logplex"]


@pytest.mark.parametrize("name", ["", "A", "ab", "1abc", "-abc", "abc-", "a_b", "a.b", "a" * 31, "../../etc", 7])
def test_a_bad_app_name_is_refused(api: Backend, name: Any) -> None:
    assert api.call("POST", "/apps", {"name": name}).status_code in (400, 422)


def test_a_taken_app_name_is_refused(api: Backend, app: str) -> None:
    answer = api.call("POST", "/apps", {"name": app})
    assert error(answer) == (422, "invalid_params")
    assert answer.json()["message"] == f"Name {app} is already taken"


def test_an_unknown_app_is_not_found(api: Backend) -> None:
    answer = api.call("GET", "/apps/no-such-app")
    assert error(answer) == (404, "not_found") and answer.json()["resource"] == "app"


def test_a_renamed_app_is_no_longer_found_by_its_old_name(api: Backend, app: str) -> None:
    api.ok("PATCH", f"/apps/{app}", {"name": f"{app}-b"})
    assert api.call("GET", f"/apps/{app}").status_code == 404
    assert api.ok("GET", f"/apps/{app}-b")["name"] == f"{app}-b"


def test_a_destroyed_app_is_gone_with_all_that_it_had(api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    app_id = api.ok("DELETE", f"/apps/{app}")["id"]
    assert api.call("GET", f"/apps/{app}").status_code == 404
    assert all(each["app"]["id"] != app_id for each in api.ok("GET", "/addons"))


def test_config_vars_are_set_and_unset_with_a_release_each(api: Backend, app: str) -> None:
    changed = api.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1=2", "EMPTY": "", "SNOW": "☃"})
    assert (changed["A"], changed["EMPTY"], changed["SNOW"]) == ("1=2", "", "☃")
    assert "A" not in api.ok("PATCH", f"/apps/{app}/config-vars", {"A": None, "NEVER": None})
    last = api.ok("GET", f"/apps/{app}/releases", headers={"Range": "version ..; max=2, order=desc"})
    assert [each["description"] for each in last] == ["Remove A config vars", "Set A, EMPTY, SNOW config vars"]


def test_setting_a_config_var_to_what_it_is_makes_no_release(api: Backend, app: str) -> None:
    api.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1"})
    before = len(api.ok("GET", f"/apps/{app}/releases"))
    api.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1", "GONE": None})
    assert len(api.ok("GET", f"/apps/{app}/releases")) == before


@pytest.mark.parametrize("changes", [{"A B": "x"}, {"1A": "x"}, {"": "x"}, {"A": 1}, {"A": "x\0y"}, {"A": {}}])
def test_a_bad_config_var_is_refused_and_nothing_changed(api: Backend, app: str, changes: dict[str, Any]) -> None:
    before = api.ok("GET", f"/apps/{app}/config-vars")
    assert error(api.call("PATCH", f"/apps/{app}/config-vars", {"GOOD": "1", **changes})) == (422, "invalid_params")
    assert api.ok("GET", f"/apps/{app}/config-vars") == before


def test_the_marketplace_has_dj_with_three_free_plans(api: Backend) -> None:
    assert "dj" in [each["name"] for each in api.ok("GET", "/addon-services")]
    plans = api.ok("GET", "/addon-services/dj/plans")
    assert {each["name"]: each["price"]["cents"] for each in plans} == {"dj:single": 0, "dj:trio": 0, "dj:octet": 0}
    assert [each["name"] for each in plans if each["default"]] == ["dj:single"]


@pytest.mark.parametrize("plan", ["dj", {"name": "dj"}, "dj:single", {"id": "dj:single"}])
def test_an_addon_is_created_whatever_way_its_plan_is_named(api: Backend, app: str, plan: Any) -> None:
    made = api.ok("POST", f"/apps/{app}/addons", {"attachment": {"name": None}, "config": {}, "plan": plan})
    assert re.fullmatch(r"dj-[a-z]+-\d{5}", made["name"])
    assert (made["plan"]["name"], made["state"]) == ("dj:single", "provisioned")
    assert [each["name"] for each in api.ok("GET", f"/apps/{app}/addon-attachments")] == ["DJ"]
    last = api.ok("GET", f"/apps/{app}/releases", headers={"Range": "version ..; max=1, order=desc"})
    assert last[0]["description"] == f"Attach DJ (@ref:{made['name']})"


def test_an_unknown_plan_names_the_nearest(api: Backend, app: str) -> None:
    answer = api.call("POST", f"/apps/{app}/addons", {"plan": "dj:singel"})
    assert error(answer) == (422, "invalid_params")
    message = answer.json()["message"]
    assert message.startswith('Couldn\'t find either the add-on service or the add-on plan of "dj:singel".')
    assert "dj:single" in message


def test_a_second_dj_is_refused(api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    assert error(api.call("POST", f"/apps/{app}/addons", {"plan": "dj"})) == (422, "invalid_params")
    assert len(api.ok("GET", f"/apps/{app}/addons")) == 1


@pytest.mark.parametrize("word", ["dj", "DJ", "dj:single", "name", "id"])
def test_an_addon_resolves_by_every_name_it_has(api: Backend, app: str, word: str) -> None:
    made = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    found = api.ok("POST", "/actions/addons/resolve", {"addon": made.get(word, word), "app": app})
    assert [each["id"] for each in found] == [made["id"]]


def test_an_addon_resolves_by_each_of_its_attachments(api: Backend, app: str) -> None:
    made = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    names = ["DJ", "MORE_JOBS", "OTHER_JOBS"]
    for name in names[1:]:
        api.ok("POST", "/addon-attachments", {"addon": made["name"], "app": app, "name": name})
    for name in names:
        found = api.ok("POST", "/actions/addons/resolve", {"addon": name, "app": app})
        assert [each["id"] for each in found] == [made["id"]], name


def test_an_addon_that_is_not_there_is_not_found(api: Backend, app: str) -> None:
    answer = api.call("POST", "/actions/addons/resolve", {"addon": "dj", "app": app})
    assert error(answer) == (404, "not_found") and answer.json()["resource"] == "add_on"
    assert error(api.call("DELETE", f"/apps/{app}/addons/dj")) == (404, "not_found")


def test_a_removed_addon_says_that_it_is_deprovisioned(api: Backend, app: str) -> None:
    made = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    gone = api.ok("DELETE", f"/apps/{app}/addons/{made['id']}", {"force": False})
    assert gone["state"] == "deprovisioned"
    assert api.ok("GET", f"/apps/{app}/addons") == []


def test_scaling_before_the_first_deploy_says_what_to_do(api: Backend, app: str) -> None:
    answer = api.call("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    assert error(answer) == (422, "invalid_params") and "git push" in answer.json()["message"]


def test_running_before_the_first_deploy_says_what_to_do(api: Backend, app: str) -> None:
    answer = api.call("POST", f"/apps/{app}/dynos", {"command": "rake -T", "attach": True})
    assert error(answer) == (422, "invalid_params") and "git push" in answer.json()["message"]


def test_a_token_is_made_with_the_password_and_revoked(api: Backend) -> None:
    owner = api.credentials
    answer = requests.post(
        f"{api.url}/oauth/authorizations",
        json={"description": "a laptop", "expires_in": "60"},
        auth=(owner["email"], owner["password"]),
        timeout=30,
    )
    assert answer.status_code == 201
    made = answer.json()
    bearer = {"Authorization": f"Bearer {made['access_token']['token']}"}
    assert requests.get(f"{api.url}/account", headers=bearer, timeout=30).ok
    api.ok("DELETE", f"/oauth/authorizations/{made['id']}")
    assert requests.get(f"{api.url}/account", headers=bearer, timeout=30).status_code == 401


def test_a_wrong_password_makes_no_token(api: Backend) -> None:
    answer = requests.post(f"{api.url}/oauth/authorizations", json={}, auth=(api.credentials["email"], "x"), timeout=30)
    assert error(answer) == (401, "unauthorized")


def test_a_list_never_shows_a_whole_token(api: Backend) -> None:
    for each in api.ok("GET", "/oauth/authorizations"):
        assert "**********" in each["access_token"]["token"]


def test_a_long_list_comes_by_the_piece(api: Backend, app: str) -> None:
    for number in range(4):
        api.ok("PATCH", f"/apps/{app}/config-vars", {"N": str(number)})
    seen, wanted = [], "version ..; max=2, order=desc"
    while wanted:
        answer = api.call("GET", f"/apps/{app}/releases", headers={"Range": wanted})
        seen += [each["version"] for each in answer.json()]
        wanted = answer.headers.get("Next-Range", "")
        assert answer.status_code == (206 if wanted else 200)
    assert seen == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("wanted", ["version ..; max=0", "version ..; max=1001", "version", "version x..; max=1"])
def test_a_bad_range_is_refused(api: Backend, app: str, wanted: str) -> None:
    answer = api.call("GET", f"/apps/{app}/releases", headers={"Range": wanted})
    assert error(answer) == (416, "requested_range_not_satisfiable")


@pytest.mark.parametrize(
    "wanted", ["", "id ..; max=1000;", "domain ..; ;", "name ..; max=20, , order=desc", "]0..; max=9"]
)
def test_the_ranges_that_clients_are_known_to_send_are_understood(api: Backend, app: str, wanted: str) -> None:
    assert api.call("GET", f"/apps/{app}/releases", headers={"Range": wanted}).ok


def test_a_rollback_restores_config_and_needs_code(api: Backend, app: str) -> None:
    assert error(api.call("POST", f"/apps/{app}/releases", {"release": "1"})) == (422, "invalid_params")


def test_regions_stacks_and_sizes_are_listed(api: Backend) -> None:
    assert {"us", "eu"} <= {each["name"] for each in api.ok("GET", "/regions")}
    assert any(each["default"] for each in api.ok("GET", "/stacks"))
    assert "Basic" in [each["name"] for each in api.ok("GET", "/dyno-sizes")]


def test_a_ticket_is_good_for_its_purpose_alone(api: Backend, app: str) -> None:
    url = api.ok("POST", f"/apps/{app}/log-sessions", {})["logplex_url"]
    ticket = url.rpartition("/")[2]
    assert requests.get(url, timeout=30).ok
    assert requests.get(f"{api.url}/blobs/{ticket}", timeout=30).status_code == 404
    assert requests.get(f"{url[:-4]}AAAA", timeout=30).status_code == 404


@pytest.mark.parametrize("process_type", ["a b", "a\nb", "", "a/b", "x" * 200])
def test_a_one_off_cannot_forge_the_log_by_its_type(api: Backend, app: str, process_type: str) -> None:
    answer = api.call("POST", f"/apps/{app}/dynos", {"command": "true", "type": process_type})
    assert error(answer) == (422, "invalid_params")


@pytest.mark.parametrize("body", ["[" * 200_000, '{"A": "\\ud800"}', '{"A": "\\udfff tail"}'])
def test_a_body_that_no_text_can_hold_is_refused(api: Backend, app: str, body: str) -> None:
    answer = api.session.patch(f"{api.url}/apps/{app}/config-vars", data=body, timeout=30)
    assert error(answer) == (400, "bad_request")


@pytest.mark.parametrize("path", ["releases/v99999999999999999999999", "releases/²"])
def test_a_number_beyond_all_numbers_is_not_found(api: Backend, app: str, path: str) -> None:
    assert error(api.call("GET", f"/apps/{app}/{path}")) == (404, "not_found")


def test_headers_of_nonsense_are_refused(api: Backend, app: str) -> None:
    long_range = {"Range": "id ..; max=" + "9" * 5000}
    assert error(api.call("GET", f"/apps/{app}/releases", headers=long_range)) == (
        416,
        "requested_range_not_satisfiable",
    )
    latin = requests.get(f"{api.url}/apps", headers={"Authorization": b"Basic \xe9"}, timeout=30)
    assert error(latin) == (401, "unauthorized")
    assert error(api.call("POST", f"/apps/{app}/log-sessions", {"lines": "²"})) == (400, "bad_request")


def test_a_page_never_ends_between_equal_values(api: Backend, app: str) -> None:
    seen, wanted = [], "created_at ..; max=1"
    while wanted:
        answer = api.call("GET", f"/apps/{app}/releases", headers={"Range": wanted})
        seen += [each["version"] for each in answer.json()]
        wanted = answer.headers.get("Next-Range", "")
    assert sorted(seen) == [1, 2]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("identity", {"GET /account"}),
        ("read", {"GET /account", "GET /apps"}),
        ("read-protected", {"GET /account", "GET /apps", "GET /config-vars"}),
        ("write", {"GET /account", "GET /apps", "PATCH app"}),
        ("write-protected", {"GET /account", "GET /apps", "GET /config-vars", "PATCH app"}),
    ],
)
def test_a_token_may_do_what_its_scope_says(api: Backend, app: str, scope: str, allowed: set[str]) -> None:
    made = api.ok("POST", "/oauth/authorizations", {"scope": [scope]})
    bearer = {"Authorization": f"Bearer {made['access_token']['token']}"}
    calls = {
        "GET /account": ("GET", "/account"),
        "GET /apps": ("GET", f"/apps/{app}"),
        "GET /config-vars": ("GET", f"/apps/{app}/config-vars"),
        "PATCH app": ("PATCH", f"/apps/{app}"),
    }
    got = {name for name, (method, path) in calls.items() if api.call(method, path, {}, headers=bearer).ok}
    assert got == allowed
    push = requests.get(f"{api.url}/{app}.git/info/refs?service=git-receive-pack", headers=bearer, timeout=30)
    assert push.ok == (scope in ("write", "write-protected"))


@pytest.mark.parametrize("kind", ["receiver", "config"])
def test_what_an_app_is_called_takes_nothing_from_a_tokens_scope(api: Backend, kind: str) -> None:
    app = api.ok("POST", "/apps", {"name": f"{kind}-{uuid.uuid4().hex[:12]}"})["name"]
    made = api.ok("POST", "/oauth/authorizations", {"scope": ["read"]})
    bearer = {"Authorization": f"Bearer {made['access_token']['token']}"}
    assert api.call("GET", f"/apps/{app}", headers=bearer).status_code == 200
    assert api.call("GET", f"/apps/{app}/config-vars", headers=bearer).status_code == 403
    fetch = requests.get(f"{api.url}/{app}.git/info/refs?service=git-upload-pack", headers=bearer, timeout=30)
    assert fetch.status_code == 200
    api.ok("DELETE", f"/apps/{app}")
