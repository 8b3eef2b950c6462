"""GET /account and what else speaks of the user alone."""

from hkcli.backend import schemas
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import Forbidden

RATE_LIMIT = 4500


def info(call: Call) -> Answer:
    return schemas.account(call.user)


def info_by_user(call: Call) -> Answer:
    if call.path("user") not in ("~", call.user.id, call.user.email):
        raise Forbidden("You do not have access to that account.")
    return schemas.account(call.user)


def rate_limits(call: Call) -> Answer:
    return {"remaining": RATE_LIMIT}


def nothing(call: Call) -> Answer:
    return []


ROUTES = [
    route("GET", "/account", info),
    route("GET", "/account/rate-limits", rate_limits),
    route("GET", "/users/{user}", info_by_user),
    route("GET", "/teams", nothing),
    route("GET", "/spaces", nothing),
]
