"""OAuth authorizations: the tokens that act for a user."""

import click

from hkcli.api.documents import Authorization
from hkcli.cli.context import Run, command, json_option


@command("authorizations")
@json_option
def authorizations(run: Run, as_json: bool) -> None:
    """List your authorizations; each has a token."""
    found = sorted(run.api.authorizations(), key=lambda each: each["description"] or "")
    if as_json:
        run.out.json(found)
        return
    if not found:
        run.out.talk("You have no authorizations.")
        return
    rows = [[each["description"] or "", each["id"], ",".join(each.get("scope") or [])] for each in found]
    run.out.table(["Description", "ID", "Scope"], rows)


@command("authorizations:create", epilog="Example: heroku authorizations:create -d 'from CI' --short")
@click.option("-d", "--description", metavar="TEXT", help="what it is for")
@click.option("-e", "--expires-in", type=click.IntRange(1), metavar="SECONDS", help="how long it is valid")
@click.option("-s", "--scope", metavar="SCOPES", help="what it may do, as in read,write-protected")
@click.option("-S", "--short", is_flag=True, help="print the token alone")
@json_option
def authorizations_create(
    run: Run, description: str | None, expires_in: int | None, scope: str | None, short: bool, as_json: bool
) -> None:
    """Create an authorization, and with it a token."""
    wishes = {"description": description, "expires_in": expires_in, "scope": scope.split(",") if scope else None}
    with run.out.progress("Creating OAuth Authorization"):
        made = run.api.create_authorization({key: value for key, value in wishes.items() if value is not None})
    if as_json:
        run.out.json(made)
    elif short:
        run.out.line((made["access_token"] or {"token": ""})["token"])
    else:
        show(run, made)


@command("authorizations:info")
@click.argument("identity", metavar="ID")
@json_option
def authorizations_info(run: Run, identity: str, as_json: bool) -> None:
    """Show an authorization."""
    found = run.api.authorization(identity)
    if as_json:
        run.out.json(found)
    else:
        show(run, found)


def show(run: Run, each: Authorization) -> None:
    client, access = each.get("client"), each["access_token"]
    facts = {
        "Client": client["name"] if client else "<none>",
        "ID": each["id"],
        "Description": each["description"] or "",
        "Scope": ",".join(each.get("scope") or []),
    }
    if access:
        facts["Token"] = access["token"]
        if access["expires_in"]:
            facts["Expires in"] = f"{access['expires_in']} seconds"
    run.out.pairs(facts)


@command("authorizations:revoke")
@click.argument("identity", metavar="ID")
@json_option
def authorizations_revoke(run: Run, identity: str, as_json: bool) -> None:
    """Revoke an authorization; its token is invalid at once."""
    with run.out.progress("Revoking OAuth Authorization") as step:
        gone = run.api.revoke(identity)
        step.done(gone.get("description") or "")
    if as_json:
        run.out.json(gone)
