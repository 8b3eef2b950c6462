"""Which app a host name belongs to, and what the router must know of it at this moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import releases
from hkcli.backend.dynos import Dyno, DynoState
from hkcli.backend.hosts import is_loopback
from hkcli.backend.router.faults import Code, Fault
from hkcli.backend.store import App, Domain, Formation, Store

APPS_DOMAIN = ".localhost"
KNOWN_LIMIT = 10_000


@dataclass(frozen=True)
class Site:
    app_id: str
    name: str
    maintenance: bool
    is_deployed: bool
    web_quantity: int
    config: dict[str, str]


Dynos = Callable[[str], Iterable[Dyno]]
"""What runs of an app, by its id."""


class Sites:
    """Looks sites up by host; what the store said stays valid until the store's next commit."""

    def __init__(self, store: Store, dynos: Dynos) -> None:
        self._store = store
        self._dynos = dynos
        self._known: dict[str, Site | None] = {}
        self._as_of = -1

    def is_site(self, host: str) -> bool:
        """Whether a request for this host is the router's, never the API's."""
        return host.endswith(APPS_DOMAIN) or (not is_loopback(host) and self.find(host) is not None)

    def find(self, host: str) -> Site | None:
        """Raises Restarting when what the store said is true no more."""
        self._store.check_open()
        if self._as_of != self._store.changes or len(self._known) > KNOWN_LIMIT:
            self._known.clear()
        if host not in self._known:
            with self._store.transaction() as session:
                self._known[host] = look_up(session, host)
            self._as_of = self._store.changes
        return self._known[host]

    def web_dynos(self, site: Site) -> list[Dyno]:
        return [dyno for dyno in self._dynos(site.app_id) if dyno.spec.type == "web"]


def look_up(session: Session, host: str) -> Site | None:
    app = app_at(session, host)
    if app is None:
        return None
    release = releases.current(session, app)
    quantity = session.scalars(
        select(Formation.quantity).where(Formation.app_id == app.id, Formation.type == "web")
    ).one_or_none()
    return Site(
        app_id=app.id,
        name=app.name,
        maintenance=app.maintenance,
        is_deployed=release is not None and release.slug is not None,
        web_quantity=quantity or 0,
        config=dict(app.config),
    )


def app_at(session: Session, host: str) -> App | None:
    """The app of this name, or with this domain: its own, or a wildcard's."""
    if host.endswith(APPS_DOMAIN):
        return session.scalars(select(App).where(App.name == host.removesuffix(APPS_DOMAIN))).one_or_none()
    names = (host, "*." + host.partition(".")[2])
    found = session.scalars(select(Domain).where(Domain.hostname.in_(names))).all()
    own = sorted(found, key=lambda domain: domain.hostname == host)
    return session.get(App, own[-1].app_id) if own else None


def choose(site: Site, dynos: Iterable[Dyno]) -> list[Dyno]:
    """The dynos that may answer now; empty while they start. Raises Fault when nothing can."""
    if site.maintenance:
        raise Fault(Code.H80)
    if not site.is_deployed:
        raise Fault(Code.H81)
    if not site.web_quantity:
        raise Fault(Code.H14)
    web = list(dynos)
    if web and all(dyno.state is DynoState.CRASHED for dyno in web):
        raise Fault(Code.H10)
    return [dyno for dyno in web if dyno.state is DynoState.UP and dyno.port is not None]
