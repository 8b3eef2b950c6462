"""What scripts and agents may rely on, held against every command of the table."""

import json
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import requests

from hkcli.cli.dispatch import execute, load
from hkcli.cli.table import COMMANDS, names
from hkcli.cli.topics import topic_of
from tests.client.conftest import Platform, Stream, Stub, response

ROOT = Path(__file__).parents[2]
JSON_IS_NOT_OURS_TO_PRINT = {
    "run": "the remote command's output",
    "rake": "the remote command's output",
    "console": "the remote command's output",
    "pg:psql": "psql's output",
    "api": "always the API's own document",
    "git:credentials": "git's own format",
    "quickstart": "a transcript for people",
}
EVERY = names(aliases=False)
FAILURE = {"id", "message", "status", "request_id", "next", "warnings"}
HERE_ALONE = (
    *("auth:token", "autocomplete", "backend:start", "backend:status", "backend:stop", "backend:env", "backend:reset"),
    *("backend:snapshot", "commands", "help", "logout", "version"),
)
"""Commands that ask no platform, or go on without it."""
WORDS = {
    "addons:upgrade": ["dj:trio"],
    "authorizations:update": ["x", "-d", "x"],
    "buildpacks:add": ["heroku/ruby"],
    "buildpacks:remove": ["heroku/ruby"],
    "buildpacks:set": ["heroku/ruby"],
    "backend:faults:add": ["GET /apps", "--status", "503"],
    "config:edit": ["A"],
    "config:set": ["A=1"],
    "dj:remove": ["1", "--confirm", "demo"],
    "dj:retry": ["1"],
    "dj:show": ["1"],
    "keys:add": ["key.pub"],
    "login": ["--token"],
    "ps:scale": ["web=1"],
    "ps:stop": ["web.1"],
    "run:detached": ["true"],
}
"""Where any word would not do: those that lead to a request."""


@pytest.mark.parametrize("name", EVERY)
def test_every_command_prints_json_when_asked_or_its_output_is_another_programs(name):
    flags = {word for parameter in load(name).params for word in parameter.opts}
    assert ("--json" in flags) != (name in JSON_IS_NOT_OURS_TO_PRINT)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in JSON_IS_NOT_OURS_TO_PRINT])
def test_a_usage_mistake_under_json_is_one_object_on_stderr_and_status_2(heroku, platform, name):
    result = heroku(name, "--json", "--no-such-flag")
    assert (result.exit_code, result.stdout) == (2, "")
    document = json.loads(result.stderr)
    assert document["id"] == "usage" and "--no-such-flag" in document["message"]
    assert set(document) == FAILURE
    assert document["next"], "it says what would help"


@pytest.mark.parametrize("name", EVERY)
def test_every_line_of_a_topics_help_fits_into_80_columns(name):
    width = max(len(each) for each in EVERY if topic_of(each) == topic_of(name))
    assert len(load(name).get_short_help_str(limit=1000)) + width + 4 <= 80


@pytest.mark.parametrize("name", EVERY)
def test_every_argument_flag_and_value_is_described(heroku, platform, name):
    described = {each["command"]: each for each in heroku("help", name, "--json").json}[name]
    found = load(name)
    arguments = [each for each in found.params if isinstance(each, click.Argument)]
    options = [each for each in found.params if isinstance(each, click.Option) and not each.hidden]
    assert [each["name"] for each in described["arguments"]] == [
        each.make_metavar(click.Context(found)) for each in arguments
    ]
    assert [each["flags"][0] for each in described["options"]] == [each.opts[0] for each in options]
    assert all(each["help"] for each in described["options"]), "a flag without a word of explanation"
    assert described["summary"].endswith(".")


