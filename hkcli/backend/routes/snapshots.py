"""Snapshots of the platform, for whoever runs it. Not part of Heroku's API."""

from starlette.requests import Request
from starlette.responses import Response

from hkcli.backend import accounts, restoring, snapshots
from hkcli.backend.endpoint import authorization_of, json_response, open_route, read_body
from hkcli.backend.errors import BadRequest, InvalidParams
from hkcli.backend.platform import Platform


def operated(request: Request) -> Platform:
    """The platform, for a request of whoever runs it. Raises Unauthorized, Forbidden."""
    platform: Platform = request.app.state.platform
    with platform.store.transaction() as session:
        user = accounts.admit(session, authorization_of(request), request.method, str(request.scope["path"]))
        accounts.check_operator(session, user)
    return platform


async def every(request: Request) -> Response:
    return json_response(snapshots.every(operated(request).home), 200)


async def create(request: Request) -> Response:
    platform = operated(request)
    name = (await read_body(request)).get("name")
    if not isinstance(name, str):
        raise BadRequest("name is required, and must be a string.")
    require_own_store(platform)
    async with platform.handover.lock:
        document = await snapshots.save(platform.home, platform.copies, name)
    return json_response(document, 201)


async def restore(request: Request) -> Response:
    """Answered by the platform that is given up, when the restored one is there."""
    platform = operated(request)
    require_own_store(platform)
    async with platform.handover.lock:
        document = await restoring.stage(platform.home, platform.copies, request.path_params["name"])
        await platform.handover.carry_out()
    return json_response(document, 200)


async def delete(request: Request) -> Response:
    platform = operated(request)
    async with platform.handover.lock:
        document = await snapshots.remove_named(platform.home, platform.copies, request.path_params["name"])
    return json_response(document, 200)


def require_own_store(platform: Platform) -> None:
    """Raises InvalidParams."""
    if platform.store.engine.url.database != str(platform.home.store):
        raise InvalidParams(
            "A snapshot keeps the store in the data directory; this backend was given another (--store)."
        )


ROUTES = [
    open_route("GET", "/backend/snapshots", every),
    open_route("POST", "/backend/snapshots", create),
    open_route("DELETE", "/backend/snapshots/{name}", delete),
    open_route("POST", "/backend/snapshots/{name}/actions/restore", restore),
]
