"""The tour: the Delayed Job quick start of 2009, each command a real process against a backend of its own."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import click

APP = "fleeting-mist"
STEP_S, FACT_S, POLL_S = 120, 40, 0.2
"""How long a command may take, how long a fact may take to become true, and how often we look."""
INHERITED = ("LANG", "LC_ALL", "TERM", "TMPDIR", "NO_COLOR")
STARTED = re.compile(r"\*\*\* Starting job worker host:railgun\.\d+ pid:(\d+)")


class TourFailed(Exception):
    """A step had the wrong outcome; the message says which and how."""


@dataclass
class Stage:
    """The temporary place where the tour happens; below `root`, and nowhere else."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> Path:
        return self.root / APP

    @property
    def backend(self) -> Path:
        return self.root / "backend"

    def set(self) -> None:
        """Put the sample app and a `heroku` program on the stage, and see to it that nothing outside is touched."""
        shutil.copytree(str(resources.files("hkcli.quickstart") / "app"), self.app, ignore=_compiled)
        programs = self.root / "bin"
        programs.mkdir()
        heroku = programs / "heroku"
        heroku.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hkcli "$@"\n')
        heroku.chmod(0o755)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.environment = {
            **inherited,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.root),
            "HKCLI_BACKEND_HOME": str(self.backend),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Quick Start",
            "GIT_AUTHOR_EMAIL": "quickstart@localhost",
            "GIT_COMMITTER_NAME": "Quick Start",
            "GIT_COMMITTER_EMAIL": "quickstart@localhost",
        }

    def run(self, *words: str, show: bool = True, timeout_s: float = STEP_S) -> str:
        """Run a command in the app's folder, showing it and what it prints; what it printed. Raises TourFailed."""
        if show:
            say(words)
        process = subprocess.Popen(
            words,
            cwd=self.app,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        printed = []
        deadline = Deadline(process, timeout_s)
        assert process.stdout is not None
        with deadline:
            for line in process.stdout:
                printed.append(line)
                if show:
                    click.echo(line, nl=False)
            status = process.wait()
        if status:
            reason = f"took longer than {timeout_s:.0f} s" if deadline.passed else f"ended with status {status}"
            raise TourFailed(f"`{shlex.join(words)}` {reason}.\n{'' if show else ''.join(printed)}")
        return "".join(printed)

    def until(self, words: tuple[str, ...], fact: Callable[[str], bool], what: str) -> str:
        """Look with a command until a fact is true, then show it. Raises TourFailed."""
        deadline = time.monotonic() + FACT_S
        while not fact(self.run(*words, show=False)):
            if time.monotonic() > deadline:
                self.run(*words)
                raise TourFailed(f"After {FACT_S} s, `{shlex.join(words)}` does not show {what}.")
            time.sleep(POLL_S)
        return self.run(*words)


class Deadline:
    """Kills a process that takes too long."""

    def __init__(self, process: "subprocess.Popen[str]", timeout_s: float) -> None:
        self.process, self.timeout_s, self.passed = process, timeout_s, False

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, self._pass)
        signal.setitimer(signal.ITIMER_REAL, self.timeout_s)

    def _pass(self, *_: object) -> None:
        self.passed = True
        self.process.kill()

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def _compiled(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}


def say(words: tuple[str, ...]) -> None:
    click.secho(f"\n$ {shlex.join(words)}", bold=True)


def explain(text: str) -> None:
    click.secho(f"\n# {text}", dim=True)


