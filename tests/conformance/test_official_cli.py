"""Heroku's own CLI, unmodified, against our backend. What a test is marked to play is in RESULTS.md."""

import json
import re
import subprocess

import pexpect
import pytest
import requests

from tests.backends import Backend, wait_for
from tests.conformance.official import OfficialShell
from tests.partner import ID, Partner

pytestmark = pytest.mark.e2e

FAULTS = {
    "apps:errors": "it asks a host of Heroku's that is not the API",
    "apps:favorites": "it asks a host of Heroku's that is not the API",
    "apps:lock": "only apps of teams are locked, and there are no teams here",
    "clients:create": "there are no OAuth clients here; the backend says so by name",
    "members": "there are no teams here; the backend says so by name",
    "webhooks:add": "webhooks are not sent; the backend says so by name",
}
"""What does not work here, and why."""


@pytest.mark.plays(
    "create", "git:remote", "rake", "addons:add", "logs", "run", "addons:remove", "ps", "addons", "git:clone"
)
def test_the_quick_start_from_the_first_command_to_the_last(shell: OfficialShell, shared_backend: Backend) -> None:
    name = shared_backend.ok("POST", "/apps", {})["name"]
    assert f"/{name}-2.git" in shell.heroku("create", f"{name}-2", "--no-remote").out
    name += "-2"
    shell.heroku("git:remote", "-a", name)
    pushed = shell.ok("git", "push", "heroku", "master").err
    assert "remote: -----> Delayed Job (embedded) app detected" in pushed and "Released v3" in pushed
    assert "CreateDelayedJobs: migrated" in shell.heroku("rake", "db:migrate").out
    added = shell.heroku("addons:add", "dj")
    assert "Created dj-" in added.out and "free" in added.err
    shared_backend.wait_for_log(name, "*** Starting job worker")
    logs = shell.heroku("logs").out
    assert re.search(r"app\[worker\.1\]: \*\*\* Starting job worker host:railgun\.\d+ pid:\d+", logs)
    assert logs == shared_backend.logs(name, lines=100)
    shell.heroku("run", "bin/newsletter Later ada@example.org --in 3600")
    assert "1 job" in shell.heroku("run", "bin/jobs").out
    shell.heroku("rake", "jobs:clear")
    assert "0 jobs" in shell.heroku("run", "bin/jobs").out
    assert "worker.1: up" in shell.heroku("ps").out
    assert "as DJ" in shell.heroku("addons").out
    assert "done" in shell.heroku("addons:remove", "dj", "--confirm", name).err
    wait_for(lambda: "No dynos on" in shell.heroku("ps").out, "the worker to stop")
    shell.heroku("git:clone", "-a", name, "copy")
    assert (shell.folder / "copy" / "bin" / "newsletter").exists()


