"""Where a client and its one-off dyno meet: a TLS server that joins a socket to a process (PROTOCOL 3.9)."""

import asyncio
import re
import secrets
import ssl
from dataclasses import dataclass, field

from hkcli.backend.tls_stream import TLSStream

GREETING = b"rendezvous\r\n"
HOLD_S = 0.1
"""Between the greeting and the first output: the official CLI drops whatever comes with the greeting. Our own client
does not, and is not kept waiting."""
SECRET_BYTES = 32
SECRET_LENGTH = len(secrets.token_urlsafe(SECRET_BYTES))
SECRET_WAIT_S = 10.0
EXIT_MARK = "\uffff".encode()
"""Begins the line in which the remote shell tells its exit status."""
EXIT_MARKER = re.compile(EXIT_MARK + rb" heroku-command-exit-status: (\d{1,3})\r?\n")
MARKER_BYTES = 64
RECORD_BYTES = 16 * 1024
"""One TLS record. The official CLI finds the exit marker only if it is not cut by the end of one."""
CLOSE_S = 5.0


class ReportedStatus:
    """The status that an exit marker in the output tells: the shell which prints that ends well itself, always."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._rest = b""

    def see(self, output: bytes) -> None:
        seen = self._rest + output
        if found := EXIT_MARKER.findall(seen):
            self.status = int(found[-1])
        self._rest = seen[-MARKER_BYTES:]


class Connection:
    """An attached client: raw bytes both ways."""

    def __init__(self, stream: TLSStream, greeting: "Greeting", hold_s: float = HOLD_S) -> None:
        self._stream = stream
        self._greeting = greeting
        self._hold_s = hold_s
        self._greeted_at = 0.0
        self.closed = asyncio.Event()

    async def greet(self) -> None:
        await self._stream.write(GREETING)
        self._greeted_at = asyncio.get_running_loop().time()

    async def read(self) -> bytes:
        """What the client sent; empty when it is gone."""
        while data := self._greeting.take_early() or await self._stream.read():
            if data := self._greeting.without_line_end(data):
                return data
        return b""

    async def send(self, output: bytes) -> bool:
        """Write it, in records that end with a line where they can, as fast as the client takes it; False if gone."""
        rest = self._greeted_at + self._hold_s - asyncio.get_running_loop().time()
        await asyncio.sleep(max(rest, 0))
        for record in records(output):
            if not await self._stream.write(record):
                return False
        return True

    async def close(self) -> None:
        """In order: everything sent, close_notify, then the socket. Never longer than CLOSE_S."""
        await self._stream.close(within_s=CLOSE_S)
        self.closed.set()


@dataclass
class Greeting:
    """The client's first bytes: a secret of known length, then perhaps, now or later, one line end."""

    length: int
    received: bytes = b""
    _line_end_due: bool = True
    _early: bytes = b""

    def feed(self, data: bytes) -> bytes | None:
        """The secret, once it is there; what a client sends that ends its line too early is a secret as well."""
        self.received += data
        line, newline, _ = self.received.partition(b"\n")
        if len(self.received) < self.length and not newline:
            return None
        secret = line.rstrip(b"\r")[: self.length] if len(line) < self.length else self.received[: self.length]
        self._early = self.received[self.length :]
        return secret

    def take_early(self) -> bytes:
        early, self._early = self._early, b""
        return early

    def without_line_end(self, data: bytes) -> bytes:
        """`data` less the line end that belongs to the secret; the two bytes of it may come apart."""
        if not self._line_end_due:
            return data
        if data == b"\r":
            return b""
        self._line_end_due = False
        return data.removeprefix(b"\r\n") if data.startswith(b"\r\n") else data.removeprefix(b"\n")


@dataclass(eq=False)
class Ticket:
    """The right of one client to attach, once."""

    secret: str
    url: str
    hold_s: float
    _rendezvous: "Rendezvous"
    _connection: "asyncio.Future[Connection]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def attached(self, *, within_s: float) -> Connection:
        """The client, greeted. Raises TimeoutError; the ticket is worth nothing after that."""
        try:
            async with asyncio.timeout(within_s):
                return await self._connection
        finally:
            self.cancel()

    def hand_over(self, connection: Connection) -> bool:
        """Give the client to who waits for it; False if nobody does any more."""
        if self._connection.done():
            return False
        self._connection.set_result(connection)
        return True

    def cancel(self) -> None:
        self._rendezvous.tickets.discard(self)


class Rendezvous:
    def __init__(self, context: ssl.SSLContext, *, host: str = "127.0.0.1", port: int = 0, public_host: str = ""):
        """`public_host` is the name in attach URLs; it must be one of the certificate's."""
        self.tickets: set[Ticket] = set()
        self.port = port
        self._context = context
        self._host = host
        self._public_host = public_host or host
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: TLSStream(self._context, self._accept), self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end those who have not attached; who has is ended by its dyno."""
        if self._server:
            self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def open(self, *, hold_s: float = HOLD_S) -> Ticket:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        host = f"[{self._public_host}]" if ":" in self._public_host else self._public_host
        ticket = Ticket(secret, f"rendezvous://{host}:{self.port}/{secret}", hold_s, self)
        self.tickets.add(ticket)
        return ticket

    def _accept(self, stream: TLSStream) -> None:
        client = asyncio.get_running_loop().create_task(self._serve(stream))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, stream: TLSStream) -> None:
        """As long as the client is connected."""
        try:
            if connection := await self._admit(stream):
                await connection.closed.wait()
        finally:
            await stream.close(within_s=0)

    async def _admit(self, stream: TLSStream) -> Connection | None:
        """Let a client in that has a ticket's secret; how long it may take to say so is bounded, and how much."""
        greeting = Greeting(SECRET_LENGTH)
        try:
            async with asyncio.timeout(SECRET_WAIT_S):
                secret = None
                while secret is None and (data := await stream.read()):
                    secret = greeting.feed(data)
        except TimeoutError:
            return None
        ticket = self._redeem(secret) if secret else None
        if not ticket:
            return None
        connection = Connection(stream, greeting, ticket.hold_s)
        await connection.greet()
        return connection if ticket.hand_over(connection) else None

    def _redeem(self, secret: bytes) -> Ticket | None:
        for ticket in self.tickets:
            if secrets.compare_digest(ticket.secret.encode(), secret):
                self.tickets.discard(ticket)
                return ticket
        return None


def records(output: bytes) -> list[bytes]:
    """`output` in pieces of at most RECORD_BYTES, cut before an exit marker, else behind a newline if there is one."""
    head, mark, tail = output.rpartition(EXIT_MARK)
    return [*cut_at_lines(head), *cut_at_lines(mark + tail)]


def cut_at_lines(output: bytes) -> list[bytes]:
    pieces = []
    while len(output) > RECORD_BYTES:
        cut = output.rfind(b"\n", 0, RECORD_BYTES) + 1 or RECORD_BYTES
        pieces.append(output[:cut])
        output = output[cut:]
    return [*pieces, output] if output else pieces


def ends_in_exit_marker(output: bytes) -> bool:
    """Whether the last line is, or may become, an exit marker that is not all there."""
    last_line = output[output.rfind(b"\n") + 1 :]
    return EXIT_MARK in last_line or last_line.endswith((EXIT_MARK[:1], EXIT_MARK[:2]))
