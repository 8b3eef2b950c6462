"""A stubbed wire (`platform`) and the client run in this process (`heroku`), in a `folder` of its own."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from hkcli.cli.dispatch import execute
from tests.client.wire import Wire, serving

ANYTHING = object()
HOST = "http://localhost:5080"


@dataclass
class Stub:
    method: str
    path: str
    body: object
    status: int
    reply: object
    headers: dict[str, str]
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def matches(self, request: requests.PreparedRequest) -> bool:
        parts = urlsplit(request.url or "")
        return (
            request.method == self.method
            and f"{parts.scheme}://{parts.netloc}{parts.path}" == self.path
            and (self.body is ANYTHING or json.loads(request.body or "null") == self.body)
        )


class Platform(BaseAdapter):
    """Answers what was announced with `on`, each once and in any order; all else fails the test."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Stub] = []
        self.answered: list[requests.PreparedRequest] = []
        self.unannounced: list[str] = []

    def on(
        self,
        method: str,
        path: str,
        body: object = ANYTHING,
        *,
        reply: object = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
    ) -> Stub:
        """A reply is a JSON document, an exception to raise, or bytes with a Content-Type of their own."""
        stub = Stub(method, host + path, body, status, reply, dict(headers or {}))
        self.waiting.append(stub)
        return stub

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        for stub in self.waiting:
            if stub.matches(request):
                self.waiting.remove(stub)
                self.answered.append(request)
                stub.asked.append(request)
                return response(stub, request)
        self.unannounced.append(f"{request.method} {request.url} {request.body!r}")
        raise AssertionError(f"unannounced request: {self.unannounced[-1]}")

    def close(self) -> None:
        pass


def response(stub: Stub, request: requests.PreparedRequest) -> requests.Response:
    if isinstance(stub.reply, BaseException):
        raise stub.reply
    is_raw = isinstance(stub.reply, bytes)
    headers = {"Request-Id": "request-1", **({} if is_raw else {"Content-Type": "application/json"}), **stub.headers}
    data = stub.reply if isinstance(stub.reply, bytes) else json.dumps(stub.reply).encode()
    body = HTTPResponse(io.BytesIO(data), headers=headers, status=stub.status, preload_content=False)
    return HTTPAdapter().build_response(request, body)


@pytest.fixture
def platform() -> Iterator[Platform]:
    wire = Platform()
    yield wire
    assert not wire.unannounced
    assert not [f"{stub.method} {stub.path}" for stub in wire.waiting], "announced, but never asked for"


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str
    bytes: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class Stream(io.TextIOWrapper):
    def __init__(self, data: bytes = b"", *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", newline="", write_through=True)
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal

    @property
    def written(self) -> bytes:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """All that the client may see of the world; a test adds to it."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "HEROKU_HOST": HOST, "HEROKU_API_KEY": "secret-token"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the client is run; not a repository, unless a test makes it one."""
    place = tmp_path / "folder"
    place.mkdir()
    return place


@pytest.fixture
def heroku(platform: Platform, environment: dict[str, str], folder: Path) -> Callable[..., Result]:
    """Runs the client on the stubbed wire; `terminal` makes all its streams one."""

    def run(*words: str, stdin: str = "", terminal: bool = False, cwd: Path = folder) -> Result:
        streams = [Stream(stdin.encode(), is_terminal=terminal), *(Stream(is_terminal=terminal) for _ in range(2))]
        status = execute(words, *streams, environment, cwd, platform)
        _, out, err = (stream.written for stream in streams)
        return Result(status, out.decode(), err.decode(), out)

    return run


@pytest.fixture(autouse=True)
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """git, started by the client in this process, reads no configuration but the test's."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def wire() -> "Iterator[Wire]":
    with serving() as server:
        yield server


@pytest.fixture
def run_heroku(
    environment: dict[str, str], folder: Path, wire: Wire
) -> Callable[..., "subprocess.CompletedProcess[bytes]"]:
    """Runs the client as a process of its own, against the real server `wire`."""
    environment["HEROKU_HOST"] = wire.url

    def run(*words: str, stdin: bytes = b"", timeout_s: float = 60) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "hkcli", *words],
            input=stdin,
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Skips where a program is missing."""

    def need(program: str) -> None:
        if not which(program):
            pytest.skip(f"{program} is not installed")

    return need
