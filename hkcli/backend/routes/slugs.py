"""Slugs: what a build made, and its archive behind an address that expires."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hkcli.backend import schemas
from hkcli.backend.endpoint import Answer, Call, open_route, route
from hkcli.backend.errors import NotFound
from hkcli.backend.platform import Platform
from hkcli.backend.store import Slug

BLOB_LIFETIME_S = 3600


def info(call: Call) -> Answer:
    app = call.app()
    slug = call.session.get(Slug, call.path("id"))
    if slug is None or slug.app_id != app.id:
        raise NotFound("Couldn't find that slug.", "slug")
    ticket = call.platform.seal.close("slug", {"id": slug.id})
    return schemas.slug(slug, app, f"{call.platform.urls.api}/blobs/{ticket}")


async def blob(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    ticket = platform.seal.open("slug", request.path_params["ticket"], max_age_s=BLOB_LIFETIME_S)
    return FileResponse(platform.home.slug(ticket["id"]), media_type="application/gzip")


ROUTES = [
    route("GET", "/apps/{app}/slugs/{id}", info),
    open_route("GET", "/blobs/{ticket}", blob),
]
