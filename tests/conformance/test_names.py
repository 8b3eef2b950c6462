"""Names, aliases, flags and short flags as Heroku's own CLI has them: its manifest against our command table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from hkcli.cli.dispatch import load
from hkcli.cli.table import COMMANDS, resolve

TOPICS = (
    *("access", "addons", "apps", "auth", "authorizations", "autocomplete", "buildpacks", "config", "console"),
    *("domains", "drains", "features", "git", "keys", "labs", "logs", "maintenance", "pg", "ps", "rake", "regions"),
    *("releases", "run", "status", "version"),
)
"""Those that we have; the others are whole products of Heroku's (pipelines, spaces, Redis ...): `heroku api`."""

LEFT_OUT = {
    "apps:diff": "compares two apps' slugs and config: git diff and heroku config do",
    "apps:errors": "reads metrics that Heroku keeps outside its API",
    "apps:favorites": "bookmarks of the dashboard, outside the API",
    "apps:join": "teams' administration",
    "apps:leave": "teams' administration",
    "apps:lock": "teams' administration",
    "apps:transfer": "teams' administration",
    "apps:unlock": "teams' administration",
    "auth:2fa": "the dashboard is where a second factor is set up",
    "autocomplete:create": "inner workings of its plugin",
    "autocomplete:doctor": "inner workings of its plugin",
    "autocomplete:options": "inner workings of its plugin",
    "autocomplete:script": "inner workings of its plugin",
    "buildpacks:info": "a registry outside the API",
    "buildpacks:search": "a registry outside the API",
    "buildpacks:versions": "a registry outside the API",
    "domains:update": "belongs to certs, a topic that we don't have",
    "pg:": "databases are managed by a service outside the API; what an app's URL can tell is here",
    "ps:autoscale": "an API of its own, outside the Platform API",
    "ps:copy": "a tunnel into a running dyno, by a buildpack of Heroku's",
    "ps:exec": "a tunnel into a running dyno, by a buildpack of Heroku's",
    "ps:forward": "a tunnel into a running dyno, by a buildpack of Heroku's",
    "ps:socks": "a tunnel into a running dyno, by a buildpack of Heroku's",
    "run:inside": "a running dyno of one generation of Heroku's",
    "version:info": "its own changelog",
}
"""Commands, by the beginning of their names, and why we have none."""

TABLES = "shapes of a table: a pipe gets tab-separated text, a program --json"
STAFF = "for Heroku's staff"
OTHER_FLAGS = {
    ("", "prompt"): "asks for every flag one by one; ours asks for what is missing and can't be guessed",
    ("domains", "columns"): TABLES,
    ("domains", "csv"): TABLES,
    ("domains", "extended"): TABLES,
    ("domains", "filter"): TABLES,
    ("domains", "sort"): TABLES,
    ("", "extended"): STAFF,
    ("apps", "internal-routing"): STAFF,
    ("apps:create", "features"): STAFF,
    ("apps:create", "internal-routing"): STAFF,
    ("apps:create", "kernel"): STAFF,
    ("apps:create", "locked"): STAFF,
    ("apps:create", "manifest"): "container apps, which heroku.yml describes",
    ("run", "listen"): STAFF,
}
"""A command ("" is any) and a flag of it that we don't have, and why."""


@pytest.fixture(scope="module")
def manifest(program: Path) -> dict[str, Any]:
    """What every command of the official CLI takes, as its package says."""
    path = program.parent.parent / "heroku" / "oclif.manifest.json"
    listed: dict[str, Any] = json.loads(path.read_text())["commands"]
    return {name: each for name, each in listed.items() if name.partition(":")[0] in TOPICS}


def is_left_out(name: str) -> bool:
    return any(name == each or name.startswith(each.rstrip(":") + ":") for each in LEFT_OUT)


def test_every_command_and_alias_is_ours_or_left_out_for_a_reason(manifest: dict[str, Any]) -> None:
    missing = []
    for name, each in manifest.items():
        for word in (name, *each.get("aliases", []), *each.get("hiddenAliases", [])):
            if word not in COMMANDS and not is_left_out(name):
                missing.append(word)
            elif word in COMMANDS and resolve(word) != resolve(name):
                missing.append(f"{word} means {resolve(word)}")
    assert missing == []


def flags_of(name: str) -> dict[str, click.Option]:
    options = [each for each in load(name).params if isinstance(each, click.Option)]
    return {word: each for each in options for word in (*each.opts, *each.secondary_opts)}


def words_of(flag: str, spec: dict[str, Any]) -> Iterator[str]:
    yield f"--{flag}"
    yield from (f"--{alias}" for alias in spec.get("aliases") or [])
    yield from (f"-{letter}" for letter in (spec.get("char"), *(spec.get("charAliases") or [])) if letter)
    if spec.get("allowNo"):
        yield f"--no-{flag}"


def test_every_flag_is_ours_in_all_its_forms_or_left_out_for_a_reason(manifest: dict[str, Any]) -> None:
    wrong = []
    for name, each in manifest.items():
        if name not in COMMANDS:
            continue
        ours = flags_of(name)
        for flag, spec in each["flags"].items():
            if ("", flag) in OTHER_FLAGS or (name, flag) in OTHER_FLAGS:
                continue
            for word in words_of(flag, spec):
                if word not in ours:
                    wrong.append(f"{name} {word} is missing")
                elif ours[word].is_flag != (spec["type"] == "boolean"):
                    wrong.append(f"{name} {word} takes a value in one and none in the other")
    assert wrong == []


def test_a_reason_is_given_for_nothing_that_is_not_so(manifest: dict[str, Any]) -> None:
    needless = [each for each in LEFT_OUT if not any(is_left_out_by(each, name) for name in manifest)]
    for name, flag in OTHER_FLAGS:
        where = [manifest[name]] if name else [each for key, each in manifest.items() if key in COMMANDS]
        if not any(flag in each["flags"] for each in where) or (name and f"--{flag}" in flags_of(name)):
            needless.append(f"{name} --{flag}")
    assert needless == []


def is_left_out_by(reason: str, name: str) -> bool:
    return name not in COMMANDS and (name == reason or name.startswith(reason.rstrip(":") + ":"))


def test_what_a_command_needs_there_it_takes_here(manifest: dict[str, Any]) -> None:
    wrong = []
    for name, each in manifest.items():
        if name in COMMANDS:
            takes = [parameter for parameter in load(name).params if isinstance(parameter, click.Argument)]
            room = 100 if any(argument.nargs == -1 for argument in takes) else len(takes)
            if len(each["args"]) > room:
                wrong.append(name)
    assert wrong == []
