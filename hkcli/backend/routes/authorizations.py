"""Tokens: made with a password or another token, listed, revoked."""

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
from hkcli.backend.errors import BadRequest, NotFound, Unauthorized
from hkcli.backend.platform import Platform


async def create(request: Request) -> Response:
    """Basic `email:password`, as `heroku login -i` sends it, or a token that is good already."""
    platform: Platform = request.app.state.platform
    body = await read_body(request)
    given = accounts.parse_authorization(authorization_of(request))
    with platform.store.transaction() as session:
        try:
            user = accounts.find_authorization(session, given.token or "").user
        except Unauthorized:
            user = accounts.log_in(session, given.email, given.password)
        record, token = accounts.authorize(
            session,
            user,
            description(body.get("description")),
            scope=scope(body.get("scope")),
            expires_in_s=lifetime_s(body.get("expires_in")),
        )
        return json_response(schemas.authorization(record, token), 201)


def description(value: object) -> str:
    if not isinstance(value, str | None):
        raise BadRequest("description must be a string.")
    return value or "Long-lived user authorization"


def scope(value: object) -> list[str] | None:
    if value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return value
    raise BadRequest("scope must be a list of strings.")


def lifetime_s(value: object) -> int | None:
    """Seconds, sent as a number or as text. Raises BadRequest."""
    if value is None:
        return None
    if not str(value).isdigit() or not 0 < int(str(value)) < 10**10:
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
