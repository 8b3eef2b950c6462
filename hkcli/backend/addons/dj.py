"""Delayed Job: the app's workers, kept up at the number that the plan says."""

from collections.abc import Mapping
from typing import Any

from hkcli.backend.addons.provider import Plan, Provisioned, Service
from hkcli.backend.errors import InvalidParams
from hkcli.backend.store import App

WORKERS = {"dj:single": 1, "dj:trio": 3, "dj:octet": 8}

SERVICE = Service(
    name="dj",
    human_name="Delayed Job",
    attachment="DJ",
    plans=(
        Plan("dj:single", "Single", "One Delayed Job worker", default=True),
        Plan("dj:trio", "Trio", "Three Delayed Job workers"),
        Plan("dj:octet", "Octet", "Eight Delayed Job workers"),
    ),
)


def provision(app: App, plan: str, options: Mapping[str, Any]) -> Provisioned:
    if options:
        raise InvalidParams(f"dj takes no options; got {', '.join(sorted(options))}.")
    workers = WORKERS[plan]
    return Provisioned(
        message=f"{'A worker starts' if workers == 1 else f'{workers} workers start'} and "
        f"{'stays' if workers == 1 else 'stay'} up until the add-on is removed."
    )


def holds(plan: str) -> dict[str, int]:
    return {"worker": WORKERS[plan]}
