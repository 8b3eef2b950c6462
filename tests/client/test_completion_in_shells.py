"""TAB pressed in real shells."""

import sys
from pathlib import Path

import pexpect
import pytest

FOLDER = Path(__file__).parents[2] / "completions"
PROMPT = "ready> "


@pytest.fixture
def programs(tmp_path):
    """`heroku` and `hkcli` on PATH: they print their words, but answer completion as the program under test does."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("heroku", "hkcli"):
        program = folder / name
        program.write_text(
            f"""#!/bin/sh
if [ "$1" = --complete ]; then
  echo "$2" >> {tmp_path}/asked
  exec {sys.executable} -m hkcli "$@"
fi
printf '<%s>' "$@"
echo END
"""
        )
        program.chmod(0o755)
    return folder


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request, needs, environment, programs, folder, wire):
    """An interactive shell with nothing but our completion."""
    needs(request.param)
    wire.on("GET", "/apps/demo/config-vars", {"DATABASE_URL": "x", "LANG": "y"})
    wire.on("GET", "/users/~/apps", [{"name": "demo"}])
    env = environment | {
        "PATH": f"{programs}:{environment['PATH']}:/usr/local/bin",
        "HEROKU_HOST": wire.url,
        "TERM": "dumb" if request.param == "fish" else "xterm",
        "XDG_CONFIG_HOME": environment["HOME"],
        "LC_ALL": "C.UTF-8",
        "PS1": PROMPT,
    }
    child = pexpect.spawn(
        *START[request.param], cwd=str(folder), env=env, dimensions=(50, 200), timeout=30, encoding="utf-8"
    )
    for line in SETUP[request.param]:
        child.sendline(line.format(folder=FOLDER))
    child.sendline("echo set''tled")
    child.expect("settled\r\n")
    yield Shell(child, environment["HOME"] + "/../asked")
    child.close(force=True)


START = {
    "bash": ("bash", ["--norc", "--noprofile", "-i"]),
    "zsh": ("zsh", ["-f", "-i"]),
    "fish": ("fish", ["--no-config", "-i"]),
}
SETUP = {
    "bash": ["bind 'set bell-style none'", "bind 'set enable-bracketed-paste off'", "source {folder}/heroku.bash"],
    "zsh": [
        "unsetopt zle_bracketed_paste beep; PS1='ready> '",
        "autoload -U compinit; compinit -u -D",
        "source {folder}/_heroku",
    ],
    "fish": ["source {folder}/heroku.fish"],
}


class Shell:
    def __init__(self, child, asked):
        self.child, self._asked = child, Path(asked)

    def completes(self, typed: str, words: str) -> None:
        """Press TAB behind what is typed, then Enter; the program says which words it got."""
        self.child.send(f"{typed}\t")
        self.child.send("\r")
        self.child.expect_exact(f"{words}END")

    @property
    def asked(self) -> list[str]:
        """The kinds of values for which the program was started."""
        return self._asked.read_text().split() if self._asked.exists() else []


@pytest.mark.parametrize("program", ["heroku", "hkcli"])
def test_names_and_flags_complete_without_starting_the_program(shell, program):
    shell.completes(f"{program} whoa", "<whoami>")
    shell.completes(f"{program} addons:inf", "<addons:info>")
    shell.completes(f"{program} logs --ta", "<logs><--tail>")
    shell.completes(f"{program} addons:add --wai", "<addons:add><--wait>")
    assert shell.asked == []


def test_values_of_flags_and_arguments_come_from_the_program(shell):
    shell.completes("heroku config:get --app dem", "<config:get><--app><demo>")
    shell.completes("heroku config:get --app demo DATA", "<config:get><--app><demo><DATABASE_URL>")
    shell.completes("heroku config:get --app=dem", "<config:get><--app=demo>")
    shell.completes("heroku logs --source=he", "<logs><--source=heroku>")
    assert shell.asked == ["app", "config-key", "app"]


def test_the_words_of_a_remote_command_are_not_ours(shell, folder):
    (folder / "a-file").write_text("")
    shell.completes("heroku run cat --ap", "<run><cat><--ap>")
    assert shell.asked == []


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_what_stands_behind_the_colon_is_listed_in_bash(shell):
    shell.child.send("heroku addons:\t\t")
    shell.child.expect(r"info\s.*plans\s.*services")


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_values_are_not_run_as_commands_by_bash(shell, wire, tmp_path):
    evil = f"$(touch${{IFS}}{tmp_path}/ran)"
    wire.on("GET", "/apps/demo/config-vars", {evil: "x", "FINE": "y"})
    shell.completes("heroku config:get --app demo FIN", "<config:get><--app><demo><FINE>")
    assert not (tmp_path / "ran").exists()


def test_files_complete_where_one_is_asked_for(shell, folder):
    (folder / "my key.pub").write_text("")
    shell.completes("heroku api --input my", "<api><--input><my key.pub>")
    shell.completes("heroku keys:add --yes my", "<keys:add><--yes><my key.pub>")
    assert shell.asked == []
