"""Regions, stacks and dyno sizes."""

from hkcli.backend import catalog, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import InvalidParams, NotFound


def regions(call: Call) -> Answer:
    return Collection([schemas.region(each) for each in catalog.REGIONS])


def region(call: Call) -> Answer:
    try:
        return schemas.region(catalog.region(call.path("id")))
    except InvalidParams:
        raise NotFound("Couldn't find that region.", "region") from None


def stacks(call: Call) -> Answer:
    return Collection([schemas.stack(each) for each in catalog.STACKS])


def stack(call: Call) -> Answer:
    try:
        return schemas.stack(catalog.stack(call.path("id")))
    except InvalidParams:
        raise NotFound("Couldn't find that stack.", "stack") from None


def stacks_of_app(call: Call) -> Answer:
    call.app()
    return stacks(call)


def sizes_of_app(call: Call) -> Answer:
    call.app()
    return sizes(call)


def generations(call: Call) -> Answer:
    return [{**schemas.fixed_ref("generation", "cedar"), **schemas.FIXED_DATES}]


def generation(call: Call) -> Answer:
    cedar = schemas.fixed_ref("generation", "cedar")
    if call.path("id") not in cedar.values():
        raise NotFound("Couldn't find that generation.", "generation")
    return {**cedar, **schemas.FIXED_DATES}


def sizes(call: Call) -> Answer:
    return Collection([schemas.dyno_size(each) for each in catalog.SIZES], ("id", "name"))


def size(call: Call) -> Answer:
    try:
        return schemas.dyno_size(catalog.size(call.path("id")))
    except InvalidParams:
        raise NotFound("Couldn't find that dyno size.", "dyno_size") from None


ROUTES = [
    route("GET", "/regions", regions),
    route("GET", "/regions/{id}", region),
    route("GET", "/stacks", stacks),
    route("GET", "/stacks/{id}", stack),
    route("GET", "/apps/{app}/available-stacks", stacks_of_app),
    route("GET", "/apps/{app}/available-dyno-sizes", sizes_of_app),
    route("GET", "/generations", generations),
    route("GET", "/generations/{id}", generation),
    route("GET", "/dyno-sizes", sizes),
    route("GET", "/dyno-sizes/{id}", size),
]
