"""`heroku api`: what it sends, and where the body comes from."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hkcli.cli.commands import api


@pytest.fixture
def started(environment, folder, wire):
    """The client as a process of its own whose stdin the test chooses."""
    environment["HEROKU_HOST"] = wire.url

    def start(*words, stdin):
        program = [sys.executable, "-m", "hkcli", "api", *words]
        return subprocess.run(program, stdin=stdin, cwd=folder, env=environment, capture_output=True, timeout=60)

    return start


def piped(text: str) -> int:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as end:
        end.write(text)
    return reader


def from_node(text: str) -> int:
    """What node gives its children in place of a pipe."""
    here, there = socket.socketpair()
    with there:
        there.sendall(text.encode())
    return here.detach()


def file_of(folder: Path, text: str) -> int:
    (folder / "body.json").write_text(text)
    return os.open(folder / "body.json", os.O_RDONLY)


@pytest.mark.parametrize("method", ["POST", "PUT", "patch"])
@pytest.mark.parametrize("origin", ["pipe", "socket", "file"])
def test_a_body_comes_from_a_pipe_or_a_file_on_stdin(started, wire, folder, method, origin):
    wire.routes[method.upper(), "/apps"] = [lambda request: request.json({})]
    text = '{"name": "größe"}'
    stdin = {"pipe": piped, "socket": from_node, "file": lambda text: file_of(folder, text)}[origin](text)
    done = started(method, "/apps", stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert json.loads(wire.seen[0][3]) == {"name": "größe"}


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("/apps",), b""),
        (("GET", "/apps"), b""),
        (("DELETE", "/apps"), b""),
        (("POST", "/apps", "-F", "a=b"), b'{"a": "b"}'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_stdin_is_left_to_others_where_a_body_is_given_or_out_of_place(started, wire, words, sent):
    method = words[0] if len(words) > 1 else "GET"
    wire.routes[method, "/apps"] = [lambda request: request.json({})]
    reader = piped("not for us\n")
    done = started(*words, stdin=reader)
    assert (done.returncode, wire.seen[0][3]) == (0, sent)
    assert os.read(os.dup(reader), 99) == b"not for us\n"


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, "empty"], ids=["/dev/null", "an empty pipe"])
def test_a_request_without_a_body_needs_none(started, wire, stdin):
    wire.routes["POST", "/apps"] = [lambda request: request.json({})]
    assert started("POST", "/apps", stdin=piped("") if stdin == "empty" else stdin).returncode == 0
    assert wire.seen[0][3] == b""


def test_what_a_loop_reads_is_refused_as_a_body_and_nothing_is_sent(started, wire):
    done = started("POST", "/apps/demo/dynos", stdin=piped("demo\nother\n"))
    assert done.returncode == 2 and not wire.seen
    assert b"stdin is not JSON" in done.stderr and b"POST without a body: < /dev/null" in done.stderr


@pytest.mark.parametrize("words", [("--input", "body.json"), ()], ids=["a file", "stdin"])
def test_a_body_in_another_encoding_is_refused_in_words(started, wire, folder, words):
    (folder / "body.json").write_bytes('{"name": "größe"}'.encode("latin-1"))
    done = started("POST", "/apps", *words, stdin=os.open(folder / "body.json", os.O_RDONLY))
    assert done.returncode == 2 and b"is not JSON: it is not UTF-8." in done.stderr and not wire.seen


def test_a_pipe_that_never_says_anything_is_not_waited_for_for_ever(monkeypatch, heroku, platform):
    monkeypatch.setattr(api, "LONGEST_SILENCE_S", 0.01)
    monkeypatch.setattr(api, "is_fed", lambda run: True)
    reader, writer = os.pipe()
    monkeypatch.setattr("tests.client.conftest.Stream.fileno", lambda stream: reader)
    result = heroku("api", "POST", "/apps", stdin="never read")
    assert result.exit_code == 2 and "No body came on stdin" in result.stderr
    os.close(writer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("BOGUS", "/apps"), "BOGUS is not a method. Choose one of: GET, HEAD, POST"),
        (("GET",), "Give a method and a path"),
        (("https://api.heroku.com/apps",), "Give the path alone"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_meant_is_not_sent(heroku, platform, words, said):
    result = heroku("api", *words)
    assert result.exit_code == 2 and said in result.stderr
