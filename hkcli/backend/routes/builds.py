"""Builds: as git push made them, and of uploaded sources."""

import shutil
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hkcli.backend import builds, installations, schemas, sources
from hkcli.backend.builds import Order
from hkcli.backend.endpoint import Answer, Call, Collection, open_route, route
from hkcli.backend.errors import BadRequest, InvalidParams
from hkcli.backend.platform import Platform


def every(call: Call) -> Answer:
    app = call.app()
    return Collection([schemas.build(each, app, call.platform.urls) for each in builds.of_app(call.session, app)])


def info(call: Call) -> Answer:
    app = call.app()
    return schemas.build(builds.find(call.session, app, call.path("id")), app, call.platform.urls)


def create(call: Call) -> Answer:
    """Only what was uploaded here is fetched: other addresses would lead requests to services of the machine."""
    app, blob = call.app(), call.mapping("source_blob")
    url, version, checksum, about = (
        text_of(blob, key) for key in ("url", "version", "checksum", "version_description")
    )
    if not url:
        raise BadRequest("source_blob.url is required.")
    buildpacks = buildpacks_of(call.body.get("buildpacks"))
    archive = call.platform.sources.path(source_id(call.platform, url))
    order = Order(
        app_id=app.id,
        user_id=call.user.id,
        version=version,
        place=partial(sources.place, archive, checksum),
        buildpacks=buildpacks,
        source_url=url,
        checksum=checksum,
        version_description=about,
    )
    return schemas.build(call.platform.builds.order(call.work, order), app, call.platform.urls)


def text_of(blob: dict[str, Any], key: str) -> str | None:
    value = blob.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"source_blob.{key} must be a string.")
    return value


def source_id(platform: Platform, url: str) -> str:
    prefix = f"{platform.urls.api}/sources/"
    if not url.startswith(prefix):
        raise InvalidParams(f"Only sources uploaded here can be built. Get an address by POST /sources, not {url}")
    ticket = platform.seal.open("source", url.removeprefix(prefix), max_age_s=sources.LIFETIME_S)
    return str(ticket["id"])


def buildpacks_of(wanted: object) -> tuple[str, ...]:
    if wanted is None:
        return ()
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise BadRequest('buildpacks must be an array of {"url"} or {"name"}.')
    return tuple(installations.normal(each.get("url") or each.get("name") or "") for each in wanted)


def cancel(call: Call) -> Answer:
    app = call.app()
    build = builds.find(call.session, app, call.path("id"))
    call.platform.builds.cancel(app, build)
    return schemas.build(build, app, call.platform.urls)


def clear_cache(call: Call) -> Answer:
    """What buildpacks kept is gone; the next build starts from nothing."""
    cache = call.platform.home.cache(call.app().id)
    call.work.after(lambda: shutil.rmtree(cache, ignore_errors=True))
    return {}


def new_source(call: Call) -> Answer:
    if "app" in call.request.path_params:
        call.app()
    ticket = call.platform.seal.close("source", {"id": call.platform.sources.new()})
    url = f"{call.platform.urls.api}/sources/{ticket}"
    return {"source_blob": {"get_url": url, "put_url": url}}


def uploaded(request: Request) -> str:
    platform: Platform = request.app.state.platform
    ticket = platform.seal.open("source", request.path_params["ticket"], max_age_s=sources.LIFETIME_S)
    return str(ticket["id"])


async def put_source(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    await platform.sources.receive(uploaded(request), request.stream())
    return Response()


async def get_source(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    return FileResponse(platform.sources.path(uploaded(request)), media_type="application/gzip")


ROUTES = [
    route("GET", "/apps/{app}/builds", every),
    route("POST", "/apps/{app}/builds", create, status=201),
    route("GET", "/apps/{app}/builds/{id}", info),
    route("DELETE", "/apps/{app}/builds/{id}", cancel),
    route("DELETE", "/apps/{app}/build-cache", clear_cache),
    route("POST", "/sources", new_source, status=201),
    route("POST", "/apps/{app}/sources", new_source, status=201),
    open_route("PUT", "/sources/{ticket}", put_source),
    open_route("GET", "/sources/{ticket}", get_source),
]
