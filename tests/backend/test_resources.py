"""The smaller resources of an app and an account: domains, drains, keys, features, buildpacks, pipelines."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


def status(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("id", "")


def last_release(api: Backend, app: str) -> dict[str, Any]:
    return dict(api.ok("GET", f"/apps/{app}/releases", headers={"Range": "version ..; max=1, order=desc"})[0])


def test_an_app_has_a_domain_of_its_own_and_those_that_were_added(api: Backend, app: str) -> None:
    added = api.ok("POST", f"/apps/{app}/domains", {"hostname": f"WWW.{app}.example.com", "sni_endpoint": None})
    assert (added["hostname"], added["kind"], added["cname"]) == (
        f"www.{app}.example.com",
        "custom",
        f"{app}.localhost",
    )
    listed = {each["hostname"]: each["kind"] for each in api.ok("GET", f"/apps/{app}/domains")}
    assert listed == {f"{app}.localhost": "heroku", f"www.{app}.example.com": "custom"}
    assert api.ok("GET", f"/apps/{app}/domains/{added['hostname']}") == added
    api.ok("DELETE", f"/apps/{app}/domains/{added['hostname']}")
    assert status(api.call("GET", f"/apps/{app}/domains/{added['id']}")) == (404, "not_found")


@pytest.mark.parametrize("name", ["", "nodots", "a..b", "-a.example.com", "a b.com", "x.localhost", "ex*.com", "a/b.c"])
def test_a_bad_domain_is_refused(api: Backend, app: str, name: str) -> None:
    assert api.call("POST", f"/apps/{app}/domains", {"hostname": name}).status_code in (400, 422)
    assert len(api.ok("GET", f"/apps/{app}/domains")) == 1


def test_a_domain_leads_to_one_app(api: Backend, app: str) -> None:
    other = api.ok("POST", "/apps", {})["name"]
    api.ok("POST", f"/apps/{other}/domains", {"hostname": f"*.{app}.com"})
    answer = api.call("POST", f"/apps/{app}/domains", {"hostname": f"*.{app}.com"})
    assert status(answer) == (422, "invalid_params") and "another app" in answer.json()["message"]


def test_the_apps_own_domain_stays(api: Backend, app: str) -> None:
    assert status(api.call("DELETE", f"/apps/{app}/domains/{app}.localhost")) == (422, "invalid_params")


def test_a_drain_is_found_by_id_token_and_escaped_url(api: Backend, app: str) -> None:
    url = "https://user:pass@logs.example.com:6514/in?key=a%20b"
    added = api.ok("POST", f"/apps/{app}/log-drains", {"url": url})
    assert added["token"].startswith("d.") and added["url"] == url
    for word in (added["id"], added["token"], quote(url, safe="")):
        assert api.ok("GET", f"/apps/{app}/log-drains/{word}") == added
    api.ok("DELETE", f"/apps/{app}/log-drains/{quote(url, safe='')}")
    assert api.ok("GET", f"/apps/{app}/log-drains") == []


@pytest.mark.parametrize("url", ["", "example.com", "ftp://a.b", "syslog://", "https://a:x/", "https://a\nb/", "//a"])
def test_a_drain_that_nothing_can_be_sent_to_is_refused(api: Backend, app: str, url: str) -> None:
    assert api.call("POST", f"/apps/{app}/log-drains", {"url": url}).status_code in (400, 422)


def test_a_drain_is_there_once(api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/log-drains", {"url": "syslog+tls://a.example.com:6514"})
    again = api.call("POST", f"/apps/{app}/log-drains", {"url": "syslog+tls://a.example.com:6514"})
    assert status(again) == (422, "invalid_params")


def test_a_key_is_known_by_the_fingerprint_that_ssh_gives_it(api: Backend, tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@laptop", "-f", path], check=True)
    public = path.with_suffix(".pub").read_text()
    shown = subprocess.run(["ssh-keygen", "-l", "-E", "md5", "-f", path], check=True, capture_output=True, text=True)
    added = api.ok("POST", "/account/keys", {"public_key": public})
    assert f"MD5:{added['fingerprint']}" in shown.stdout and added["comment"] == "me@laptop"
    assert status(api.call("POST", "/account/keys", {"public_key": public})) == (422, "invalid_params")
    assert api.ok("GET", f"/account/keys/{added['fingerprint']}") == added
    api.ok("DELETE", f"/account/keys/{added['id']}")
    assert added not in api.ok("GET", "/account/keys")


@pytest.mark.parametrize("key", ["", "ssh-rsa", "ssh-rsa !!!", "ssh-rsa AAAA me", "-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_public_key_is_refused(api: Backend, key: str) -> None:
    assert api.call("POST", "/account/keys", {"public_key": key}).status_code in (400, 422)


def enabled(api: Backend, app: str) -> list[str]:
    return [each["name"] for each in api.ok("GET", f"/apps/{app}/features") if each["enabled"]]


def test_a_feature_is_switched_on_and_off(api: Backend, app: str) -> None:
    path = f"/apps/{app}/features/runtime-dyno-metadata"
    assert api.ok("GET", path)["enabled"] is False
    assert api.ok("PATCH", path, {"enabled": True})["enabled"] is True
    assert enabled(api, app) == ["runtime-dyno-metadata"]
    assert api.ok("PATCH", path, {"enabled": False})["enabled"] is False
    assert api.call("PATCH", path, {"enabled": "yes"}).status_code == api.call("PATCH", path, {}).status_code == 400
    assert status(api.call("PATCH", f"/apps/{app}/features/preboot", {"enabled": True})) == (404, "not_found")


def test_the_feature_dyno_metadata_tells_a_dyno_who_it_is(api: Backend, app: str, tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("worker: env; sleep 600\n")
    api.push(tmp_path, app)
    api.ok("PATCH", f"/apps/{app}/features/runtime-dyno-metadata", {"enabled": True})
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    logs = api.wait_for_log(app, "HEROKU_SLUG_COMMIT=")
    assert f"HEROKU_APP_NAME={app}\n" in logs and "HEROKU_RELEASE_VERSION=v3\n" in logs
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 0}]})


def test_buildpacks_are_kept_in_their_order(api: Backend, app: str) -> None:
    path, url = f"/apps/{app}/buildpack-installations", "https://github.com/example/buildpack.git"
    wanted = [{"buildpack": url}, {"buildpack": "https://github.com/heroku/heroku-buildpack-ruby"}]
    made = api.ok("PUT", path, {"updates": wanted}, headers={"Range": ""})
    assert [(each["ordinal"], each["buildpack"]["name"]) for each in made] == [(0, url), (1, "heroku/ruby")]
    api.ok("PUT", path, {"updates": [{"buildpack": "heroku/python"}]})
    assert [each["buildpack"]["url"] for each in api.ok("GET", path)] == ["heroku/python"]
    twice = {"updates": [{"buildpack": "heroku/ruby"}, wanted[1]]}
    assert status(api.call("PUT", path, twice)) == (422, "invalid_params")
    assert api.ok("PUT", path, {"updates": []}) == []


def test_a_token_is_renewed_and_the_old_one_good_no_longer(api: Backend) -> None:
    made = api.ok("POST", "/oauth/authorizations", {"description": "a robot"})
    path = f"/oauth/authorizations/{made['id']}"
    assert api.ok("PATCH", path, {"description": "a better robot"})["description"] == "a better robot"
    renewed = api.ok("POST", f"{path}/actions/regenerate-tokens")
    for document, expected in ((made, 401), (renewed, 200)):
        headers = {"Authorization": f"Bearer {document['access_token']['token']}"}
        assert requests.get(f"{api.url}/account", headers=headers, timeout=30).status_code == expected


def test_the_name_of_an_account_can_be_changed(api: Backend) -> None:
    assert api.ok("PATCH", "/account", {"name": "Ada", "allow_tracking": False})["name"] == "Ada"
    assert api.ok("PATCH", "/users/~", {"name": None})["name"] is None
    assert status(api.call("PATCH", "/account", {"beta": True})) == (422, "invalid_params")


def test_the_config_of_an_addon_is_given_to_every_app_attached(api: Backend, app: str) -> None:
    other = api.ok("POST", "/apps", {})["name"]
    addon = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    api.ok("POST", "/addon-attachments", {"addon": addon, "app": other, "name": "JOBS"})
    path = f"/addons/{addon}/config"
    assert api.ok("PATCH", path, {"config": [{"name": "URL", "value": "x:1"}]}) == [{"name": "URL", "value": "x:1"}]
    assert api.ok("GET", f"/apps/{app}/config-vars")["DJ_URL"] == "x:1"
    assert api.ok("GET", f"/apps/{other}/config-vars")["JOBS_URL"] == "x:1"
    assert last_release(api, other)["description"] == "Update JOBS by dj"
    api.ok("PATCH", path, {"config": [{"name": "URL", "value": None}]})
    assert "DJ_URL" not in api.ok("GET", f"/apps/{app}/config-vars")


def test_a_pipeline_promotes_what_one_app_runs_to_the_next(api: Backend, app: str, tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("worker: sleep 600\n")
    api.push(tmp_path, app)
    production = api.ok("POST", "/apps", {})
    pipeline = api.ok("POST", "/pipelines", {"name": app, "owner": {"type": "user"}})
    source = {"app": {"id": api.ok("GET", f"/apps/{app}")["id"]}}
    body = {"pipeline": {"id": pipeline["id"]}, "source": source, "targets": [{"app": {"id": production["id"]}}]}
    assert status(api.call("POST", "/pipeline-promotions", body)) == (422, "invalid_params")
    for name, stage in ((app, "staging"), (production["name"], "production")):
        api.ok("POST", "/pipeline-couplings", {"app": name, "pipeline": pipeline["id"], "stage": stage})
    made = api.ok("POST", "/pipeline-promotions", body)
    targets = api.ok("GET", f"/pipeline-promotions/{made['id']}/promotion-targets")
    release = last_release(api, production["name"])
    assert [each["release"]["id"] for each in targets] == [release["id"]]
    assert release["description"].startswith(f"Promote {app} v3 ")
    assert len(api.ok("GET", f"/pipelines/{pipeline['id']}/latest-releases")) == 2
    api.ok("DELETE", f"/apps/{app}")
    slug = api.ok("GET", f"/apps/{production['name']}/slugs/{release['slug']['id']}")
    assert requests.get(slug["blob"]["url"], timeout=30).ok
    assert [each["type"] for each in api.ok("GET", f"/apps/{production['name']}/formation")][-1] == "worker"


def test_an_app_is_in_one_pipeline_at_one_stage(api: Backend, app: str) -> None:
    first, second = (api.ok("POST", "/pipelines", {"name": f"{app[:20]}-{number}"})["id"] for number in "12")
    placed = api.ok("POST", "/pipeline-couplings", {"app": app, "pipeline": first, "stage": "staging"})
    again = api.call("POST", "/pipeline-couplings", {"app": app, "pipeline": second, "stage": "staging"})
    assert status(again) == (422, "invalid_params")
    path = f"/pipeline-couplings/{placed['id']}"
    assert status(api.call("PATCH", path, {"stage": "nowhere"})) == (422, "invalid_params")
    assert api.ok("PATCH", path, {"stage": "production"})["stage"] == "production"
    assert api.ok("GET", f"/apps/{app}/pipeline-couplings")["pipeline"]["id"] == first
    api.ok("DELETE", path)
    assert status(api.call("GET", f"/apps/{app}/pipeline-couplings")) == (404, "not_found")
    assert api.ok("DELETE", f"/pipelines/{first}")["id"] == first


def test_apps_are_filtered_by_id(api: Backend, app: str) -> None:
    api.ok("POST", "/apps", {})
    wanted = api.ok("GET", f"/apps/{app}")["id"]
    found = api.ok("POST", "/filters/apps", {"in": {"id": [wanted, "00000000-0000-0000-0000-000000000000"]}})
    assert [each["name"] for each in found] == [app]


def test_an_app_is_created_with_features_on(api: Backend) -> None:
    made = api.ok("POST", "/apps", {"feature_flags": ["runtime-dyno-metadata"]})
    assert enabled(api, made["name"]) == ["runtime-dyno-metadata"]
    assert status(api.call("POST", "/apps", {"feature_flags": ["levitation"]})) == (404, "not_found")


def test_plan_and_service_of_an_addon_are_whole_for_whoever_asks_and_references_else(api: Backend, app: str) -> None:
    made = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"}, headers={"Accept-Expansion": "plan"})
    assert made["plan"]["price"]["cents"] == 0 and set(made["addon_service"]) == {"id", "name"}
    (listed,) = api.ok("GET", f"/apps/{app}/addons")
    assert listed["plan"] == {"id": made["plan"]["id"], "name": "dj:single"}
    shown = api.ok("GET", f"/addons/{made['id']}", headers={"Accept-Expansion": "addon_service, plan"})
    assert shown["addon_service"]["human_name"] == "Delayed Job" and shown["plan"] == made["plan"]
    (attached,) = api.ok("GET", f"/apps/{app}/addon-attachments")
    assert "config_vars" not in attached and "plan" not in attached["addon"]
    inclusion = {"Accept-Inclusion": "addon:plan,config_vars"}  # more than the published schema has
    (attached,) = api.session.get(f"{api.url}/apps/{app}/addon-attachments", headers=inclusion, timeout=30).json()
    assert (attached["config_vars"], attached["addon"]["plan"]["name"]) == ([], "dj:single")
