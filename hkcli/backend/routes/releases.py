"""Releases and rollbacks."""

from hkcli.backend import releases, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import BadRequest


def every(call: Call) -> Answer:
    app = call.app()
    current = releases.current(call.session, app)
    return Collection(
        [schemas.release(each, app, call.platform.urls, current) for each in releases.every(call.session, app)],
        ("version", "id", "created_at", "updated_at"),
    )


def info(call: Call) -> Answer:
    app = call.app()
    found = releases.find(call.session, app, call.path("release"))
    return schemas.release(found, app, call.platform.urls, releases.current(call.session, app))


def create(call: Call) -> Answer:
    app = call.app()
    call.reject("oci_image", "apps of this backend run slugs")
    if target := call.text("release"):
        made = releases.roll_back(call.work, app, releases.find(call.session, app, target))
    elif slug := call.text("slug"):
        made = releases.deploy(call.work, app, slug, call.text("description"))
    else:
        raise BadRequest("release (to roll back) or slug (to deploy) is required.")
    return schemas.release(made, app, call.platform.urls, releases.current(call.session, app))


ROUTES = [
    route("GET", "/apps/{app}/releases", every, from_store=True),
    route("POST", "/apps/{app}/releases", create, status=201),
    route("GET", "/apps/{app}/releases/{release}", info, from_store=True),
]
