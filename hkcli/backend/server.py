"""The backend's life: start up, serve, shut down."""

import asyncio
import getpass
import logging
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import certifi
import uvicorn
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from hkcli import __version__
from hkcli.backend import accounts, builds, desired, guard, links, release_phase, routes, stack
from hkcli.backend.addons.postgresql_server import Databases, PostgresError, PostgresServer
from hkcli.backend.authority import Authority
from hkcli.backend.builds import Builds
from hkcli.backend.draining.delivery import Drain, Draining
from hkcli.backend.dynos import DynoSpec
from hkcli.backend.either import EitherServer
from hkcli.backend.endpoint import json_response, refuse
from hkcli.backend.engines import members
from hkcli.backend.engines.local import LocalEngine
from hkcli.backend.errors import NotFound, NotImplementedHere, PlatformError
from hkcli.backend.faults import Faults
from hkcli.backend.guard import Guard, OnPurpose
from hkcli.backend.home import Home, write_private
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.logplex import Logplex
from hkcli.backend.one_offs import Patience
from hkcli.backend.platform import Platform, Seal
from hkcli.backend.provisioning import Provisioning
from hkcli.backend.rate_limits import RateLimits
from hkcli.backend.release_phase import ReleasePhases
from hkcli.backend.rendezvous import Rendezvous
from hkcli.backend.repositories import Repositories
from hkcli.backend.router.exchange import Routing
from hkcli.backend.router.front import Front
from hkcli.backend.router.sites import Sites
from hkcli.backend.schemas import Urls, timestamp
from hkcli.backend.sources import Sources
from hkcli.backend.store import LogDrain, Store
from hkcli.backend.supervisor import Supervisor
from hkcli.backend.work import Works

log = logging.getLogger(__name__)

DEFAULT_PORT = 5080
PORTS_TRIED = 20
CLOSE_STREAMS_S = 2


class PortInUse(Exception):
    """The port that was asked for is taken."""


@dataclass(frozen=True)
class Settings:
    """How a backend is started. `port` None means the default one, or the next that is free; 0 any."""

    home: Home
    host: str = "127.0.0.1"
    port: int | None = None
    store_url: str | None = None
    stop_grace_s: float = 30
    rate_limit: int | None = None
    """Requests an hour and account; None for no limit."""
    postgres_url: str | None = None
    """Of a superuser on a PostgreSQL server; None: one is started from the machine's own binaries at need."""


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket. Raises PortInUse."""
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED) if port is None else (port,)
    for candidate in candidates:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            reason = error
            continue
        return listener
    raise PortInUse(f"{host}:{candidates[0]} cannot be listened on ({os.strerror(reason.errno or 0)}).")


def ensure_owner(store: Store, home: Home) -> None:
    """The first user, whose credentials are in the data directory for the programs of whoever owns it."""
    with store.transaction() as session:
        if home.credentials.exists():
            return
        email, password = f"{getpass.getuser()}@localhost", secrets.token_urlsafe(12)
        user = accounts.create_user(session, email, password)
        _, token = accounts.authorize(session, user, "hkcli on this machine")
        write_private(home.credentials, {"email": email, "password": password, "token": token})


def web_app(platform: Platform, hosts: frozenset[str]) -> Starlette:
    app = Starlette(
        routes=routes.every(),
        exception_handlers={PlatformError: refuse, 404: nothing_here, 405: nothing_here, Exception: went_wrong},
    )
    app.state.platform = platform
    app.add_middleware(OnPurpose, faults=platform.faults)
    app.add_middleware(Guard, hosts=hosts)
    return app


async def nothing_here(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    if title := links.title(request.method, request.url.path):
        return await refuse(request, NotImplementedHere(f"This backend does not serve {title} ({what}).", link=title))
    return await refuse(request, NotFound(f"The requested API endpoint was not found: {what}", "endpoint"))


async def went_wrong(request: Request, error: Exception) -> Response:
    return json_response({"id": "internal_server_error", "message": "Internal server error."}, 500)


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


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one does not wait for dynos to end. Raises HomeInUse, PortInUse."""
    home = settings.home
    async with AsyncExitStack() as life:
        home.lock()
        listener = listen(settings.host, settings.port)
        life.callback(listener.close)
        store = Store(settings.store_url or f"sqlite:///{home.store}")
        life.callback(store.close)
        ensure_owner(store, home)
        builds.fail_interrupted(store)
        home.sweep(**store.known())
        await run(settings, store, listener)


