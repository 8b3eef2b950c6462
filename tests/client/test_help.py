import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hkcli.cli.table import names
from hkcli.cli.topics import HEADLESS, topic_of


def listed(result):
    return [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")]


def test_commands_lists_every_command_once_in_the_tables_order(heroku, platform):
    assert listed(heroku("commands")) == names(aliases=False)


def test_help_lists_every_topic_once_and_fits_into_80_columns(heroku, platform):
    result = heroku("help")
    assert sorted(listed(result)) == sorted({topic_of(name) for name in names(aliases=False)})
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_says_how_many_commands_of_a_topic_it_leaves_out(heroku, platform):
    assert "  maintenance     Show whether an app is in maintenance mode. (+2)\n" in heroku("help").stdout


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_nothing_and_the_usual_flags_mean_help(heroku, platform, words):
    assert heroku(*words).stdout == heroku("help").stdout


def test_help_of_a_topic_lists_the_rest_of_it(heroku, platform):
    printed = heroku("help", "addons").stdout
    assert printed.startswith("Usage: heroku addons [OPTIONS]") and "  addons:add " in printed


def test_help_of_a_topic_without_a_command_of_its_own(heroku, platform):
    assert "  backend:start " in heroku("help", "backend").stdout


def test_help_of_a_command_names_its_aliases(heroku, platform):
    assert "Also: addons:create" in heroku("help", "addons:add").stdout
    assert "Usage: heroku addons:add" in heroku("help", "addons:create").stdout


def test_help_of_what_is_not_there_is_an_error_with_the_nearest(heroku, platform):
    result = heroku("help", "addnos")
    assert result.exit_code == 2 and "Did you mean: addons" in result.stderr


def test_commands_as_json_describe_arguments_and_options(heroku, platform):
    described = {each["command"]: each for each in heroku("commands", "--json").json}
    add = described["addons:add"]
    assert add["aliases"] == ["addons:create"]
    assert add["arguments"][0] == {"name": "SERVICE[:PLAN]", "required": True, "many": False}
    assert {"flags": ["-a", "--app"], "value": "APP", "many": False, "help": "app, or a git remote of it"} in add[
        "options"
    ]


def test_a_program_heroku_name_on_path_is_the_command_name(run_heroku, environment, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "heroku-hello-world"
    program.write_text('#!/bin/sh\necho "$0 $*"; exit 3\n')
    program.chmod(0o755)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    result = run_heroku("hello:world", "--app", "x")
    assert (result.returncode, result.stdout.decode()) == (3, f"{program} --app x\n")


def test_a_program_does_not_replace_a_command_of_ours(run_heroku, environment, tmp_path):
    program = tmp_path / "heroku-version"
    program.write_text("#!/bin/sh\necho other\n")
    program.chmod(0o755)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    assert run_heroku("version").stdout.startswith(b"hkcli/")


def test_a_name_that_is_a_path_starts_no_program(run_heroku, environment, tmp_path):
    environment["PATH"] = str(tmp_path)
    assert run_heroku("../../bin/ls").returncode == 2


def test_api_sends_what_it_is_told_and_prints_the_answer(heroku, platform):
    body = {"maintenance": True, "name": "1x", "n": 5, "zip": "01", "sum": -10, "arabic": "٣", "zero": 0}
    platform.on("PATCH", "/apps/demo", body, reply={"ok": True})
    words = ("maintenance=true", "name=1x", "n=5", "zip=01", "sum=-10", "arabic=٣", "zero=0")
    result = heroku("api", "patch", "/apps/demo", *(word for each in words for word in ("-F", each)))
    assert json.loads(result.stdout) == {"ok": True}


def test_api_takes_a_body_from_stdin(heroku, platform):
    platform.on("POST", "/apps", {"name": "demo"}, reply={})
    assert heroku("api", "POST", "/apps", "--input", "-", stdin='{"name": "demo"}').exit_code == 0


def test_api_with_a_body_that_is_no_json_sends_nothing(heroku, platform):
    result = heroku("api", "POST", "/apps", "--input", "-", stdin="{")
    assert result.exit_code == 2 and "is not JSON" in result.stderr


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)], ids=str)
def test_the_quick_way_to_help_shows_what_the_long_one_does(run_heroku, heroku, platform, words):
    assert run_heroku(*words).stdout.decode() == heroku("help").stdout


@pytest.mark.parametrize("word", ["help", "version", "commands"])
def test_a_reader_that_has_gone_away_is_no_failure(environment, folder, word):
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "hkcli", word]
    ended = subprocess.run(words, env=environment, cwd=folder, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("words", [("help",), ("version",), ("commands",), ("commands", "--json")], ids=" ".join)
def test_a_full_disk_is_told_once_and_without_a_traceback(environment, folder, words):
    program = [sys.executable, "-m", "hkcli", *words]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(program, env=environment, cwd=folder, stdout=full, stderr=subprocess.PIPE, timeout=60)
    said = ended.stderr.decode()
    assert ended.returncode == 1 and said.count("The output cannot be written: No space left on device.") == 1
    assert "Traceback" not in said and "should not happen" not in said


@pytest.mark.parametrize("topic", ["backend", "git", "auth"])
def test_a_topic_without_a_command_of_its_own_shows_its_help(heroku, platform, topic):
    result = heroku(topic)
    assert (result.exit_code, result.stdout) == (0, heroku("help", topic).stdout)
    assert result.stdout.startswith(f"{HEADLESS[topic]}\n\nCommands:\n  {topic}:")
    assert heroku(topic, "--json").json == heroku("help", topic, "--json").json


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("config", "set", "A=1"), "heroku config:set A=1"),
        (("addons", "add", "dj"), "heroku addons:add dj"),
        (("apps", "create", "--region", "eu"), "heroku apps:create --region eu"),
        (("git", "remote", "-a", "demo"), "heroku git:remote -a demo"),
    ],
    ids=str,
)
def test_a_space_in_place_of_the_colon_is_told(heroku, platform, words, meant):
    result = heroku(*words)
    assert result.exit_code == 2 and f"Did you mean: {meant}\n" in result.stderr
    assert f"Did you mean: {meant}" in json.loads(heroku(*words, "--json").stderr)["next"][0]


def test_a_word_after_a_topic_that_is_no_command_of_it_is_an_error(heroku, platform):
    result = heroku("git", "remoet")
    assert result.exit_code == 2 and "git:remoet is not a heroku command. Did you mean: git:remote" in result.stderr


def test_help_tells_limits_and_defaults_in_words_and_other_names(heroku, platform):
    for name in names():
        text = heroku("help", name).stdout
        assert not re.search(r"x[<>]|[<>]=|RANGE|Show this message", text), text
        assert max(map(len, text.splitlines())) <= 80, text
    assert re.search(r"how many\s+\[default: 15; from\s+1 to 1000\]", heroku("help", "releases").stdout)
    assert "\n\nAlso: addons:create\n" in heroku("help", "addons:add").stdout
