"""Add-ons: created, found, changed, destroyed."""

from collections.abc import Callable

from hkcli.backend import apps, marketplace, partners, providers, schemas, sso
from hkcli.backend.addons.provider import Plan
from hkcli.backend.dashboard import access
from hkcli.backend.endpoint import Answer, Call, Collection, Waiting, route
from hkcli.backend.errors import Conflict, Forbidden, NotFound, PlatformError
from hkcli.backend.faults import Fault
from hkcli.backend.store import Addon, PartnerResource


def document(call: Call, addon: Addon, message: str | None = None) -> schemas.JSON:
    own = [each for each in marketplace.attachments(call.session, addon) if each.app_id == addon.app_id]
    resource = call.session.get(PartnerResource, addon.id)
    expanded = call.request.headers.get("accept-expansion", "").split(",")
    may_open = call.partner_of in (None, addon.id)
    return schemas.addon(
        addon,
        sorted({name for each in own for name in each.config_vars}),
        provider_id=(resource.provider_id if resource else None) or addon.id,
        web_url=access.web_url(call.platform, call.user, addon) if may_open else None,
        message=message,
        expanded={each.strip() for each in expanded},
    )


def create(call: Call) -> Answer | Waiting:
    call.platform.provisioning.require(call.required("plan"))
    attachment = call.mapping("attachment").get("name")
    fault: Fault | None = getattr(call.request.state, "fault", None)
    is_sabotaged = fault is not None and fault.provisioning is not None
    addon, message = marketplace.create(
        call.work,
        call.app(),
        call.required("plan"),
        name=call.text("name"),
        attach_as=str(attachment) if attachment else None,
        options=call.mapping("config"),
        confirm=call.text("confirm"),
        at_once=not is_sabotaged,
    )
    if fault and is_sabotaged:
        call.platform.provisioning.sabotage(addon.id, fault)
    if addon.state != "requested":
        return document(call, addon, message)
    partners.ask(call.work, addon, call.mapping("config"))

    async def agreed() -> Callable[[Call], Answer]:
        refusal = await call.platform.provisioning.answer(addon.id)
        return lambda later: made(later, addon, refusal)

    return Waiting(agreed, f"{addon.name} is made when it is back")


def made(call: Call, wanted: Addon, refusal: Exception | None) -> Answer:
    """What became of an add-on that its partner was asked for. Raises PlatformError."""
    addon = call.session.get(Addon, wanted.id)
    if addon is None:
        raise refusal if isinstance(refusal, PlatformError) else Conflict(f"{wanted.name} was removed meanwhile.")
    resource = call.session.get(PartnerResource, addon.id)
    return document(call, addon, resource.message if resource else None)


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


def update(call: Call) -> Answer | Waiting:
    addon = found(call)
    if name := call.text("name"):
        marketplace.rename(call.work, addon, name)
    if wanted := call.text("plan"):
        plan = marketplace.other_plan(call.user, addon, wanted)
        if providers.manifest(addon.service):
            return ask_for_plan(call, addon, plan)
        marketplace.change_plan(call.work, addon, plan)
    return document(call, addon)


def ask_for_plan(call: Call, addon: Addon, plan: Plan) -> Waiting:
    if addon.state != "provisioned":
        raise Conflict(f"{addon.name} is being provisioned still. Wait for it: heroku addons:wait {addon.name}")

    async def agreed() -> Callable[[Call], Answer]:
        config, message = await call.platform.partners.change_plan(addon.id, addon.service, plan.name)
        return lambda later: changed(later, addon.id, plan, config, message)

    return Waiting(agreed, f"ask for {plan.name} again when it is back")


def changed(call: Call, addon_id: str, plan: Plan, config: dict[str, str] | None, message: str | None) -> Answer:
    addon = marketplace.one(call.session, call.user, addon_id)
    marketplace.change_plan(call.work, addon, plan)
    if config is not None:
        changes = [{"name": name, "value": value} for name, value in config.items()]
        gone = [{"name": name, "value": None} for name in addon.config if name not in config]
        marketplace.set_config(call.work, addon, changes + gone)
    return document(call, addon, message)


def delete(call: Call) -> Answer:
    addon = found(call)
    answer = document(call, addon)
    marketplace.destroy(call.work, addon, force=call.body.get("force") is True)
    return {**answer, "state": "deprovisioned"}


def config(call: Call) -> Answer:
    addon = found(call)
    return [{"name": prefix(addon) + name, "value": value} for name, value in sorted(addon.config.items())]


def prefix(addon: Addon) -> str:
    """Of the names that a third party's service has for its config vars, which are those of the first attachment."""
    manifest = providers.manifest(addon.service)
    return manifest.prefix if manifest else ""


def update_config(call: Call) -> Answer:
    addon, changes = found(call), call.items("config")
    if manifest := providers.manifest(addon.service):
        check_partner(call, addon)
        changes = [{**each, "name": manifest.own_name(str(each.get("name") or ""))} for each in changes]
    marketplace.set_config(call.work, addon, changes)
    return config(call)


def check_partner(call: Call, addon: Addon) -> None:
    """Whether it is the service that made the add-on which asks. Raises Forbidden."""
    if call.partner_of != addon.id:
        raise Forbidden(f"Only the service that provides {addon.name} may do that, with a token of its own.")


def provision(call: Call) -> Answer:
    """The partner says that the add-on is there."""
    addon = found(call)
    check_partner(call, addon)
    if addon.state == "requested":
        raise Conflict(f"{addon.name} was not answered yet: answer the request for it with 202 first.")
    if addon.state == "provisioning":
        marketplace.complete(call.work, addon, addon.config)
    return document(call, addon)


def deprovision(call: Call) -> Answer:
    """The partner says that the add-on cannot be made, or is gone."""
    addon = found(call)
    check_partner(call, addon)
    answer = document(call, addon)
    call.work.note(addon.app, f"{addon.name} was deprovisioned by its provider")
    marketplace.destroy(call.work, addon, force=True)
    return {**answer, "state": "deprovisioned"}


def log_in(call: Call) -> Answer:
    """What a browser has to send to be logged in to the partner's dashboard. Not in the published schema."""
    addon = found(call)
    manifest = providers.manifest(addon.service)
    if manifest is None or not sso.is_offered(addon.service):
        raise NotFound(f"{addon.name} has no dashboard.", "sso")
    return {
        "action": manifest.sso_url,
        "method": "post",
        "params": sso.parameters(call.session, manifest, addon, call.user),
    }


def resolve(call: Call) -> Answer:
    prefix, separator, identity = call.required("addon").rpartition("::")
    app_name = prefix if separator else call.text("app")
    app = apps.find(call.session, call.user, app_name) if app_name else None
    found = marketplace.resolve(call.session, call.user, identity, app=app, service=call.text("addon_service"))
    return [document(call, each) for each in found]


# None of these follows from the store alone: a link to a dashboard is another one once it was used.
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
    route("POST", "/addons/{addon}/actions/provision", provision),
    route("POST", "/addons/{addon}/actions/deprovision", deprovision),
    route("GET", "/addons/{addon}/sso", log_in),
    route("POST", "/actions/addons/resolve", resolve),
]
