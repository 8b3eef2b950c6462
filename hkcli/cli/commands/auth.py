"""Logging in and out, and who one is."""

import contextlib
from socket import gethostname

import click

from hkcli.api.client import PlatformAPI
from hkcli.api.documents import Authorization
from hkcli.api.errors import ApiError, HerokuError, TwoFactorRequired, Unauthorized
from hkcli.cli.context import Run, command, json_option
from hkcli.cli.netrc import erase, lookup, store

TOKENS_PAGE = "https://dashboard.heroku.com/account"
LONGEST_LOGIN_S = 30 * 24 * 3600
"""As Heroku allows."""


@command("login")
@click.option("-i", "--interactive", is_flag=True, help="with email and password, and no offer of the browser")
@click.option("--browser", metavar="NAME", help="by the platform's page in this web browser, as in firefox")
@click.option("-s", "--sso", is_flag=True, help="by the same page, which does a company's single sign-on")
@click.option("-t", "--token", "with_token", is_flag=True, help="paste an API token instead, or give it on stdin")
@click.option(
    "-e",
    "--expires-in",
    "expires_in_s",
    type=click.IntRange(1, LONGEST_LOGIN_S),
    default=LONGEST_LOGIN_S,
    metavar="SECONDS",
    help="how long the login is valid: thirty days, which are also the longest",
)
@json_option
def login(
    run: Run, interactive: bool, browser: str | None, sso: bool, with_token: bool, expires_in_s: int, as_json: bool
) -> None:
    """Log in with a password, the browser, or an API token."""
    if sum((interactive, sso or browser is not None, with_token)) > 1:
        raise click.UsageError("--interactive, --browser and --token exclude each other.")
    if run.env.get("HEROKU_API_KEY"):
        raise HerokuError(
            "HEROKU_API_KEY is set, and would be used in place of what a login stores.",
            next=("Unset it first: unset HEROKU_API_KEY",),
        )
    try:
        if with_token:
            email, token = token_given(run)
        elif browser or sso:
            email, token = by_browser(run, browser)
        else:
            email, token = at_the_terminal(run, expires_in_s, offers_browser=not interactive)
    except EOFError:
        raise HerokuError("Logging in was broken off.") from None
    except Unauthorized as error:
        error.next = ("The token is not accepted." if with_token else "Email, password or code is wrong. Try again.",)
        raise
    except ApiError as error:
        if error.id == "device_trust_required":
            error.next = (
                "Log in by the browser: heroku login, and Enter in place of an email",
                f"Or with a token of yours: heroku login --token   Tokens: {TOKENS_PAGE}",
            )
        raise
    for machine in run.host.machines:
        store(run.netrc, machine, email, token)
    run.out.talk(f"Logged in as {email} to {run.host.api}")
    if as_json:
        run.out.json({"email": email, "host": run.host.api})


def token_given(run: Run) -> tuple[str, str]:
    if run.out.stdin.isatty():
        token = run.out.ask("Token: ", secret=True).strip()
    else:
        token = run.out.stdin.readline().strip()
    if not token:
        raise HerokuError("No token was given.", next=(f"Heroku shows yours, and makes others: {TOKENS_PAGE}",))
    return run.api_with(token).account()["email"], token


def by_browser(run: Run, browser: str | None) -> tuple[str, str]:
    from hkcli.cli.browser_login import token_from_browser

    token = token_from_browser(run, browser)
    return run.api_with(token).account()["email"], token


def at_the_terminal(run: Run, expires_in_s: int, *, offers_browser: bool) -> tuple[str, str]:
    """By email and password; nothing in place of an email means the browser."""
    if not run.out.stdin.isatty():
        raise HerokuError(
            "Logging in needs a terminal to ask for the password.",
            next=("Give a token instead: heroku login --token < FILE", "Or: export HEROKU_API_KEY=TOKEN"),
        )
    email = run.out.ask("Email (or Enter for the browser): " if offers_browser else "Email: ").strip()
    if offers_browser and not email:
        return by_browser(run, None)
    password = run.out.ask("Password: ", secret=True)
    api = run.api_with(None)
    description = f"hkcli login from {gethostname()}"
    try:
        authorization = api.authorize(email, password, description, expires_in_s)
    except TwoFactorRequired:
        code = run.out.ask("Two-factor code: ").strip()
        authorization = api.authorize(email, password, description, expires_in_s, code)
    return email, token_of(authorization)


def token_of(authorization: Authorization) -> str:
    access = authorization["access_token"]
    if not access:
        raise HerokuError("The platform made an authorization without a token.")
    return access["token"]


@command("logout")
@json_option
def logout(run: Run, as_json: bool) -> None:
    """Forget the token of this platform, and make it invalid."""
    with run.out.progress(f"Logging out of {run.host.api}") as step:
        stored = [found for machine in run.host.machines if (found := lookup(run.netrc, machine))]
        try:
            if stored:
                revoke(run.api_with(stored[0][1]), stored[0][1])
        except HerokuError as error:
            run.out.warn(f"The token is forgotten here, but still good there: {error.message}")
        removed = [erase(run.netrc, machine) for machine in run.host.machines]
        if not any(removed):
            step.done("there was no login")
    if run.env.get("HEROKU_API_KEY"):
        run.out.warn("HEROKU_API_KEY is still set.")
    if as_json:
        run.out.json({"host": run.host.api, "was_logged_in": any(removed)})


def revoke(api: PlatformAPI, token: str) -> None:
    """Make a token invalid, unless it is the account's API key, which other programs may use."""
    with contextlib.suppress(Unauthorized):
        mine = [each for each in api.authorizations() if is_token(each, token)]
        with contextlib.suppress(ApiError):
            default = api.default_authorization()["id"]
            mine = [each for each in mine if each["id"] != default]
        for each in mine:
            api.revoke(each["id"])


def is_token(authorization: Authorization, token: str) -> bool:
    """Whether it holds this token; a list may show one as prefix, ten asterisks, suffix."""
    shown = (authorization["access_token"] or {"token": ""})["token"]
    prefix, hidden, suffix = shown.partition("**********")
    return shown == token or bool(hidden and prefix and token.startswith(prefix) and token.endswith(suffix))


@command("whoami")
@json_option
def whoami(run: Run, as_json: bool) -> None:
    """Show whose token is used."""
    if run.env.get("HEROKU_API_KEY") and run.host.is_same(run.default_host):
        run.out.warn("HEROKU_API_KEY is set, and wins over any login.")
    account = run.api.account()
    if as_json:
        run.out.json(account)
    else:
        run.out.line(account["email"])


@command("auth:token")
@json_option
def auth_token(run: Run, as_json: bool) -> None:
    """Print the token that is used."""
    token = run.token_for(run.host)
    if token is None:
        raise run.no_token()
    if as_json:
        run.out.json({"token": token, "host": run.host.api})
    else:
        run.out.line(token)
