"""Every example of the help is played on a real backend, in the order of the command table, as it is written."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from hkcli.cli.examples import AUTHORIZATION, EXAMPLES
from hkcli.cli.table import names
from tests.backends import Backend, wait_for
from tests.client.conftest import Stream, execute
from tests.end_to_end.conftest import SAMPLE
from tests.end_to_end.shell import Shell
from tests.partner import manifest

NOT_PLAYED = {
    "access:update": "an app here belongs to no team: test_against_the_backend.py",
    "backend:reset": "end_to_end plays it",
    "backend:snapshot:restore": "end_to_end plays it",
    "backend:start": "end_to_end plays it",
    "backend:stop": "end_to_end plays it",
    "config:edit": "an editor wants a person: test_against_the_backend.py",
    "console": "wants a Rails app: end_to_end/test_rails.py",
    "features:disable": "a feature that only Heroku has; labs are switched in the same way",
    "features:enable": "a feature that only Heroku has; labs are switched in the same way",
    "features:info": "a feature that only Heroku has; labs are shown in the same way",
    "login": "asks at a terminal: test_auth_and_git.py",
    "logout": "would be the last: test_auth_and_git.py",
    "pg:psql": "wants a database server: test_against_the_backend.py",
    "quickstart": "end_to_end plays it",
    "status": "asks Heroku's own site",
}
FISH = "heroku backend:env --shell fish | source"
SHELL = set("~|<>$;!")
"""Where a line has one of these, it is played by a shell."""
BEFORE = {
    "heroku rename example-renamed --app example-old": ["heroku create example-old --no-remote"],
    "heroku destroy --app example-old --confirm example-old": ["heroku create example-old --no-remote"],
    "heroku addons:add dj:trio --name example-jobs --as JOBS --wait": ["heroku addons:remove dj --confirm example-app"],
    "heroku addons:info dj": ["heroku addons:add dj --name example-jobs"],
    "heroku config:get RAILS_ENV": ["heroku config:set RAILS_ENV=staging"],
    "heroku domains:clear --confirm example-app": ["heroku domains:add www.example.com"],
    "heroku ps:scale": ["heroku addons:remove dj --confirm example-app"],
    "heroku pg:info": ["heroku config:set DATABASE_URL=postgres://u:p@db.example.com/d"],
    "heroku releases:retry": ["git commit --quiet --allow-empty -m Again", "git push --quiet heroku master"],
    "heroku run --no-tty cat < dump.sql > copy.sql": ["cp Procfile dump.sql"],
}
"""What an example needs that those before it have not made."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One of its own: apps, users and faults of the examples' names are nobody else's."""
    backend = Backend(tmp_path_factory.mktemp("backend")).start()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def shell(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """In the folder of the sample app, deployed as example-app, with jobs that wait."""
    shell = Shell.open(tmp_path_factory.mktemp("person"))
    shell.environment |= {
        "HEROKU_HOST": backend.url,
        "HKCLI_BACKEND_HOME": str(backend.home),
        "BROWSER": "true",
        "SHELL": "/bin/sh",
        "COLUMNS": "80",
    }
    shell.log_in(backend)
    shell.ok("cp", "-R", f"{SAMPLE}/.", ".")
    (shell.folder / "Procfile").write_text("release: rake db:migrate\nworker: sleep 600\n")
    backend.ok("POST", "/apps", {"name": "example-app"})
    for line in (
        "git init --quiet",
        "git add .",
        "git commit --quiet -m Sample",
        "heroku git:remote --app example-app",
        "git push --quiet heroku master",
        "heroku ps:scale worker=1",
        "ssh-keygen -q -t ed25519 -N '' -C ada@laptop -f .ssh-key",
    ):
        shell.ok(*shlex.split(line))
    for recipient in ("ada", "bob"):
        shell.ok("heroku", "run", "bin/newsletter", "Later", f"{recipient}@example.org", "--in", "3600")
    (shell.home / ".ssh").mkdir()
    for suffix in ("", ".pub"):
        (shell.folder / f".ssh-key{suffix}").rename(shell.home / ".ssh" / f"id_ed25519{suffix}")
    backend.ok("POST", "/backend/users", {"email": "ada@example.com"})
    (shell.folder / "addon-manifest.json").write_text(json.dumps(manifest(1)))
    return shell


@pytest.fixture(scope="module")
def authorization(backend: Backend) -> str:
    made = backend.ok("POST", "/oauth/authorizations", {"description": "an example's"})
    return str(made["id"])


Play = Callable[[str], tuple[int, str]]


@pytest.fixture
def play(shell: Shell, authorization: str, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays a line: exit status, and all that was written. In this process, unless it takes a shell or git."""
    monkeypatch.setenv("BROWSER", "true")

    def run(line: str) -> tuple[int, str]:
        line = line.replace(AUTHORIZATION, authorization)
        if line.endswith("--tail"):
            return until_a_line(shell, line)
        if line.startswith("heroku git:") or not line.startswith("heroku ") or SHELL & set(line):
            ended = shell("bash", "-c", line)
            return ended.status, ended.out + ended.err
        streams = [Stream() for _ in range(3)]
        status = execute(shlex.split(line)[1:], *streams, shell.environment, shell.folder)
        return status, "".join(each.written.decode() for each in streams[1:])

    return run


def until_a_line(shell: Shell, line: str) -> tuple[int, str]:
    """What goes on for ever, until it has shown something."""
    words = [sys.executable, "-m", "hkcli", *shlex.split(line)[1:]]
    with subprocess.Popen(words, env=shell.environment, cwd=shell.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shown = process.stdout.readline()
        process.terminate()
    return (0 if shown else 1), shown.decode()


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    assert list(EXAMPLES) == names(aliases=False)
    lines = [line for lines in EXAMPLES.values() for line in lines]
    assert [line for name, lines in EXAMPLES.items() for line in lines if f"heroku {name}" not in line] == []
    assert [line for line in lines if len(line) > 78] == [], "in 80 columns, to be copied"
    assert set(NOT_PLAYED) <= set(EXAMPLES) and {FISH, *BEFORE} <= set(lines)


def is_settled(backend: Backend) -> bool:
    states = {each["name"]: each["state"] for each in backend.ok("GET", "/apps/example-app/dynos")}
    return states.get("worker.1") == "up" and not any(name.startswith("release.") for name in states)


def test_the_examples_work_one_after_the_other(play: Play, backend: Backend) -> None:
    failed = []
    for name, lines in EXAMPLES.items():
        for line in (line for line in lines if name not in NOT_PLAYED and line != FISH):
            if line.startswith(("heroku ps:restart", "heroku ps:stop")):
                wait_for(lambda: is_settled(backend), "the worker to be up, after any release command")
            for played in (*BEFORE.get(line, ()), line):
                status, told = play(played)
                if status:
                    failed.append(f"$ {played}\n{told}")
    assert not failed, "\n".join(failed)