async def run(settings: Settings, store: Store, listener: socket.socket) -> None:
    home = settings.home
    port = listener.getsockname()[1]
    api = f"http://localhost:{port}" if guard.is_loopback(settings.host) else f"http://{settings.host}:{port}"
    urls = Urls(api, home.secret())
    logplex = Logplex(home.logs)
    engine = LocalEngine(
        home.dynos, home.engine_id(), path=os.environ.get("PATH", os.defpath), stack_bin=stack.install(home.stack)
    )
    authority = Authority(home.authority)
    write_private(authority.ca_path.with_name("bundle.pem"), trusted(authority.ca_pem))
    tls = authority.ssl_context()
    rendezvous = Rendezvous(tls, host=settings.host)
    await rendezvous.start()

    def wanted() -> list[DynoSpec]:
        with store.transaction() as session:
            return list(desired.desired(session, home))

    patience = Patience(stop_s=settings.stop_grace_s)
    supervisor = Supervisor(engine, logplex, rendezvous, wanted, patience=patience)
    outputs = LiveOutputs()
    phases = ReleasePhases(home, store, supervisor, outputs)

    def log_drains() -> list[Drain]:
        with store.transaction() as session:
            return [Drain(each.id, each.app_id, each.url, each.token) for each in session.scalars(select(LogDrain))]

    trust = ssl.create_default_context(cafile=str(authority.ca_path.with_name("bundle.pem")))
    draining = Draining(logplex, home.drains, log_drains, trust)

    def wake() -> None:
        supervisor.wake()
        phases.wake()
        draining.wake()
        provisioning.wake()

    postgres = PostgresServer.at(home.root, home.engine_id(), settings.postgres_url)
    provisioning = Provisioning(store, home.addons, {"heroku-postgresql": Databases(postgres, home.engine_id())})
    works = phases.works = provisioning.works = Works(store, logplex, wake)
    release_phase.fail_interrupted(works)
    draining.wake()
    await resume(provisioning, postgres, home)
    repositories = Repositories(home.repositories)
    repositories.install_hooks()
    platform = Platform(
        home=home,
        store=store,
        works=works,
        logplex=logplex,
        supervisor=supervisor,
        repositories=repositories,
        builds=Builds(home, works, repositories, urls, outputs, phases),
        sources=Sources(home.sources),
        outputs=outputs,
        provisioning=provisioning,
        urls=urls,
        seal=Seal(home.secret()),
        ca_pem=authority.ca_pem,
        rate_limits=RateLimits(settings.rate_limit),
        faults=Faults(),
    )
    routing = Routing(Sites(store, supervisor.dynos), logplex, port)
    config = uvicorn.Config(
        web_app(platform, frozenset({settings.host})),
        http=cast(type[asyncio.Protocol], partial(Front, routing)),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSE_STREAMS_S,
    )
    server = Server(config, tls)
    reconciling = asyncio.create_task(supervisor.run())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    interrupt_on_signals(server, home.engine_id())
    try:
        await server.ready.wait()
        announce(home, urls, port)
        await asyncio.wait({serving, reconciling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        home.state.unlink(missing_ok=True)
        server.should_exit = True
        await serving
        await platform.builds.close()
        await supervisor.shutdown()
        await phases.close()
        await provisioning.close()
        await postgres.stop()
        await asyncio.gather(reconciling, return_exceptions=True)
        await rendezvous.close()
        await draining.close()
        logplex.close()
    if not reconciling.cancelled() and (failure := reconciling.exception()):
        raise failure


async def resume(provisioning: Provisioning, postgres: PostgresServer, home: Home) -> None:
    """Databases that apps were given are there before any dyno asks for them."""
    if any(home.addons.iterdir()):
        try:
            await postgres.url()
        except PostgresError as error:
            log.error("event=postgresql_unavailable reason=%s", error)
    provisioning.wake()


def trusted(ca_pem: str) -> bytes:
    """Whom clients may trust that take one file: the machine's own authorities, and ours."""
    system = ssl.get_default_verify_paths().cafile
    authorities = Path(system or certifi.where()).read_bytes()
    return authorities.rstrip() + b"\n" + ca_pem.encode()


def announce(home: Home, urls: Urls, port: int) -> None:
    """Tell other processes how to reach us; the file is there while we can be reached."""
    write_private(
        home.state,
        {
            "pid": os.getpid(),
            "version": __version__,
            "api_url": urls.api,
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
