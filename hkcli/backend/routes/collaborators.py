"""Users who work on an app: its owner and its collaborators."""

from hkcli.backend import catalog, schemas, sharing
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.store import App, Collaborator, User

PERMISSIONS = {
    "deploy": "Can push new code to the app.",
    "manage": "Can manage collaborators, rename and delete the app.",
    "operate": "Can manage the app's add-ons, config vars and dynos.",
    "view": "Can see the app and its log.",
}


def document(app: App, user: User, role: str, identity: str, made: App | Collaborator) -> schemas.JSON:
    granted = [name for name in PERMISSIONS if role == "owner" or name != "manage"]
    return {
        "app": schemas.ref(app),
        **schemas.dates(made),
        "id": identity,
        "permissions": [{"name": name, "description": PERMISSIONS[name]} for name in granted],
        "role": role,
        "user": {**schemas.user_ref(user), "federated": False},
    }


def of_owner(app: App) -> schemas.JSON:
    return document(app, app.owner, "owner", catalog.fixed_id("owner", app.id, app.owner_id), app)


def of_collaborator(app: App, record: Collaborator) -> schemas.JSON:
    return document(app, record.user, "collaborator", record.id, record)


def every(call: Call) -> Answer:
    app = call.app()
    others = sharing.collaborators(call.session, app)
    return Collection([of_owner(app), *(of_collaborator(app, each) for each in others)], ("created_at", "id"))


def info(call: Call) -> Answer:
    app, owner = call.app(), of_owner(call.app())
    if call.path("collaborator") in (owner["id"], app.owner.email, app.owner_id):
        return owner
    return of_collaborator(app, sharing.collaborator(call.session, app, call.path("collaborator")))


def create(call: Call) -> Answer:
    app = call.app()
    call.flag("silent")  # nobody is written to, in any case
    return of_collaborator(app, sharing.share(call.work, app, call.required("user")))


def delete(call: Call) -> Answer:
    app = call.app()
    record = sharing.collaborator(call.session, app, call.path("collaborator"))
    sharing.unshare(call.work, app, record)
    return of_collaborator(app, record)


def permissions(call: Call) -> Answer:
    return [{"name": name, "description": description} for name, description in PERMISSIONS.items()]


ROUTES = [
    route("GET", "/apps/{app}/collaborators", every),
    route("POST", "/apps/{app}/collaborators", create, status=201),
    route("GET", "/apps/{app}/collaborators/{collaborator}", info),
    route("DELETE", "/apps/{app}/collaborators/{collaborator}", delete),
    route("GET", "/teams/permissions", permissions),
]
