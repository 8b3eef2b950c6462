"""The backend as an ASGI application: routes, and what stands before them."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from hkcli.backend import links, routes
from hkcli.backend.endpoint import json_response, refuse
from hkcli.backend.errors import NotFound, NotImplementedHere, PlatformError
from hkcli.backend.guard import Guard
from hkcli.backend.on_purpose import OnPurpose
from hkcli.backend.platform import Platform


def application(platform: Platform, hosts: frozenset[str]) -> ASGIApp:
    """Serves the platform; `hosts` are names of ours besides the loopback ones. All answers are labelled, 500s too."""
    app = Starlette(
        routes=routes.every(),
        exception_handlers={PlatformError: refuse, 404: nothing_here, 405: nothing_here, Exception: went_wrong},
    )
    app.state.platform = platform
    app.add_middleware(OnPurpose, faults=platform.faults)
    return Guard(app, hosts)


async def nothing_here(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    if title := links.title(request.method, request.url.path):
        return await refuse(request, NotImplementedHere(f"This backend does not serve {title} ({what}).", link=title))
    return await refuse(request, NotFound(f"The requested API endpoint was not found: {what}", "endpoint"))


async def went_wrong(request: Request, error: Exception) -> Response:
    return json_response({"id": "internal_server_error", "message": "Internal server error."}, 500)
