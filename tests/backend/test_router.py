"""The router: real sockets on both sides, a real store, dynos that misbehave on purpose."""

import asyncio
import errno
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.server import ServerState

from hkcli.backend.doorway import Doorway
from hkcli.backend.dynos import Dyno, DynoSpec, DynoState
from hkcli.backend.router.exchange import Routing, Waits
from hkcli.backend.router.front import Front, first_host
from hkcli.backend.router.sites import Sites
from hkcli.backend.store import App, Formation, Release, Slug, Store, User
from tests.backend.runtime import run, until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SHORT = Waits(boot_s=0.3, first_byte_s=0.4, idle_s=0.4)
MEGABYTE = 1 << 20


@dataclass
class House:
    """An app with a name, the dynos that a test gives it, and what the router logged."""

    store: Store
    app_id: str
    port: int = 0
    dynos: list[Dyno] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def write(self, app_id: str, source: str, dyno: str | None, text: str) -> None:
        assert (app_id, source, dyno) == (self.app_id, "heroku", "router")
        self.lines.append(text)

    def change(self, **values: Any) -> None:
        with self.store.transaction() as session:
            app = session.get_one(App, self.app_id)
            for name, value in values.items():
                setattr(app, name, value)

    def scale(self, quantity: int) -> None:
        with self.store.transaction() as session:
            session.query(Formation).one().quantity = quantity

    def add(self, port: int, state: DynoState = DynoState.UP) -> Dyno:
        name = f"web.{len(self.dynos) + 1}"
        spec = DynoSpec(self.app_id, "demo", name, "serve", "release", 3, Path("slug"))
        now = datetime.now(UTC)
        self.dynos.append(Dyno(name, spec, state, now, now, port=port))
        return self.dynos[-1]

    async def ask(self, text: str | bytes, body: bytes = b"") -> str:
        """Send this as it is; all that comes until the router closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write((text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()) + body)
        try:
            return (await reader.read(-1)).decode("latin-1")
        finally:
            writer.close()

    async def get(self, path: str = "/", more: str = "") -> str:
        return await self.ask(f"GET {path} HTTP/1.1\nHost: demo.localhost\nConnection: close\n{more}\n")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")


def furnish(store: Store) -> str:
    with store.transaction() as session:
        user = User(email="e@localhost", password_hash="")
        app = App(name="demo", owner=user, config={})
        session.add(app)
        session.flush()
        slug = Slug(app_id=app.id, process_types={"web": "serve"}, checksum="")
        session.add_all([slug, Formation(app_id=app.id, type="web", quantity=1)])
        session.add(Release(app_id=app.id, user=user, version=3, description="Deploy", slug=slug, config={}))
        return app.id


@asynccontextmanager
async def routed(store: Store, *dynos: Serve, waits: Waits = SHORT) -> AsyncIterator[House]:
    house = House(store, furnish(store))
    servers = [await asyncio.start_server(each, "127.0.0.1", 0) for each in dynos]
    for server in servers:
        house.add(server.sockets[0].getsockname()[1])
    routing = Routing(Sites(store, lambda app_id: house.dynos), house, 5080, waits)
    config, state = Config(Starlette(), lifespan="off"), ServerState()
    config.load()
    doorway = Doorway().open(config.loaded_app, routing)
    front = partial(Front, doorway, config=config, server_state=state, app_state={})
    listener = await asyncio.get_running_loop().create_server(front, "127.0.0.1", 0)
    house.port = listener.sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        for server in (listener, *servers):
            server.close()
        for connection in list(state.connections):
            connection.shutdown()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        store.close()


async def head_of(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def answering(answer: bytes, seen: list[str] | None = None) -> Serve:
    """A dyno that reads a head and says this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        if seen is not None:
            seen.append(head)
        writer.write(answer)
        writer.close()

    return serve


HELLO = b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-App: yes\r\n\r\nhello"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hands the body back as it comes, each piece in a chunk of its own."""
    head = await head_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    left = int(found[1]) if (found := re.search(r"content-length: (\d+)", head, re.I)) else 0
    while left and (piece := await reader.read(min(left, 65536))):
        left -= len(piece)
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


