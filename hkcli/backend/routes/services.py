"""The marketplace's shelves: add-on services and their plans."""

from hkcli.backend import catalog, providers, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import InvalidParams, NotFound


def every(call: Call) -> Answer:
    return Collection([schemas.service(each) for each in providers.services()])


def info(call: Call) -> Answer:
    return schemas.service(providers.service(call.path("service")))


def plans(call: Call) -> Answer:
    service = providers.service(call.path("service"))
    return Collection([schemas.plan(each, service) for each in service.plans])


def plan_of_service(call: Call) -> Answer:
    service = providers.service(call.path("service"))
    wanted = call.path("plan")
    for each in service.plans:
        if wanted in (each.name, each.name.partition(":")[2], catalog.fixed_id("plan", each.name)):
            return schemas.plan(each, service)
    raise NotFound("Couldn't find that plan.", "plan")


def plan(call: Call) -> Answer:
    try:
        service, found = providers.plan(call.path("plan"))
    except InvalidParams as error:
        raise NotFound(error.message, "plan") from None
    return schemas.plan(found, service)


ROUTES = [
    route("GET", "/addon-services", every),
    route("GET", "/addon-services/{service}", info),
    route("GET", "/addon-services/{service}/plans", plans),
    route("GET", "/addon-services/{service}/plans/{plan}", plan_of_service),
    route("GET", "/plans/{plan}", plan),
]
