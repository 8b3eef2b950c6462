"""Add-ons that are there: another name, their dashboard and documentation, and waiting until they are ready."""

import click

from hkcli.api.errors import HerokuError, NotFound
from hkcli.cli.browser import show_page
from hkcli.cli.commands.addons import POLL_S, STATES, resolve, wait_until
from hkcli.cli.context import Run, app_command, command, json_option
from hkcli.cli.dispatch import nearest

DOCS = "https://devcenter.heroku.com/articles/{}"


@command("addons:rename")
@click.argument("addon")
@click.argument("new_name")
@json_option
def addons_rename(run: Run, addon: str, new_name: str, as_json: bool) -> None:
    """Give an add-on another name."""
    try:
        found = run.api.addon_anywhere(addon)
    except NotFound as error:
        near = nearest(addon, [each["name"] for each in run.api.all_addons()])
        error.next = (f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku addons --all",)
        raise
    with run.out.progress(f"Renaming {found['name']} to {new_name}"):
        renamed = run.api.rename_addon(found["app"]["id"], found["id"], new_name)
    if as_json:
        run.out.json(renamed)


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


@app_command("addons:open", epilog="Example: heroku addons:open dj --app example-app")
@click.argument("addon", metavar="SERVICE|ADDON")
@click.option("--show-url", is_flag=True, help="print the address instead of opening it; it works once")
@json_option
def addons_open(run: Run, addon: str, show_url: bool, as_json: bool) -> None:
    """Open an add-on's dashboard in the web browser."""
    found = resolve(run, addon)
    if not (url := found.get("web_url")):
        raise HerokuError(f"{found['name']} has no dashboard.", next=(f"Read about it: heroku addons:docs {addon}",))
    show_page(run, url, only_print=show_url, as_json=as_json)


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
    failed = [
        before["name"]
        for before, after in zip(chosen, settled, strict=True)
        if before["state"] == "provisioning" and after["state"] != "provisioned"
    ]
    if failed:
        raise HerokuError(f"Not provisioned: {', '.join(failed)}. They are {STATES['deprovisioning']} or gone.")
