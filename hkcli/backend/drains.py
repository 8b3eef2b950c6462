"""Log drains: where an app's log is sent besides."""

from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend.errors import Forbidden, InvalidParams, NotFound
from hkcli.backend.store import Addon, App, LogDrain, PartnerResource
from hkcli.backend.work import Work

SCHEMES = ("syslog", "syslog+tls", "http", "https")
MAX_DRAINS = 30


def of_app(session: Session, app: App) -> list[LogDrain]:
    return list(session.scalars(select(LogDrain).where(LogDrain.app_id == app.id)))


def find(session: Session, app: App, identity: str) -> LogDrain:
    """A drain by id, token or URL. Raises NotFound."""
    for each in of_app(session, app):
        if identity in (each.id, each.token, each.url):
            return each
    raise NotFound("Couldn't find that drain.", "drain")


def add(work: Work, app: App, url: str) -> LogDrain:
    """Raises InvalidParams for an address that nothing can be sent to, and for one that is there already."""
    check_url(url)
    existing = of_app(work.session, app)
    if url in {each.url for each in existing}:
        raise InvalidParams("Url has already been taken")
    if len(existing) >= MAX_DRAINS:
        raise InvalidParams(f"{app.name} has {MAX_DRAINS} drains already, which is the most an app can have.")
    drain = LogDrain(app_id=app.id, url=url)
    work.session.add(drain)
    work.session.flush()
    work.say(app, "Add drain")
    work.reconcile()
    return drain


def check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        has_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_address = False
    if not has_address or parts.scheme not in SCHEMES or not url.isprintable():
        raise InvalidParams(f"Url {url!r} is invalid: it must be SCHEME://HOST[:PORT], SCHEME {', '.join(SCHEMES)}.")


def addon_of(session: Session, drain: LogDrain) -> Addon | None:
    """The add-on that the drain came with."""
    query = select(PartnerResource).where(PartnerResource.log_drain_id == drain.id)
    resource = session.scalars(query).one_or_none()
    return session.get(Addon, resource.id) if resource else None


def remove(work: Work, app: App, drain: LogDrain) -> None:
    """Raises Forbidden for one that came with an add-on."""
    if addon := addon_of(work.session, drain):
        raise Forbidden(f"That drain belongs to {addon.name}, and goes with it: heroku addons:remove {addon.name}")
    work.session.delete(drain)
    work.say(app, "Remove drain")
    work.reconcile()
