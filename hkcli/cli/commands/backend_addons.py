"""Third parties' add-ons on this machine's backend, described by the manifests that their authors write for Heroku."""

import json
from typing import Any

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.commands.backend_users import as_operator
from hkcli.cli.context import Run, command, json_option


@command("backend:addons")
@json_option
def backend_addons(run: Run, as_json: bool) -> None:
    """List the add-ons that were added by a manifest."""
    found = as_operator(run).partner_services()
    if as_json:
        run.out.json(found)
        return
    if not found:
        run.out.talk("None. Add one: heroku backend:addons:add addon-manifest.json")
        return
    rows = [(each["name"], each["base_url"], str(each["addons"]), str(each["to_deprovision"])) for each in found]
    run.out.table(("slug", "service", "add-ons", "to deprovision"), rows)


@command("backend:addons:add")
@click.argument("manifest", metavar="MANIFEST.json", type=click.Path(dir_okay=False))
@click.option("--production", is_flag=True, help="use the manifest's production addresses instead of the test ones")
@json_option
def backend_addons_add(run: Run, manifest: str, production: bool, as_json: bool) -> None:
    """Add an add-on by its manifest, or renew that.

    Its service is asked for resources by Heroku's Add-on Partner API.
    """
    document = read_manifest(run, manifest)
    environment = "production" if production else "test"
    with run.out.progress(f"Adding {document.get('id', manifest)}"):
        added = as_operator(run).add_partner_service(document, environment)
    if as_json:
        run.out.json(added)
        return
    run.out.pairs(
        {
            "Service": added["base_url"],
            "Plans": ", ".join(added["plans"]),
            "API": added["api_url"],
            "Token URL": added["token_url"],
            "Client secret": added["client_secret"],
        }
    )
    for warning in added["warnings"]:
        run.out.warn(warning)
    run.out.talk(f"Try it: heroku addons:add {added['plans'][0]} --app APP")


def read_manifest(run: Run, file: str) -> dict[str, Any]:
    """Raises HerokuError."""
    path = run.folder / file
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise HerokuError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise HerokuError(f"{file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise HerokuError(f"{file} is not a manifest: it must be a JSON object.")
    return document


@command("backend:addons:remove")
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="also when its service has not been told of all that is gone")
@json_option
def backend_addons_remove(run: Run, name: str, force: bool, as_json: bool) -> None:
    """Remove an add-on that a manifest added.

    Refused while apps have it.
    """
    with run.out.progress(f"Removing {name}"):
        gone = as_operator(run).remove_partner_service(name, force=force)
    if as_json:
        run.out.json(gone)
