"""Config vars of an app, and of one of its releases."""

from hkcli.backend import releases
from hkcli.backend.endpoint import Answer, Call, route


def info(call: Call) -> Answer:
    return call.app().config


def of_release(call: Call) -> Answer:
    return releases.find(call.session, call.app(), call.path("release")).config


def update(call: Call) -> Answer:
    app = call.app()
    releases.set_config(call.work, app, call.body)
    return app.config


ROUTES = [
    route("GET", "/apps/{app}/config-vars", info, from_store=True),
    route("PATCH", "/apps/{app}/config-vars", update),
    route("GET", "/apps/{app}/releases/{release}/config-vars", of_release),
]
