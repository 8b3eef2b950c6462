"""Add-ons that are there: another name, their documentation and dashboard, and waiting until they are ready."""

import click

from hkcli.api.errors import HerokuError, NotFound
from hkcli.cli.browser import show_page
from hkcli.cli.commands.addons import POLL_S, STATES, resolve, wait_until
from hkcli.cli.commands.attachments import addon_named
from hkcli.cli.context import Run, app_command, command, json_option

DOCS = "https://devcenter.heroku.com/articles/{}"


@command("addons:rename")
@click.argument("addon")
@click.argument("new_name")
@json_option
def addons_rename(run: Run, addon: str, new_name: str, as_json: bool) -> None:
    """Give an add-on another name."""
    found = addon_named(run, addon)
    with run.out.progress(f"Renaming {found['name']} to {new_name}"):
        renamed = run.api.rename_addon(found["app"]["id"], found["id"], new_name)
    if as_json:
        run.out.json(renamed)


@app_command("addons:open")
@click.argument("addon", metavar="ADDON")
@click.option("--show-url", is_flag=True, help="print the address instead of opening it")
@json_option
def addons_open(run: Run, addon: str, show_url: bool, as_json: bool) -> None:
    """Open an add-on's own page in the web browser."""
    url = attached_page(run, addon) or resolve(run, addon).get("web_url")
    if not url:
        raise HerokuError(f"{addon} has no page of its own.", next=(f"Its documentation: heroku addons:docs {addon}",))
    show_page(run, url, only_print=show_url, as_json=as_json)


def attached_page(run: Run, name: str) -> str | None:
    """The page of what is attached under a name, which may be another app's add-on."""
    try:
        return run.api.attachment(run.app, name).get("web_url")
    except NotFound as error:
        if error.resource == "app":
            raise
        return None


@app_command("addons:docs")
@click.argument("addon", metavar="SERVICE|ADDON")
@click.option("--show-url", is_flag=True, help="print the address instead of opening it")
@json_option
def addons_docs(run: Run, addon: str, show_url: bool, as_json: bool) -> None:
    """Open an add-on's documentation in the web browser."""
    service = addon.partition(":")[0]
    if service not in [each["name"] for each in run.api.addon_services()]:
        service = resolve(run, addon)["addon_service"]["name"]
    show_page(run, DOCS.format(service), only_print=show_url, as_json=as_json)


@app_command("addons:wait")
@click.argument("name", metavar="[ADDON]", required=False)
@click.option(
    "--wait-interval", "interval_s", type=click.FloatRange(1), default=POLL_S, metavar="SECONDS", help="between looks"
)
@json_option
def addons_wait(run: Run, name: str | None, interval_s: float, as_json: bool) -> None:
    """Wait until an add-on, or all of an app, are ready."""
    chosen = [resolve(run, name)] if name else run.api.addons(run.app)
    settled = [wait_until(run, each, interval_s) if each["state"].endswith("ing") else each for each in chosen]
    if as_json:
        run.out.json(settled)
    elif settled == chosen:
        run.out.talk("Nothing is being created or destroyed.")
    failed = [
        before["name"]
        for before, after in zip(chosen, settled, strict=True)
        if before["state"] == "provisioning" and after["state"] != "provisioned"
    ]
    if failed:
        raise HerokuError(f"Not provisioned: {', '.join(failed)}. They are {STATES['deprovisioning']} or gone.")
