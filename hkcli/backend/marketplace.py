"""Add-ons: provisioned, attached, found, changed and destroyed."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import accounts, apps, formation, names, providers, releases
from hkcli.backend.addons.provider import Plan, Provisioned, Service
from hkcli.backend.errors import ConfirmationRequired, InvalidParams, NotFound
from hkcli.backend.store import Addon, App, Attachment, LogDrain, PartnerResource, User
from hkcli.backend.work import Work


def create(
    work: Work,
    app: App,
    wanted: str,
    *,
    name: str | None = None,
    attach_as: str | None = None,
    options: Mapping[str, Any],
    confirm: str | None = None,
    at_once: bool = True,
) -> tuple[Addon, str | None]:
    """Provision an add-on and attach it to its app; with it comes the provider's message. Raises InvalidParams.

    Unless `at_once`, it is there later, when Provisioning says so, even if its provider needs no time."""
    service, plan = providers.plan(wanted)
    accounts.check_may_pay(work.user, plan)
    if not service.several:
        _refuse_a_second(work.session, app, service)
    attachment = _free_attachment_name(work.session, app, service, attach_as, confirm)
    provisioned = providers.provider(service.name).provision(app, plan.name, options)
    addon = Addon(
        app=app,
        app_id=app.id,
        name=_free_addon_name(work.session, service, name),
        service=service.name,
        plan=plan.name,
        config=provisioned.config,
        state=first_state(provisioned, at_once),
    )
    work.session.add(addon)
    work.session.flush()
    bound = bind(work, app, addon, attachment)
    if provisioned.is_agreed:
        announce(work, bound)
    work.reconcile()
    return addon, provisioned.message


def first_state(provisioned: Provisioned, at_once: bool) -> str:
    if not provisioned.is_agreed:
        return "requested"
    return "provisioned" if provisioned.is_ready and at_once else "provisioning"


def _refuse_a_second(session: Session, app: App, service: Service) -> None:
    query = select(Addon).where(Addon.app_id == app.id, Addon.service == service.name)
    if existing := session.scalars(query).first():
        raise InvalidParams(
            f"{app.name} has {service.name} already ({existing.name}, {existing.plan}), and it can be installed once "
            f"per app. Change its plan instead: heroku addons:upgrade {existing.name} PLAN --app {app.name}"
        )


def _free_attachment_name(session: Session, app: App, service: Service, wanted: str | None, confirm: str | None) -> str:
    taken = set(session.scalars(select(Attachment.name).where(Attachment.app_id == app.id)))
    if wanted is None:
        return default_name(service.attachment, taken)
    name = names.check_attachment(wanted)
    if name not in taken:
        return name
    if confirm != app.name:
        raise ConfirmationRequired(f"{name} is already attached to {app.name}; this replaces it.", app.name)
    session.delete(
        session.scalars(select(Attachment).where(Attachment.app_id == app.id, Attachment.name == name)).one()
    )
    session.flush()
    return name


def default_name(wanted: str, taken: set[str]) -> str:
    """The name itself, or numbered from 2 when it is taken: `DJ`, `DJ_2`."""
    if wanted not in taken:
        return wanted
    return next(free for number in range(2, len(taken) + 3) if (free := f"{wanted}_{number}") not in taken)


def _free_addon_name(session: Session, service: Service, wanted: str | None) -> str:
    name = names.check_addon(wanted) if wanted else names.new_addon(service.name)
    if session.scalars(select(Addon.id).where(Addon.name == name)).first():
        if wanted is None:
            return _free_addon_name(session, service, None)
        raise InvalidParams(f"Name {name} is already taken")
    return name


def attach(work: Work, app: App, addon: Addon, name: str) -> Attachment:
    attachment = bind(work, app, addon, name)
    announce(work, attachment)
    return attachment


def bind(work: Work, app: App, addon: Addon, name: str) -> Attachment:
    """The attachment, of which the app does not hear yet."""
    attachment = Attachment(app=app, app_id=app.id, addon=addon, addon_id=addon.id, name=name)
    work.session.add(attachment)
    work.session.flush()
    return attachment


def announce(work: Work, attachment: Attachment) -> None:
    """Give the app what the add-on's provider gave, in a release; nothing yet while it is being made."""
    app, addon = attachment.app, attachment.addon
    app.config = {**app.config, **(given(attachment) if addon.state == "provisioned" else {})}
    releases.create(work, app, f"Attach {attachment.name} (@ref:{addon.name})")
    formation.hold(work, app)


