"""The platform, put together from its parts; each is closed in the reverse order."""

import asyncio
import logging
import os
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import certifi
from sqlalchemy import select

from hkcli.backend import desired, features, partners, release_phase, stack
from hkcli.backend.addons import dj, postgresql
from hkcli.backend.addons.partner_api import ANSWER_S, PartnerAPI
from hkcli.backend.addons.partner_resources import PartnerResources
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies
from hkcli.backend.addons.postgresql_databases import Databases
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.answers import Answers
from hkcli.backend.authority import Authority
from hkcli.backend.browser_logins import BrowserLogins
from hkcli.backend.builds import Builds
from hkcli.backend.dashboard.links import Links
from hkcli.backend.dashboard.watch import Watches
from hkcli.backend.draining.delivery import Drain, Draining
from hkcli.backend.dynos import DynoSpec
from hkcli.backend.ending import Ending
from hkcli.backend.engines import usage
from hkcli.backend.engines.hosts import Hosts
from hkcli.backend.engines.local import LocalEngine
from hkcli.backend.faults import Faults
from hkcli.backend.handover import Handover
from hkcli.backend.home import Home, write_private
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.logplex import Logplex
from hkcli.backend.metering import METERING_S, Metering
from hkcli.backend.one_offs import Patience
from hkcli.backend.orphans import Orphans
from hkcli.backend.platform import Platform
from hkcli.backend.provisioning import Maker, Provisioning
from hkcli.backend.rate_limits import RateLimits
from hkcli.backend.release_phase import ReleasePhases
from hkcli.backend.rendezvous import Rendezvous
from hkcli.backend.repositories import Repositories
from hkcli.backend.schemas import Urls
from hkcli.backend.sources import Sources
from hkcli.backend.store import LogDrain, Store
from hkcli.backend.supervisor import Supervisor
from hkcli.backend.tickets import Seal
from hkcli.backend.work import Works

log = logging.getLogger(__name__)


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
    """Of a superuser on a PostgreSQL server; None: the one of last time, or one of the machine's own binaries."""
    durable: bool = True
    """Whether that server of our own is to keep what it holds through a power cut."""
    partner_answer_s: float = ANSWER_S
    """How long the service of a third party's add-on may take for an answer."""
    metering_s: float = METERING_S
    """Between two looks at what dynos use of the machine."""


@dataclass(frozen=True)
class Assembly:
    """A platform that runs."""

    platform: Platform
    reconciling: "asyncio.Task[None]"
    """Ends only with the supervisor; its failure is the platform's."""


@dataclass(frozen=True)
class Site:
    """What stays when one state takes another's place: where we are reached, who vouches for us."""

    api_url: str
    authority: Authority
    trust: ssl.SSLContext
    """Whom we trust where we are a client ourselves."""
    handover: Handover
    postgres: PostgresServer
    copies: Copies


@dataclass(frozen=True)
class Runtime:
    """What runs dynos and carries their logs."""

    logplex: Logplex
    draining: Draining
    hosts: Hosts
    engine: LocalEngine
    supervisor: Supervisor


async def assemble(settings: Settings, store: Store, site: Site, life: AsyncExitStack) -> Assembly:
    """Make the parts and have them run; `life` ends them. Dynos of an earlier run are gone when this returns."""
    home, seal, outputs, ending = settings.home, Seal(settings.home.seal_key()), LiveOutputs(), Ending()
    runtime = await runtime_of(settings, store, site, life)
    supervisor, logplex = runtime.supervisor, runtime.logplex
    phases = ReleasePhases(home, store, supervisor, outputs)
    databases = Databases(site.postgres, home.engine_id())

    def maker(service: str) -> Maker | None:
        return {dj.SERVICE.name: None, postgresql.SERVICE.name: databases}.get(service, resources)

    provisioning = Provisioning(store, home.addons, maker)

    def wake() -> None:
        for part in (supervisor, phases, runtime.draining, provisioning):
            part.wake()

    works = phases.works = provisioning.works = Works(store, logplex, wake)
    partner_api = PartnerAPI(site.trust, settings.partner_answer_s)
    resources = PartnerResources(store, home.addons, partner_api, seal, site.api_url, works)
    partners.load(store)
    runtime.draining.wake()
    release_phase.fail_interrupted(works)
    repositories, urls = Repositories(home.repositories), Urls(site.api_url, home.secret())
    repositories.install_hooks()
    builds = Builds(home, works, repositories, urls, outputs, phases, ending)
    reconciling = await begin(settings, store, runtime, provisioning, site.postgres, life)
    for close in (phases.close, supervisor.shutdown, builds.close):
        life.push_async_callback(close)
    platform = Platform(
        home=home,
        copies=site.copies,
        store=store,
        answers=Answers(store),
        works=works,
        logplex=logplex,
        supervisor=supervisor,
        repositories=repositories,
        builds=builds,
        sources=Sources(home.sources),
        outputs=outputs,
        provisioning=provisioning,
        partners=resources,
        urls=urls,
        seal=seal,
        links=Links(seal, "dashboard-link"),
        partner_links=Links(seal, "partner-link"),
        watches=Watches(store, supervisor.dynos, logplex, runtime.hosts.is_living),
        ca_pem=site.authority.ca_pem,
        rate_limits=RateLimits(settings.rate_limit),
        faults=Faults(),
        handover=site.handover,
        ending=ending,
        browser_logins=BrowserLogins(),
    )
    return Assembly(platform, reconciling)


