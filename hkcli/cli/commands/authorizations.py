"""OAuth authorizations: the tokens that act for a user."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from hkcli.api.documents import Authorization
from hkcli.api.errors import NotFound
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


@command("authorizations:create")
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
    with known_id():
        found = run.api.authorization(identity)
    tell(run, found, as_json)


@contextmanager
def known_id() -> Iterator[None]:
    """An id that is not there: say where ids are."""
    try:
        yield
    except NotFound as error:
        error.next = ("See their ids: heroku authorizations",)
        raise


def tell(run: Run, each: Authorization, as_json: bool) -> None:
    if as_json:
        run.out.json(each)
    else:
        show(run, each)


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


@command("authorizations:update")
@click.argument("identity", metavar="ID")
@click.option("-d", "--description", metavar="TEXT", help="what it is for")
@click.option("--client-id", metavar="ID", help="OAuth client that it is to belong to")
@click.option("--client-secret", metavar="SECRET", help="secret of that client")
@json_option
def authorizations_update(
    run: Run,
    identity: str,
    description: str | None,
    client_id: str | None,
    client_secret: str | None,
    as_json: bool,
) -> None:
    """Change what an authorization is for."""
    if (client_id is None) != (client_secret is None):
        raise click.UsageError("--client-id and --client-secret need each other.")
    wishes: dict[str, object] = {"description": description} if description is not None else {}
    if client_id:
        wishes["client"] = {"id": client_id, "secret": client_secret}
    if not wishes:
        raise click.UsageError("Nothing is to be changed. Try: --description TEXT")
    with known_id(), run.out.progress("Updating OAuth Authorization"):
        changed = run.api.update_authorization(identity, wishes)
    tell(run, changed, as_json)


@command("authorizations:rotate")
@click.argument("identity", metavar="ID")
@json_option
def authorizations_rotate(run: Run, identity: str, as_json: bool) -> None:
    """Give an authorization a new token; the old one ends."""
    with known_id(), run.out.progress("Rotating OAuth Authorization"):
        rotated = run.api.rotate_authorization(identity)
    tell(run, rotated, as_json)


@command("authorizations:revoke")
@click.argument("identity", metavar="ID")
@json_option
def authorizations_revoke(run: Run, identity: str, as_json: bool) -> None:
    """Revoke an authorization; its token is invalid at once."""
    with known_id(), run.out.progress("Revoking OAuth Authorization") as step:
        gone = run.api.revoke(identity)
        step.done(gone.get("description") or "")
    if as_json:
        run.out.json(gone)