def given(attachment: Attachment) -> dict[str, str]:
    """The config vars that an attachment is good for."""
    return {f"{attachment.name}_{key}": value for key, value in attachment.addon.config.items()}


def accept(work: Work, addon: Addon) -> None:
    """The provider has agreed, and will say when the add-on is there."""
    addon.state = "provisioning"
    for attachment in attachments(work.session, addon):
        announce(work, attachment)


def complete(work: Work, addon: Addon, config: Mapping[str, str]) -> None:
    """An add-on that was being made is there: its config goes to every app that it is attached to."""
    was_announced = addon.state != "requested"
    addon.state, addon.config = "provisioned", dict(config)
    for attachment in attachments(work.session, addon):
        app, variables = attachment.app, given(attachment)
        if app.id == addon.app_id:
            addon.replaced = {**addon.replaced, **{key: app.config[key] for key in variables if key in app.config}}
        if not was_announced:
            announce(work, attachment)
            continue
        app.config = {**app.config, **variables}
        setting = f", setting {', '.join(sorted(variables))}" if variables else ""
        releases.create(work, app, f"@ref:{addon.name} completed provisioning{setting}.")
        formation.hold(work, app)
    work.reconcile()


def detach(work: Work, attachment: Attachment) -> None:
    """Take the attachment and its config vars from the app; the add-on stays."""
    app, gone = attachment.app, set(attachment.config_vars)
    work.session.delete(attachment)
    work.session.flush()
    back = attachment.addon.replaced if app.id == attachment.addon.app_id else {}
    app.config = {
        **{name: value for name, value in app.config.items() if name not in gone},
        **{name: value for name, value in back.items() if name in gone},
    }
    releases.create(work, app, f"Detach {attachment.name} (@ref:{attachment.addon.name})", runs_command=False)


def other_plan(user: User, addon: Addon, wanted: str) -> Plan:
    """The plan of its service, other than the one it has. Raises InvalidParams, VerificationNeeded."""
    service, plan = providers.plan(wanted if ":" in wanted else f"{addon.service}:{wanted}")
    if service.name != addon.service:
        raise InvalidParams(f"{addon.name} is a {addon.service}; it cannot become {plan.name}.")
    if plan.name == addon.plan:
        raise InvalidParams(f"{addon.name} is on the plan {plan.name} already.")
    accounts.check_may_pay(user, plan)
    return plan


def change_plan(work: Work, addon: Addon, plan: Plan) -> None:
    addon.plan = plan.name
    work.say(addon.app, f"Update {addon.name} to {plan.name}")
    formation.hold(work, addon.app)
    work.reconcile()


def set_config(work: Work, addon: Addon, changes: list[dict[str, Any]]) -> None:
    """What the provider gives: `{"name", "value"}` each, a null value removes. A release for every app attached."""
    config = dict(addon.config)
    for each in changes:
        name, value = str(each.get("name") or ""), each.get("value")
        if not isinstance(value, str | None):
            raise InvalidParams(f"Config var {name} must be a string.")
        names.check_variable(name, value or "")
        config.pop(name, None)
        if value is not None:
            config[name] = value
    if config == addon.config:
        return
    if addon.state != "provisioned":
        addon.config = config
        return
    bound = [(each, set(each.config_vars)) for each in attachments(work.session, addon)]
    addon.config = config
    for attachment, old in bound:
        app = attachment.app
        app.config = {**{key: value for key, value in app.config.items() if key not in old}, **given(attachment)}
        releases.create(work, app, f"Update {attachment.name} by {addon.service}")


