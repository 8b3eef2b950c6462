"""Log drains at work: real sinks over TCP, TLS and HTTP, some of them slow, closed or unwilling."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hkcli.backend.authority import Authority
from hkcli.backend.draining.delivery import Drain, Draining, retry_s
from hkcli.backend.draining.frames import frame, syslog
from hkcli.backend.log_segments import SEGMENT_BYTES, Chunk
from hkcli.backend.logplex import Logplex
from tests.backend.runtime import run, until
from tests.backends import Backend

NOON = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
TOKEN = "d.01234567"


@dataclass
class SyslogServer:
    """Keeps what it reads; checks every octet count."""

    received: bytes = b""
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        while data := await reader.read(65536):
            self.received += data
        writer.close()

    @property
    def messages(self) -> list[str]:
        return unframed(self.received)


def unframed(data: bytes) -> list[str]:
    messages = []
    while data:
        count, _, rest = data.partition(b" ")
        messages.append(rest[: int(count)].decode())
        data = rest[int(count) :]
    return messages


@dataclass
class HTTPServer:
    """Answers with the statuses it was given, then 204; keeps heads and bodies."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = await reader.readexactly(int(re.findall(r"content-length: (\d+)", head, re.I)[0]))
                self.requests.append((head, body))
                status = self.statuses.pop(0) if self.statuses else 204
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def listening(
    server: SyslogServer | HTTPServer, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[int]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", port, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@asynccontextmanager
async def drained(
    folder: Path, url: str, trust: Authority | None = None, *, segment_bytes: int = SEGMENT_BYTES, **options: object
) -> AsyncIterator[Logplex]:
    logplex = Logplex(folder / "logs", segment_bytes=segment_bytes)
    (folder / "drains").mkdir(exist_ok=True)
    context = ssl.create_default_context(cadata=trust.ca_pem) if trust else ssl.create_default_context()
    drains = [Drain("drain-1", "app-1", url, TOKEN)]
    draining = Draining(logplex, folder / "drains", lambda: drains, context, first_retry_s=0.05, **options)  # type: ignore[arg-type]
    draining.wake()
    try:
        yield logplex
    finally:
        await draining.close()
        logplex.close()


def texts(messages: list[str]) -> list[str]:
    return [message.partition(" - ")[2].rstrip("\n") for message in messages]


def test_a_line_is_framed_as_logplex_frames_it() -> None:
    data = b"2012-11-30T06:45:29.000000+00:00 heroku[web.3]: State changed from starting to up\n"
    one = Chunk(7, 1, "heroku", "web.3", data)
    assert syslog(one) == [
        b"<45>1 2012-11-30T06:45:29.000000+00:00 host heroku web.3 - State changed from starting to up\n"
    ]
    made = frame([one, one], last=0)
    assert made.body == (b"93 " + syslog(one)[0]) * 2 and len(syslog(one)[0]) == 93
    assert (made.messages, made.lines, made.last) == (2, 2, 7)


@pytest.mark.parametrize(
    ("source", "dyno", "priority"),
    [("app", "worker.1", 190), ("app", "api", 190), ("heroku", "router", 158), ("heroku", "run.1", 45)],
)
def test_a_messages_priority_tells_who_wrote_it(source: str, dyno: str, priority: int) -> None:
    prefix = f"2012-11-30T06:45:29.000000+00:00 {source}[{dyno}]: "
    lines = Chunk(1, 2, source, dyno, f"{prefix}a: b\n{prefix}\n".encode())
    head = f"<{priority}>1 2012-11-30T06:45:29.000000+00:00 host {source} {dyno} - "
    assert syslog(lines) == [f"{head}a: b\n".encode(), f"{head}\n".encode()]


def test_retries_wait_twice_as_long_each_time_up_to_a_minute() -> None:
    assert [retry_s(failures) for failures in (1, 2, 3, 7, 100)] == [1, 2, 4, 60, 60]


def test_lines_reach_a_syslog_server_over_tcp(tmp_path: Path) -> None:
    async def body() -> None:
        server = SyslogServer()
        async with listening(server) as port, drained(tmp_path, f"syslog://127.0.0.1:{port}") as logplex:
            logplex.write("app-1", "app", "worker.1", "one\ntwo\n")
            logplex.write("app-2", "app", "worker.1", "of another app\n")
            logplex.write("app-1", "heroku", "router", "at=info\n")
            await until(lambda: len(server.messages) == 3)
            assert texts(server.messages) == ["one", "two", "at=info"]
            assert "host app worker.1 - one\n" in server.messages[0] and server.connections == 1

    run(body())


def test_lines_reach_a_syslog_server_over_tls_that_can_prove_its_name(tmp_path: Path) -> None:
    async def body() -> None:
        authority, server = Authority(tmp_path / "authority"), SyslogServer()
        async with listening(server, authority.ssl_context()) as port:
            async with drained(tmp_path, f"syslog+tls://localhost:{port}", authority) as logplex:
                logplex.write("app-1", "app", "worker.1", "secret\n")
                await until(lambda: texts(server.messages) == ["secret"])
            async with drained(tmp_path, f"syslog+tls://localhost:{port}") as logplex:
                logplex.write("app-1", "app", "worker.1", "for nobody\n")
                await asyncio.sleep(0.3)
            assert texts(server.messages) == ["secret"]

    run(body())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_lines_are_posted_as_logplex_posts_them(tmp_path: Path, scheme: str) -> None:
    async def body() -> None:
        authority, server = Authority(tmp_path / "authority"), HTTPServer()
        async with (
            listening(server, authority.ssl_context() if scheme == "https" else None) as port,
            drained(tmp_path, f"{scheme}://me:pass%20word@localhost:{port}/in?x=1", authority) as logplex,
        ):
            for number in range(2):
                logplex.write("app-1", "app", "web.1", f"line {number}\nand more\n")
                await until(lambda number=number: len(server.requests) == number + 1)
            head, posted = server.requests[0]
            assert head.startswith("POST /in?x=1 HTTP/1.1\r\n")
            for line in (
                f"Host: localhost:{port}",
                "Content-Type: application/logplex-1",
                "Logplex-Msg-Count: 2",
                f"Logplex-Drain-Token: {TOKEN}",
                "Authorization: Basic bWU6cGFzcyB3b3Jk",
            ):
                assert f"\r\n{line}\r\n" in head, head
            assert re.search(r"\r\nLogplex-Frame-Id: [0-9a-f-]{36}\r\n", head)
            assert texts(unframed(posted)) == ["line 0", "and more"] and server.connections == 1

    run(body())


def test_a_frame_is_sent_again_under_its_id_until_it_is_taken(tmp_path: Path) -> None:
    async def body() -> None:
        server = HTTPServer([503, 429])
        async with listening(server) as port, drained(tmp_path, f"http://localhost:{port}") as logplex:
            logplex.write("app-1", "app", "web.1", "one\n")
            await until(lambda: len(server.requests) == 3)
            identities = {re.findall("Logplex-Frame-Id: (.*)\r", head)[0] for head, _ in server.requests}
            assert len(identities) == 1 and len({body for _, body in server.requests}) == 1

    run(body())


def test_a_refused_frame_is_given_up_and_counted_in_the_next(tmp_path: Path) -> None:
    async def body() -> None:
        server = HTTPServer([400])
        async with listening(server) as port, drained(tmp_path, f"http://localhost:{port}") as logplex:
            logplex.write("app-1", "app", "web.1", "one\ntwo\n")
            await until(lambda: server.requests)
            logplex.write("app-1", "app", "web.1", "three\n")
            await until(lambda: len(server.requests) == 2)
            told = unframed(server.requests[1][1])
            assert re.fullmatch(r"<172>1 \S+ host heroku logplex - Error L13: 2 messages lost since \S+\.\n", told[0])
            assert texts(told[1:]) == ["three"]

    run(body())


def test_a_sink_that_comes_back_gets_all_that_it_missed(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = SyslogServer(), SyslogServer()
        async with listening(first) as port:
            logs = drained(tmp_path, f"syslog://127.0.0.1:{port}")
            logplex = await logs.__aenter__()
            logplex.write("app-1", "app", "worker.1", "before\n")
            await until(lambda: texts(first.messages) == ["before"])
        for writer in first.writers:
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.05)
        logplex.write("app-1", "app", "worker.1", "meanwhile\n")
        await asyncio.sleep(0.2)
        async with listening(second, port=port):
            await until(lambda: texts(second.messages) == ["meanwhile"])
            await logs.__aexit__(None, None, None)

    run(body())


def test_a_slow_sink_loses_the_oldest_lines_and_is_told_how_many(tmp_path: Path) -> None:
    async def body() -> None:
        server = HTTPServer()
        async with listening(server) as port:
            pass
        async with drained(tmp_path, f"http://127.0.0.1:{port}", buffer_bytes=5_000) as logplex:
            for number in range(1_000):
                logplex.write("app-1", "app", "web.1", f"line {number}\n")
            await asyncio.sleep(0.1)
            for number in range(1_000, 2_000):
                logplex.write("app-1", "app", "web.1", f"line {number}\n")
            async with listening(server, port=port):
                await until(lambda: server.requests and b"line 1999\n" in server.requests[-1][1])
                told = texts([message for _, posted in server.requests for message in unframed(posted)])
                dropped = [int(each) for text in told for each in re.findall(r"L10 .*: (\d+) messages dropped", text)]
                lines = [text for text in told if text.startswith("line ")]
                assert dropped and sum(dropped) + len(lines) == 2_000
                assert lines[-1] == "line 1999" and len(set(lines)) == len(lines)

    run(body())


def test_after_a_restart_a_drain_goes_on_where_it_was(tmp_path: Path) -> None:
    async def body() -> None:
        server = SyslogServer()
        async with listening(server) as port:
            url = f"syslog://127.0.0.1:{port}"
            async with drained(tmp_path, url) as logplex:
                logplex.write("app-1", "app", "worker.1", "one\n")
                await until(lambda: texts(server.messages) == ["one"])
            between = Logplex(tmp_path / "logs")
            between.write("app-1", "app", "worker.1", "two\n")
            between.close()
            async with drained(tmp_path, url) as logplex:
                logplex.write("app-1", "app", "worker.1", "three\n")
                await until(lambda: texts(server.messages) == ["one", "two", "three"])

    run(body())


def test_a_sink_that_is_back_after_a_restart_gets_more_than_the_log_keeps_in_memory(tmp_path: Path) -> None:
    async def body() -> None:
        server, lines = SyslogServer(), [f"line {number}" for number in range(40_000)]
        async with listening(server) as port:
            url = f"syslog://127.0.0.1:{port}"
            async with drained(tmp_path, url, segment_bytes=50_000) as logplex:
                logplex.write("app-1", "app", "worker.1", "first\n")
                await until(lambda: texts(server.messages) == ["first"])
        for writer in server.writers:
            writer.close()
        async with drained(tmp_path, url, segment_bytes=50_000) as logplex:
            for start in range(0, len(lines), 100):
                logplex.write("app-1", "app", "worker.1", "\n".join(lines[start : start + 100]))
        async with listening(server, port=port), drained(tmp_path, url, segment_bytes=50_000) as logplex:
            logplex.write("app-1", "app", "worker.1", "last\n")
            await until(lambda: server.received.endswith(b"last\n"))
            told = texts(server.messages)
            assert told[-1] == "last" and [each for each in told if each.startswith("line")] == lines

    run(body())


def test_a_new_drain_begins_with_what_is_new(tmp_path: Path) -> None:
    async def body() -> None:
        earlier = Logplex(tmp_path / "logs")
        earlier.write("app-1", "app", "worker.1", "old\n")
        earlier.close()
        server = SyslogServer()
        async with listening(server) as port, drained(tmp_path, f"syslog://127.0.0.1:{port}") as logplex:
            logplex.write("app-1", "app", "worker.1", "new\n")
            await until(lambda: texts(server.messages) == ["new"])

    run(body())


def test_a_drain_of_a_real_app_gets_its_log_until_it_is_removed(shared_backend: Backend) -> None:
    async def body() -> None:
        def call(method: str, path: str, document: object = None) -> asyncio.Task[object]:
            return asyncio.create_task(asyncio.to_thread(shared_backend.ok, method, path, document))

        name = (await call("POST", "/apps", {}))["name"]  # type: ignore[index]
        server = SyslogServer()
        async with listening(server) as port:
            url = f"syslog://127.0.0.1:{port}"
            made = await call("POST", f"/apps/{name}/log-drains", {"url": url})
            await call("PATCH", f"/apps/{name}/config-vars", {"A": "1"})
            await until(lambda: any("host app api - Set A config vars by user" in each for each in server.messages))
            await call("DELETE", f"/apps/{name}/log-drains/{made['id']}")  # type: ignore[index]
            await until(lambda: server.writers[0].transport.is_closing())
            await call("PATCH", f"/apps/{name}/config-vars", {"A": "2"})
            assert server.connections == 1

    run(body())
