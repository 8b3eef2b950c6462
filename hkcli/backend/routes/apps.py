"""Apps, as their owner sees them."""

from hkcli.backend import apps, catalog, features, releases, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import BadRequest
from hkcli.backend.store import App, Release


def document(call: Call, app: App) -> schemas.JSON:
    return documents(call, [app])[0]


def documents(call: Call, found: list[App]) -> list[schemas.JSON]:
    conditions = [Release.app_id == found[0].id] if len(found) == 1 else []
    sizes = releases.slug_sizes(call.session, *conditions)
    return [schemas.app(each, call.platform.urls, sizes.get(each.id)) for each in found]


def create(call: Call) -> Answer:
    wanted = [features.of_apps(each) for each in call.words("feature_flags")]
    app = apps.create(
        call.work,
        call.platform.home,
        name=call.text("name"),
        region=call.text("region"),
        stack=call.text("stack"),
    )
    for each in wanted:
        features.switch(call.work, app, each, True)
    return document(call, app)


def every(call: Call) -> Answer:
    return Collection(documents(call, apps.accessible(call.session, call.user)), ("name", "id", "updated_at"))


def of_user(call: Call) -> Answer:
    call.own_account()
    return every(call)


def filtered(call: Call) -> Answer:
    """POST /filters/apps: those of the apps with these ids that the user can see."""
    ids = call.mapping("in").get("id") or []
    if not isinstance(ids, list):
        raise BadRequest('in must be an object such as {"id": ["..."]}.')
    visible = apps.accessible(call.session, call.user)
    return [{**document(call, each), "joined": False, "locked": False} for each in visible if each.id in ids]


def info(call: Call) -> Answer:
    return document(call, call.app())


def update(call: Call) -> Answer:
    app = call.app()
    if name := call.text("name"):
        apps.check_owner(app, call.user)
        apps.rename(call.work, app, name)
    if (maintenance := call.flag("maintenance")) is not None:
        app.maintenance = maintenance
    if stack := call.text("build_stack"):
        app.stack = catalog.stack(stack).name
    return document(call, app)


def delete(call: Call) -> Answer:
    app = call.app()
    apps.check_owner(app, call.user)
    answer = document(call, app)
    apps.destroy(call.work, call.platform.home, app)
    call.work.after(lambda: call.platform.logplex.forget(app.id))
    return answer


ROUTES = [
    route("POST", "/apps", create, status=201),
    route("GET", "/apps", every, from_store=True),
    route("GET", "/users/{user}/apps", of_user, from_store=True),
    route("POST", "/filters/apps", filtered),
    route("GET", "/apps/{app}", info, from_store=True),
    route("PATCH", "/apps/{app}", update),
    route("DELETE", "/apps/{app}", delete),
]
