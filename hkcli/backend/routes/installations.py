"""Buildpacks that an app is to be built with."""

from hkcli.backend import installations, schemas
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.store import Installation


def document(record: Installation) -> schemas.JSON:
    return {"ordinal": record.ordinal, "buildpack": {"name": record.buildpack, "url": record.buildpack}}


def every(call: Call) -> Answer:
    return [document(each) for each in installations.of_app(call.session, call.app())]


def replace(call: Call) -> Answer:
    wanted = [each.get("buildpack") or "" for each in call.items("updates")]
    return [document(each) for each in installations.replace(call.work, call.app(), wanted)]


ROUTES = [
    route("GET", "/apps/{app}/buildpack-installations", every),
    route("PUT", "/apps/{app}/buildpack-installations", replace),
]
