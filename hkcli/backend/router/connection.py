"""A client's connection to the router: exchange after exchange, until either side has had enough."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import h11

from hkcli.backend.doorway import Doorway
from hkcli.backend.errors import Restarting
from hkcli.backend.hosts import host_name
from hkcli.backend.router import faults
from hkcli.backend.router.exchange import Exchange, Routing, answer_page
from hkcli.backend.router.wire import BUFFER_BYTES, Wire

log = logging.getLogger(__name__)

RESTART_POLL_S = 0.05
LINGER_S = 2.0
LINGER_BYTES = 1 << 20
"""How much more is read, and thrown away, of a request that was answered before its end: a connection closed with
bytes unread is reset, which may take the answer away from the client before it has read it."""


class RouterConnection(asyncio.StreamReaderProtocol):
    """The protocol of one client's transport. `on_end` is called with it when the transport is closed."""

    def __init__(
        self,
        doorway: Doorway,
        loop: asyncio.AbstractEventLoop,
        *,
        own: Callable[["asyncio.Task[None]"], None],
        on_end: Callable[["RouterConnection"], None],
    ) -> None:
        self._reader = asyncio.StreamReader(BUFFER_BYTES, loop)
        super().__init__(self._reader, loop=loop)
        self._doorway, self._loop_of, self._own, self._on_end = doorway, loop, own, on_end
        self._on_gone: Callable[[], object] | None = None
        self._is_idle = True
        self._closing = False
        self._writer: asyncio.StreamWriter | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._writer = asyncio.StreamWriter(transport, self, self._reader, self._loop_of)
        client = Wire(h11.SERVER, self._reader, self._writer)
        self._own(self._loop_of.create_task(self._serve(client)))

    def eof_received(self) -> bool | None:
        self._tell_gone()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell_gone()
        super().connection_lost(exc)
        self._on_end(self)

    def shutdown(self) -> None:
        """Finish the exchange that is under way, begin no other. Uvicorn calls this when it ends."""
        self._closing = True
        if self._is_idle and self._writer:
            self._writer.close()

    def _tell_gone(self) -> None:
        if self._on_gone:
            self._on_gone()

    def _watch(self, on_gone: Callable[[], object] | None) -> None:
        self._on_gone = on_gone

    async def _serve(self, client: Wire) -> None:
        try:
            while await self._exchange(client) and not self._closing:
                client.state.start_next_cycle()
            await linger(client)
        except (ConnectionError, TimeoutError):
            pass  # the client is gone, or says nothing
        except h11.LocalProtocolError:
            log.exception("event=router_broke_protocol")
        finally:
            client.writer.close()

    async def _exchange(self, client: Wire) -> bool:
        """Answer one request; whether there may be another on this connection."""
        self._is_idle = True
        try:
            async with asyncio.timeout((await self._doorway.routing()).waits.keep_alive_s):
                request = await client.receive()
        except h11.RemoteProtocolError as error:
            await self._refuse(client, error.error_status_hint)
            return False
        if not isinstance(request, h11.Request):
            return False
        self._is_idle = False
        while True:
            with contextlib.suppress(Restarting):
                await self._route(client, request, await self._doorway.routing())
                break
            await asyncio.sleep(RESTART_POLL_S)
        return client.state.our_state is client.state.their_state is h11.DONE

    async def _route(self, client: Wire, request: h11.Request, routing: Routing) -> None:
        """Raises Restarting when that routing is none any more: it is to be tried with the next."""
        host = host_name(dict(request.headers).get(b"host", b"").decode("ascii", "replace"))
        if not request.target.startswith(b"/") and request.target != b"*":
            await self._refuse(client, 400, request.method)
        elif not routing.sites.is_site(host):
            await self._refuse(client, 421, request.method)
        else:
            peer, is_tls = (client.writer.get_extra_info(each) for each in ("peername", "ssl_object"))
            scheme, address = "https" if is_tls else "http", str(peer[0]) if peer else ""
            exchange = Exchange(routing, client, request, peer=address, scheme=scheme, on_gone=self._watch)
            await exchange.run(host)

    async def _refuse(self, client: Wire, status: int, method: bytes = b"GET") -> None:
        if client.state.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await answer_page(client, status, faults.plain_page(status), method)


async def linger(client: Wire) -> None:
    """See the answer delivered, though the request was longer than what was read of it."""
    if client.writer.is_closing() or client.state.their_state is h11.SWITCHED_PROTOCOL:
        return
    left: Any = LINGER_BYTES
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_S):
            await client.writer.drain()
            client.writer.write_eof()
            while left > 0 and (data := await client.reader.read(BUFFER_BYTES)):
                left -= len(data)
