"""Add-ons: created, found, changed, destroyed."""

from hkcli.backend import apps, marketplace, schemas
from hkcli.backend.dashboard import access
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.store import Addon


def document(call: Call, addon: Addon, message: str | None = None) -> schemas.JSON:
    own = [each for each in marketplace.attachments(call.session, addon) if each.app_id == addon.app_id]
    config_vars = sorted({name for each in own for name in each.config_vars})
    return schemas.addon(addon, config_vars, message, access.web_url(call.platform, call.user, addon))


def create(call: Call) -> Answer:
    call.platform.provisioning.require(call.required("plan"))
    attachment = call.mapping("attachment").get("name")
    addon, message = marketplace.create(
        call.work,
        call.app(),
        call.required("plan"),
        name=call.text("name"),
        attach_as=str(attachment) if attachment else None,
        options=call.mapping("config"),
        confirm=call.text("confirm"),
    )
    return document(call, addon, message)


def of_app(call: Call) -> Answer:
    return Collection([document(call, each) for each in marketplace.of_app(call.session, call.app())])


def of_account(call: Call) -> Answer:
    call.own_account()
    return of_user(call)


def of_user(call: Call) -> Answer:
    return Collection([document(call, each) for each in marketplace.of_user(call.session, call.user)])


def found(call: Call) -> Addon:
    app = call.app() if "app" in call.request.path_params else None
    return marketplace.one(call.session, call.user, call.path("addon"), app=app)


def info(call: Call) -> Answer:
    return document(call, found(call))


def update(call: Call) -> Answer:
    addon = found(call)
    if plan := call.text("plan"):
        marketplace.change_plan(call.work, addon, plan)
    if name := call.text("name"):
        marketplace.rename(call.work, addon, name)
    return document(call, addon)


def delete(call: Call) -> Answer:
    addon = found(call)
    answer = document(call, addon)
    marketplace.destroy(call.work, addon, force=call.body.get("force") is True)
    return {**answer, "state": "deprovisioned"}


def config(call: Call) -> Answer:
    return [{"name": name, "value": value} for name, value in sorted(found(call).config.items())]


def update_config(call: Call) -> Answer:
    marketplace.set_config(call.work, found(call), call.items("config"))
    return config(call)


def resolve(call: Call) -> Answer:
    prefix, separator, identity = call.required("addon").rpartition("::")
    app_name = prefix if separator else call.text("app")
    app = apps.find(call.session, call.user, app_name) if app_name else None
    found = marketplace.resolve(call.session, call.user, identity, app=app, service=call.text("addon_service"))
    return [document(call, each) for each in found]


ROUTES = [
    route("POST", "/apps/{app}/addons", create, status=201),
    route("GET", "/apps/{app}/addons", of_app),
    route("GET", "/addons", of_user),
    route("GET", "/users/{user}/addons", of_account),
    route("GET", "/apps/{app}/addons/{addon}", info),
    route("GET", "/addons/{addon}", info),
    route("PATCH", "/apps/{app}/addons/{addon}", update),
    route("DELETE", "/apps/{app}/addons/{addon}", delete),
    route("GET", "/addons/{addon}/config", config),
    route("PATCH", "/addons/{addon}/config", update_config),
    route("POST", "/actions/addons/resolve", resolve),
]