def rename(work: Work, addon: Addon, name: str) -> None:
    if name != addon.name:
        addon.name = _free_addon_name(work.session, providers.service(addon.service), name)


def destroy(work: Work, addon: Addon, *, force: bool = False) -> None:
    """Deprovision; refused while other apps use it, unless forced. Raises InvalidParams."""
    if addon.state == "requested":
        withdraw(work, addon)
        return
    attached = attachments(work.session, addon)
    foreign = sorted({each.app.name for each in attached if each.app_id != addon.app_id})
    if foreign and not force:
        raise InvalidParams(
            f"{addon.name} is attached to {', '.join(foreign)} as well. Detach it there, or use --force."
        )
    if addon.state == "provisioned":
        formation.release_hold(work, addon.app, addon)
    addon.state = "deprovisioned"
    _end_drain(work, addon)
    for attachment in attached:
        detach(work, attachment)
    work.session.delete(addon)
    work.reconcile()


def _end_drain(work: Work, addon: Addon) -> None:
    resource = work.session.get(PartnerResource, addon.id)
    if drain := work.session.get(LogDrain, resource.log_drain_id) if resource and resource.log_drain_id else None:
        work.session.delete(drain)


def withdraw(work: Work, addon: Addon) -> None:
    """Forget an add-on that no app has heard of."""
    _end_drain(work, addon)
    for attachment in attachments(work.session, addon):
        work.session.delete(attachment)
    work.session.flush()
    work.session.delete(addon)
    work.reconcile()


def attachments(session: Session, addon: Addon) -> list[Attachment]:
    return list(session.scalars(select(Attachment).where(Attachment.addon_id == addon.id)))


def of_app(session: Session, app: App) -> list[Addon]:
    return list(session.scalars(select(Addon).where(Addon.app_id == app.id)))


def of_user(session: Session, user: User) -> list[Addon]:
    return list(session.scalars(select(Addon).join(App).where(apps.visible_to(user))))


def attachments_of_app(session: Session, app: App) -> list[Attachment]:
    return list(session.scalars(select(Attachment).where(Attachment.app_id == app.id)))


def attachments_of_user(session: Session, user: User) -> list[Attachment]:
    return list(session.scalars(select(Attachment).join(App, Attachment.app_id == App.id).where(apps.visible_to(user))))


def resolve(session: Session, user: User, identity: str, *, app: App | None, service: str | None = None) -> list[Addon]:
    """Add-ons by id, name, attachment, service or plan, within an app when it is given. Raises NotFound when none."""
    candidates = of_user(session, user)
    attached: dict[str, set[str]] = {}
    for each in attachments_of_user(session, user) if app is None else attachments_of_app(session, app):
        attached.setdefault(each.addon_id, set()).add(each.name.lower())
    if app is not None:
        candidates = [each for each in candidates if each.app_id == app.id or each.id in attached]
    for names_of in (
        lambda each: {each.id, each.name},
        lambda each: attached.get(each.id, set()),
        lambda each: {each.service, each.plan},
    ):
        found = [
            each
            for each in candidates
            if (identity in names_of(each) or identity.lower() in names_of(each)) and service in (None, each.service)
        ]
        if found:
            return found
    raise NotFound("Couldn't find that add on.", "add_on")


def one(session: Session, user: User, identity: str, *, app: App | None = None) -> Addon:
    """The one add-on of this name, id, or (in an app) attachment or service. Raises NotFound, InvalidParams."""
    found = resolve(session, user, identity, app=app)
    if len(found) > 1:
        raise InvalidParams(f"{identity} is ambiguous: {', '.join(sorted(each.name for each in found))}.")
    return found[0]


def attachment(session: Session, user: User, identity: str, *, app: App | None = None) -> Attachment:
    candidates = attachments_of_app(session, app) if app else attachments_of_user(session, user)
    for each in candidates:
        if identity == each.id or identity.upper() == each.name:
            return each
    raise NotFound("Couldn't find that add on attachment.", "add_on attachment")
