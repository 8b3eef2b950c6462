"""Drains: where an app's log is sent as it comes."""

import click

from hkcli.api.documents import Drain
from hkcli.api.errors import NotFound
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest


@app_command("drains")
@json_option
def drains(run: Run, as_json: bool) -> None:
    """List the log drains of an app."""
    found = sorted(run.api.drains(run.app), key=lambda each: (target_of(each), each["token"]))
    if as_json:
        run.out.json(found)
        return
    if not found:
        run.out.talk(f"{run.app} has no drains.")
    for each in found:
        run.out.line(f"{target_of(each)} ({each['token']})")


def target_of(drain: Drain) -> str:
    return drain["addon"]["name"] if drain.get("addon") else drain["url"]  # type: ignore[index]


@app_command("drains:add")
@click.argument("url")
@json_option
def drains_add(run: Run, url: str, as_json: bool) -> None:
    """Send an app's log to a URL as it comes."""
    with run.out.progress(f"Adding drain {url}"):
        drain = run.api.add_drain(run.app, url)
    if as_json:
        run.out.json(drain)
    else:
        run.out.line(f"Successfully added drain {drain['url']}")


@app_command("drains:remove")
@click.argument("url", metavar="URL|TOKEN")
@json_option
def drains_remove(run: Run, url: str, as_json: bool) -> None:
    """Send an app's log to a URL no more."""
    try:
        with run.out.progress(f"Removing drain {url}"):
            drain = run.api.remove_drain(run.app, url)
    except NotFound as error:
        if error.resource != "app":
            near = nearest(url, [each["url"] for each in run.api.drains(run.app)])
            error.next = (f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku drains",)
        raise
    if as_json:
        run.out.json(drain)
    else:
        run.out.line(f"Successfully removed drain {drain['url']}")
