"""The backend's life: start up, serve, shut down."""

import asyncio
import gc
import getpass
import logging
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import uvicorn

from hkcli import __version__
from hkcli.backend import accounts, builds, ending, hosts, restoring, snapshots
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_server import PostgresServer, whole
from hkcli.backend.application import application
from hkcli.backend.assembly import Assembly, Settings, Site, assemble, trust_of
from hkcli.backend.authority import Authority
from hkcli.backend.clearing import of_home
from hkcli.backend.client_environment import client_environment
from hkcli.backend.doorway import Doorway
from hkcli.backend.either import EitherServer
from hkcli.backend.engines import members
from hkcli.backend.errors import Unauthorized
from hkcli.backend.handover import Handover
from hkcli.backend.home import Home, write_private
from hkcli.backend.listening import listen
from hkcli.backend.one_offs import finish, first_of
from hkcli.backend.router.exchange import Routing
from hkcli.backend.router.front import Front
from hkcli.backend.router.sites import Sites
from hkcli.backend.schemas import timestamp
from hkcli.backend.store import Store

log = logging.getLogger(__name__)

CLOSE_STREAMS_S = 2
DISCARDED_GRACE_S = 0.5
"""Between SIGTERM and SIGKILL for the dynos of a state that is given up: what they would still write is, too."""


async def serve(settings: Settings, *, announced: Callable[[dict[str, Any]], object] = lambda state: None) -> None:
    """Run until SIGTERM or SIGINT; a second one does not wait for dynos to end.

    `announced` is given the state (`announce`) when there are answers.

    Raises HomeInUse, CannotListen, StoreError, PostgresError.
    """
    home = settings.home
    gc.freeze()  # a full collection stops every request: 20 ms while it looks through what was imported, 0 without
    async with AsyncExitStack() as stack:
        home.lock()
        postgres, copies = of_home(home, settings.postgres_url, durable=settings.durable)
        stack.push_async_callback(postgres.stop)
        await restoring.resume(home, copies)
        if settings.postgres_url:
            await take(postgres, home)
        listeners = listen(settings.host, settings.port, home.last_port())
        for listener in listeners:
            stack.callback(listener.close)
        port = listeners[0].getsockname()[1]
        home.keep_port(port)
        host = "localhost" if hosts.is_loopback(settings.host) else settings.host
        authority = Authority(home.authority)
        site = Site(f"http://{host}:{port}", authority, trust_of(authority), Handover(), postgres, copies)
        reception = Reception(listeners, site, home, announced)
        stack.push_async_callback(reception.close)
        while await live(settings, site, reception, port):
            await restoring.settle(home, copies)


async def take(postgres: PostgresServer, home: Home) -> None:
    """Have this server for later starts too: one that was given, if it answers; else when it does."""
    if not postgres.is_given:
        home.keep_postgres_url(None)
        return
    try:
        await postgres.url()
    except PostgresError as error:
        log.warning("event=postgresql_not_reached kept=false reason=%s", error)


async def live(settings: Settings, site: Site, reception: "Reception", port: int) -> bool:
    """Be the platform of the state that is in the data directory; whether another state is to take its place.

    Raises what the platform fails with."""
    async with AsyncExitStack() as life:
        assembly = await begin(settings, site, life)
        platform, wants_another = assembly.platform, False
        routing = Routing(Sites(platform.store, platform.supervisor.dynos), platform.logplex, port)
        reception.doorway.open(application(platform, frozenset({settings.host})), routing)
        try:
            serving = await reception.begin()
            discarding = asyncio.create_task(discard(settings.home, site))
            life.push_async_callback(finish, discarding, within_s=0)
            site.handover.conclude()
            wanted = asyncio.create_task(site.handover.wanted.wait())
            await first_of(serving, assembly.reconciling, wanted, reception.ending.wait())
            wants_another = wanted.done()
            await finish(wanted, within_s=0)
        finally:
            reception.doorway.close()
            platform.ending.begin(ending.REPLACED if wants_another else ending.STOPPED)
            await platform.builds.close()
            platform.outputs.end_streams()
            platform.browser_logins.close()
            await platform.watches.close()
            platform.logplex.end_streams()
            if not wants_another:
                await reception.close()
        if assembly.reconciling.done():
            assembly.reconciling.result()
        if wants_another:
            platform.supervisor.hasten(DISCARDED_GRACE_S)
        return wants_another