@pytest.mark.plays("logs")
def test_a_tail_shows_what_comes_as_it_comes(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    tail = subprocess.Popen(
        ["heroku", "logs", "--tail", "-a", app],
        env=shell.environment,
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert tail.stdout is not None
        for line in tail.stdout:
            if "Release v2 created" in line:
                break
        shared_backend.ok("PATCH", f"/apps/{app}/config-vars", {"LATER": "1"})
        following = next(line for line in tail.stdout if "app[api]" in line)
        assert "Set LATER config vars" in following
    finally:
        tail.kill()
        tail.communicate()
    assert "Set LATER config vars" in shell.heroku("logs", "-n", "5", "-s", "app", "-a", app).out


@pytest.mark.plays("run", "run:detached")
def test_a_one_off_is_attached_reads_its_input_and_hands_on_its_status(
    shell: OfficialShell, shared_backend: Backend, deployed: str
) -> None:
    assert shell.heroku("run", "cat; echo the end", stdin="hello\n").out.splitlines()[-1] == "the end"
    assert shell.heroku("run", "--exit-code", "--", "sh", "-c", "exit 4", status=4).out == ""
    shared_backend.wait_for_log(deployed, "Process exited with status 4")
    assert shell.heroku("run", "--exit-code", "--no-tty", "echo $COLOUR", "-e", "COLOUR=blue").out == "blue\n"
    assert "run." in shell.heroku("run:detached", "echo from afar").err
    shared_backend.wait_for_log(deployed, "from afar")


@pytest.mark.plays("apps", "info", "rename", "destroy", "maintenance", "maintenance:on", "maintenance:off", "regions")
def test_apps_are_listed_shown_renamed_and_destroyed(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    assert app in shell.heroku("apps").out.splitlines()
    shown = json.loads(shell.heroku("info", "-a", app, "--json").out)
    assert shown["app"]["name"] == app and shown["collaborators"][0]["role"] == "owner"
    assert f"=== {app}" in shell.heroku("info", "-a", app).out
    shell.heroku("maintenance:on", "-a", app)
    assert shell.heroku("maintenance", "-a", app).out == "on\n"
    shell.heroku("maintenance:off", "-a", app)
    assert shared_backend.ok("GET", f"/apps/{app}")["maintenance"] is False
    assert "us" in shell.heroku("regions").out
    shell.heroku("rename", f"{app}-b", "-a", app)
    assert "Destroying" in shell.heroku("destroy", "-a", f"{app}-b", "--confirm", f"{app}-b").err
    assert "Couldn't find that app." in shell.heroku("info", "-a", app, status=2).err


@pytest.mark.plays("apps:stacks", "apps:stacks:set", "open")
def test_the_stack_is_shown_and_set(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    assert "* heroku-24" in shell.heroku("apps:stacks", "-a", app).out
    shell.heroku("apps:stacks:set", "heroku-22", "-a", app)
    assert shared_backend.ok("GET", f"/apps/{app}")["build_stack"]["name"] == "heroku-22"
    shell.heroku("open", "-a", app, BROWSER="true")


@pytest.mark.plays("config", "config:set", "config:get", "config:unset")
def test_config_vars_are_set_read_and_unset(shell: OfficialShell, app: str) -> None:
    assert "done, v3" in shell.heroku("config:set", "A=1=2", "EMPTY=", "-a", app).err
    assert "A:            1=2" in shell.heroku("config", "-a", app).out
    assert shell.heroku("config:get", "A", "-a", app).out == "1=2\n"
    assert "A='1=2'\nEMPTY=\n" in shell.heroku("config", "-s", "-a", app).out
    assert "done, v4" in shell.heroku("config:unset", "A", "-a", app).err
    assert shell.heroku("config:get", "A", "-a", app).out == "\n"


@pytest.mark.plays("addons:services", "addons:plans", "addons:info", "addons:upgrade", "addons:rename", "addons:wait")
def test_addons_are_shopped_for_and_changed(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    name = shared_backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    assert "Delayed Job" in shell.heroku("addons:services").out
    plans = shell.heroku("addons:plans", "dj").out
    assert all(f"dj:{plan}" in plans for plan in ("single", "trio", "octet")) and "free" in plans
    assert "Plan:         dj:single" in shell.heroku("addons:info", "dj", "-a", app).out
    assert "from dj:single to dj:trio... done" in shell.heroku("addons:upgrade", "dj", "dj:trio", "-a", app).err
    assert "dj:trio" in shell.heroku("addons:upgrade", name, "nonsense", "-a", app, status=1).err
    shell.heroku("addons:rename", name, f"{app}-jobs")
    shell.heroku("addons:wait", f"{app}-jobs", "-a", app)
    assert shared_backend.ok("GET", f"/addons/{app}-jobs")["plan"]["name"] == "dj:trio"


@pytest.mark.plays("addons:attach", "addons:detach", "addons")
def test_an_addon_is_attached_to_a_second_app_and_detached(
    shell: OfficialShell, shared_backend: Backend, app: str
) -> None:
    name = shared_backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    other = shared_backend.ok("POST", "/apps", {})["name"]
    assert "done, v3" in shell.heroku("addons:attach", name, "-a", other, "--as", "JOBS").err
    assert "as JOBS" in shell.heroku("addons", "-a", other).out
    assert "done, v4" in shell.heroku("addons:detach", "JOBS", "-a", other).err
    assert name in shell.heroku("addons", "--all").out


@pytest.mark.plays("ps", "ps:scale", "ps:restart", "ps:stop", "ps:type", "ps:wait")
def test_dynos_are_scaled_restarted_and_stopped(shell: OfficialShell, shared_backend: Backend, deployed: str) -> None:
    assert "worker at 2:Standard-1X" in shell.heroku("ps:scale", "worker=2:standard-1x").err
    shared_backend.wait_for_log(deployed, "heroku[worker.2]: State changed from starting to up")
    shell.heroku("ps:wait")
    shown = shell.heroku("ps").out
    assert "=== worker (Standard-1X): sleep 600 (2)" in shown and "worker.2: up" in shown
    shell.heroku("ps:restart", "--dyno-name", "worker.1")
    shared_backend.wait_for_log(deployed, "heroku[worker.1]: Restarting")
    shell.heroku("ps:restart", "--process-type", "worker")
    shared_backend.wait_for_log(deployed, "heroku[worker.2]: Restarting")
    shell.heroku("ps:restart", "worker")
    shell.heroku("ps:stop", "--dyno-name", "worker.2")
    assert "Basic" in shell.heroku("ps:type", "worker=basic").out
    assert "worker=2:Basic" in shell.heroku("ps:scale").out
    assert "worker at 0:Basic" in shell.heroku("ps:scale", "worker-2").err


@pytest.mark.plays("releases", "releases:info", "releases:rollback", "releases:output")
def test_releases_are_listed_shown_and_rolled_back(shell: OfficialShell, deployed: str) -> None:
    listed = shell.heroku("releases").out
    assert "Current: v3" in listed and "Enable Logplex" in listed
    assert "DATABASE_URL:" in shell.heroku("releases:info", "v3").out
    assert "done, v4" in shell.heroku("releases:rollback", "v3").err
    assert "Rollback to v3" in shell.heroku("releases").out
    assert "has no release output" in shell.heroku("releases:output", "v3").err


@pytest.mark.plays("drains", "drains:add", "drains:remove")
def test_drains_are_added_listed_and_removed_by_url(shell: OfficialShell, app: str) -> None:
    url = "https://user:secret@logs.example.com/in?key=1"
    shell.heroku("drains:add", url, "-a", app)
    assert re.search(re.escape(url) + r" \(d\.[0-9a-f-]{36}\)", shell.heroku("drains", "-a", app).out)
    shell.heroku("drains:remove", url, "-a", app)
    assert shell.heroku("drains", "-a", app).out == ""


@pytest.mark.plays("domains", "domains:add", "domains:info", "domains:wait", "domains:remove", "domains:clear")
def test_domains_are_added_listed_and_removed(shell: OfficialShell, app: str) -> None:
    name = f"www.{app}.example.com"
    shell.heroku("domains:add", name, "-a", app)
    shell.heroku("domains:wait", name, "-a", app)
    listed = shell.heroku("domains", "-a", app).out
    assert f"{app}.localhost" in listed and name in listed
    assert "succeeded" in shell.heroku("domains:info", name, "-a", app).out
    shell.heroku("domains:remove", name, "-a", app)
    assert name not in shell.heroku("domains", "-a", app).out
    shell.heroku("domains:clear", "-a", app)


@pytest.mark.plays("access", "access:add", "access:remove", "apps:transfer")
def test_an_app_is_shared_and_given_away(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    email = f"{app}@example.com"
    shared_backend.ok("POST", "/backend/users", {"email": email})
    shell.heroku("access:add", email, "-a", app)
    listed = shell.heroku("access", "-a", app).out
    assert re.search(rf"{email}\s+collaborator", listed) and re.search(r"@localhost\s+owner", listed)
    shell.heroku("access:remove", email, "-a", app)
    assert email not in shell.heroku("access", "-a", app).out
    assert "email sent" in shell.heroku("apps:transfer", email, "-a", app).err


@pytest.mark.plays("keys", "keys:add", "keys:remove", "keys:clear")
def test_keys_are_added_listed_and_removed(shell: OfficialShell) -> None:
    shell.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", "key")
    shell.heroku("keys:add", "key.pub", "--yes")
    assert "ada@laptop" in shell.heroku("keys").out
    shell.heroku("keys:remove", "ada@laptop")
    shell.heroku("keys:clear")
    assert "no SSH keys" in shell.heroku("keys").err


@pytest.mark.plays("features", "labs", "labs:info", "labs:enable", "labs:disable")
def test_features_are_switched_on_and_off(shell: OfficialShell, shared_backend: Backend, app: str) -> None:
    name = "runtime-dyno-metadata"
    shell.heroku("features", "-a", app)
    assert f"[ ] {name}" in shell.heroku("labs", "-a", app).out
    shell.heroku("labs:enable", name, "-a", app)
    assert "Enabled: true" in re.sub(" +", " ", shell.heroku("labs:info", name, "-a", app).out)
    assert shared_backend.ok("GET", f"/apps/{app}/features/{name}")["enabled"] is True
    shell.heroku("labs:disable", name, "-a", app)
    assert f"[ ] {name}" in shell.heroku("labs", "-a", app).out


@pytest.mark.plays("buildpacks", "buildpacks:set", "buildpacks:add", "buildpacks:remove", "buildpacks:clear")
def test_buildpacks_are_set_by_url(shell: OfficialShell, app: str) -> None:
    first, second = (f"https://github.com/example/{name}.git" for name in ("first", "second"))
    shell.heroku("buildpacks:set", second, "-a", app)
    shell.heroku("buildpacks:add", "--index", "1", first, "-a", app)
    assert f"1. {first}\n2. {second}" in shell.heroku("buildpacks", "-a", app).out
    shell.heroku("buildpacks:remove", first, "-a", app)
    shell.heroku("buildpacks:clear", "-a", app)
    assert "has no Buildpacks" in shell.heroku("buildpacks", "-a", app).out


@pytest.mark.plays(
    "authorizations",
    "authorizations:create",
    "authorizations:info",
    "authorizations:update",
    "authorizations:rotate",
    "authorizations:revoke",
    "clients",
    "sessions",
)
def test_authorizations_are_made_renewed_and_revoked(shell: OfficialShell, app: str) -> None:
    made = json.loads(shell.heroku("authorizations:create", "-d", app, "-s", "global", "-e", "60", "--json").out)
    shell.heroku("authorizations:update", made["id"], "-d", f"{app} again")
    assert f"{app} again" in shell.heroku("authorizations").out
    rotated = shell.heroku("authorizations:rotate", made["id"]).out
    assert "HRKU-" in rotated and made["access_token"]["token"] not in rotated
    assert made["id"] in shell.heroku("authorizations:info", made["id"]).out
    shell.heroku("authorizations:revoke", made["id"])
    assert app not in shell.heroku("authorizations").out
    assert "No OAuth clients" in shell.heroku("clients").out
    assert "No OAuth sessions" in shell.heroku("sessions").out


@pytest.mark.plays(
    "webhooks",
    "pipelines",
    "pipelines:create",
    "pipelines:add",
    "pipelines:info",
    "pipelines:promote",
    "pipelines:destroy",
)
def test_pipelines_promote_what_was_deployed(shell: OfficialShell, shared_backend: Backend, deployed: str) -> None:
    production = shared_backend.ok("POST", "/apps", {})["name"]
    shell.heroku("pipelines:create", deployed, "-a", deployed, "-s", "staging")
    shell.heroku("pipelines:add", deployed, "-a", production, "-s", "production")
    assert deployed in shell.heroku("pipelines").out
    shown = shell.heroku("pipelines:info", deployed).out
    assert re.search(rf"{deployed}\s+staging", shown) and re.search(rf"{production}\s+production", shown)
    assert "succeeded" in shell.heroku("pipelines:promote", "-a", deployed).out
    newest = shared_backend.ok("GET", f"/apps/{production}/releases", headers={"Range": "version ..; order=desc"})[0]
    assert newest["description"].startswith(f"Promote {deployed} v3")
    shell.heroku("pipelines:destroy", deployed)
    assert "no webhooks" in shell.heroku("webhooks", "-a", deployed).out


@pytest.mark.plays("addons:create", "addons:upgrade", "addons:info", "addons:open", "addons:destroy")
def test_an_addon_of_a_third_party_is_provisioned_by_its_own_service(
    shell: OfficialShell, shared_backend: Backend, app: str
) -> None:
    partner = Partner(shell.home).start()
    try:
        manifest = {**partner.manifest, "id": ID}
        partner.knows(shared_backend.ok("POST", "/backend/addons", {"manifest": manifest})["client_secret"])
        made = shell.heroku("addons:create", f"{ID}:basic", "-a", app, "--", "--colour", "blue")
        assert "Echo, echo." in made.out and "as ECHO_CHAMBER_SIZE, ECHO_CHAMBER_URL" in made.out
        assert partner.asked[0]["body"]["options"] == {"colour": "blue"}
        name = shared_backend.ok("GET", f"/apps/{app}/addons")[0]["name"]
        assert "You have large now." in shell.heroku("addons:upgrade", name, f"{ID}:large", "-a", app).out
        assert "$5/month" in shell.heroku("addons:info", name, "-a", app).out
        assert f"{shared_backend.url}/sso/" in shell.heroku("addons:open", name, "-a", app, BROWSER="true").out
        assert "No echo for you" in shell.heroku("addons:create", f"{ID}:refused", "-a", app, status=2).err
        later = shell.heroku("addons:create", f"{ID}:background", "--wait", "-a", app)
        assert "ECHO_CHAMBER_2_URL" in later.out
        shell.heroku("addons:create", f"{ID}:doomed", "--wait", "-a", app, status=2)
        for addon in shared_backend.ok("GET", f"/apps/{app}/addons"):
            shell.heroku("addons:destroy", addon["name"], "-a", app, "--confirm", app)
        partner.wait_for_requests("DELETE", number=3)
        shared_backend.ok("DELETE", f"/backend/addons/{ID}", {"force": True})
    finally:
        partner.stop()


@pytest.mark.plays("certs", "certs:auto", "teams", "telemetry", "pg:info")
def test_what_one_machine_has_none_of_is_listed_as_none(shell: OfficialShell, app: str) -> None:
    assert "no SSL certificates" in shell.heroku("certs", "-a", app).out
    assert "disabled" in shell.heroku("certs:auto", "-a", app).out
    assert "Team" in shell.heroku("teams").out
    assert "no telemetry drains" in shell.heroku("telemetry", "-a", app).out
    assert "no heroku-postgresql databases" in shell.heroku("pg:info", "-a", app).out


@pytest.mark.plays()
def test_what_is_not_served_is_told_by_name(shell: OfficialShell, app: str) -> None:
    refused = {
        "apps:lock": ("team-app: Info", ["-a", app]),
        "clients:create": ("oauth-client: Create", ["name", "https://localhost/"]),
        "members": ("team: Info", ["-t", "crew"]),
        "webhooks:add": ("app-webhook: Create", ["-i", "api:release", "-l", "notify", "-u", "https://x", "-a", app]),
    }
    assert refused.keys() < FAULTS.keys()
    for command, (link, words) in refused.items():
        said = shell.heroku(command, *words, status=2).err
        assert f"does not serve {link}" in said and "not_implemented" in said
    shell.played.clear()


@pytest.mark.plays("login", "whoami", "auth:token", "logout")
def test_a_person_logs_in_with_a_password_and_out_again(shell: OfficialShell, shared_backend: Backend) -> None:
    made = shared_backend.ok("POST", "/backend/users", {"email": f"{shell.home.parent.name}@example.com"})
    dialogue = begin_login(shell, "-i")
    for question, answer in (("Email", made["email"]), ("Password", made["password"])):
        dialogue.expect(question)
        dialogue.sendline(answer)
    end_login(dialogue, made["email"])
    shell.played.add("login")
    assert shell.heroku("whoami").out == f"{made['email']}\n"
    token = shell.heroku("auth:token").out.strip()
    assert token.startswith("HRKU-") and token in (shell.home / ".netrc").read_text()
    shell.heroku("logout")
    assert token not in (shell.home / ".netrc").read_text()
    answer = shared_backend.call("GET", "/account", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.plays("login", "whoami")
def test_a_person_logs_in_with_a_browser(shell: OfficialShell, shared_backend: Backend) -> None:
    made = shared_backend.ok("POST", "/backend/users", {"email": f"{shell.home.parent.name}@example.com"})
    assert shell.environment["HEROKU_LOGIN_HOST"] == shared_backend.url
    dialogue = begin_login(shell, "--browser", "true")
    dialogue.expect("Press any key")
    dialogue.send("x")
    dialogue.expect(r"visit:\s+(?:\x1b\[\d+m)?(http://[^\s\x1b]+)")
    with requests.Session() as browser:
        page = browser.get(dialogue.match[1], timeout=30)
        form = re.search('name="form" value="([^"]+)"', page.text)
        assert form and "Heroku CLI login from" in page.text
        fields = {"form": form[1], "email": made["email"], "password": made["password"], "answer": "yes"}
        assert "go back to the terminal" in browser.post(page.url, fields, timeout=30).text
    end_login(dialogue, made["email"])
    shell.played.add("login")
    assert shell.heroku("whoami").out == f"{made['email']}\n"


@pytest.mark.plays("login", "whoami")
def test_a_person_logs_in_with_a_second_factor(shell: OfficialShell, shared_backend: Backend) -> None:
    wishes = {"email": f"{shell.home.parent.name}@example.com", "two_factor_code": "123456"}
    made = shared_backend.ok("POST", "/backend/users", wishes)
    dialogue = begin_login(shell, "-i")
    for question, answer in (("Email", made["email"]), ("Password", made["password"]), ("Two-factor code", "123456")):
        dialogue.expect(question)
        dialogue.sendline(answer)
    end_login(dialogue, made["email"])
    shell.played.add("login")
    assert shell.heroku("whoami").out == f"{made['email']}\n"


def begin_login(shell: OfficialShell, *options: str) -> "pexpect.spawn[str]":
    """`heroku login` in a terminal, its token to be kept in the netrc file."""
    shell.environment.pop("HEROKU_API_KEY", None)
    shell.environment["HEROKU_NETRC_WRITE"] = "true"
    return pexpect.spawn(
        "heroku", ["login", *options], env=shell.environment, cwd=str(shell.folder), timeout=60, encoding="utf-8"
    )


def end_login(dialogue: "pexpect.spawn[str]", email: str) -> None:
    dialogue.expect(f"Logged in as .*{email}")
    dialogue.expect(pexpect.EOF)
    dialogue.close()
    assert dialogue.exitstatus == 0
