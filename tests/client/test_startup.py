"""What commands import before they work: start-up time is a feature."""

import subprocess
import sys
from tempfile import TemporaryDirectory

import pytest

from hkcli.cli.dispatch import load
from hkcli.cli.table import COMMANDS, names, resolve

HEAVY = {
    "requests",
    "urllib3",
    "rich",
    "git",
    "ssl",
    "importlib.metadata",
    "asyncio",
    "sqlalchemy",
    "starlette",
    "uvicorn",
}


def imported(*words: str, **variables: str) -> set[str]:
    """The modules that a run of the client has imported when it ends."""
    script = f"import sys; sys.argv = {['heroku', *words]!r}\nfrom hkcli.cli.main import main\ntry: main()\n"
    script += "except SystemExit: pass\nprint('\\n\\n', *sys.modules, file=sys.stderr)"
    with TemporaryDirectory() as empty:
        env = {"PATH": "/usr/bin:/bin", "HOME": empty, **variables}
        words = [sys.executable, "-I", "-c", script]
        done = subprocess.run(words, cwd=empty, env=env, capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("\n\n")[2].split())


def bare() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_imports_a_few_small_modules_of_ours_and_nothing_else(word):
    assert imported(word) - bare() == {
        "hkcli",
        "hkcli.cli",
        *(f"hkcli.cli.{each}" for each in ("delivery", "main", "version")),
    }


@pytest.mark.parametrize(
    "words",
    [
        *(("help",), ("help", "addons"), ("commands",), ("commands", "--json")),
        *(("logs", "--help"), ("git:credentials", "store"), ("addons:ad",), ("ps:scale", "nonsense")),
    ],
    ids=" ".join,
)
def test_a_command_that_asks_nobody_imports_no_heavy_library(words):
    assert not imported(*words) & HEAVY


def test_a_command_that_is_one_request_draws_no_table_and_opens_no_repository():
    modules = imported("releases", "--app", "demo")
    assert not modules & {"rich", "git", "requests"}, "not logged in: nothing was to be sent"


def test_help_imports_its_tables_and_nothing_else_of_ours_and_no_library():
    modules = imported("help") - bare()
    ours = {each for each in modules if each.startswith("hkcli.")}
    assert ours == {
        "hkcli.cli",
        *(f"hkcli.cli.{each}" for each in ("delivery", "main", "summaries", "table", "topics")),
    }
    assert "click" not in modules


def test_help_of_a_topic_imports_the_modules_of_no_command_but_its_own_and_the_topics():
    commands = {each for each in imported("help", "config") if each.startswith("hkcli.cli.commands.")}
    assert commands == {"hkcli.cli.commands.help", "hkcli.cli.commands.config"}


ONE_REQUEST = {
    ("apps",): {"/users/~/apps": [], "/account": {"email": "a"}},
    ("config",): {"/apps/demo/config-vars": {}},
    ("config:get", "A"): {"/apps/demo/config-vars": {"A": "1"}},
    ("ps",): {"/apps/demo/dynos": []},
    ("releases",): {"/apps/demo/releases": []},
    ("addons",): {"/apps/demo/addons": [], "/addon-attachments": []},
    ("maintenance",): {"/apps/demo": {"maintenance": False}},
    ("whoami",): {"/account": {"email": "a"}},
}


@pytest.mark.parametrize("words", ONE_REQUEST, ids=" ".join)
def test_a_command_in_a_pipe_imports_what_sends_requests_and_nothing_that_draws_or_reads_git(wire, words):
    for path, reply in ONE_REQUEST[words].items():
        wire.on("GET", path, reply)
    modules = imported(*words, HEROKU_HOST=wire.url, HEROKU_API_KEY="t", HEROKU_APP="demo")
    assert wire.seen and "requests" in modules
    assert not modules & {"rich", "git", "asyncio", "sqlalchemy", "starlette", "uvicorn", "webbrowser", "getpass"}


@pytest.mark.parametrize("name", names(aliases=False))
def test_every_row_of_the_table_leads_to_a_command_with_help(name):
    assert load(name).get_short_help_str()


def test_every_alias_leads_to_a_row():
    for alias, target in COMMANDS.items():
        if target[0] in "=~":
            assert ":" in COMMANDS[target[2:]] and resolve(alias) == target[2:]
