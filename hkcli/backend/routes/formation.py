"""The formation: quantities and sizes by process type."""

from hkcli.backend import formation, releases, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import BadRequest
from hkcli.backend.store import App, Formation


def document(call: Call, app: App, row: Formation) -> schemas.JSON:
    release = releases.current(call.session, app)
    types = release.slug.process_types if release and release.slug else {}
    return schemas.formation(row, app, types.get(row.type, ""))


def every(call: Call) -> Answer:
    app = call.app()
    return Collection(
        [document(call, app, each) for each in formation.every(call.session, app)], ("type", "id", "updated_at")
    )


def info(call: Call) -> Answer:
    app = call.app()
    return document(call, app, formation.find(call.session, app, call.path("type")))


def batch_update(call: Call) -> Answer:
    app, updates = call.app(), call.body.get("updates")
    if not isinstance(updates, list) or not all(isinstance(each, dict) for each in updates):
        raise BadRequest('updates must be a list such as [{"type": "worker", "quantity": 2}].')
    formation.scale(call.work, app, updates)
    return [document(call, app, each) for each in formation.every(call.session, app)]


def update(call: Call) -> Answer:
    app = call.app()
    row = formation.find(call.session, app, call.path("type"))
    formation.scale(call.work, app, [{**call.body, "type": row.type}])
    return document(call, app, row)


ROUTES = [
    route("GET", "/apps/{app}/formation", every, from_store=True),
    route("PATCH", "/apps/{app}/formation", batch_update),
    route("GET", "/apps/{app}/formation/{type}", info, from_store=True),
    route("PATCH", "/apps/{app}/formation/{type}", update),
]
