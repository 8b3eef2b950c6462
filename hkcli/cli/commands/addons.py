"""Add-ons: what is there, what can be had, adding, changing and removing."""

from typing import Any

import click

from hkcli.api.documents import Addon, Attachment
from hkcli.api.errors import ApiError, ConfirmationRequired, HerokuError, InvalidParams, NotFound
from hkcli.cli.context import Run, app_command, command, confirm_option, json_option, wrap_option
from hkcli.cli.dispatch import nearest
from hkcli.cli.units import monthly_text, price_text

POLL_S = 5.0
STATES = {"provisioned": "created", "provisioning": "creating", "deprovisioning": "destroying"}
NO_SUCH_PLAN = "Couldn't find either the add-on"


@app_command("addons")
@click.option("-A", "--all", "everywhere", is_flag=True, help="of all your apps")
@wrap_option
@json_option
def addons(run: Run, everywhere: bool, no_wrap: bool, as_json: bool) -> None:
    """List the add-ons of an app, or of all your apps."""
    if everywhere:
        run.needs_app = False
        if run.app_flag or run.remote_flag:
            run.out.warn("--all lists the add-ons of all your apps: --app and --remote make no difference.")
    everywhere = everywhere or not run.names_an_app()
    found = run.api.all_addons() if everywhere else run.api.addons(run.app)
    attached = [] if everywhere else run.api.all_attachments()
    found = sorted(with_attachments(found, attached), key=lambda addon: (addon["app"]["name"], addon["name"]))
    foreign = [] if everywhere else foreign_addons(found, attached, run.app)
    if as_json:
        run.out.json([*found, *foreign])
        return
    if not found and not foreign:
        where = "You have no add-ons." if everywhere else f"No add-ons for app {run.app}."
        run.out.talk(f"{where} See what can be had: heroku addons:services")
        return
    if everywhere:
        columns = ["Owning App", "Add-on", "Plan", "Price", "State"]
        run.out.table(columns, [[addon["app"]["name"], *row(addon, ())] for addon in found], wraps=not no_wrap)
    else:
        of_app = [each for each in attached if each["app"]["name"] == run.app]
        rows = [row(addon, names_of(addon, of_app)) for addon in found]
        rows += [foreign_row(each, run.app) for each in foreign]
        run.out.table(["Add-on", "Plan", "Price", "State"], rows, wraps=not no_wrap)


def with_attachments(found: list[Addon], attached: list[Attachment]) -> list[Addon]:
    """Each add-on with what is attached of it, to whichever app."""
    for addon in found:
        addon["attachments"] = [each for each in attached if each["addon"]["id"] == addon["id"]]
    return found


def foreign_addons(own: list[Addon], attached: list[Attachment], app: str) -> list[dict[str, Any]]:
    """What belongs to other apps and is attached to this one, as far as its attachments tell."""
    known = {addon["id"] for addon in own}
    foreign: dict[str, list[Attachment]] = {}
    for each in attached:
        if each["addon"]["id"] not in known:
            foreign.setdefault(each["addon"]["name"], []).append(each)
    return [
        {"addon_service": {}, "app": members[0]["addon"]["app"], "attachments": members, "name": name, "plan": {}}
        for name, members in sorted(foreign.items())
        if any(each["app"]["name"] == app for each in members)
    ]


def foreign_row(addon: dict[str, Any], app: str) -> list[str]:
    names = ", ".join(each["name"] for each in addon["attachments"] if each["app"]["name"] == app)
    return [f"{addon['name']} as {names}", "?", f"(billed to {addon['app']['name']} app)", ""]


def names_of(addon: Addon, attachments: list[Attachment]) -> tuple[str, ...]:
    return tuple(each["name"] for each in attachments if each["addon"]["id"] == addon["id"])


def row(addon: Addon, attached_as: tuple[str, ...]) -> list[str]:
    label = f"{addon['addon_service']['name']} ({addon['name']})"
    if attached_as:
        label += f" as {', '.join(attached_as)}"
    plan = addon["plan"]["name"].partition(":")[2] or addon["plan"]["name"]
    price = addon["billed_price"] or addon["plan"].get("price")
    return [label, plan, monthly_text(price), STATES.get(addon["state"], addon["state"])]