def test_a_request_reaches_the_dyno_with_herokus_headers_and_is_logged(store: Store) -> None:
    async def body() -> None:
        seen: list[str] = []
        async with routed(store, answering(HELLO, seen)) as house:
            identity = "0123456789abcdef-request"
            answer = await house.get("/a?b=c", f"X-Forwarded-For: 10.1.1.1\nX-Request-Id: {identity}\nX-Mine: 1\n")
            assert answer.startswith("HTTP/1.1 200 Fine\r\n") and answer.endswith("\r\n\r\nhello")
            assert "X-App: yes" in answer and "Via: 1.1 heroku-router" in answer
            lines = seen[0].split("\r\n")
            assert lines[0] == "GET /a?b=c HTTP/1.1"
            for line in (
                "Host: demo.localhost",
                "X-Mine: 1",
                "Connection: close",
                f"X-Request-Id: {identity}",
                "X-Forwarded-For: 10.1.1.1, 127.0.0.1",
                "X-Forwarded-Proto: http",
                "X-Forwarded-Port: 5080",
                "Via: 1.1 heroku-router",
            ):
                assert line in lines
            pattern = (
                r'at=info method=GET path="/a\?b=c" host=demo\.localhost request_id=0123456789abcdef-request'
                r' fwd="10\.1\.1\.1, 127\.0\.0\.1" dyno=web\.1 connect=\d+ms service=\d+ms'
                r" status=200 bytes=5 protocol=http"
            )
            assert re.fullmatch(pattern, house.lines[0]), house.lines

    run(body())


def test_headers_of_one_hop_stay_there(store: Store) -> None:
    async def body() -> None:
        seen: list[str] = []
        answer = b"HTTP/1.1 200 OK\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n"
        async with routed(store, answering(answer, seen)) as house:
            own = "Connection: close, X-Outer\nX-Outer: 1\nProxy-Authorization: x\n"
            told = (await house.ask(f"GET / HTTP/1.1\nHost: demo.localhost\n{own}\n")).lower()
            assert "x-inner" not in told and "keep-alive" not in told
            assert "x-outer" not in seen[0].lower() and "proxy-authorization" not in seen[0].lower()

    run(body())


