"""The first look at a connection: the Host of its first request decides whether the API or the router serves it.

Both refuse a request for the other's hosts that comes later on the same connection."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

from hkcli.backend.doorway import Doorway
from hkcli.backend.hosts import host_name
from hkcli.backend.router.connection import RouterConnection
from hkcli.backend.router.exchange import Routing
from hkcli.backend.router.wire import HEAD_BYTES

HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)


def first_host(head: bytes) -> str | None:
    """The host that a request's head names, "" for none; None while it has not all come."""
    end = head.find(b"\r\n\r\n")
    if end < 0 and len(head) < HEAD_BYTES:
        return None
    found = HOST.search(head, 0, end if end >= 0 else len(head))
    return host_name(found[1].strip().decode("ascii", "replace")) if found else ""


class Front(asyncio.Protocol):
    """Reads until the host is known, then hands the transport, and what was read, to who serves it."""

    def __init__(
        self,
        doorway: Doorway,
        *,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._doorway, self._state = doorway, server_state
        self._connections: set[Any] = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._api = partial(
            cast(Callable[..., asyncio.Protocol], AutoHTTPProtocol),
            config=config,
            server_state=server_state,
            app_state=app_state,
            _loop=_loop,
        )
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._is_known = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Uvicorn calls this when it ends: nothing has been asked yet."""
        if self._transport:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._head += data
        host = first_host(self._head)
        if host is None or self._transport is None or self._is_known:
            return
        self._is_known = True
        if not self._doorway.when_open(lambda routing: self._hand_over(host, routing)):
            self._transport.pause_reading()

    def _hand_over(self, host: str, routing: Routing) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._connections.discard(self)
        protocol = self._router() if routing.sites.is_site(host) else self._api()
        transport.resume_reading()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._head)
        self._head = b""

    def _router(self) -> RouterConnection:
        def own(task: "asyncio.Task[None]") -> None:
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)

        def ended(connection: RouterConnection) -> None:
            self._connections.discard(connection)

        connection = RouterConnection(self._doorway, self._loop, own=own, on_end=ended)
        self._connections.add(connection)
        return connection
