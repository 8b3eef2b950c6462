"""The catalogue of providers: every service and plan that can be had here."""

import difflib
from collections.abc import Iterable

from hkcli.backend import catalog
from hkcli.backend.addons import dj, postgresql
from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.addons.partner import Partner
from hkcli.backend.addons.provider import Plan, Provider, Service
from hkcli.backend.errors import InvalidParams, NotFound

OWN: dict[str, Provider] = {each.SERVICE.name: each for each in (dj, postgresql)}
PARTNERS: dict[str, Partner] = {}
"""Third parties', as the store has them: `partners` keeps this equal to it."""


def every() -> dict[str, Provider]:
    return OWN | dict(PARTNERS)


def provider(service: str) -> Provider:
    return every()[service]


def manifest(service: str) -> Manifest | None:
    """A third party's; None for what the backend makes itself."""
    found = PARTNERS.get(service)
    return found.manifest if found else None


def services() -> list[Service]:
    return [each.SERVICE for each in every().values()]


def service(identity: str) -> Service:
    """A service by name or id. Raises NotFound."""
    for each in services():
        if identity in (each.name, catalog.fixed_id("service", each.name)):
            return each
    raise NotFound(f"Couldn't find that add-on service ({identity}).{_nearest(identity, every())}", "addon_service")


def plan(identity: str) -> tuple[Service, Plan]:
    """A plan by name (`dj:single`), id, or its service's name for the default one. Raises InvalidParams."""
    for each in services():
        for candidate in each.plans:
            default = identity == each.name and candidate.default
            if default or identity in (candidate.name, catalog.fixed_id("plan", candidate.name)):
                return each, candidate
    known = [each.name for each in services()] + [candidate.name for each in services() for candidate in each.plans]
    raise InvalidParams(
        f'Couldn\'t find either the add-on service or the add-on plan of "{identity}".{_nearest(identity, known)}'
    )


def _nearest(word: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(nearest)}?" if nearest else ""