def test_one_connection_serves_many_requests(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO)) as house:
            one = "GET /1 HTTP/1.1\nHost: demo.localhost\n\n"
            last = "GET /2 HTTP/1.1\nHost: demo.localhost\nConnection: close\n\n"
            answers = await house.ask(one + one + last)
            assert answers.count("HTTP/1.1 200 Fine") == 3
            assert [re.findall('path="(.*?)"', line)[0] for line in house.lines] == ["/1", "/1", "/2"]

    run(body())


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_large_body_streams_both_ways_unchanged(store: Store, version: str) -> None:
    async def body() -> None:
        async with routed(store, echo, waits=Waits()) as house:
            sent = bytes(range(256)) * (8 * MEGABYTE // 256)
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            head = f"POST / HTTP/{version}\r\nHost: demo.localhost\r\nConnection: close\r\nContent-Length: {len(sent)}"
            sending = asyncio.create_task(write_all(writer, f"{head}\r\n\r\n".encode() + sent))
            told, _, rest = (await reader.read(-1)).partition(b"\r\n\r\n")
            await sending
            writer.close()
            assert told.startswith(b"HTTP/1.1 200")
            assert (rest if version == "1.0" else dechunked(rest)) == sent

    run(body())


async def write_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def dechunked(data: bytes) -> bytes:
    pieces, position = [], 0
    while True:
        end = data.index(b"\r\n", position)
        size = int(data[position:end], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(data[end + 2 : end + 2 + size])
        position = end + 4 + size


def test_a_chunked_request_reaches_the_dyno_chunked(store: Store) -> None:
    async def body() -> None:
        received = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await head_of(reader)
            received.set_result((head.lower(), await reader.readuntil(b"0\r\n\r\n")))
            writer.write(HELLO)
            writer.close()

        async with routed(store, serve) as house:
            head = "POST / HTTP/1.1\nHost: demo.localhost\nConnection: close\nTransfer-Encoding: chunked\n"
            answer = await house.ask(head + "Expect: 100-continue\n\n", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            assert answer.endswith("hello")
            told, chunks = await received
            assert "transfer-encoding: chunked" in told and "expect" not in told and "content-length" not in told
            assert dechunked(chunks) == b"abcde"

    run(body())


def test_pieces_arrive_as_they_are_written(store: Store) -> None:
    """Server-sent events must not wait for the end of the answer."""

    async def body() -> None:
        more = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            await more.wait()
            writer.write(b"data: 2\n\n")
            writer.close()

        async with routed(store, serve) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
            await reader.readuntil(b"data: 1\n\n")
            more.set()
            await reader.readuntil(b"data: 2\n\n")
            assert await reader.readuntil(b"0\r\n\r\n")
            writer.close()

    run(body())


def test_after_an_upgrade_both_sides_say_what_they_like(store: Store) -> None:
    async def body() -> None:
        seen: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await head_of(reader))
            writer.write(
                b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nX-Key: k\r\n\r\n\x81first"
            )
            while data := await reader.read(1000):
                writer.write(data.upper())
            writer.write(b"bye")
            writer.close()

        async with routed(store, serve, waits=Waits(idle_s=20)) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(
                b"GET /cable HTTP/1.1\r\nHost: demo.localhost\r\nConnection: keep-alive, Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\n"
            )
            head = await head_of(reader)
            assert head.startswith("HTTP/1.1 101") and "Upgrade: websocket" in head and "X-Key: k" in head
            assert "Upgrade: websocket" in seen[0] and "Connection: Upgrade" in seen[0] and "Key: abc" in seen[0]
            assert await reader.readexactly(6) == b"\x81first"
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"HELLO"
            writer.write_eof()
            assert await reader.read(-1) == b"bye"
            writer.close()
            await until(lambda: house.lines)
            assert "status=101 bytes=14 protocol=http" in house.lines[0]

    run(body())


def test_a_side_that_is_gone_ends_a_tunnel_without_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says when a connection was reset and the loop has not heard of it yet."""

    write_eof = asyncio.StreamWriter.write_eof

    def gone(writer: asyncio.StreamWriter) -> None:
        write_eof(writer)
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(asyncio.StreamWriter, "write_eof", gone)

    async def body() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head_of(reader)
            writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            await reader.read(1000)
            writer.close()

        async with routed(store, serve, waits=Waits(idle_s=20)) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(
                b"GET /cable HTTP/1.1\r\nHost: demo.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            await head_of(reader)
            writer.close()
            await until(lambda: house.lines)
            assert "at=info" in house.lines[0] and "status=101" in house.lines[0]

    run(body())


def test_a_head_request_has_no_body_and_keeps_its_length(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")) as house:
            answer = await house.ask("HEAD / HTTP/1.1\nHost: demo.localhost\nConnection: close\n\n")
            assert answer.endswith("\r\n\r\n") and "Content-Length: 99" in answer
            house.change(maintenance=True)
            answer = await house.ask("HEAD / HTTP/1.1\nHost: demo.localhost\n\n")
            assert answer.startswith("HTTP/1.1 503") and answer.endswith("\r\n\r\n")

    run(body())


def answered(house: House, answer: str, status: int, code: str) -> None:
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert re.search(f'at=[a-z]+ code={code} desc="[A-Z].*" method=', house.lines[-1]), house.lines
    assert f" status={status} " in house.lines[-1]


def test_an_app_that_cannot_answer_says_why_in_herokus_codes(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO)) as house:
            house.change(maintenance=True)
            answer = await house.get()
            answered(house, answer, 503, "H80")
            assert "Offline for maintenance" in answer
            house.change(maintenance=False)
            assert "hello" in await house.get()
            house.scale(0)
            answered(house, await house.get(), 503, "H14")
            house.scale(1)
            house.dynos[0].state = DynoState.CRASHED
            answered(house, await house.get(), 503, "H10")
            assert "dyno= connect= service= status=503 bytes= protocol=http" in house.lines[-1]
            house.dynos[0].state = DynoState.STARTING
            answered(house, await house.get(), 503, "H20")
            with store.transaction() as session:
                session.query(Release).one().slug = None
            answered(house, await house.get(), 502, "H81")

    run(body())


def test_a_request_waits_for_a_dyno_that_starts(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO), waits=Waits(boot_s=20)) as house:
            house.dynos[0].state = DynoState.STARTING
            asking = asyncio.create_task(house.get())
            await asyncio.sleep(0.1)
            assert not asking.done()
            house.dynos[0].state = DynoState.UP
            assert "hello" in await asking

    run(body())


@pytest.mark.parametrize(
    ("serve", "code"),
    [
        (hang, "H12"),
        (answering(b""), "H13"),
        (answering(b"HTTP/1.1 200 O"), "H13"),
        (answering(b"What?\r\n\r\n" * 3), "H17"),
    ],
    ids=["silence", "closed", "closed within the head", "no HTTP"],
)
def test_a_dyno_that_does_not_answer_is_told_apart(store: Store, serve: Serve, code: str) -> None:
    async def body() -> None:
        async with routed(store, serve) as house:
            answered(house, await house.get(), 503, code)
            assert "dyno=web.1 connect=" in house.lines[-1] and "Application error" in await house.get()

    run(body())


def test_an_answer_that_breaks_off_breaks_off_for_the_client(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as house:
            assert (await house.get()).endswith("\r\n\r\nhalf")
            assert "code=H18" in house.lines[0] and "bytes=4" in house.lines[0]

    run(body())


def test_a_stream_that_falls_silent_ends_as_h15(store: Store) -> None:
    async def body() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            await hang(reader, writer)

        async with routed(store, serve) as house:
            assert (await house.get()).endswith("\r\n\r\nhalf")
            assert "code=H15" in house.lines[0]

    run(body())


def test_a_client_that_leaves_frees_the_dyno(store: Store) -> None:
    async def body() -> None:
        asked, freed = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head_of(reader)
            asked.set()
            await reader.read(-1)
            freed.set()
            writer.close()

        async with routed(store, serve, waits=Waits()) as house:
            _, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
            await asked.wait()
            writer.close()
            await freed.wait()
            await until(lambda: house.lines)
            assert "code=H27" in house.lines[0] and "status=499" in house.lines[0]

    run(body())


def test_a_dyno_that_refuses_is_passed_over(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO)) as house:
            with_nobody = await asyncio.start_server(hang, "127.0.0.1", 0)
            house.add(with_nobody.sockets[0].getsockname()[1])
            with_nobody.close()
            await with_nobody.wait_closed()
            answers = [await house.get() for _ in range(20)]
            assert all("hello" in answer for answer in answers)
            house.dynos.pop(0)
            answered(house, await house.get(), 503, "H21")

    run(body())


def test_requests_are_spread_over_dynos(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO), answering(HELLO), answering(HELLO)) as house:
            for _ in range(60):
                await house.get()
            assert {re.findall(r"dyno=(\S+)", line)[0] for line in house.lines} == {"web.1", "web.2", "web.3"}

    run(body())


def test_an_answer_before_the_end_of_an_upload_reaches_the_client(store: Store) -> None:
    async def body() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head_of(reader)
            writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
            await hang(reader, writer)

        async with routed(store, serve) as house:
            head = f"POST / HTTP/1.1\nHost: demo.localhost\nContent-Length: {MEGABYTE // 2}\n\n"
            answer = await house.ask(head, b"x" * (MEGABYTE // 2))
            assert answer.startswith("HTTP/1.1 413") and answer.endswith("no\n")

    run(body())


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET http://demo.localhost/ HTTP/1.1\nHost: demo.localhost\n\n", 400),
        ("GET / HTTP/1.1\nHost: demo.localhost\nContent-Length: 1\nTransfer-Encoding: gzip\n\n", 501),
        ("GET / HTTP/1.1\nHost: demo.localhost\nContent-Length: 1\nContent-Length: 2\n\n", 400),
        ("GET / HTTP/1.1\nHost: demo.localhost\nBad header\n\n", 400),
        ("GET / HTTP/1.1\nHost: demo.localhost\nX: " + "y" * 200_000 + "\n\n", 431),
        ("CONNECT demo.localhost:80 HTTP/1.1\nHost: demo.localhost\n\n", 400),
        ("GET / HTTP/1.1\nHost: other.localhost\n\n", 404),
    ],
    ids=["proxy", "coding", "two lengths", "no header", "huge", "connect", "unknown app"],
)
def test_what_the_router_does_not_take_never_reaches_a_dyno(store: Store, request_text: str, status: int) -> None:
    async def body() -> None:
        seen: list[str] = []
        async with routed(store, answering(HELLO, seen)) as house:
            answer = await house.ask(request_text)
            assert answer.startswith(f"HTTP/1.1 {status} "), answer
            assert seen == []

    run(body())


def test_a_kept_connection_does_not_lead_to_the_api(store: Store) -> None:
    async def body() -> None:
        async with routed(store, answering(HELLO)) as house:
            answer = await house.ask(
                "GET / HTTP/1.1\nHost: demo.localhost\n\nGET /account HTTP/1.1\nHost: localhost\n\n"
            )
            assert "HTTP/1.1 200 Fine" in answer and "HTTP/1.1 421 " in answer

    run(body())


@pytest.mark.parametrize(
    ("head", "host"),
    [
        (b"GET / HTTP/1.1\r\nHo", None),
        (b"GET / HTTP/1.1\r\nHOST:  Demo.Localhost:5080 \r\n\r\n", "demo.localhost"),
        (b"GET / HTTP/1.1\r\nX-Host: a\r\nHost: [::1]:80\r\n\r\n", "::1"),
        (b"GET / HTTP/1.0\r\n\r\nHost: demo.localhost\r\n\r\n", ""),
        (b"x" * 70_000, ""),
    ],
    ids=["incomplete", "any case", "address", "in the body", "endless"],
)
def test_the_first_host_decides(head: bytes, host: str | None) -> None:
    assert first_host(head) == host
