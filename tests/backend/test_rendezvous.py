import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hkcli.backend import rendezvous as module
from hkcli.backend.authority import Authority
from hkcli.backend.rendezvous import EXIT_MARK, Greeting, Rendezvous, ends_in_exit_marker, records
from tests.backend.runtime import run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Rendezvous, Authority]]:
    authority = Authority(folder)
    rendezvous = Rendezvous(authority.ssl_context())
    await rendezvous.start()
    try:
        yield rendezvous, authority
    finally:
        await rendezvous.close()


async def connect(rendezvous: Rendezvous, authority: Authority) -> Streams:
    context = ssl.create_default_context(cadata=authority.ca_pem)
    return await asyncio.open_connection("127.0.0.1", rendezvous.port, ssl=context)


def test_a_url_holds_a_secret_nobody_guesses_and_each_is_another(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, _):
            urls = {rendezvous.open().url for _ in range(50)}
            assert len(urls) == 50
            assert all(url.startswith(f"rendezvous://127.0.0.1:{rendezvous.port}/") for url in urls)
            assert {len(url.rpartition("/")[2]) for url in urls} == {43}

    run(body())


@pytest.mark.parametrize("wrong", [b"x" * 43, b"short\r\n", b"\r\n", b"y" * 5000, b"\x04"], ids=len)
def test_a_wrong_secret_gets_nothing_but_the_end(tmp_path: Path, wrong: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECRET_WAIT_S", 0.5)

    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            reader, writer = await connect(rendezvous, authority)
            writer.write(wrong)
            assert await ended(reader) == b""
            writer.close()
            assert rendezvous.tickets == {ticket}

    run(body())


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes before the end, orderly or not."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_a_client_that_says_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECRET_WAIT_S", 0.3)

    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            reader, writer = await connect(rendezvous, authority)
            assert await ended(reader) == b""
            writer.close()

    run(body())


def test_a_secret_may_come_in_pieces_and_serves_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            first, writer = await connect(rendezvous, authority)
            for byte in ticket.secret.encode():
                writer.write(bytes([byte]))
                await writer.drain()
            connection = await ticket.attached(within_s=60)
            assert await first.read(100) == b"rendezvous\r\n"
            second, other = await connect(rendezvous, authority)
            other.write(ticket.secret.encode())
            assert await ended(second) == b""
            await connection.close()
            assert await first.read() == b""
            writer.close()
            other.close()

    run(body())


def test_a_ticket_nobody_used_in_time_is_worth_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            with pytest.raises(TimeoutError):
                await ticket.attached(within_s=0.01)
            reader, writer = await connect(rendezvous, authority)
            writer.write(ticket.secret.encode())
            assert await ended(reader) == b""
            writer.close()

    run(body())


def test_output_is_held_back_until_the_greeting_was_read_alone(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            reader, writer = await connect(rendezvous, authority)
            writer.write(ticket.secret.encode() + b"\r\n")
            connection = await ticket.attached(within_s=60)
            begun = time.monotonic()
            assert await connection.send(b"output")
            assert time.monotonic() - begun > module.HOLD_S / 2
            await connection.close()
            assert await reader.read() == b"rendezvous\r\noutput"
            writer.close()

    run(body())


def test_a_client_that_reads_the_greeting_right_is_not_kept_waiting(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open(hold_s=0)
            reader, writer = await connect(rendezvous, authority)
            writer.write(ticket.secret.encode() + b"\r\n")
            connection = await ticket.attached(within_s=60)
            assert connection._hold_s == 0
            assert await connection.send(b"output")
            await connection.close()
            assert await reader.read() == b"rendezvous\r\noutput"
            writer.close()

    run(body())


def test_all_output_arrives_though_the_client_still_sends(tmp_path: Path) -> None:
    """A close with unread input would reset the connection and take output with it."""

    async def flood(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"y\n" * 8192)
                await writer.drain()
        except OSError:
            pass

    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            reader, writer = await connect(rendezvous, authority)
            writer.write(ticket.secret.encode() + b"\r\n")
            connection = await ticket.attached(within_s=60)
            flooding = asyncio.create_task(flood(writer))
            await asyncio.sleep(0.2)
            output = b"x" * 300_000 + b"END"
            assert await connection.send(output)
            closing = asyncio.create_task(connection.close())
            received = await reader.read()
            assert received == b"rendezvous\r\n" + output
            flooding.cancel()
            writer.close()
            await asyncio.wait([closing, flooding])

    run(body())


def test_a_slow_client_holds_the_sender_back(tmp_path: Path) -> None:
    async def body() -> None:
        async with serving(tmp_path) as (rendezvous, authority):
            ticket = rendezvous.open()
            reader, writer = await connect(rendezvous, authority)
            writer.write(ticket.secret.encode() + b"\r\n")
            connection = await ticket.attached(within_s=60)
            sending = asyncio.create_task(connection.send(b"x" * 20_000_000))
            done, _ = await asyncio.wait([sending], timeout=0.5)
            assert not done
            assert len(await reader.readexactly(12 + 20_000_000)) == 12 + 20_000_000
            assert await sending
            writer.close()
            assert await connection.read() == b""
            await connection.close()

    run(body())


@pytest.mark.parametrize(
    ("pieces", "stdin"),
    [
        ([b"SECRET\r\n", b"tea"], b"tea"),
        ([b"SECRET\n", b"tea"], b"tea"),
        ([b"SECRET", b"tea"], b"tea"),
        ([b"SECRET", b"\r\n", b"tea"], b"tea"),
        ([b"SECRET\r", b"\ntea"], b"tea"),
        ([b"SEC", b"RET\r\ntea"], b"tea"),
        ([b"SECRET\r\n\x04"], b"\x04"),
        ([b"SECRET\r\n", b"\n", b"tea"], b"\ntea"),
        ([b"SECRET\r\n\r\n"], b"\r\n"),
    ],
)
def test_one_line_end_after_the_secret_is_no_input(pieces: list[bytes], stdin: bytes) -> None:
    greeting = Greeting(length=6)
    secret = None
    received = b""
    for piece in pieces:
        if secret is None:
            secret = greeting.feed(piece)
            piece = greeting.take_early() if secret else b""
        received += greeting.without_line_end(piece) if piece else b""
    assert secret == b"SECRET" and received == stdin


def test_records_are_small_end_with_lines_and_keep_the_exit_marker_whole() -> None:
    marker = EXIT_MARK + b" heroku-command-exit-status: 0\n"
    for length in range(16_300, 16_450):
        output = b"x" * length + marker
        pieces = records(output)
        assert b"".join(pieces) == output and all(len(piece) <= 16_384 for piece in pieces)
        assert any(marker in piece for piece in pieces)
    lines = b"a line of text\n" * 5000
    assert all(piece.endswith(b"\n") for piece in records(lines)) and b"".join(records(lines)) == lines


@pytest.mark.parametrize(
    ("output", "waits"),
    [
        (b"text", False),
        (b"text\xef", True),
        (b"text\xef\xbf", True),
        (EXIT_MARK, True),
        (EXIT_MARK + b" heroku-command-exit", True),
        (EXIT_MARK + b" heroku-command-exit-status: 0\n", False),
        (b"", False),
    ],
)
def test_an_unfinished_exit_marker_is_recognised(output: bytes, waits: bool) -> None:
    assert ends_in_exit_marker(output) is waits
