"""Access: who may work on an app."""

import click

from hkcli.api.documents import Collaborator
from hkcli.api.errors import HerokuError, NotFound
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest


@app_command("access")
@json_option
def access(run: Run, as_json: bool) -> None:
    """List who has access to an app."""
    found = sorted(run.api.collaborators(run.app), key=email_of)
    if as_json:
        run.out.json(found)
        return
    run.out.table(["Email", "Role", "Permissions"], [row(each) for each in found])


def email_of(each: Collaborator) -> str:
    return each["user"]["email"]


def row(each: Collaborator) -> list[str]:
    permissions = sorted(permission["name"] for permission in each.get("permissions") or [])
    return [email_of(each), each.get("role") or "collaborator", ", ".join(permissions)]


@app_command("access:add")
@click.argument("email")
@click.option("-p", "--permissions", metavar="NAMES", help="on a team's app: deploy, manage, operate, view")
@json_option
def access_add(run: Run, email: str, permissions: str | None, as_json: bool) -> None:
    """Give a user access to an app."""
    wanted = named_permissions(permissions) if permissions else []
    if wanted:
        check_team(run)
    as_what = f" with {', '.join(wanted)} permissions" if wanted else ""
    with run.out.progress(f"Adding {email} access to the app {run.app}{as_what}"):
        if wanted:
            added = run.api.add_team_collaborator(run.app, email, wanted)
        else:
            added = run.api.add_collaborator(run.app, email)
    if as_json:
        run.out.json(added)


def named_permissions(text: str) -> list[str]:
    """Names between commas, and `view`, without which none of the others is worth anything."""
    return sorted({"view", *text.replace(" ", "").split(",")} - {""})


def check_team(run: Run) -> None:
    """Raises HerokuError for an app that no team has."""
    if not run.api.app(run.app).get("team"):
        raise HerokuError(
            f"{run.app} belongs to no team, and permissions are a team's.",
            next=(
                "See who has access: heroku access",
                "Give access to all of it: heroku access:add EMAIL",
            ),
        )


@app_command("access:update")
@click.argument("email")
@click.option("-p", "--permissions", metavar="NAMES", required=True, help="deploy, manage, operate, view")
@json_option
def access_update(run: Run, email: str, permissions: str, as_json: bool) -> None:
    """Change what a user may do on a team's app."""
    wanted = named_permissions(permissions)
    check_team(run)
    with run.out.progress(f"Updating {email} in application {run.app} with {', '.join(wanted)} permissions"):
        changed = run.api.update_team_collaborator(run.app, email, wanted)
    if as_json:
        run.out.json(changed)


@app_command("access:remove")
@click.argument("email")
@json_option
def access_remove(run: Run, email: str, as_json: bool) -> None:
    """Take a user's access to an app away."""
    try:
        with run.out.progress(f"Removing {email} access from the app {run.app}"):
            gone = run.api.remove_collaborator(run.app, email)
    except NotFound as error:
        if error.resource != "app":
            error.next = (removal_hint(email, run.api.collaborators(run.app)),)
        raise
    if as_json:
        run.out.json(gone)


def removal_hint(email: str, present: list[Collaborator]) -> str:
    """Whom else could be meant, or that the owner's access goes with the app."""
    if email in map(email_of, present):
        return f"{email} owns the app, and keeps access to it."
    near = nearest(email, [email_of(each) for each in present])
    return f"Did you mean: {', '.join(near)}?" if near else "See who has it: heroku access"
