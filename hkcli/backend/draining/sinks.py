"""Where frames are sent: a syslog server over TCP or TLS, or an HTTP endpoint that takes Logplex's frames."""

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import h11

from hkcli.backend.draining.frames import Frame
from hkcli.backend.router.wire import Wire

SEND_S = 10.0
MESSAGE_BYTES = 64 * 1024
DEFAULT_PORTS = {"syslog": 514, "syslog+tls": 6514, "http": 80, "https": 443}


class Refused(Exception):
    """The sink will not have this frame, now or later."""


class Unwilling(OSError):
    """The sink cannot take the frame now."""


class Sink(Protocol):
    async def send(self, frame: Frame) -> None:
        """Raises OSError or TimeoutError when it may be tried again, Refused when not."""
        ...

    def close(self) -> None: ...


def sink(url: str, token: str, trust: ssl.SSLContext) -> Sink:
    """For an address whose scheme is one of DEFAULT_PORTS."""
    parts = urlsplit(url)
    is_tls = parts.scheme in ("syslog+tls", "https")
    address = Address(parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], trust if is_tls else None)
    return HTTPSink(address, parts, token) if parts.scheme.startswith("http") else SyslogSink(address)


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    tls: ssl.SSLContext | None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls)


class SyslogSink:
    """A server that acknowledges nothing: what it has not read when it goes away may be lost."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, frame: Frame) -> None:
        async with asyncio.timeout(SEND_S):
            if self._streams is None or self._streams[0].at_eof():
                self.close()
                self._streams = await self._address.connect()
                self._streams[1].transport.set_write_buffer_limits(high=0)
            self._streams[1].write(frame.body)
            await self._streams[1].drain()

    def close(self) -> None:
        if self._streams:
            self._streams[1].transport.abort()
        self._streams = None


class HTTPSink:
    """A POST for each frame, on one connection as long as the server keeps it."""

    def __init__(self, address: Address, url: SplitResult, token: str) -> None:
        self._address = address
        self._wire: Wire | None = None
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        default = url.port is None or url.port == DEFAULT_PORTS[url.scheme]
        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
        self._headers = [
            ("Host", host if default else f"{host}:{url.port}"),
            ("Content-Type", "application/logplex-1"),
            ("Logplex-Drain-Token", token),
            ("User-Agent", "Logplex/v73"),
        ]
        if url.username is not None:
            words = f"{unquote(url.username)}:{unquote(url.password or '')}"
            self._headers.append(("Authorization", f"Basic {base64.b64encode(words.encode()).decode()}"))

    async def send(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                status = await self._post(frame)
        except h11.ProtocolError as error:
            raise Unwilling(f"no HTTP answer: {error}") from error
        if status == 429 or status >= 500:
            raise Unwilling(f"HTTP status {status}")
        if not 200 <= status < 300:
            raise Refused(f"HTTP status {status}")

    async def _post(self, frame: Frame) -> int:
        if self._wire is None or self._wire.reader.at_eof():
            self.close()
            self._wire = Wire(h11.CLIENT, *await self._address.connect())
        headers = [
            *self._headers,
            ("Content-Length", str(len(frame.body))),
            ("Logplex-Msg-Count", str(frame.messages)),
            ("Logplex-Frame-Id", frame.id),
        ]
        request = h11.Request(method="POST", target=self._target, headers=headers)
        await self._wire.send(request, h11.Data(data=frame.body), h11.EndOfMessage())
        return await self._answer(self._wire)

    async def _answer(self, wire: Wire) -> int:
        response = await wire.receive()
        while isinstance(response, h11.InformationalResponse):
            response = await wire.receive()
        if not isinstance(response, h11.Response):
            raise Unwilling("the connection was closed without an answer")
        while isinstance(await wire.receive(), h11.Data):
            continue
        if wire.state.our_state is wire.state.their_state is h11.DONE:
            wire.state.start_next_cycle()
        else:
            self.close()
        return response.status_code

    def close(self) -> None:
        if self._wire:
            with contextlib.suppress(OSError):
                self._wire.abort()
        self._wire = None
