"""One request through the router: from its head to its line in the log."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

import h11

from hkcli.backend.dynos import Dyno
from hkcli.backend.errors import Restarting
from hkcli.backend.router import faults, heads
from hkcli.backend.router.faults import Code, Fault
from hkcli.backend.router.record import Record
from hkcli.backend.router.sites import Site, Sites, choose
from hkcli.backend.router.wire import BUFFER_BYTES, Wire
from hkcli.backend.work import Log

log = logging.getLogger(__name__)

BOOT_POLL_S = 0.05
LOOPBACKS = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Waits:
    """How long the router waits for what, in seconds; Heroku's."""

    boot_s: float = 75.0
    connect_s: float = 5.0
    first_byte_s: float = 30.0
    idle_s: float = 55.0
    """After the first byte, between any two in either direction."""
    keep_alive_s: float = 90.0


@dataclass(frozen=True)
class Routing:
    """What all exchanges share."""

    sites: Sites
    log: Log
    port: int
    waits: Waits = Waits()


class Exchange:
    """`on_gone` is given what is to be called, or None, when the client goes away."""

    def __init__(
        self,
        routing: Routing,
        client: Wire,
        request: h11.Request,
        *,
        peer: str,
        scheme: str,
        on_gone: Callable[[Callable[[], object] | None], None],
    ) -> None:
        self._routing, self._waits = routing, routing.waits
        self._client, self._request = client, request
        self._scheme, self._on_gone = scheme, on_gone
        self._is_gone = False
        self._begun = False
        self._alarm: asyncio.Timeout | None = None
        self._record = Record(
            method=request.method.decode("ascii", "replace"),
            path=request.target.decode("ascii", "replace"),
            host=heads.host_of(request),
            request_id=heads.request_id(request),
            fwd=heads.forwarded_for(request, peer),
        )

    async def run(self, host: str) -> None:
        """Raises Restarting, before anything was done, when another state takes the platform's place."""
        site = self._routing.sites.find(host)
        if site is None:
            await answer_page(self._client, 404, faults.nothing_here(host), self._request.method)
            return
        code = None
        try:
            with self._ended_with_client():
                await self._route(site, host)
        except Fault as fault:
            code = fault.code
        except Restarting:
            raise
        except Exception:
            log.exception("host=%s event=routing_failed", host)
            code = Code.H99
        if code is not None:
            await self._tell(code, site)
        self._routing.log.write(site.app_id, "heroku", "router", self._record.line(code))

    @contextlib.contextmanager
    def _ended_with_client(self) -> Iterator[None]:
        """The block ends at once, as H27, when the client goes away."""
        task = asyncio.current_task()
        assert task is not None

        def leave() -> None:
            self._is_gone = True
            task.cancel()

        self._on_gone(leave)
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_gone or task.uncancel():
                raise
            raise Fault(Code.H27) from None
        finally:
            self._on_gone(None)

    async def _route(self, site: Site, host: str) -> None:
        dynos = await self._ready(site, host)
        begun = time.monotonic()
        dyno, wire = await self._connect(dynos)
        self._record.dyno = dyno.spec.name
        connected = time.monotonic()
        self._record.connect_ms = elapsed_ms(begun, connected)
        self._record.sent_bytes = 0
        try:
            await self._relay(wire)
        finally:
            self._record.service_ms = elapsed_ms(connected, time.monotonic())
            wire.writer.close()

    async def _ready(self, site: Site, host: str) -> list[Dyno]:
        """Dynos that are up; waits while they start, as a request does on Heroku."""
        deadline = time.monotonic() + self._waits.boot_s
        while not (dynos := choose(site, self._routing.sites.web_dynos(site))):
            if time.monotonic() >= deadline:
                raise Fault(Code.H20)
            await asyncio.sleep(BOOT_POLL_S)
            found = self._routing.sites.find(host)
            if found is None:
                raise Fault(Code.H14)
            site = found
        return dynos

    async def _connect(self, dynos: list[Dyno]) -> tuple[Dyno, Wire]:
        """To any of the dynos, or to another when that one refuses."""
        for dyno in random.sample(dynos, len(dynos)):
            for address in LOOPBACKS:
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(self._waits.connect_s):
                        reader, writer = await asyncio.open_connection(address, dyno.port, limit=BUFFER_BYTES)
                    return dyno, Wire(h11.CLIENT, reader, writer)
        raise Fault(Code.H21)

    async def _relay(self, dyno: Wire) -> None:
        forwarded = heads.for_dyno(
            self._request,
            fwd=self._record.fwd,
            scheme=self._scheme,
            identity=self._record.request_id,
            port=self._routing.port,
            now_ms=time.time_ns() // 1_000_000,
        )
        sending = None
        try:
            async with asyncio.timeout(self._waits.first_byte_s) as self._alarm:
                sending = await self._send_request(dyno, forwarded)
                await self._answer(dyno, sending)
        except TimeoutError:
            raise Fault(Code.H15 if self._begun else Code.H12) from None
        except h11.RemoteProtocolError:
            raise Fault(self._blame(dyno, sending)) from None
        except ConnectionError:
            raise Fault(Code.H27 if self._client.writer.is_closing() else self._blame(dyno, sending)) from None
        finally:
            if sending:
                sending.cancel()
                await asyncio.wait([sending])

    def _blame(self, dyno: Wire, sending: "asyncio.Task[None] | None") -> Code:
        """Whose fault it is that the answer broke off."""
        if sending and sending.done() and not sending.cancelled() and sending.exception():
            return Code.H27
        if self._begun:
            return Code.H18
        return Code.H17 if dyno.received_bytes and not dyno.reader.at_eof() else Code.H13

    async def _send_request(self, dyno: Wire, forwarded: h11.Request) -> "asyncio.Task[None] | None":
        """Send the head, and the body from a task if there is one: an answer may come before its end."""
        try:
            if heads.has_body(self._request):
                await dyno.send(forwarded)
                return asyncio.create_task(self._upload(dyno))
            await self._client.receive()
            await dyno.send(forwarded, h11.EndOfMessage())
        except ConnectionError:
            raise Fault(Code.H13) from None
        return None

    async def _upload(self, dyno: Wire) -> None:
        try:
            while not isinstance(event := await self._client.receive(), h11.EndOfMessage):
                assert isinstance(event, h11.Data)
                await self._pass_to(dyno, event)
            await self._pass_to(dyno, h11.EndOfMessage())
        except h11.RemoteProtocolError:
            dyno.abort()
            raise

    async def _pass_to(self, dyno: Wire, event: h11.Event) -> None:
        """A dyno that stops reading may still answer: what it does not want is thrown away."""
        self._progress()
        with contextlib.suppress(ConnectionError):
            await dyno.send(event)

    async def _answer(self, dyno: Wire, sending: "asyncio.Task[None] | None") -> None:
        event = await dyno.receive()
        while isinstance(event, h11.InformationalResponse):
            if event.status_code == 101:
                await self._tunnel(dyno, event)
                return
            if event.status_code != 100 and self._request.http_version == b"1.1":
                await self._client.send(
                    h11.InformationalResponse(status_code=event.status_code, headers=heads.for_client(event))
                )
            event = await dyno.receive()
        if not isinstance(event, h11.Response):
            raise Fault(Code.H13)
        self._begun = True
        self._record.status = event.status_code
        self._progress()
        await self._client.send(
            h11.Response(status_code=event.status_code, headers=heads.for_client(event), reason=event.reason)
        )
        while isinstance(event := await dyno.receive(), h11.Data):
            self._record.sent_bytes = (self._record.sent_bytes or 0) + len(event.data)
            self._progress()
            await self._client.send(h11.Data(data=event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise Fault(Code.H18)
        await self._client.send(h11.EndOfMessage())

    async def _tunnel(self, dyno: Wire, switched: h11.InformationalResponse) -> None:
        """After 101 both sides say what they like until one has said all: WebSockets, or any other protocol."""
        self._begun, self._record.status = True, 101
        self._on_gone(None)
        await self._client.send(h11.InformationalResponse(status_code=101, headers=heads.for_client(switched)))
        ways = [
            asyncio.create_task(self._pour(self._client, dyno)),
            asyncio.create_task(self._pour(dyno, self._client)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async def _pour(self, source: Wire, target: Wire) -> None:
        """All that comes, and then its end; a target without half-closed connections (TLS) is closed whole."""
        data = source.trailing()
        with contextlib.suppress(OSError):
            while data or (data := await source.reader.read(BUFFER_BYTES)):
                if target is self._client:
                    self._record.sent_bytes = (self._record.sent_bytes or 0) + len(data)
                self._progress()
                target.writer.write(data)
                await target.writer.drain()
                data = b""
            if target.writer.can_write_eof():
                target.writer.write_eof()
            else:
                target.writer.close()

    def _progress(self) -> None:
        """Something moved: the wait begins anew."""
        if self._alarm and not self._alarm.expired():
            wait_s = self._waits.idle_s if self._begun else self._waits.first_byte_s
            self._alarm.reschedule(asyncio.get_running_loop().time() + wait_s)

    async def _tell(self, code: Code, site: Site) -> None:
        self._record.status = code.value.status
        if self._begun or code is Code.H27:
            self._client.abort()
        else:
            with contextlib.suppress(ConnectionError):
                page = faults.error_page(code, site.name, site.config)
                await answer_page(self._client, code.value.status, page, self._request.method)


def elapsed_ms(since: float, until: float) -> int:
    return round((until - since) * 1000)


async def answer_page(client: Wire, status: int, page: bytes, method: bytes = b"GET") -> None:
    """An answer of the router's own; the connection ends with it."""
    headers = [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Content-Length", str(len(page)).encode()),
        (b"Cache-Control", b"no-cache, no-store"),
        (b"Connection", b"close"),
        (b"Via", heads.VIA),
    ]
    response = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
    body = [] if method == b"HEAD" else [h11.Data(data=page)]
    await client.send(response, *body, h11.EndOfMessage())
