"""Attachments: an add-on that is bound to an app, its own or another."""

import click

from hkcli.api.documents import Addon, Attachment
from hkcli.api.errors import ConfirmationRequired, InvalidParams, NotFound
from hkcli.cli.commands.config import release_of
from hkcli.cli.context import Run, app_command, confirm_option, json_option
from hkcli.cli.dispatch import nearest


@app_command("addons:attach")
@click.argument("addon")
@click.option("--as", "name", metavar="NAME", help="name it is attached under, the beginning of its config vars")
@click.option("--credential", metavar="NAME", help="credential of a database, instead of the default one")
@confirm_option
@json_option
def addons_attach(
    run: Run, addon: str, name: str | None, credential: str | None, confirm: str | None, as_json: bool
) -> None:
    """Attach an add-on of any of your apps to an app."""
    found = addon_named(run, addon)
    wishes: dict[str, object] = {"addon": found["name"], "app": run.app}
    more = {
        "name": name,
        "confirm": confirm,
        "namespace": f"credential:{credential}" if credential not in (None, "default") else None,
    }
    attachment = attach(run, wishes | {key: value for key, value in more.items() if value})
    with run.out.progress(f"Setting {attachment['name']} config vars and restarting {run.app}") as step:
        step.done(release_of(run))
    if as_json:
        run.out.json(attachment)


def addon_named(run: Run, name: str) -> Addon:
    """An add-on of any app, by its own name. Raises NotFound with the nearest names."""
    try:
        return run.api.addon_anywhere(name)
    except InvalidParams as error:
        error.next = ("Use the add-on's own name. See it: heroku addons --all",)
        raise
    except NotFound as error:
        near = nearest(name, [each["name"] for each in run.api.all_addons()])
        error.next = (f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku addons --all",)
        raise


def attach(run: Run, wishes: dict[str, object]) -> Attachment:
    try:
        return request(run, wishes)
    except ConfirmationRequired as error:
        run.confirm(None, error.message)
        return request(run, wishes | {"confirm": run.app})


def request(run: Run, wishes: dict[str, object]) -> Attachment:
    as_name = f" as {wishes['name']}" if "name" in wishes else ""
    with run.out.progress(f"Attaching {wishes['addon']}{as_name} to {run.app}"):
        return run.api.attach_addon(wishes)


@app_command("addons:detach")
@click.argument("name", metavar="ATTACHMENT")
@json_option
def addons_detach(run: Run, name: str, as_json: bool) -> None:
    """Detach an add-on from an app; the add-on stays."""
    try:
        found = run.api.attachment(run.app, name)
    except NotFound as error:
        if error.resource != "app":
            known = [each["name"] for each in run.api.attachments(run.app)]
            near = nearest(name, known) or nearest(name.upper(), known)
            error.next = (f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku addons",)
        raise
    with run.out.progress(f"Detaching {name} to {found['addon']['name']} from {run.app}"):
        gone = run.api.detach_addon(found["id"])
    with run.out.progress(f"Unsetting {name} config vars and restarting {run.app}") as step:
        step.done(release_of(run))
    if as_json:
        run.out.json(gone)
