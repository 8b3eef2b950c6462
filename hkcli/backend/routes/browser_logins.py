"""Logging in with a browser, as the official CLI does it: POST /auth, a page for a person, the outcome for the CLI."""

import asyncio
import hmac
import html
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hkcli.backend import accounts
from hkcli.backend.browser_logins import BrowserLogin
from hkcli.backend.endpoint import authorization_of, json_response, open_route, read_body, read_raw
from hkcli.backend.errors import Forbidden, NotFound, PlatformError, TwoFactorRequired
from hkcli.backend.platform import Platform
from hkcli.backend.router.faults import page
from hkcli.backend.routes.authorizations import FAILED_LOGIN_S, check_second_factor

COOKIE = "hkcli_login"
KEEPALIVE_S = 15.0
TOKEN_LIFETIME_S = 30 * 24 * 3600
"""As the official CLI asks for when it logs in with a password."""
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with "no-referrer", browsers send `Origin: null` with the form
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FORM = """\
<p>A program asks to be logged in to this backend as you:</p><p><code>{description}</code></p>
<p>Go on only if you have just typed <code>heroku login</code> yourself.</p>{complaint}
<form method="post"><input type="hidden" name="form" value="{form}">
<p><label>Email<br><input name="email" type="email" autocomplete="username" required autofocus></label></p>
<p><label>Password<br><input name="password" type="password" autocomplete="current-password" required></label></p>
<p><label>Two-factor code, if your account has one<br>
<input name="code" inputmode="numeric" autocomplete="one-time-code"></label></p>
<p><button name="answer" value="yes">Log in</button> <button name="answer" value="no" formnovalidate>Refuse</button></p>
</form>
<p>Whoever runs this backend finds their email and password in <code>credentials.json</code>, in the data directory that
<code>heroku backend:status</code> names.</p>
"""


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


async def begin(request: Request) -> Response:
    check_origin(request)
    description = (await read_body(request)).get("description")
    login = platform_of(request).browser_logins.begin(str(description or "a program that does not say who it is"))
    return json_response(
        {"browser_url": f"/auth/browser/{login.id}", "cli_url": f"/auth/cli/{login.id}", "token": login.token}, 201
    )


def check_origin(request: Request) -> None:
    """Nothing here is asked for by other sites' pages. Raises Forbidden."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
        raise Forbidden("Pages of other sites may not log anybody in.")


async def show(request: Request) -> Response:
    try:
        login = platform_of(request).browser_logins.find(request.path_params["login"])
    except NotFound as error:
        return said("There is no such login", error.message, 404)
    return settled(login) if login.decided.is_set() else form(login)


def form(login: BrowserLogin, complaint: str = "", status: int = 200) -> Response:
    body = FORM.format(
        description=html.escape(login.description),
        complaint=complaint and f'<p role="alert"><strong>{html.escape(complaint)}</strong></p>',
        form=login.form,
    )
    answer = Response(page("Log in", body), status, SAFE, media_type="text/html")
    path = f"/auth/browser/{login.id}"
    answer.set_cookie(COOKIE, login.form, path=path, httponly=True, samesite="strict")
    return answer


def settled(login: BrowserLogin) -> Response:
    if login.error:
        return said("Not logged in", login.error)
    return said("Logged in", "You can close this window and go back to the terminal.")


def said(title: str, text: str, status: int = 200) -> Response:
    return Response(page(title, f"<p>{html.escape(text)}</p>"), status, SAFE, media_type="text/html")


async def decide(request: Request) -> Response:
    """What the form sends; only one that this address has shown counts, and only with the cookie that came with it."""
    platform = platform_of(request)
    try:
        check_origin(request)
        login = platform.browser_logins.find(request.path_params["login"])
        fields = {name: values[0] for name, values in parse_qs((await read_raw(request)).decode("latin-1")).items()}
        for proof in (fields.get("form", ""), request.cookies.get(COOKIE, "")):
            if not hmac.compare_digest(proof.encode(), login.form.encode()):
                raise Forbidden("This form was not shown here. Reload the page, with cookies allowed.")
    except PlatformError as error:
        return said("Not logged in", error.message, error.status)
    if login.decided.is_set():
        return settled(login)
    if fields.get("answer") != "yes":
        login.refuse("The login was refused in the browser.")
        return settled(login)
    try:
        login.confirm(await person(platform, fields))
    except TwoFactorRequired:
        return form(login, "Your account asks for its two-factor code, too.", TwoFactorRequired.status)
    except PlatformError as error:
        await asyncio.sleep(FAILED_LOGIN_S)
        login.fail()
        return settled(login) if login.decided.is_set() else form(login, error.message, error.status)
    return settled(login)


async def person(platform: Platform, fields: dict[str, str]) -> str:
    """The id of the user whose email, password and second factor these are. Raises PlatformError."""
    with platform.store.transaction() as session:
        user = accounts.with_email(session, fields.get("email", ""))
        stored = user.password_hash if user else None
    if not await asyncio.to_thread(accounts.is_password, fields.get("password", ""), stored) or user is None:
        raise Forbidden("Email or password is wrong.")
    await check_second_factor(platform, user.id, fields.get("code") or None)
    return user.id


async def outcome(request: Request) -> Response:
    """Waits for the decision, with blanks meanwhile: the official CLI gives up on a connection that is silent."""
    platform = platform_of(request)
    token = accounts.parse_authorization(authorization_of(request)).token or ""
    login = platform.browser_logins.asked_by(request.path_params["login"], token)
    return StreamingResponse(told(platform, login), headers=SAFE, media_type="application/json")


async def told(platform: Platform, login: BrowserLogin) -> AsyncIterator[bytes]:
    while not login.decided.is_set() and platform.browser_logins.left_s(login):
        try:
            async with asyncio.timeout(min(KEEPALIVE_S, platform.browser_logins.left_s(login))):
                await login.decided.wait()
        except TimeoutError:
            yield b" "
    platform.browser_logins.end(login)
    yield json.dumps(document(platform, login)).encode()


def document(platform: Platform, login: BrowserLogin) -> dict[str, str]:
    """The new token, made only now that somebody is there to take it; or why there is none."""
    if login.user_id is None:
        return {"error": login.error or "Nobody confirmed the login in time."}
    with platform.store.transaction() as session:
        user = accounts.find_user(session, login.user_id)
        _, token = accounts.authorize(session, user, login.description, expires_in_s=TOKEN_LIFETIME_S)
    return {"access_token": token}


ROUTES = [
    open_route("POST", "/auth", begin),
    open_route("GET", "/auth/browser/{login}", show),
    open_route("POST", "/auth/browser/{login}", decide),
    open_route("GET", "/auth/cli/{login}", outcome),
]