class Refusing(Platform):
    """Says no to whatever is asked."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        headers = {"X-Heroku-Warning": "soon gone"}
        reply = {"id": "forbidden", "message": "No."}
        return response(Stub(request.method or "", "", None, 403, reply, headers), request)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in {*JSON_IS_NOT_OURS_TO_PRINT, *HERE_ALONE}])
def test_a_refusal_under_json_is_all_of_stderr_one_object_and_status_1(name, environment, folder):
    (folder / "key.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ada@laptop\n")
    if name == "login":
        del environment["HEROKU_API_KEY"]
    needed = [each for each in load(name).params if isinstance(each, click.Argument) and each.required]
    required = [
        word
        for each in load(name).params
        if isinstance(each, click.Option) and each.required
        for word in (each.opts[0], "x")
    ]
    words = WORDS.get(name, ["x"] * len(needed)) + required
    takes_app = any("--app" in each.opts for each in load(name).params)
    stdin, stdout, stderr = Stream(b"token\n"), Stream(), Stream()
    typed = (name, *(("--app", "demo") if takes_app else ()), "--json", *words)
    status = execute(typed, stdin, stdout, stderr, environment, folder, Refusing())
    assert (status, stdout.written) == (1, b""), stderr.written
    document = json.loads(stderr.written)
    assert set(document) == FAILURE and document["message"]
    if document["id"] == "forbidden":
        assert document["status"] == 403 and "soon gone" in document["warnings"]


@pytest.mark.parametrize("words", [("run", "rake", "--json"), ("run:detached", "rake", "--json")], ids=" ".join)
def test_json_behind_the_first_word_of_a_remote_command_is_not_for_us(heroku, platform, words):
    if words[0] == "run":
        platform.on("GET", "/ca.pem", reply=b"", headers={"Content-Type": "application/x-pem-file"})
    platform.on("POST", "/apps/demo/dynos", status=422, reply={"id": "invalid_params", "message": "No code."})
    result = heroku(words[0], "--app", "demo", *words[1:])
    assert result.exit_code == 1 and "Error: No code." in result.stderr and "on demo... failed" in result.stderr


def test_a_dangerous_command_without_a_terminal_fails_instead_of_hanging(heroku, platform):
    platform.on("GET", "/apps/demo", reply={"name": "demo"})
    result = heroku("destroy", "--app", "demo", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    document = json.loads(result.stderr)
    assert "This destroys demo and all of its add-ons" in document["message"]
    assert document["id"] == "not_confirmed" and document["next"] == ["Add: --confirm demo"]


def test_an_error_of_the_api_under_json_carries_its_id_status_and_request(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", status=403, reply={"id": "forbidden", "message": "No."})
    document = json.loads(heroku("config", "--app", "demo", "--json").stderr)
    assert (document["id"], document["status"], document["request_id"]) == ("forbidden", 403, "request-1")


def test_every_option_named_json_has_the_short_form_j():
    for name in EVERY:
        for parameter in load(name).params:
            if "--json" in parameter.opts:
                assert "-j" in parameter.opts, name


def test_no_command_asks_home_and_the_client_installs_four_libraries_alone():
    settings = (ROOT / "setup.cfg").read_text()
    wanted = settings.partition("install_requires =")[2].partition("\n\n")[0].split()
    assert [word.partition(">")[0] for word in wanted] == ["click", "requests", "rich", "GitPython"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert not [name for name in COMMANDS if name.partition(":")[0] in ("update", "telemetry", "analytics")]


def ids(*names: str) -> list[dict[str, Any]]:
    """Documents that have whatever a list may be ordered by, and differ in all of it."""
    times = {"created_at": "2026-11-23T18:40:01Z", "updated_at": "2026-11-23T18:40:01Z"}
    return [
        {"id": f"id-{name}", "name": name, "hostname": name, "url": f"https://{name}", "fingerprint": name, **times}
        | {"description": name, "type": name, "kind": "custom", "email": name, "user": {"email": name}}
        | {"app": {"name": "demo"}, "state": "beta", "size": "Basic", "quantity": 1, "public_key": name, "token": name}
        | {"addon": {"id": "none", "name": name, "app": {"name": "other"}}, "owner": {"email": "a"}, "country": name}
        | {"private_capable": False}
        for name in names
    ]


LISTS = {
    ("access",): ("/apps/demo/collaborators",),
    ("addons",): ("/apps/demo/addons", "/addon-attachments"),
    ("addons:plans", "dj"): ("/addon-services/dj/plans",),
    ("addons:services",): ("/addon-services",),
    ("apps",): ("/users/~/apps",),
    ("apps:stacks",): ("/stacks",),
    ("authorizations",): ("/oauth/authorizations",),
    ("domains",): ("/apps/demo/domains",),
    ("drains",): ("/apps/demo/log-drains",),
    ("features",): ("/apps/demo/features",),
    ("keys",): ("/account/keys",),
    ("ps",): ("/apps/demo/dynos",),
    ("ps:scale",): ("/apps/demo/formation",),
    ("ps:type",): ("/apps/demo/formation",),
    ("regions",): ("/regions",),
}


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_under_json_has_one_order_whatever_that_of_the_platform_is(heroku, platform, environment, words):
    environment["HEROKU_APP"] = "demo"
    shown = set()
    for order in (("b", "a", "c"), ("c", "b", "a"), ("a", "c", "b")):
        for path in LISTS[words]:
            platform.on("GET", path, reply=ids(*order))
        if words == ("apps:stacks",):
            platform.on("GET", "/apps/demo", reply={"stack": {"name": "a"}, "build_stack": {"name": "a"}})
        result = heroku(*words, "--json")
        assert result.exit_code == 0, result.stderr
        shown.add(result.stdout)
    assert len(shown) == 1
