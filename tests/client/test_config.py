import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.cli.commands.config import parse_config_vars


def test_config_set_shows_the_new_values_and_the_release_they_made(heroku, platform):
    platform.on("PATCH", "/apps/demo/config-vars", {"A": "1=2", "B": ""}, reply={"A": "1=2", "B": "", "C": "3"})
    platform.on("GET", "/apps/demo/releases", reply=[{"version": 7}])
    result = heroku("config:set", "A=1=2", "B=", "--app", "demo")
    assert (result.exit_code, result.stdout) == (0, "A: 1=2\nB:\n")
    assert result.stderr == "Setting A, B and restarting demo... done, v7\n"


@pytest.mark.parametrize("word", ["B", "=1", "B-C=1", "1B=2", ""])
def test_config_set_refuses_a_bad_word_before_any_request(heroku, platform, word):
    result = heroku("config:set", "A=1", word, "--app", "demo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error" in result.stderr and "Usage: heroku config:set" in result.stderr


def test_config_set_names_the_way_to_write_the_word_it_refuses(heroku, platform):
    assert "Try: heroku config:set B=value" in heroku("config:set", "B", "-a", "demo").stderr


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), st.text(st.characters(codec="utf-8")))
def test_any_value_is_kept_as_it_is(key, value):
    assert parse_config_vars((f"{key}={value}",)) == {key: value}


def test_a_value_that_is_not_utf_8_is_refused(heroku, platform):
    result = heroku("config:set", "A=\udcff", "--app", "demo")
    assert result.exit_code == 2 and "not UTF-8" in result.stderr


def test_config_for_a_shell_is_read_back_by_a_shell(heroku, platform):
    config_vars = {"A": "it's $HOME", "B": "two\nlines", "C": ""}
    platform.on("GET", "/apps/demo/config-vars", reply=config_vars)
    printed = heroku("config", "-s", "--app", "demo").stdout
    script = f'{printed}\nprintf \'%s|%s|%s\' "$A" "$B" "$C"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == (
        "it's $HOME|two\nlines|"
    )


def test_config_lists_names_in_order_with_aligned_values(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", reply={"LONG_NAME": "1", "A": "2"})
    assert heroku("config", "-a", "demo").stdout == "=== demo Config Vars\n\nA:         2\nLONG_NAME: 1\n"


def test_config_get_prints_values_alone_and_an_empty_line_for_what_is_not_set(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", reply={"A": "1"})
    assert heroku("config:get", "A", "B", "-a", "demo").stdout == "1\n\n"


def test_config_unset_changes_nothing_when_one_name_is_mistyped(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", reply={"SECRET": "1"})
    result = heroku("config:unset", "SECRET", "SERCET", "-a", "demo")
    assert result.exit_code == 1
    assert "SERCET is not set. Nothing was changed." in result.stderr and "Did you mean: SECRET?" in result.stderr


def test_config_unset_removes_with_null(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", reply={"A": "1"})
    platform.on("PATCH", "/apps/demo/config-vars", {"A": None}, reply={})
    platform.on("GET", "/apps/demo/releases", reply=[{"version": 8}])
    result = heroku("config:unset", "A", "-a", "demo")
    assert (result.exit_code, result.stderr) == (0, "Unsetting A and restarting demo... done, v8\n")
