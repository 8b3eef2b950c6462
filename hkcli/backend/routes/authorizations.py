"""Tokens: made with a password or another token, listed, revoked."""

import asyncio
import contextlib
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hkcli.backend import accounts, schemas
from hkcli.backend.endpoint import (
    Answer,
    Call,
    Collection,
    authorization_of,
    json_response,
    open_route,
    read_body,
    route,
)
from hkcli.backend.errors import (
    BadRequest,
    InvalidParams,
    NotFound,
    TwoFactorRequired,
    Unauthorized,
    WrongSecondFactor,
)
from hkcli.backend.platform import Platform
from hkcli.backend.store import User

FAILED_LOGIN_S = 0.5
"""How long a wrong password is left without an answer."""


async def create(request: Request) -> Response:
    """Basic `email:password`, as `heroku login -i` sends it, or a token that is good already."""
    platform: Platform = request.app.state.platform
    body = await read_body(request)
    header = authorization_of(request)
    user_id = await who(platform, header, request.headers.get("heroku-two-factor-code"))
    check_client(body)
    with platform.store.transaction() as session:
        user = session.get_one(User, user_id)
        record, token = accounts.authorize(
            session,
            user,
            description(body.get("description")),
            scope=scope(body.get("scope")),
            expires_in_s=lifetime_s(body.get("expires_in")),
        )
        return json_response(schemas.authorization(record, token), 201)


async def who(platform: Platform, header: str, code: str | None) -> str:
    """The id of the user with this token, or this password and second factor, which take their time to check.

    Raises Unauthorized, TwoFactorRequired, WrongSecondFactor."""
    given = accounts.parse_authorization(header)
    with platform.store.transaction() as session:
        with contextlib.suppress(Unauthorized):
            return accounts.admit(session, header, "POST", "/oauth/authorizations").id
        user = accounts.with_email(session, given.email)
    is_right = await asyncio.to_thread(accounts.is_password, given.password, user.password_hash if user else None)
    if user is not None and is_right:
        await check_second_factor(platform, user.id, code)
        return user.id
    await asyncio.sleep(FAILED_LOGIN_S)
    raise Unauthorized


def check_client(body: dict[str, Any]) -> None:
    """Raises InvalidParams when an OAuth client is named."""
    if body.get("client") is not None:
        raise InvalidParams("client cannot be given here: there are no OAuth clients.")


async def check_second_factor(platform: Platform, user_id: str, code: str | None) -> None:
    """Whether the code is what this user has to give, if anything. Raises TwoFactorRequired, WrongSecondFactor."""
    with platform.store.transaction() as session:
        factor = session.get_one(User, user_id).second_factor
    if factor is None:
        return
    if not code:
        raise TwoFactorRequired
    if not await asyncio.to_thread(accounts.is_password, code, factor.code_hash):
        await asyncio.sleep(FAILED_LOGIN_S)
        raise WrongSecondFactor


def description(value: object) -> str:
    if not isinstance(value, str | None):
        raise BadRequest("description must be a string.")
    return value or "Long-lived user authorization"


def scope(value: object) -> list[str] | None:
    if value is None or (isinstance(value, list) and all(each in accounts.SCOPES for each in value)):
        return value
    raise BadRequest(f"scope must be a list of: {', '.join(accounts.SCOPES)}.")


def lifetime_s(value: object) -> int | None:
    """Seconds, sent as a number or as text. Raises BadRequest."""
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", str(value)):
        raise BadRequest("expires_in must be a number of seconds.")
    return int(str(value))


def every(call: Call) -> Answer:
    return Collection([schemas.authorization(each) for each in accounts.authorizations(call.session, call.user)])


def info(call: Call) -> Answer:
    return schemas.authorization(accounts.authorization(call.session, call.user, call.path("id")))


def delete(call: Call) -> Answer:
    record = accounts.authorization(call.session, call.user, call.path("id"))
    call.session.delete(record)
    return schemas.authorization(record)


def update(call: Call) -> Answer:
    record = accounts.authorization(call.session, call.user, call.path("id"))
    check_client(call.body)
    if description := call.text("description"):
        record.description = description
    call.session.flush()
    return schemas.authorization(record)


def regenerate(call: Call) -> Answer:
    record = accounts.authorization(call.session, call.user, call.path("id"))
    return schemas.authorization(record, accounts.regenerate(call.session, record))


def no_session(call: Call) -> Answer:
    raise NotFound("Couldn't find that session.", "session")


ROUTES = [
    open_route("POST", "/oauth/authorizations", create),
    route("GET", "/oauth/authorizations", every),
    route("GET", "/oauth/authorizations/{id}", info),
    route("PATCH", "/oauth/authorizations/{id}", update),
    route("DELETE", "/oauth/authorizations/{id}", delete),
    route("POST", "/oauth/authorizations/{id}/actions/regenerate-tokens", regenerate, status=201),
    route("DELETE", "/oauth/sessions/{id}", no_session),
]
