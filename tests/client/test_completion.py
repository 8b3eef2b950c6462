"""The scripts as files, and the values behind them."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from hkcli.cli.completed import every_command
from hkcli.cli.completion import scripts
from hkcli.cli.values import KNOWN_TASKS
from tests.client.payloads import addon, dyno

FOLDER = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("name", ["heroku.bash", "_heroku", "heroku.fish"])
def test_the_committed_script_is_what_the_table_gives_now(name):
    assert (FOLDER / name).read_text() == scripts()[name], "stale: make completions"


def test_every_flag_but_the_hidden_is_known():
    flags = {command.name: [flag.long for flag in command.flags] for command in every_command()}
    assert flags["addons:add"] == ["--app", "--as", "--confirm", "--json", "--name", "--remote", "--wait", "--help"]
    assert "--no-notify" not in flags["run"] and {"--tty", "--no-tty"} <= set(flags["run"])


@pytest.fixture
def values(heroku, environment, tmp_path):
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    return lambda *words: heroku("--complete", *words).stdout.split()


@pytest.mark.parametrize(
    ("kind", "path", "reply", "expected"),
    [
        ("app", "/users/~/apps", [{"name": "b"}, {"name": "a"}], ["a", "b"]),
        ("addon", "/apps/demo/addons", [addon()], ["dj", "dj-round-1"]),
        ("dyno", "/apps/demo/dynos", [dyno(), dyno("worker.2")], ["worker", "worker.1", "worker.2"]),
        ("process-type", "/apps/demo/formation", [{"type": "worker"}], ["worker"]),
        ("process-quantity", "/apps/demo/formation", [{"type": "worker"}], ["worker="]),
        ("config-key", "/apps/demo/config-vars", {"B": "1", "A": "2"}, ["A", "B"]),
        ("config-assignment", "/apps/demo/config-vars", {"A": "2"}, ["A="]),
        ("service", "/addon-services", [{"name": "dj"}], ["dj"]),
    ],
)
def test_values_come_from_the_api(values, platform, kind, path, reply, expected):
    platform.on("GET", path, reply=reply)
    assert values(kind, "--app", "demo", "") == expected


def test_plans_come_when_their_service_is_typed(values, platform):
    platform.on("GET", "/addon-services/dj/plans", reply=[{"name": "dj:single"}, {"name": "dj:trio"}])
    assert values("plan", "dj:s") == ["dj:single", "dj:trio"]


def test_values_are_asked_for_once_and_kept_privately(values, platform, tmp_path):
    platform.on("GET", "/apps/demo/config-vars", reply={"A": "1"})
    assert values("config-key", "-a", "demo", "") == values("config-key", "--app=demo", "A") == ["A"]
    [kept] = (tmp_path / "cache" / "hkcli" / "completion").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == ["A"]


def test_values_of_one_app_or_token_are_not_those_of_another(values, platform, environment):
    for app in ("one", "two"):
        platform.on("GET", f"/apps/{app}/config-vars", reply={app.upper(): "1"})
    assert values("config-key", "-a", "one", "") == ["ONE"] and values("config-key", "-a", "two", "") == ["TWO"]
    environment["HEROKU_API_KEY"] = "another"
    platform.on("GET", "/apps/one/config-vars", reply={"THREE": "1"})
    assert values("config-key", "-a", "one", "") == ["THREE"]


def test_old_values_are_asked_for_again(values, platform, tmp_path):
    import os

    platform.on("GET", "/users/~/apps", reply=[{"name": "old"}])
    assert values("app", "") == ["old"]
    [kept] = (tmp_path / "cache" / "hkcli" / "completion").iterdir()
    os.utime(kept, (0, 0))
    platform.on("GET", "/users/~/apps", reply=[{"name": "new"}])
    assert values("app", "") == ["new"]


@pytest.mark.parametrize("words", [("config-key", ""), ("nonsense", ""), (), ("dyno", "-r", "gone", "")])
def test_whatever_goes_wrong_completion_says_nothing(heroku, platform, words):
    result = heroku("--complete", *words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_where_a_dyno_costs_money_known_tasks_are_offered_instead_of_running_rake(values, platform, environment):
    del environment["HEROKU_HOST"]
    assert values("rake-task", "-a", "demo", "") == sorted(KNOWN_TASKS)


@pytest.mark.parametrize(("shell", "name"), [("bash", "heroku.bash"), ("zsh", "_heroku"), ("fish", "heroku.fish")])
def test_each_script_is_valid(shell, name, needs):
    needs(shell)
    subprocess.run([shell, "-n", str(FOLDER / name)], check=True)


def test_a_platform_that_is_busy_is_not_asked_again_for_a_completion(values, platform):
    platform.on("GET", "/users/~/apps", status=503, reply={})
    assert values("app", "") == []
