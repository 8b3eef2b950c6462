"""Heroku Postgres: a database and a role of its own on a real PostgreSQL server."""

from collections.abc import Mapping
from typing import Any

from hkcli.backend.addons.provider import Gone, Plan, Provisioned, Service
from hkcli.backend.errors import InvalidParams
from hkcli.backend.store import App

SERVICE = Service(
    name="heroku-postgresql",
    human_name="Heroku Postgres",
    attachment="DATABASE",
    plans=(
        Plan("heroku-postgresql:essential-0", "Essential 0", "A PostgreSQL database", default=True),
        Plan("heroku-postgresql:essential-1", "Essential 1", "A PostgreSQL database"),
        Plan("heroku-postgresql:essential-2", "Essential 2", "A PostgreSQL database"),
        Plan("heroku-postgresql:standard-0", "Standard 0", "A PostgreSQL database"),
    ),
    several=True,
)


def provision(app: App, plan: str, options: Mapping[str, Any]) -> Provisioned:
    if options:
        raise InvalidParams(f"heroku-postgresql takes no options here; got {', '.join(sorted(options))}.")
    return Provisioned(message="Database is being created. To wait for it: heroku addons:wait", is_ready=False)


def holds(plan: str) -> dict[str, int]:
    return {}


def give_back(gone: Gone) -> list[str]:
    """Nothing: the server itself sees a connection end."""
    return []
