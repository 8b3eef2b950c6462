"""The backend on this machine, as other processes see it: its data directory, whether it runs, how it is reached."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hkcli.api.errors import HerokuError

NEEDED = ("starlette", "httpx", "uvicorn", "sqlalchemy", "alembic", "cryptography", "psutil", "tree_sitter")
"""Modules of the extra `backend`; any that is missing means that it was not installed."""
START_S, STOP_S, POLL_S = 60, 60, 0.05
AT_REST_S = 600


@dataclass(frozen=True)
class LocalBackend:
    home: Path

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "LocalBackend":
        """HKCLI_BACKEND_HOME, else `hkcli` in the user's data directory (XDG)."""
        if chosen := env.get("HKCLI_BACKEND_HOME"):
            return cls(Path(chosen).absolute())
        data = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME") or Path.home()) / ".local" / "share")
        return cls(Path(data) / "hkcli")

    @property
    def log(self) -> Path:
        """Where a backend in the background writes what it has to say."""
        return self.home / "backend.log"

    @property
    def is_running(self) -> bool:
        """Whether a process holds the directory; a file that a killed one left does not count."""
        try:
            descriptor = os.open(self.home / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def state(self) -> dict[str, Any] | None:
        """`api_url`, `port`, `pid`, `started_at` of the backend that can be reached; None when there is none."""
        document = _read(self.home / "backend.json") if self.is_running else None
        return document and {name: value for name, value in document.items() if name != "environment"}

    def credentials(self) -> dict[str, str]:
        """The owner's `email`, `password` and `token`. Raises HerokuError."""
        found = _read(self.home / "credentials.json")
        if found is None:
            raise HerokuError(f"{self.home} holds no backend yet.", next=("Start one: heroku backend:start",))
        return found

    def running(self) -> dict[str, Any]:
        """The state of the running backend. Raises HerokuError."""
        state = self.state()
        if state is None:
            raise HerokuError(f"No backend runs on {self.home}.", next=("Start it: heroku backend:start",))
        return state

    def start(self, options: list[str]) -> "subprocess.Popen[bytes]":
        """Start it as a process of its own and return when it can be reached. Raises HerokuError."""
        require_installed()
        if self.is_running:
            state = self.state() or {}
            raise HerokuError(
                f"A backend runs on {self.home} already ({state.get('api_url', 'it is starting')}).",
                next=("Stop it: heroku backend:stop", "Or use another directory: HKCLI_BACKEND_HOME=DIR"),
            )
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = [sys.executable, "-m", "hkcli.backend", "--home", str(self.home), *options]
        process = _spawn(words, self.log)
        try:
            settled = _wait(lambda: process.poll() is not None or self._is_announced(process.pid), START_S)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if not settled:
            process.terminate()
            raise HerokuError(f"The backend did not start within {START_S} s.", next=(f"See: {self.log}",))
        if process.poll() is not None:
            said = _last_line(self.log)
            raise HerokuError(said or f"The backend ended with status {process.returncode}.")
        return process

    def _is_announced(self, pid: int) -> bool:
        state = _read(self.home / "backend.json")
        return state is not None and state["pid"] == pid

    def stop(self) -> bool:
        """End the running backend in order and wait until it is gone; False when none runs. Raises HerokuError."""
        state = self.state()
        if state is None and not self.is_running:
            return False
        if state is not None:
            os.kill(state["pid"], signal.SIGTERM)
        if not _wait(lambda: not self.is_running, STOP_S):
            pid = f" (process {state['pid']})" if state else ""
            raise HerokuError(f"The backend{pid} has not ended within {STOP_S} s.", next=(f"See: {self.log}",))
        return True

    def clear(self) -> str:
        """Have the backend remove all that it keeps, and nothing else that may lie there; what it could not remove.

        Raises HerokuError."""
        return self._at_rest("--reset").stderr.strip()

    def snapshot_at_rest(self, action: str, name: str = "") -> Any:
        """Have the backend, which does not run, list, save, restore or remove a snapshot. Raises HerokuError."""
        return json.loads(self._at_rest("--snapshot", action, f"--name={name}").stdout)

    def _at_rest(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """The backend, which does a thing and ends. Raises HerokuError."""
        require_installed()
        words = [sys.executable, "-m", "hkcli.backend", "--home", str(self.home), *options]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=AT_REST_S)
        except subprocess.TimeoutExpired:
            state = (
                "Part of it may be removed; the rest is when you reset again."
                if options[0] == "--reset"
                else "Your apps and their data are safe: what was begun is finished or undone by whatever comes next."
            )
            raise HerokuError(
                f"The backend was not done within {AT_REST_S} s ({' '.join(options[:2])}), and was ended. {state}",
                next=("Try again, when the machine has less to do",),
            ) from None
        if done.returncode:
            raise HerokuError(done.stderr.strip() or f"The backend ended with status {done.returncode}.")
        return done

    def exports(self) -> dict[str, str]:
        """The environment in which clients that know nothing of us use this backend. Raises HerokuError."""
        self.running()
        document = _read(self.home / "backend.json") or {}
        return dict(document["environment"])


def require_installed() -> None:
    """Raises HerokuError when this client was installed without the backend."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise HerokuError(
            f"The backend is not installed with this client ({missing[0]} is missing).",
            next=("Install it: pip install 'hkcli[backend]'", "Or with pipx: pipx install --force 'hkcli[backend]'"),
        )


def _spawn(words: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """In a session of its own: who started it decides when it ends, not the terminal."""
    with log.open("wb") as file:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _wait(fact: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else ""