def steps(stage: Stage) -> None:
    """The quick start itself. Raises TourFailed at the first step whose outcome is wrong."""
    explain("A Heroku of your own: a backend on this machine, with data that goes when the tour ends.")
    stage.run("heroku", "backend:start", "--detach", "--port", "0")
    stage.environment["HEROKU_HOST"] = json.loads((stage.backend / "backend.json").read_text())["api_url"]
    click.secho(f"\n$ export HEROKU_HOST={stage.environment['HEROKU_HOST']}", bold=True)

    explain("The sample app: one migration, one job class, no Ruby.")
    for words in (("init", "--quiet", "-b", "master"), ("add", "."), ("commit", "--quiet", "-m", "A newsletter")):
        stage.run("git", *words)
    stage.run("heroku", "create", APP)
    del stage.environment["HEROKU_HOST"]
    explain("From here on the app's git remote says where to go.")
    stage.run("git", "push", "heroku", "master")
    expect(stage.run("heroku", "rake", "db:migrate"), "CreateDelayedJobs: migrated", "the table was not created")

    explain("The add-on starts a worker and keeps it up until the add-on is removed.")
    stage.run("heroku", "addons:add", "dj")
    logs = stage.until(("heroku", "logs"), lambda text: bool(STARTED.search(text)), "a worker that starts")
    started = STARTED.search(logs)
    assert started is not None
    worker = int(started[1])
    if not alive(worker):
        raise TourFailed(f"The log names the worker's process {worker}, but there is none.")

    explain("A job is put on the queue, and the worker does it.")
    stage.run("heroku", "run", "bin/newsletter", "Hello from 2009", "ada@example.org")
    stage.until(
        ("heroku", "logs", "--dyno", "worker"),
        lambda text: "Sent 'Hello from 2009' to ada@example.org" in text,
        "the job's line",
    )

    explain("Jobs for later wait on the queue, until it is cleared.")
    for text in ("Later", "Later still"):
        stage.run("heroku", "run", "bin/newsletter", text, "ada@example.org", "--in", "3600")
    expect(stage.run("heroku", "run", "bin/jobs"), "2 jobs on the queue", "the jobs are not on the queue")
    stage.run("heroku", "rake", "jobs:clear")
    expect(stage.run("heroku", "run", "bin/jobs"), "0 jobs on the queue", "the queue is not empty")

    explain("Without the add-on there is no worker.")
    stage.run("heroku", "addons:remove", "dj", "--confirm", APP)
    wait_until_gone(worker)
    stage.run("heroku", "ps")
    click.echo(f"\nThe worker's process {worker} is gone. That was the whole quick start, for real.")


def expect(printed: str, text: str, otherwise: str) -> None:
    if text not in printed:
        raise TourFailed(f"Expected {text!r}, but {otherwise}.")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + FACT_S
    while alive(pid):
        if time.monotonic() > deadline:
            raise TourFailed(f"The add-on was removed {FACT_S} s ago, but the worker's process {pid} still runs.")
        time.sleep(POLL_S)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP clean up as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_to_go_on(stage: Stage) -> str:
    shown: Mapping[str, str] = {
        name: stage.environment[name] for name in ("PATH", "HOME", "HKCLI_BACKEND_HOME") if name in stage.environment
    }
    exports = f"  export PATH={shlex.quote(str(stage.root / 'bin'))}:$PATH HOME={shlex.quote(shown['HOME'])}"
    return (
        f"\nThe backend and the app are kept. To go on:\n{exports}\n"
        f"  export HKCLI_BACKEND_HOME={shlex.quote(shown['HKCLI_BACKEND_HOME'])}\n"
        f"  cd {shlex.quote(str(stage.app))}\n  heroku addons:add dj\n"
        f"To end it: heroku backend:stop && rm -r {shlex.quote(str(stage.root))}"
    )


def tour(*, keep: bool) -> None:
    """Play the whole quick start. Raises TourFailed, having cleaned up unless `keep`."""
    stage = Stage(Path(tempfile.mkdtemp(prefix="hkcli-quickstart-")).resolve())
    with interruptible():
        try:
            stage.set()
            steps(stage)
            if keep:
                click.echo(how_to_go_on(stage))
        finally:
            if not keep:
                clear(stage)


def clear(stage: Stage) -> None:
    if stage.environment:
        stage.run("heroku", "backend:stop", show=False)
    shutil.rmtree(stage.root)
