"""Commands whose effect is looked at from the other side: the client against a real backend."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends import Backend
from tests.client.conftest import Result, Stream, execute

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ada@laptop"


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.fixture
def heroku(api: Backend, environment, folder) -> Callable[..., Result]:
    """Runs the client in this process, logged in at the backend; it must end with the status given."""
    environment |= {"HEROKU_HOST": api.url, "HEROKU_API_KEY": api.credentials["token"], "PATH": os.environ["PATH"]}

    def run(*words: str, status: int = 0, stdin: str = "", terminal: bool = False) -> Result:
        streams = [Stream(stdin.encode(), is_terminal=terminal), *(Stream(is_terminal=terminal) for _ in range(2))]
        ended = execute(words, *streams, environment, folder)
        _, out, err = (stream.written for stream in streams)
        result = Result(ended, out.decode(), err.decode(), out)
        assert ended == status, result
        return result

    return run


def test_an_app_is_shared_and_the_other_user_taken_off_again(heroku, api, app):
    email = f"{app}@example.com"
    api.ok("POST", "/backend/users", {"email": email})
    assert heroku("access:add", email, "-a", app, "-j").json["user"]["email"] == email
    assert f"{email}\tcollaborator\t" in heroku("access", "-a", app).stdout
    failed = heroku("access:remove", f"{app}@example.org", "-a", app, status=1)
    assert f"Did you mean: {email}?" in failed.stderr
    heroku("access:remove", email, "-a", app)
    assert [each["role"] for each in heroku("access", "-a", app, "--json").json] == ["owner"]
    assert "belongs to no team" in heroku("access:update", email, "-p", "deploy", "-a", app, status=1).stderr


def test_domains_come_and_go_and_the_apps_own_stays(heroku, api, app):
    name = f"www.{app}.example.com"
    assert f"point to the DNS Target {app}." in heroku("domains:add", name, "-a", app).stdout
    heroku("domains:wait", name, "-a", app)
    assert heroku("domains", "-a", app).stdout.splitlines()[1].split("\t")[0] == name
    assert f"Hostname:   {name}" in heroku("domains:info", name, "-a", app).stdout
    assert f"Did you mean: {name}?" in heroku("domains:remove", f"ww.{app}.example.com", "-a", app, status=1).stderr
    assert heroku("domains:remove", name, "-a", app, "--json").json["hostname"] == name
    heroku("domains:add", name, "-a", app, "--wait")
    assert "Add: --confirm" in heroku("domains:clear", "-a", app, status=1).stderr
    heroku("domains:clear", "-a", app, "--confirm", app)
    assert [each["kind"] for each in api.ok("GET", f"/apps/{app}/domains")] == ["heroku"]


def test_drains_are_removed_by_the_url_they_were_added_with(heroku, api, app):
    url = "https://logs.example.com/in?key=1&more=a/b"
    heroku("drains:add", url, "-a", app)
    assert re.fullmatch(re.escape(url) + r" \(d\.[0-9a-f-]{36}\)\n", heroku("drains", "-a", app).stdout)
    assert "Did you mean" in heroku("drains:remove", url + "x", "-a", app, status=1).stderr
    heroku("drains:remove", url, "-a", app)
    assert api.ok("GET", f"/apps/{app}/log-drains") == []


@pytest.fixture
def public_key(folder) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", str(folder / "key")], check=True
    )
    return (folder / "key.pub").read_text().strip()


def test_keys_are_added_listed_and_removed_by_their_comment(heroku, api, public_key):
    assert heroku("keys:add", "key.pub", "--json").json["public_key"].split()[:2] == public_key.split()[:2]
    kind, data, comment = public_key.split()
    assert heroku("keys").stdout == f"{kind} {data[:10]}...{data[-10:]} {comment}\n"
    assert heroku("keys", "--long").stdout.strip() == public_key
    assert "You have no SSH key ada@laptop2. " not in heroku("keys:remove", "ada@laptop", "--json").stderr
    assert api.ok("GET", "/account/keys") == []
    failed = heroku("keys:remove", "ada@laptop", "--json", status=1)
    assert json.loads(failed.stderr.splitlines()[-1])["id"] == "not_found"


def test_a_private_key_is_never_uploaded(heroku, public_key):
    assert "is a private key" in heroku("keys:add", "key", status=2).stderr


def test_the_only_key_of_the_home_folder_is_taken_when_the_user_agrees(heroku, environment, folder, public_key):
    home = Path(environment["HOME"]) / ".ssh"
    home.mkdir()
    (folder / "key.pub").rename(home / "id_ed25519.pub")
    assert "Then add: --yes" in heroku("keys:add", status=2).stderr
    assert "No key was uploaded" in heroku("keys:add", terminal=True, stdin="n\n", status=1).stderr
    heroku("keys:add", terminal=True, stdin="y\n")
    heroku("keys:clear")


def test_features_and_labs_are_switched_on_and_off(heroku, api, app):
    name = "runtime-dyno-metadata"
    assert f"[ ]\t{name}\t" in heroku("labs", "-a", app).stdout
    heroku("labs:enable", name, "-a", app)
    assert api.ok("GET", f"/apps/{app}/features/{name}")["enabled"] is True
    assert "Enabled:     true" in heroku("labs:info", name, "-a", app).stdout
    assert heroku("labs:disable", name, "-a", app, "--json").json["enabled"] is False
    assert name not in [each["name"] for each in heroku("features", "-a", app, "--json").json]
    assert f"Did you mean: {name}?" in heroku("features:enable", "runtime-dyno-metadat", "-a", app, status=1).stderr
    assert heroku("labs", "--json").json["app"] is None, "without an app, those of the account alone"


def test_buildpacks_keep_the_order_that_was_asked_for(heroku, api, app):
    first, second, third = (f"https://github.com/example/{name}.git" for name in ("first", "second", "third"))
    heroku("buildpacks:set", second, "-a", app)
    heroku("buildpacks:add", third, "-a", app)
    heroku("buildpacks:add", first, "--index", "1", "-a", app)
    assert heroku("buildpacks", "-a", app).stdout.splitlines() == [first, second, third]
    assert "already set" in heroku("buildpacks:add", third, "-a", app, status=1).stderr
    heroku("buildpacks:remove", "-i", "2", "-a", app)
    assert "Did you mean" in heroku("buildpacks:remove", third + "x", "-a", app, status=1).stderr
    left = heroku("buildpacks:remove", third, "-a", app, "--json").json
    assert [each["buildpack"]["url"] for each in left] == [first]
    heroku("buildpacks:clear", "-a", app)
    assert api.ok("GET", f"/apps/{app}/buildpack-installations") == []


def test_a_buildpack_that_is_neither_url_nor_name_stops_before_any_request(heroku):
    assert "neither a URL nor NAMESPACE/NAME" in heroku("buildpacks:set", "ruby", "-a", "x", status=2).stderr


def test_maintenance_is_switched_and_shown(heroku, api, app):
    heroku("maintenance:on", "-a", app)
    assert heroku("maintenance", "-a", app).stdout == "on\n" and api.ok("GET", f"/apps/{app}")["maintenance"]
    assert heroku("maintenance:off", "-a", app, "--json").json["maintenance"] is False


def test_the_stack_is_set_and_marked(heroku, api, app):
    assert "* heroku-24" in heroku("apps:stacks", "-a", app).stdout.splitlines()
    heroku("apps:stacks:set", "heroku-22", "-a", app)
    assert "* heroku-22" in heroku("stacks", "-a", app).stdout.splitlines()
    assert "Did you mean: heroku-22" in heroku("apps:stacks:set", "heroku-222", "-a", app, status=1).stderr
    assert [each["name"] for each in heroku("regions", "--json").json] == sorted(
        each["name"] for each in api.ok("GET", "/regions")
    )


def test_authorizations_are_made_shown_and_revoked(heroku, api):
    token = heroku("authorizations:create", "-d", "from CI", "--short").stdout.strip()
    mine = next(each for each in heroku("authorizations", "--json").json if each["description"] == "from CI")
    assert f"Token:       {token[:9]}*****" in heroku("authorizations:info", mine["id"]).stdout
    heroku("authorizations:update", mine["id"], "-d", "from CI, again")
    assert "Nothing is to be changed" in heroku("authorizations:update", mine["id"], status=2).stderr
    rotated = heroku("authorizations:rotate", mine["id"], "--json").json
    assert rotated["description"] == "from CI, again" and rotated["access_token"]["token"] not in ("", token)
    assert heroku("authorizations:revoke", mine["id"], "--json").json["id"] == mine["id"]
    assert mine["id"] not in [each["id"] for each in api.ok("GET", "/oauth/authorizations")]


def test_an_addon_is_attached_to_another_app_renamed_and_detached(heroku, api, app):
    name = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    other = api.ok("POST", "/apps", {})["name"]
    attached = heroku("addons:attach", name, "--as", "JOBS", "-a", other)
    assert "Setting JOBS config vars and restarting" in attached.stderr and attached.stderr.endswith("done, v3\n")
    heroku("addons:rename", name, f"{app}-jobs")
    heroku("addons:wait", f"{app}-jobs", "-a", app)
    assert "Did you mean: JOBS?" in heroku("addons:detach", "JOB", "-a", other, status=1).stderr
    assert heroku("addons:detach", "JOBS", "-a", other, "--json").json["addon"]["name"] == f"{app}-jobs"
    assert api.ok("GET", f"/apps/{other}/addon-attachments") == []
    assert heroku("addons:docs", "dj", "--show-url", "-a", app).stdout == "https://devcenter.heroku.com/articles/dj\n"
    assert "/dashboard/open/" in heroku("addons:open", f"{app}-jobs", "-a", app).stdout
    heroku("addons:destroy", f"{app}-jobs", "-a", app, "--confirm", app, "--wait")


def test_a_name_that_is_taken_is_attached_only_when_confirmed(heroku, api, app):
    name = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    other = api.ok("POST", "/apps", {})["name"]
    heroku("addons:attach", name, "--as", "JOBS", "-a", other)
    assert "Add: --confirm" in heroku("addons:attach", name, "--as", "JOBS", "-a", other, status=1).stderr
    heroku("addons:attach", name, "--as", "JOBS", "-a", other, "--confirm", other)


@pytest.fixture
def deployed(api: Backend, app: str, tmp_path) -> str:
    place = tmp_path / "app"
    place.mkdir()
    (place / "Procfile").write_text("worker: sleep 600\nclock: sleep 600\n")
    api.push(place, app)
    return app


def test_sizes_are_changed_and_waited_for(heroku, api, deployed):
    heroku("ps:scale", "worker=1", "-a", deployed)
    assert "worker\tStandard-1X\t1\n" in heroku("ps:type", "worker=standard-1x", "-a", deployed).stdout
    api.wait_for_log(deployed, "heroku[worker.1]: State changed from starting to up")
    waited = heroku("ps:wait", "--type", "worker", "--wait-interval", "1", "-a", deployed, "--json")
    assert [each["name"] for each in waited.json] == ["worker.1"] and waited.stderr == ""
    assert "done, 1 / 1" in heroku("ps:wait", "-a", deployed).stderr
    assert {each["size"] for each in heroku("ps:resize", "basic", "-a", deployed, "-j").json} == {"Basic"}
    assert "Did you mean: worker" in heroku("ps:type", "werker=basic", "-a", deployed, status=1).stderr
    assert "Did you mean: worker" in heroku("ps:wait", "-t", "work", "-a", deployed, status=1).stderr


def test_a_mistyped_dyno_gets_the_nearest_names(heroku, api, deployed):
    heroku("ps:scale", "worker=1", "-a", deployed)
    api.wait_for_log(deployed, "heroku[worker.1]: State changed from starting to up")
    assert "Did you mean: worker.1?" in heroku("ps:stop", "werker.1", "-a", deployed, status=1).stderr
    assert heroku("ps:restart", "worker.1", "-a", deployed, "--json").json == {
        "app": deployed,
        "dyno": "worker.1",
        "type": None,
    }


def test_a_release_without_a_command_has_no_output_and_nothing_to_retry(heroku, deployed):
    assert "has no release output" in heroku("releases:output", "-a", deployed).stderr
    assert heroku("releases:output", "-a", deployed, "--json").json["output"] is None
    assert "has no release command" in heroku("releases:retry", "-a", deployed, status=1).stderr


def test_config_edit_shows_the_difference_and_applies_it(heroku, api, app, environment, tmp_path):
    api.ok("PATCH", f"/apps/{app}/config-vars", {"OLD": "1", "TEXT": "two\nlines # and 'quotes'", "GONE": "x"})
    before = api.ok("GET", f"/apps/{app}/config-vars")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i -e s/OLD=1/OLD=2/ -e /^GONE=/d "$1"\necho "NEW=\'a b\'" >> "$1"\n')
    editor.chmod(0o755)
    environment["EDITOR"] = str(editor)
    assert "Add: --confirm" in heroku("config:edit", "-a", app, status=1).stderr
    assert api.ok("GET", f"/apps/{app}/config-vars") == before
    assert "Nothing was changed" in heroku("config:edit", "-a", app, terminal=True, stdin="n\n", status=1).stderr
    told = heroku("config:edit", "-a", app, terminal=True, stdin="y\n").stderr
    for line in ("- GONE=x", "- OLD=1", "+ OLD=2", "+ NEW='a b'"):
        assert line in told
    wanted = {key: value for key, value in before.items() if key != "GONE"} | {"OLD": "2", "NEW": "a b"}
    assert api.ok("GET", f"/apps/{app}/config-vars") == wanted
    environment["EDITOR"] = "true"
    assert "Nothing was changed." in heroku("config:edit", "-a", app).stderr
    environment["EDITOR"] = "false"
    assert "ended with status 1" in heroku("config:edit", "-a", app, status=1).stderr
    del environment["EDITOR"]
    assert "export EDITOR=" in heroku("config:edit", "-a", app, status=2).stderr


def test_psql_gets_the_database_by_its_environment_and_never_by_its_arguments(heroku, api, app, environment, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "psql").write_text('#!/bin/sh\n{ echo "$@"; env | grep ^PG; } > "$HOME/seen"\nexit 3\n')
    (programs / "psql").chmod(0o755)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    api.ok("PATCH", f"/apps/{app}/config-vars", {"DATABASE_URL": "postgres://ada:s%40crt@db.example.com:6000/d1"})
    heroku("pg:psql", "-c", "select 1", "-a", app, status=3)
    seen = Path(environment["HOME"], "seen").read_text()
    arguments, _, settings = seen.partition("\n")
    assert "select 1" in arguments and "s@crt" not in arguments and "db.example.com" not in arguments
    assert set(settings.splitlines()) == {
        "PGHOST=db.example.com",
        "PGPORT=6000",
        "PGDATABASE=d1",
        "PGUSER=ada",
        "PGPASSWORD=s@crt",
        "PGSSLMODE=require",
    }
    shown = heroku("pg:info", "-a", app).stdout
    assert "Host:     db.example.com" in shown and "s%40crt" not in shown and "s@crt" not in shown
    assert "Did you mean: DATABASE_URL?" in heroku("pg:psql", "DATABASE_URI", "-a", app, status=1).stderr
    assert heroku("pg:credentials:url", "-a", app, "--json").json["password"] == "s@crt"


def test_an_app_without_postgresql_is_told_where_to_get_it(heroku, app):
    assert "has no PostgreSQL database" in heroku("pg:psql", "-a", app, status=1).stderr


def test_the_log_since_a_time_leaves_out_what_is_older(heroku, api, app):
    api.ok("PATCH", f"/apps/{app}/config-vars", {"LATER": "1"})
    everything = api.logs(app).splitlines()
    between = everything[-1].split()[0]
    assert heroku("logs", "--since", between, "-a", app).stdout.splitlines() == [
        line for line in everything if line.split()[0] >= between
    ]
    assert heroku("logs", "--since", "1h", "-a", app).stdout.splitlines() == everything
    assert "neither like 10m" in heroku("logs", "--since", "yesterday", "-a", app, status=2).stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_a_curl_command_that_was_shown_can_be_played_again(heroku, api, app, environment):
    environment["HEROKU_DEBUG"] = "curl"
    printed = heroku("maintenance:on", "-a", app).stderr
    line = next(line for line in printed.splitlines() if "PATCH" in line)
    line = line[line.index("curl") :]
    assert "$HEROKU_API_KEY" in line and api.credentials["token"] not in printed
    api.ok("PATCH", f"/apps/{app}", {"maintenance": False})
    done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["maintenance"] is True, done
    assert api.ok("GET", f"/apps/{app}")["maintenance"] is True


def test_completion_is_installed_where_the_shell_looks_for_it(heroku, environment):
    environment["SHELL"] = "/usr/bin/fish"
    told = heroku("autocomplete", "--json").json
    assert told["shell"] == "fish" and told["next"] == []
    root = Path(__file__).parents[2]
    for path in told["files"]:
        assert Path(path).is_relative_to(environment["HOME"])
        assert Path(path).read_text() == (root / "completions" / "heroku.fish").read_text()
    assert "Without the package bash-completion" in heroku("autocomplete", "bash").stderr
    environment["SHELL"] = "/bin/dash"
    assert "dash has no completion here" in heroku("autocomplete", status=2).stderr


def test_apps_are_created_with_a_buildpack(heroku, api):
    made = heroku("create", "--buildpack", "https://github.com/example/first.git", "--no-remote", "--json").json
    assert len(api.ok("GET", f"/apps/{made['name']}/buildpack-installations")) == 1
