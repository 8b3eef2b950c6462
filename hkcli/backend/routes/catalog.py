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
    route("GET", "/dyno-sizes", sizes),
    route("GET", "/dyno-sizes/{id}", size),
]
