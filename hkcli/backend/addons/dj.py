"""Delayed Job: the app's workers, kept up at the number that the plan says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hkcli.backend.addons.provider import Gone, Plan, Provisioned, Service, Unreachable
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


def give_back(gone: Gone) -> list[str]:
    """Unlock the jobs that the dyno's workers did not come to finish: the gem itself would wait four hours.

    Of an app without the add-on only its `worker` dynos are looked after.
    """
    address = gone.config.get("DATABASE_URL")
    if not address or (gone.process_type not in holds(SERVICE.plans[0].name) and not WORKERS.keys() & {*gone.plans}):
        return []
    from hkcli.dj.status import DatabaseError, free_jobs_of_host

    try:
        freed = free_jobs_of_host(address, gone.config, gone.host, datetime.now(UTC), gone.crashed)
    except DatabaseError as error:
        raise Unreachable(str(error)) from error
    return [f"Released {count} jobs of {worker}, which is gone" for worker, count in sorted(freed.items())]
