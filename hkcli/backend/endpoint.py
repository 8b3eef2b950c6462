"""How a route is written: authenticate, one unit of work, a document out. Failures become responses in one place."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hkcli.backend import accounts, apps, partners, ranges
from hkcli.backend.answers import question_of
from hkcli.backend.errors import BadRequest, Forbidden, InvalidParams, NotAcceptable, PlatformError, Unauthorized
from hkcli.backend.platform import Platform
from hkcli.backend.store import App, User
from hkcli.backend.work import Work, asked_by

MAX_BODY_BYTES = 1 << 20
VERSION = re.compile(r"version\s*=\s*(3(\.[\w.-]+)?|edge)")


@dataclass(frozen=True)
class Collection:
    """A list of documents, and the fields that it can be sorted and cut by; the first is the default."""

    documents: list[dict[str, Any]]
    sortable: tuple[str, ...] = ("id", "name", "created_at", "updated_at")


@dataclass(frozen=True)
class Call:
    """One authenticated request inside its unit of work."""

    request: Request
    platform: Platform
    work: Work
    body: dict[str, Any]
    partner_of: str | None = None
    """The id of the add-on whose partner asks, on behalf of the app's owner."""

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def user(self) -> User:
        return self.work.user

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def app(self) -> App:
        return apps.find(self.session, self.user, self.path("app"))

    def text(self, key: str) -> str | None:
        """A string of the body; null is absent, an object `{"name" | "id": ...}` its name. Raises BadRequest."""
        value = self.body.get(key)
        if isinstance(value, dict) and value.keys() & {"name", "id"}:
            value = value.get("name") or value.get("id")
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{key} must be a string.")
        return value

    def words(self, key: str) -> list[str]:
        """A list of strings in the body, empty when it is absent. Raises BadRequest."""
        value = self.body.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadRequest(f"{key} must be a list of strings.")
        return value

    def items(self, key: str) -> list[dict[str, Any]]:
        """A list of objects in the body. Raises BadRequest."""
        value = self.body.get(key)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise BadRequest(f"{key} must be a list of objects.")
        return value

    def own_account(self) -> None:
        """Check that the user in the path is the one who asks. Raises Forbidden."""
        if self.path("user") not in ("~", self.user.id, self.user.email):
            raise Forbidden("You do not have access to that account.")

    def flag(self, key: str) -> bool | None:
        """A boolean of the body, also as 0 or 1 as heroku3 sends it; None when it is absent. Raises BadRequest."""
        value = self.body.get(key)
        if value is None:
            return None
        if value not in (0, 1):
            raise BadRequest(f"{key} must be true or false.")
        return bool(value)

    def number(self, key: str) -> int | None:
        """A whole number of the body, also as text; None when it is absent. Raises BadRequest."""
        value = self.body.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", str(value)):
            raise BadRequest(f"{key} must be a number, 0 or more.")
        return int(str(value))

    def reject(self, key: str, why: str) -> None:
        """For a property of the published schema that has no meaning here. Raises InvalidParams."""
        if self.body.get(key) is not None:
            raise InvalidParams(f"{key} cannot be given here: {why}.")

    def required(self, key: str) -> str:
        value = self.text(key)
        if not value:
            raise BadRequest(f"{key} is required.")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.body.get(key)
        if value is not None and not isinstance(value, dict):
            raise BadRequest(f"{key} must be an object.")
        return value or {}


Answer = dict[str, Any] | list[Any] | Collection | Response


@dataclass(frozen=True)
class Waiting:
    """For what somebody else has to be asked first, outside of any transaction: `wait` does so, and returns what is
    then to be done, in a unit of work of its own."""

    wait: Callable[[], Awaitable[Callable[[Call], Answer]]]
    if_stopped: str
    """What becomes of it when the backend is stopped meanwhile."""


@dataclass
class Caller:
    """Who makes a request, as its credentials say."""

    request: Request
    until: datetime | None = None
    """When the credentials expire."""
    partner_of: str | None = None
    """The id of the add-on whose partner it is, on behalf of the app's owner."""

    def admit(self, session: Session) -> User:
        """Raises Unauthorized, Forbidden."""
        header, method, path = authorization_of(self.request), self.request.method, str(self.request.scope["path"])
        try:
            found = accounts.admitted(session, header, method, path)
            self.until = found.expires_at
            return found.user
        except Unauthorized:
            token = accounts.parse_authorization(header).token or ""
            if addon := partners.admit(session, token, method, path):
                self.partner_of = addon.id
                return addon.app.owner
            raise