@app_command("addons:add")
@click.argument("plan", metavar="SERVICE[:PLAN]")
@click.argument("settings", metavar="[-- --KEY VALUE...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--name", metavar="NAME", help="global name of the add-on")
@click.option("--as", "attached_as", metavar="NAME", help="name it is attached under, the beginning of its config vars")
@click.option("--wait", is_flag=True, help="until it is provisioned")
@confirm_option
@json_option
def addons_add(
    run: Run,
    plan: str,
    settings: tuple[str, ...],
    name: str | None,
    attached_as: str | None,
    wait: bool,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Add an add-on to an app."""
    wishes: dict[str, object] = {
        "attachment": {"name": attached_as} if attached_as else {},
        "config": parse_settings(settings),
        "plan": {"name": plan},
    }
    wishes |= {key: value for key, value in {"name": name, "confirm": confirm}.items() if value}
    addon = add(run, plan, wishes)
    message = addon.get("provision_message")
    if message and not as_json:
        run.out.line(message.rstrip("\n"))
    if wait:
        addon = wait_until(run, addon)
    if as_json:
        run.out.json(addon)
        return
    run.out.line(created_line(addon))
    if addon["state"] == "deprovisioned":
        raise HerokuError(
            f"The add-on {addon['name']} was not provisioned.", next=(f"Why: heroku logs --dyno api --app {run.app}",)
        )


def add(run: Run, plan: str, wishes: dict[str, object]) -> Addon:
    try:
        return request_addon(run, run.app, plan, wishes)
    except ConfirmationRequired as error:
        run.confirm(None, error.message)
        return request_addon(run, run.app, plan, wishes | {"confirm": run.app})


def request_addon(run: Run, app: str, plan: str, wishes: dict[str, object]) -> Addon:
    try:
        with run.out.progress(f"Creating {plan} on {app}") as step:
            addon = run.api.create_addon(app, wishes)
            step.ends(price_text(addon["plan"].get("price") or addon["billed_price"]) or "done")
    except (InvalidParams, NotFound) as error:
        if error.message.startswith(NO_SUCH_PLAN):
            raise unknown_plan(run, plan, error) from error
        raise
    return addon


def unknown_plan(run: Run, plan: str, error: ApiError) -> HerokuError:
    """The platform's refusal, with the nearest names of what it does have."""
    service, colon, _ = plan.partition(":")
    services = [each["name"] for each in run.api.addon_services()]
    if colon and service in services:
        plans = [each["name"] for each in run.api.plans(service)]
        near = nearest(plan, plans) or plans
    else:
        near = nearest(service, services)
    hint = f"Did you mean: {', '.join(near)}?" if near else "See what can be had: heroku addons:services"
    if "Did you mean" not in error.message:
        error.next = (hint,)
    return error


def parse_settings(words: tuple[str, ...]) -> dict[str, object]:
    """`--key value`, `--key=value` and `--flag` as the add-on's configuration. Raises click.UsageError."""
    settings: dict[str, object] = {}
    waiting: str | None = None
    for word in words:
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            if not key:
                raise click.UsageError(f"{word!r} is not a setting. Write: -- --key value")
            settings[key] = value if equals else True
            waiting = None if equals else key
        elif waiting:
            settings[waiting], waiting = word, None
        else:
            raise click.UsageError(f"{word!r} belongs to no setting. Write: -- --key {word}")
    return settings


def created_line(addon: Addon) -> str:
    if addon["state"] == "provisioning":
        name = addon["name"]
        return f"{name} is being created in the background. See how far it is: heroku addons:info {name}"
    as_vars = f" as {', '.join(addon['config_vars'])}" if addon["config_vars"] else ""
    return f"Created {addon['name']}{as_vars}"


def wait_until(run: Run, addon: Addon, interval_s: float = POLL_S) -> Addon:
    """The add-on when it is neither being created nor destroyed any more."""
    import time

    with run.out.progress(f"Waiting for {addon['name']}") as step:
        while addon["state"] in ("provisioning", "deprovisioning"):
            time.sleep(interval_s)
            try:
                addon = run.api.addon(run.app, addon["id"])
            except NotFound as error:
                if error.resource == "app":
                    raise
                addon["state"] = "deprovisioned"
        step.ends(STATES.get(addon["state"], addon["state"]))
    return addon


@app_command("addons:remove")
@click.argument("names", metavar="ADDON...", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="also when it is attached to other apps")
@click.option("--wait", is_flag=True, help="until it is gone")
@confirm_option
@json_option
def addons_remove(
    run: Run, names: tuple[str, ...], force: bool, wait: bool, confirm: str | None, as_json: bool
) -> None:
    """Remove add-ons from an app, with all that they hold."""
    found = [resolve(run, name) for name in dict.fromkeys(names)]
    listed = ", ".join(addon["name"] for addon in found)
    run.confirm(confirm, f"This destroys {listed} on {run.app}.")
    gone = [remove(run, addon, force) for addon in found]
    if wait:
        gone = [wait_until(run, each) for each in gone]
    if as_json:
        run.out.json(gone)


def remove(run: Run, addon: Addon, force: bool) -> Addon:
    force = force or run.env.get("HEROKU_FORCE") == "1"
    with run.out.progress(f"Destroying {addon['name']} on {run.app}") as step:
        gone = run.api.delete_addon(addon["app"]["id"], addon["id"], force=force)
        if gone["state"] == "deprovisioning":
            step.ends("pending")
        elif gone["state"] != "deprovisioned":
            raise HerokuError(f"The add-on {addon['name']} is still {gone['state']}.")
    return gone


def resolve(run: Run, name: str) -> Addon:
    """The one add-on of the app that a name means. Raises HerokuError."""
    try:
        found = run.api.resolve_addons(name, run.app)
    except NotFound as error:
        if error.resource != "app":
            error.next = near_addons(run, name)
        raise
    if not found:
        raise HerokuError(f"{run.app} has no add-on {name}.", next=near_addons(run, name))
    if len(found) > 1:
        listed = ", ".join(sorted(addon["name"] for addon in found))
        raise HerokuError(f"{name} can mean more than one add-on: {listed}.", next=("Use one of these names.",))
    if found[0]["app"]["name"] != run.app:
        raise HerokuError(
            f"{found[0]['name']} belongs to {found[0]['app']['name']}, not to {run.app}.",
            next=(f"Name its app: --app {found[0]['app']['name']}",),
        )
    return found[0]


def near_addons(run: Run, name: str) -> tuple[str, ...]:
    present = run.api.addons(run.app)
    if not present:
        return (f"{run.app} has no add-ons.",)
    known = [word for addon in present for word in (addon["addon_service"]["name"], addon["name"])]
    near = nearest(name, known)
    if near:
        return (f"Did you mean: {', '.join(near)}?",)
    return (f"{run.app} has: {', '.join(addon['name'] for addon in present)}",)


@app_command("addons:info")
@click.argument("name", metavar="ADDON")
@json_option
def addons_info(run: Run, name: str, as_json: bool) -> None:
    """Show what is known of an add-on."""
    addon = resolve(run, name)
    if as_json:
        run.out.json(addon)
        return
    run.out.header(addon["name"])
    run.out.pairs(
        {
            "Plan": addon["plan"]["name"],
            "Price": price_text(addon["billed_price"] or addon["plan"].get("price")),
            "Attachments": ", ".join(names_of(addon, run.api.attachments(run.app))),
            "Config vars": ", ".join(addon["config_vars"]),
            "Owning app": addon["app"]["name"],
            "Created at": addon["created_at"],
            "State": STATES.get(addon["state"], addon["state"]),
        }
    )


@command("addons:services")
@json_option
def addons_services(run: Run, as_json: bool) -> None:
    """List the add-ons that can be had."""
    services = sorted(run.api.addon_services(), key=lambda service: service["name"])
    if as_json:
        run.out.json(services)
        return
    run.out.table(["Slug", "Name", "State"], [[each["name"], each["human_name"], each["state"]] for each in services])
    run.out.talk("See the plans of one: heroku addons:plans SLUG")


@command("addons:plans")
@click.argument("service")
@json_option
def addons_plans(run: Run, service: str, as_json: bool) -> None:
    """List the plans of an add-on."""
    try:
        plans = run.api.plans(service)
    except NotFound as error:
        raise unknown_plan(run, service, error) from error
    plans = sorted(plans, key=lambda plan: ((plan.get("price") or {"cents": 0})["cents"], plan["name"]))
    if as_json:
        run.out.json(plans)
        return
    rows = [
        [
            "default" if plan.get("default") else "",
            plan["name"],
            plan.get("human_name", ""),
            monthly_text(plan.get("price")),
        ]
        for plan in plans
    ]
    run.out.table(["", "Slug", "Name", "Price"], rows)


@app_command("addons:upgrade")
@click.argument("words", metavar="[ADDON] SERVICE:PLAN", nargs=-1, required=True)
@json_option
def addons_upgrade(run: Run, words: tuple[str, ...], as_json: bool) -> None:
    """Change the plan of an add-on, up or down."""
    if len(words) > 2 or ":" not in words[-1]:
        raise click.UsageError("Name the plan with its service, as in: heroku addons:upgrade dj:trio")
    plan = words[-1]
    addon = resolve(run, words[0] if len(words) == 2 else plan.partition(":")[0])
    try:
        with run.out.progress(f"Changing {addon['name']} on {run.app} from {addon['plan']['name']} to {plan}") as step:
            changed = run.api.change_plan(run.app, addon["name"], plan)
            step.done(price_text(changed["plan"].get("price") or changed["billed_price"]))
    except (InvalidParams, NotFound) as error:
        if error.message.startswith(NO_SUCH_PLAN):
            raise unknown_plan(run, plan, error) from error
        raise
    if as_json:
        run.out.json(changed)
    elif message := changed.get("provision_message"):
        run.out.line(message.rstrip("\n"))
