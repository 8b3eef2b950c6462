"""Log drains of an app."""

from sqlalchemy.orm import Session

from hkcli.backend import drains, marketplace, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.store import App, LogDrain


def document(session: Session, record: LogDrain, app: App) -> schemas.JSON:
    addon = drains.addon_of(session, record)
    return {
        "addon": {**schemas.ref(addon), "app": schemas.ref(addon.app)} if addon else None,
        "app": schemas.ref(app),
        **schemas.dates(record),
        "id": record.id,
        "token": record.token,
        "url": record.url,
    }


def every(call: Call) -> Answer:
    app = call.app()
    return Collection(
        [document(call.session, each, app) for each in drains.of_app(call.session, app)], ("id", "created_at")
    )


def of_addon(call: Call) -> Answer:
    """The drain that came with an add-on, if one did."""
    addon = marketplace.one(call.session, call.user, call.path("addon"))
    own = [each for each in drains.of_app(call.session, addon.app) if drains.addon_of(call.session, each) is addon]
    return Collection([document(call.session, each, addon.app) for each in own], ("id", "created_at"))


def info(call: Call) -> Answer:
    app = call.app()
    return document(call.session, drains.find(call.session, app, call.path("drain")), app)


def create(call: Call) -> Answer:
    app = call.app()
    return document(call.session, drains.add(call.work, app, call.required("url")), app)


def delete(call: Call) -> Answer:
    app = call.app()
    record = drains.find(call.session, app, call.path("drain"))
    drains.remove(call.work, app, record)
    return document(call.session, record, app)


ROUTES = [
    route("GET", "/addons/{addon}/log-drains", of_addon),
    route("GET", "/apps/{app}/log-drains", every),
    route("POST", "/apps/{app}/log-drains", create, status=201),
    route("GET", "/apps/{app}/log-drains/{drain:path}", info),
    route("DELETE", "/apps/{app}/log-drains/{drain:path}", delete),
]
"""A drain may be named by its URL, whose escaped slashes have become slashes again."""
