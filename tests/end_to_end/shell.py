"""A person's shell: a home of its own, `heroku` on PATH, and a folder to stand in."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.backends import Backend

TIMEOUT_S = 180


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass
class Shell:
    """Runs real programs; nothing of the person who runs the tests is seen or touched."""

    home: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path) -> "Shell":
        home, folder, programs = root / "home", root / "work", root / "bin"
        for each in (home, folder, programs):
            each.mkdir(parents=True)
        for name in ("heroku", "hkcli"):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hkcli "$@"\n')
            program.chmod(0o755)
        inherited = {name: os.environ[name] for name in ("LANG", "TMPDIR", "CI") if name in os.environ}
        environment = {
            **inherited,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "HKCLI_BACKEND_HOME": str(home / "backend"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        shell = cls(home, folder, environment)
        for setting in ("user.name A", "user.email person@localhost", "init.defaultBranch master"):
            shell.ok("git", "config", "--global", *setting.split())
        return shell

    def __call__(
        self, *words: str, stdin: str = "", folder: Path | None = None, timeout_s: float = TIMEOUT_S, **variables: str
    ) -> Result:
        """Run a program to its end."""
        done = subprocess.run(
            words,
            cwd=folder or self.folder,
            env={**self.environment, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, **options: Any) -> Result:
        """The same, for a command that must succeed."""
        result = self(*words, **options)
        assert result.status == 0, f"{shlex.join(words)}: {result}"
        return result

    def log_in(self, backend: Backend) -> None:
        """As `heroku backend:start` leaves it: the owner's token in the netrc file."""
        owner = backend.credentials
        netrc = self.home / ".netrc"
        netrc.write_text(f"machine localhost:{backend.port} login {owner['email']} password {owner['token']}\n")
        netrc.chmod(0o600)