async def runtime_of(settings: Settings, store: Store, site: Site, life: AsyncExitStack) -> Runtime:
    home = settings.home
    logplex = Logplex(home.logs)
    life.callback(logplex.close)
    draining = Draining(logplex, home.drains, lambda: log_drains(store), site.trust)
    life.push_async_callback(draining.close)
    rendezvous = Rendezvous(site.authority.ssl_context(), host=settings.host)
    await rendezvous.start()
    life.push_async_callback(rendezvous.close)
    path, hosts = os.environ.get("PATH", os.defpath), Hosts(home.hosts)
    engine = LocalEngine(home.dynos, home.engine_id(), hosts, path=path, stack_bin=stack.install(home.stack))
    patience = Patience(stop_s=settings.stop_grace_s)
    supervisor = Supervisor(engine, logplex, rendezvous, lambda: wanted(store, home), patience=patience)
    return Runtime(logplex, draining, hosts, engine, supervisor)


async def begin(
    settings: Settings,
    store: Store,
    runtime: Runtime,
    provisioning: Provisioning,
    postgres: PostgresServer,
    life: AsyncExitStack,
) -> "asyncio.Task[None]":
    """Have dynos and add-ons run, once those of an earlier run are gone. The task ends only with the supervisor."""
    home, supervisor = settings.home, runtime.supervisor
    await runtime.engine.reap_strays()
    await resume(provisioning, postgres, home)
    orphans = Orphans(store, runtime.hosts, runtime.logplex)
    life.push_async_callback(orphans.close)
    life.push_async_callback(provisioning.close)
    orphans.start()
    measure = partial(usage.of_dynos, home.engine_id())
    metering = Metering(
        supervisor.running, measure, lambda: reporting(store), runtime.logplex, every_s=settings.metering_s
    )
    life.push_async_callback(metering.close)
    metering.start()
    reconciling = asyncio.create_task(supervisor.run())
    life.push_async_callback(finish, reconciling)
    return reconciling


def wanted(store: Store, home: Home) -> list[DynoSpec]:
    with store.transaction() as session:
        return list(desired.desired(session, home))


def reporting(store: Store) -> set[str]:
    """The ids of the apps whose dynos' figures are logged."""
    with store.transaction() as session:
        return features.apps_with(session, features.RUNTIME_METRICS)


def log_drains(store: Store) -> list[Drain]:
    with store.transaction() as session:
        return [Drain(each.id, each.app_id, each.url, each.token) for each in session.scalars(select(LogDrain))]


async def finish(task: "asyncio.Task[None]") -> None:
    await asyncio.gather(task, return_exceptions=True)


async def resume(provisioning: Provisioning, postgres: PostgresServer, home: Home) -> None:
    """Databases that apps were given are there before any dyno asks for them."""
    if any(home.addons.glob(f"{postgresql.SERVICE.name}.*")):
        try:
            await postgres.url()
        except PostgresError as error:
            log.error("event=postgresql_unavailable reason=%s", error)
    provisioning.resume()


def trust_of(authority: Authority) -> ssl.SSLContext:
    """The machine's own authorities, and ours; also a file, for clients that take one."""
    system = ssl.get_default_verify_paths().cafile
    authorities = Path(system or certifi.where()).read_bytes()
    bundle = authority.ca_path.with_name("bundle.pem")
    write_private(bundle, authorities.rstrip() + b"\n" + authority.ca_pem.encode())
    return ssl.create_default_context(cafile=str(bundle))