async def discard(home: Home, site: Site) -> None:
    """Remove what is of no use any more: what a restored state has replaced, and what was left half made."""
    await whole(asyncio.to_thread(restoring.discard, home))
    while True:
        async with site.handover.lock:
            if not await snapshots.drop_copies(home, site.copies, at_most=1):
                return


async def begin(settings: Settings, site: Site, life: AsyncExitStack) -> Assembly:
    """The platform of what is in the data directory. Raises StoreError, ForeignStore."""
    home = settings.home
    store = Store(settings.store_url or f"sqlite:///{home.store}")
    life.callback(store.close)
    home.belongs_to(store.identity())
    ensure_owner(store, home)
    builds.fail_interrupted(store)
    home.sweep(**store.known())
    return await assemble(settings, store, site, life)


class Reception:
    """Answers on the sockets, whichever platform is behind the doorway, from `begin` to `close`."""

    def __init__(
        self,
        listeners: list[socket.socket],
        site: Site,
        home: Home,
        announced: Callable[[dict[str, Any]], object],
    ) -> None:
        self._announced = announced
        self.doorway = Doorway()
        self._listeners, self._site, self._home = listeners, site, home
        config = uvicorn.Config(
            self.doorway,
            http=cast(type[asyncio.Protocol], partial(Front, self.doorway)),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSE_STREAMS_S,
        )
        self._server = Server(config, site.authority.ssl_context())
        self._serving: asyncio.Task[None] | None = None

    @property
    def ending(self) -> asyncio.Event:
        """It has begun to end: what streams for ever should end now, while the rest is waited for."""
        return self._server.ending

    async def begin(self) -> "asyncio.Task[None]":
        """The task that serves; begun at the first call, and announced."""
        if self._serving is None:
            interrupt_on_signals(self._server, self._home.engine_id())
            self._serving = asyncio.create_task(self._server.serve(sockets=self._listeners))
            await self._server.ready.wait()
            self._announced(announce(self._home, self._site.api_url, self._listeners[0].getsockname()[1]))
        return self._serving

    async def close(self) -> None:
        self._home.state.unlink(missing_ok=True)
        self._server.should_exit = True
        if self._serving:
            await self._serving


def ensure_owner(store: Store, home: Home) -> None:
    """The first user, whose credentials are in the data directory for the programs of whoever owns it.

    The file is written first, so a crash can only leave credentials that the store does not know; they are replaced.
    """
    owner = home.owner()
    with store.transaction() as session:
        try:
            accounts.find_authorization(session, owner["token"] if owner else "")
        except Unauthorized:
            email, password = f"{getpass.getuser()}@localhost", secrets.token_urlsafe(12)
            user = accounts.restore_user(session, email, password)
            _, token = accounts.authorize(session, user, "hkcli on this machine")
            write_private(home.credentials, {"email": email, "password": password, "token": token})


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, with TLS on the same port, and with events of its life."""

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext) -> None:
        super().__init__(config)
        self.ready, self.ending = asyncio.Event(), asyncio.Event()
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self.servers = [EitherServer(each, self._protocol, self._tls) for each in sockets or []]  # type: ignore[misc]
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.ending.set()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(config=self.config, server_state=self.server_state, app_state={})
        return protocol

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def announce(home: Home, api_url: str, port: int) -> dict[str, Any]:
    """Tell other processes how to reach us, in a file that is there while we can be reached; what it says."""
    owner = home.owner()
    state = {
        "pid": os.getpid(),
        "version": __version__,
        "api_url": api_url,
        "port": port,
        "home": str(home.root),
        "started_at": timestamp(datetime.now(UTC)),
        "environment": client_environment(home, api_url, owner["token"] if owner else ""),
    }
    write_private(home.state, state)
    return state


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
