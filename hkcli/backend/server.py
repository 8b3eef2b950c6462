"""The backend's life: start up, serve, shut down."""

import asyncio
import getpass
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import uvicorn

from hkcli import __version__
from hkcli.backend import accounts, builds, hosts
from hkcli.backend.application import application
from hkcli.backend.assembly import Assembly, Settings, assemble
from hkcli.backend.either import EitherServer
from hkcli.backend.engines import members
from hkcli.backend.errors import Unauthorized
from hkcli.backend.home import Home, write_private
from hkcli.backend.listening import listen
from hkcli.backend.router.exchange import Routing
from hkcli.backend.router.front import Front
from hkcli.backend.router.sites import Sites
from hkcli.backend.schemas import timestamp
from hkcli.backend.store import Store

CLOSE_STREAMS_S = 2


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one does not wait for dynos to end.

    Raises HomeInUse, CannotListen, StoreError.
    """
    home = settings.home
    async with AsyncExitStack() as life:
        home.lock()
        listeners = listen(settings.host, settings.port)
        for listener in listeners:
            life.callback(listener.close)
        store = Store(settings.store_url or f"sqlite:///{home.store}")
        life.callback(store.close)
        home.belongs_to(store.identity())
        ensure_owner(store, home)
        builds.fail_interrupted(store)
        home.sweep(**store.known())
        port = listeners[0].getsockname()[1]
        host = "localhost" if hosts.is_loopback(settings.host) else settings.host
        api_url = f"http://{host}:{port}"
        assembly = await assemble(settings, store, api_url, life)
        await answer(settings, assembly, listeners, port)


async def answer(settings: Settings, assembly: Assembly, listeners: list[socket.socket], port: int) -> None:
    """Answer requests until a signal, or until the platform fails, which is raised."""
    platform, home = assembly.platform, settings.home
    routing = Routing(Sites(platform.store, platform.supervisor.dynos), platform.logplex, port)
    config = uvicorn.Config(
        application(platform, frozenset({settings.host})),
        http=cast(type[asyncio.Protocol], partial(Front, routing)),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSE_STREAMS_S,
    )
    server = Server(config, assembly.tls)
    interrupt_on_signals(server, home.engine_id())
    serving = asyncio.create_task(server.serve(sockets=listeners))
    try:
        await server.ready.wait()
        announce(home, platform.urls.api, port)
        await asyncio.wait({serving, assembly.reconciling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        home.state.unlink(missing_ok=True)
        server.should_exit = True
        await serving
    if assembly.reconciling.done():
        assembly.reconciling.result()


def ensure_owner(store: Store, home: Home) -> None:
    """The first user, whose credentials are in the data directory for the programs of whoever owns it.

    The file is written first, so a crash can only leave credentials that the store does not know; they are replaced.
    """
    with store.transaction() as session:
        try:
            accounts.find_authorization(session, home.owner_token())
        except Unauthorized:
            email, password = f"{getpass.getuser()}@localhost", secrets.token_urlsafe(12)
            user = accounts.restore_user(session, email, password)
            _, token = accounts.authorize(session, user, "hkcli on this machine")
            write_private(home.credentials, {"email": email, "password": password, "token": token})


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, with TLS on the same port, and with an event when it is ready."""

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self.servers = [EitherServer(each, self._protocol, self._tls) for each in sockets or []]  # type: ignore[misc]
        self.ready.set()

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(config=self.config, server_state=self.server_state, app_state={})
        return protocol

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def announce(home: Home, api_url: str, port: int) -> None:
    """Tell other processes how to reach us; the file is there while we can be reached."""
    write_private(
        home.state,
        {
            "pid": os.getpid(),
            "version": __version__,
            "api_url": api_url,
            "port": port,
            "home": str(home.root),
            "started_at": timestamp(datetime.now(UTC)),
        },
    )


def interrupt_on_signals(server: Server, engine_id: str) -> None:
    """The first SIGTERM or SIGINT ends in order; the second cuts it short, with no dyno left all the same."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.should_exit:
            members.end_engine(engine_id, grace_s=0)
            os._exit(1)
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
