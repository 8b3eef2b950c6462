"""Builds, as git push made them."""

from starlette.responses import FileResponse

from hkcli.backend import apps, builds, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import NotFound
from hkcli.backend.store import Build


def every(call: Call) -> Answer:
    app = call.app()
    return Collection([schemas.build(each, app, call.platform.urls) for each in builds.of_app(call.session, app)])


def info(call: Call) -> Answer:
    app = call.app()
    return schemas.build(builds.find(call.session, app, call.path("id")), app, call.platform.urls)


def output(call: Call) -> Answer:
    build = call.session.get(Build, call.path("id"))
    if build is None or build.app_id not in {each.id for each in apps.accessible(call.session, call.user)}:
        raise NotFound("Couldn't find that build.", "build")
    return FileResponse(call.platform.home.build_output(build.id), media_type="text/plain; charset=utf-8")


ROUTES = [
    route("GET", "/apps/{app}/builds", every),
    route("GET", "/apps/{app}/builds/{id}", info),
    route("GET", "/builds/{id}/output", output),
]
