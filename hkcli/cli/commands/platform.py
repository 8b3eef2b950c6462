"""The platform itself: its regions, its stacks, and how it is today."""

import click

from hkcli.api.errors import InvalidParams, NotFound
from hkcli.cli.context import Run, app_command, command, json_option
from hkcli.cli.dispatch import nearest

STATUS_SITE = "https://status.heroku.com"


@command("regions")
@click.option("--common", is_flag=True, help="only those of the common runtime")
@click.option("--private", is_flag=True, help="only those of private spaces")
@json_option
def regions(run: Run, common: bool, private: bool, as_json: bool) -> None:
    """List the regions where apps can live."""
    found = sorted(run.api.regions(), key=lambda each: (each["private_capable"], each["name"]))
    if common and private:
        raise click.UsageError("--common and --private exclude each other.")
    if common != private:
        found = [each for each in found if each["private_capable"] == private]
    if as_json:
        run.out.json(found)
        return
    runtime = {True: "Private Spaces", False: "Common Runtime"}
    rows = [[each["name"], each["description"], runtime[each["private_capable"]]] for each in found]
    run.out.table(["ID", "Location", "Runtime"], rows)


@app_command("apps:stacks")
@json_option
def apps_stacks(run: Run, as_json: bool) -> None:
    """List the stacks; the app's own is marked."""
    app, found = run.api.app(run.app), sorted(run.api.stacks(), key=lambda stack: stack["name"])
    if as_json:
        run.out.json(found)
        return
    if run.out.stdout.isatty():
        run.out.header(f"{app['name']} Available Stacks")
    following = app.get("build_stack") or app["stack"]
    for stack in found:
        mark = "*" if stack["name"] == app["stack"]["name"] else " "
        is_next = mark == " " and stack["name"] == following["name"]
        run.out.line(f"{mark} {stack['name']}{' (active on next deploy)' if is_next else ''}")


@app_command("apps:stacks:set")
@click.argument("stack")
@json_option
def apps_stacks_set(run: Run, stack: str, as_json: bool) -> None:
    """Set the stack of an app, from the next deploy on."""
    try:
        with run.out.progress(f"Setting stack to {stack}"):
            app = run.api.update_app(run.app, {"build_stack": stack})
    except (NotFound, InvalidParams) as error:
        if getattr(error, "resource", None) != "app":
            known = [each["name"] for each in run.api.stacks()]
            near = nearest(stack, known)
            listed = () if all(each in error.message for each in known) else ("See them: heroku apps:stacks",)
            error.next = (f"Did you mean: {', '.join(near)}?",) if near else listed
        raise
    if as_json:
        run.out.json(app)
    else:
        run.out.talk(f"It takes effect when {run.app} is deployed: git push heroku HEAD:main")


@command("status")
@json_option
def status(run: Run, as_json: bool) -> None:
    """Show how Heroku is, as its status site tells."""
    found = run.api_at(run.env.get("HEROKU_STATUS_HOST") or STATUS_SITE).current_status()
    if as_json:
        run.out.json(found)
        return
    for each in found["status"]:
        words = "No known issues at this time." if each["status"] == "green" else each["status"].capitalize()
        run.out.line(f"{each['system'] + ':':<10} {words}")
    for incident in found["incidents"]:
        run.out.line()
        run.out.header(f"{incident['title']} {incident['created_at']} {incident['full_url']}")
        for update in incident["updates"]:
            run.out.line(f"{update['update_type']} {update['updated_at']}")
            run.out.line(update["contents"])
