"""A real backend for tests: a process of its own, on a free port, in a temporary folder."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.conformance import schema

START_S, STOP_S, FACT_S = 60, 60, 90


def wait_for(fact: Any, what: str, within_s: float = FACT_S) -> Any:
    """The first true value of `fact()`; fails, saying what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (value := fact()):
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.02)
    return value


@dataclass
class Backend:
    """Start it, talk to it, kill it, start it again on the same data."""

    home: Path
    port: int = 0
    options: tuple[str, ...] = ("--stop-grace", "2")
    process: "subprocess.Popen[bytes] | None" = None
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.home / "backend.json").read_text())  # type: ignore[no-any-return]

    @property
    def credentials(self) -> dict[str, str]:
        return json.loads((self.home / "credentials.json").read_text())  # type: ignore[no-any-return]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> "Backend":
        words = [
            sys.executable,
            "-m",
            "hkcli.backend",
            "--home",
            str(self.home),
            "--port",
            str(self.port),
            *self.options,
        ]
        self.process = process = subprocess.Popen(words, stdin=subprocess.DEVNULL)

        def announced() -> bool:
            assert process.poll() is None, f"the backend ended with status {process.returncode}"
            return (self.home / "backend.json").exists() and self.state["pid"] == process.pid

        wait_for(announced, "the backend to start", START_S)
        self.port = self.state["port"]
        self.session.headers["Authorization"] = f"Bearer {self.credentials['token']}"
        self.session.headers["Accept"] = "application/vnd.heroku+json; version=3"
        return self

    def kill(self) -> None:
        """As a power cut would: SIGKILL, nothing said."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_S)
        self.session.close()

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """The answer; a successful one is held against Heroku's published schema."""
        answer = self.session.request(method, self.url + path, json=body, timeout=30, **options)
        if answer.ok and answer.content and "json" in answer.headers.get("Content-Type", ""):
            assert schema.problems(method, path.partition("?")[0], answer.json()) == []
        return answer

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The document of an answer that must be a success."""
        answer = self.call(method, path, body, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def logs(self, app: str, **session: Any) -> str:
        """The app's recent log as plain text."""
        url = self.ok("POST", f"/apps/{app}/log-sessions", {"lines": 1500, **session})["logplex_url"]
        return requests.get(url, timeout=30).text

    def wait_for_log(self, app: str, text: str) -> str:
        def found() -> str:
            logs = self.logs(app)
            return logs if text in logs else ""

        return str(wait_for(found, f"{text!r} in the log of {app}:\n{self.logs(app)}"))

    def git(self, folder: Path, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run git in a folder, with the owner's token for our remotes and no configuration but our own."""
        done = self.git_bytes(folder, *words)
        assert not check or done.returncode == 0, done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def git_bytes(self, folder: Path, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        token = self.credentials["token"]
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        helper = f"!f() {{ echo username=heroku; echo password={token}; }}; f"
        command = ["git", "-c", f"credential.helper={helper}", *words]
        return subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, timeout=120)

    def push(self, folder: Path, app: str, branch: str = "main", check: bool = True) -> str:
        """Commit everything in a folder and push it; what git said."""
        if not (folder / ".git").exists():
            self.git(folder, "init", "--quiet", "-b", "main")
        self.git(folder, "add", "--all")
        self.git(folder, "commit", "--quiet", "--allow-empty", "-m", "A change")
        return self.git(folder, "push", f"{self.url}/{app}.git", f"HEAD:refs/heads/{branch}", check=check).stderr
