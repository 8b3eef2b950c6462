"""Attachments: an add-on bound to an app under a name."""

from typing import Any

from hkcli.backend import apps, marketplace, providers, schemas
from hkcli.backend.dashboard import access
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import ConfirmationRequired, NotFound
from hkcli.backend.names import check_attachment
from hkcli.backend.store import Attachment


def document(call: Call, attachment: Attachment) -> schemas.JSON:
    inclusion = call.request.headers.get("accept-inclusion", "")
    included: dict[str, Any] = {}
    web_url = access.web_url(call.platform, call.user, attachment.addon)
    answer = schemas.attachment(attachment, web_url)
    if "config_vars" in inclusion:
        included["config_vars"] = attachment.config_vars
    if "addon:plan" in inclusion:
        plan = {"id": schemas.fixed_ref("plan", attachment.addon.plan)["id"], "name": attachment.addon.plan}
        included["addon"] = {**answer["addon"], "plan": plan}
    return {**answer, **included}


def of_user(call: Call) -> Answer:
    return Collection([document(call, each) for each in marketplace.attachments_of_user(call.session, call.user)])


def of_app(call: Call) -> Answer:
    return Collection([document(call, each) for each in marketplace.attachments_of_app(call.session, call.app())])


def of_addon(call: Call) -> Answer:
    addon = marketplace.one(call.session, call.user, call.path("addon"))
    return Collection([document(call, each) for each in marketplace.attachments(call.session, addon)])


def found(call: Call) -> Attachment:
    app = call.app() if "app" in call.request.path_params else None
    return marketplace.attachment(call.session, call.user, call.path("attachment"), app=app)


def info(call: Call) -> Answer:
    return document(call, found(call))


def create(call: Call) -> Answer:
    for each in ("namespace", "namespace_config"):
        call.reject(each, "add-ons of this backend have no credentials or other namespaces")
    app = apps.find(call.session, call.user, call.required("app"))
    addon = marketplace.one(call.session, call.user, call.required("addon"))
    taken = {each.name: each for each in marketplace.attachments_of_app(call.session, app)}
    confirm = call.text("confirm")
    wanted = call.text("name") or providers.service(addon.service).attachment
    name = check_attachment(wanted) if call.text("name") else marketplace.default_name(wanted, set(taken))
    if name in taken:
        if confirm != app.name:
            raise ConfirmationRequired(f"{name} is already attached to {app.name}; this replaces it.", app.name)
        marketplace.detach(call.work, taken[name])
    return document(call, marketplace.attach(call.work, app, addon, name))


def delete(call: Call) -> Answer:
    attachment = found(call)
    answer = document(call, attachment)
    marketplace.detach(call.work, attachment)
    return answer


def resolve(call: Call) -> Answer:
    app_name = call.text("app")
    app = apps.find(call.session, call.user, app_name) if app_name else None
    found = marketplace.attachment(call.session, call.user, call.required("addon_attachment"), app=app)
    if (service := call.text("addon_service")) and providers.service(service).name != found.addon.service:
        raise NotFound("Couldn't find that add on attachment.", "add_on attachment")
    return [document(call, found)]


ROUTES = [
    route("POST", "/addon-attachments", create, status=201),
    route("GET", "/addon-attachments", of_user),
    route("GET", "/addon-attachments/{attachment}", info),
    route("DELETE", "/addon-attachments/{attachment}", delete),
    route("GET", "/addons/{addon}/addon-attachments", of_addon),
    route("GET", "/apps/{app}/addon-attachments", of_app),
    route("GET", "/apps/{app}/addon-attachments/{attachment}", info),
    route("POST", "/actions/addon-attachments/resolve", resolve),
]
