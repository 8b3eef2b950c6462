"""Users of the backend on this machine, added and removed by whoever runs it."""

from typing import TYPE_CHECKING

import click

from hkcli.cli.context import Run, command, json_option
from hkcli.cli.local_backend import LocalBackend

if TYPE_CHECKING:
    from hkcli.api.client import PlatformAPI


def as_operator(run: Run) -> "PlatformAPI":
    """The running backend, with the token of the user who runs it, whoever is logged in. Raises HerokuError."""
    from hkcli.api.client import PlatformAPI

    backend = LocalBackend.of(run.env)
    return PlatformAPI(backend.running()["api_url"], backend.credentials()["token"])


@command("backend:users")
@json_option
def backend_users(run: Run, as_json: bool) -> None:
    """List the users of the backend."""
    users = as_operator(run).backend_users()
    if as_json:
        run.out.json(users)
    else:
        run.out.table(("email", "since"), [(each["email"], each["created_at"]) for each in users])


@command("backend:users:add")
@click.argument("email")
@click.option("--two-factor-code", metavar="CODE", help="what a login asks for besides the password")
@click.option("--unverified", is_flag=True, help="as without a credit card: no add-on that costs something")
@json_option
def backend_users_add(run: Run, email: str, two_factor_code: str | None, unverified: bool, as_json: bool) -> None:
    """Add a user; show their password and token.

    They see only their own apps, and those shared with them.
    """
    with run.out.progress(f"Adding {email}"):
        wishes = {"email": email, "two_factor_code": two_factor_code, "verified": not unverified}
        user = as_operator(run).add_backend_user(wishes)
    if as_json:
        run.out.json(user)
    else:
        run.out.pairs({name.capitalize(): user[name] for name in ("email", "password", "token")})


@command("backend:users:remove")
@click.argument("email")
@json_option
def backend_users_remove(run: Run, email: str, as_json: bool) -> None:
    """Remove a user; refused while they own apps."""
    with run.out.progress(f"Removing {email}"):
        as_operator(run).remove_backend_user(email)
    if as_json:
        run.out.json({"email": email})