def route(
    method: str,
    path: str,
    action: Callable[[Call], Answer | Waiting],
    *,
    status: int = 200,
    cost: int = 1,
    from_store: bool = False,
) -> Route:
    """An endpoint of the API. The action runs in one transaction; it is committed before the answer is sent.

    `cost` is how many requests of the account's rate limit a call is; `from_store` says that the answer to a GET
    follows from the store, and is true until that changes.
    """

    async def endpoint(request: Request) -> Response:
        platform: Platform = request.app.state.platform
        check_accept(request)
        question = question_of(request) if from_store else None
        if known := platform.answers.find(question):
            request.state.remaining = platform.rate_limits.take(known.user_id, cost)
            return unless_known(request, known.response())
        body, caller, as_of = await read_body(request), Caller(request), platform.store.changes
        with platform.works.begin(caller.admit) as work:
            request.state.remaining = platform.rate_limits.take(work.user.id, cost)
            call = Call(request, platform, work, body, caller.partner_of)
            answer = action(call)
        if isinstance(answer, Waiting):
            answer = await waited_for(call, answer)
        response = respond(request, answer, status)
        if caller.partner_of is None:
            platform.answers.keep(question, work.user.id, response, as_of=as_of, until=caller.until)
        return unless_known(request, response)

    return Route(path, endpoint, methods=[method])


async def waited_for(call: Call, answer: Waiting) -> Answer:
    """Raises ServiceUnavailable when the backend is stopped meanwhile."""
    outcome = await call.platform.ending.or_else(answer.wait(), answer.if_stopped)
    with call.platform.works.begin(asked_by(call.user.id)) as work:
        return outcome(replace(call, work=work))


def open_route(method: str, path: str, action: Callable[[Request], Awaitable[Response]]) -> Route:
    """An endpoint that sees to its own access: git, streams behind a ticket, the authority's certificate."""
    return Route(path, action, methods=[method])


def authorization_of(request: Request) -> str:
    header = request.headers.get("authorization")
    if not header:
        raise Unauthorized(
            "There were no credentials in your `Authorization` header. Try `Authorization: Bearer TOKEN`."
        )
    return header


def check_accept(request: Request) -> None:
    """Raises NotAcceptable."""
    if not speaks_v3(request.headers.get("accept", "*/*")):
        raise NotAcceptable("Specify the API version in the header `Accept: application/vnd.heroku+json; version=3`.")


def speaks_v3(accept: str) -> bool:
    """Whether one of the media types is version 3 (`3`, `3.sdk`, `edge`) of Heroku's, or leaves it to us."""
    for media_type in accept.lower().split(","):
        kind, *parameters = (word.strip() for word in media_type.split(";"))
        if kind in ("", "*/*", "application/*", "application/json"):
            return True
        if kind == "application/vnd.heroku+json" and any(VERSION.fullmatch(each) for each in parameters):
            return True
    return False


async def read_raw(request: Request) -> bytes:
    """Raises BadRequest when there is too much."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY_BYTES:
            raise BadRequest(f"The request is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(raw)


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object sent, {} for none. Raises BadRequest."""
    raw = await read_raw(request)
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadRequest("The request body is not valid JSON in UTF-8.") from None
    if not isinstance(body, dict):
        raise BadRequest("The request body must be a JSON object.")
    return body


def respond(request: Request, answer: Answer, status: int) -> Response:
    if isinstance(answer, Response):
        return answer
    if not isinstance(answer, Collection):
        return tagged(request, json_response(answer, status))
    wanted = ranges.parse(request.headers.get("range"), answer.sortable)
    page, following = ranges.cut(answer.documents, wanted)
    headers = {"Accept-Ranges": ", ".join(answer.sortable)}
    if page:
        headers["Content-Range"] = f"{wanted.field} {page[0][wanted.field]}..{page[-1][wanted.field]}"
    if following:
        headers["Next-Range"] = following
    return tagged(request, json_response(page, 206 if following else 200, headers))


def tagged(request: Request, response: Response) -> Response:
    """The answer with the ETag of what was read."""
    if request.method in ("GET", "HEAD"):
        response.headers["ETag"] = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    return response


def unless_known(request: Request, response: Response) -> Response:
    """The answer; 304 and no body for a reader who has it already."""
    tag = response.headers.get("etag")
    if tag is None:
        return response
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag not in known and "*" not in known:
        return response
    kept = {name: value for name, value in response.headers.items() if name not in ("content-length", "content-type")}
    return Response(status_code=304, headers=kept)


def json_response(document: object, status: int, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, status, headers, media_type="application/json")


async def refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlatformError)
    return json_response(error.document(), error.status, error.headers)
