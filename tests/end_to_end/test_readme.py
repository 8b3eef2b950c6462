"""The README, read by a program: every command in it is run, and what it shows is what happens."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.backends import Backend
from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
VOLATILE = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "TIME"),
    (r"railgun\.\d+", "railgun.N"),
    (r"pid:\d+", "pid:P"),
    (r"process \d+", "process P"),
    (r"run\.\d{4}", "run.N"),
    (r"dj-[a-z]+-\d{5}", "dj-NAME"),
    (r"\d+\.\d{4}", "SECONDS"),
    (r"=+$", "="),
    (r"by user \S+", "by user E"),
    (r"\s+$", ""),
)
INSTALL_S = 600
ON_HEROKU = ["$ heroku login", "$ heroku git:remote --app my-app", "$ heroku logs --tail"]
BY_OTHER_MEANS = {
    "make quickstart": "played by itself below",
    "make test": "it is what runs this test",
    **{line[2:]: "played in a terminal below" for line in ON_HEROKU},
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


def stable(line: str) -> str:
    for pattern, word in VOLATILE:
        line = re.sub(pattern, word, line)
    return line


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a newcomer gets by cloning: the files that git knows, as they are now."""
    folder = tmp_path_factory.mktemp("clone") / "hkcli"
    known = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(known, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def newcomer(shell: Shell, checkout: Path) -> Iterator[Shell]:
    """Somebody with a fresh virtual environment, active, and nothing of ours on PATH."""
    subprocess.run([sys.executable, "-m", "venv", shell.home / "venv"], check=True)
    old_path = shell.environment["PATH"].partition(":")[2]
    shell.environment["PATH"] = f"{shell.home / 'venv' / 'bin'}:{old_path}"
    shell.environment["XDG_DATA_HOME"] = str(shell.home / "data")
    del shell.environment["HKCLI_BACKEND_HOME"]
    yield shell
    shell("heroku", "backend:stop")


def test_make_quickstart_shows_what_the_readme_shows(shell: Shell, checkout: Path) -> None:
    assert "make quickstart" in commands()
    played = shell.ok("make", "quickstart", f"PYTHON={sys.executable}", folder=checkout, timeout_s=INSTALL_S)
    real = iter([stable(line) for line in played.out.splitlines()])
    for line in blocks("text")[0].splitlines():
        assert stable(line) in real, f"{line!r} is not shown, or not there:\n{played}"
    assert not (checkout / ".git").exists()


def test_every_other_command_of_the_readme_works(newcomer: Shell, checkout: Path) -> None:
    script = ["set -e"]
    for command in commands():
        if command in BY_OTHER_MEANS:
            continue
        if command.startswith("pip install"):
            script += [f"cd {checkout}", f"echo '$ {command}'", f"{command} --quiet", f"cd {newcomer.folder}"]
        else:
            script.append(command)
    done = newcomer("bash", "-c", "\n".join(script), timeout_s=INSTALL_S)
    assert done.status == 0, done
    assert "the exit status is 3" in done.out and "hello from run." in done.out, done
    assert "Created" in done.out or "Creating my-app... done" in done.err


def test_logging_in_and_tailing_work_as_the_readme_says(
    person: Shell, deployed: str, shared_backend: Backend, tmp_path: Path
) -> None:
    assert "\n".join(ON_HEROKU) + "\n" in blocks("console")
    played = [line.replace("my-app", deployed) for line in ON_HEROKU]
    (person.home / ".netrc").unlink()
    environment = {**person.environment, "HEROKU_HOST": shared_backend.url}
    owner = shared_backend.credentials
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    person.ok("git", "init", "--quiet", folder=elsewhere)

    def play(command: str) -> "pexpect.spawn[str]":
        program, *words = command.removeprefix("$ ").split()
        return pexpect.spawn(program, words, cwd=str(elsewhere), env=environment, encoding="utf-8", timeout=30)

    login = play(played[0])
    login.expect("Email.*: ")
    login.sendline(owner["email"])
    login.expect("Password.*: ")
    login.sendline(owner["password"])
    login.expect(f"Logged in as {owner['email']}")
    login.expect(pexpect.EOF)
    remote = play(played[1])
    remote.expect(pexpect.EOF)
    assert shared_backend.url in person.ok("git", "remote", "get-url", "heroku", folder=elsewhere).out
    tail = play(played[2])
    tail.expect("Deploy [0-9a-f]{8} by user")
    tail.sendintr()
    tail.expect(pexpect.EOF)
    tail.close()
    assert tail.exitstatus == 130


def test_every_command_is_run_or_has_a_reason() -> None:
    for command in BY_OTHER_MEANS:
        assert command in commands(), f"{command} is no longer in the README"
