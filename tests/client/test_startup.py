"""What commands import before they work: start-up time is a feature."""

import subprocess
import sys
from tempfile import TemporaryDirectory

import pytest

from hkcli.cli.dispatch import load
from hkcli.cli.main import COMMANDS, names, resolve

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


def imported(*words: str) -> set[str]:
    """The modules that a run of the client has imported when it ends."""
    script = f"import sys; sys.argv = {['heroku', *words]!r}\nfrom hkcli.cli.main import main\ntry: main()\n"
    script += "except SystemExit: pass\nprint('\\n\\n', *sys.modules, file=sys.stderr)"
    with TemporaryDirectory() as empty:
        env = {"PATH": "/usr/bin:/bin", "HOME": empty}
        words = [sys.executable, "-I", "-c", script]
        done = subprocess.run(words, cwd=empty, env=env, capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("\n\n")[2].split())


def bare() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_imports_four_small_modules_of_ours_and_nothing_else(word):
    assert imported(word) - bare() == {"hkcli", "hkcli.cli", "hkcli.cli.main", "hkcli.cli.version"}


@pytest.mark.parametrize(
    "words", [("help",), ("commands",), ("logs", "--help"), ("git:credentials", "store"), ("addons:ad",)]
)
def test_a_command_that_asks_nobody_imports_no_heavy_library(words):
    assert not imported(*words) & HEAVY


def test_a_command_that_is_one_request_draws_no_table_and_opens_no_repository():
    modules = imported("releases", "--app", "demo")
    assert not modules & {"rich", "git", "requests"}, "not logged in: nothing was to be sent"


@pytest.mark.parametrize("name", names(aliases=False))
def test_every_row_of_the_table_leads_to_a_command_with_help(name):
    assert load(name).get_short_help_str()


def test_every_alias_leads_to_a_row():
    for alias, target in COMMANDS.items():
        if target[0] in "=~":
            assert ":" in COMMANDS[target[2:]] and resolve(alias) == target[2:]
