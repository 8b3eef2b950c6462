"""Host names that lead to an app."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.store import App, Domain
from hkcli.backend.work import Work

HOSTNAME = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
OURS = (".localhost", ".herokuapp.com")


def of_app(session: Session, app: App) -> list[Domain]:
    return list(session.scalars(select(Domain).where(Domain.app_id == app.id)))


def find(session: Session, app: App, identity: str) -> Domain:
    """A domain by host name or id. Raises NotFound."""
    for each in of_app(session, app):
        if identity.lower() in (each.id, each.hostname):
            return each
    raise NotFound("Couldn't find that domain name.", "domain")


def add(work: Work, app: App, hostname: str) -> Domain:
    """Raises InvalidParams for a bad name and for one that leads elsewhere already."""
    name = hostname.lower().rstrip(".")
    if not HOSTNAME.fullmatch(name) or name.endswith(OURS):
        raise InvalidParams(f"Domain name {hostname!r} is not allowed: use one of your own, such as www.example.com.")
    if taken := work.session.scalars(select(Domain).where(Domain.hostname == name)).one_or_none():
        whose = "this app" if taken.app_id == app.id else "another app"
        raise InvalidParams(f"{name} is currently in use by {whose}.")
    domain = Domain(app_id=app.id, hostname=name)
    work.session.add(domain)
    work.session.flush()
    work.say(app, f"Add {name} domain")
    return domain


def remove(work: Work, app: App, domain: Domain) -> None:
    work.session.delete(domain)
    work.say(app, f"Remove {domain.hostname} domain")
