"""Git over HTTP, by git's own receive-pack and upload-pack."""

import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from hkcli.backend import accounts, apps
from hkcli.backend.endpoint import open_route
from hkcli.backend.errors import PlatformError, Unauthorized
from hkcli.backend.platform import Platform
from hkcli.backend.store import User

RECEIVE, UPLOAD = SERVICES = ("git-receive-pack", "git-upload-pack")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Heroku"'}
NEVER_CACHED = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}


class Refused(Exception):
    """Answered in plain text, which git shows to whoever pushes."""

    def __init__(self, response: Response) -> None:
        self.response = response


def admitted(request: Request, service: str) -> tuple[str, User]:
    """The id of the app that the address names, and the user whose token the password is. Raises Refused."""
    method = "POST" if service == RECEIVE else "GET"
    platform: Platform = request.app.state.platform
    try:
        with platform.store.transaction() as session:
            user = accounts.admit(session, request.headers.get("authorization", ""), method, "/apps")
            return apps.find(session, user, request.path_params["app"]).id, user
    except Unauthorized as error:
        raise Refused(PlainTextResponse(f"{error}\n", 401, CHALLENGE)) from None
    except PlatformError as error:
        raise Refused(PlainTextResponse(f"{error}\n", error.status)) from None


async def advertise(request: Request) -> Response:
    service = request.query_params.get("service", "")
    if service not in SERVICES:
        return PlainTextResponse("Only git's smart protocol is spoken here.\n", 403)
    try:
        app_id, _ = admitted(request, service)
    except Refused as refused:
        return refused.response
    platform: Platform = request.app.state.platform
    content = await platform.repositories.advertise(app_id, service)
    return Response(content, media_type=f"application/x-{service}-advertisement", headers=NEVER_CACHED)


async def receive_pack(request: Request) -> Response:
    try:
        app_id, user = admitted(request, RECEIVE)
    except Refused as refused:
        return refused.response
    platform: Platform = request.app.state.platform
    answer = platform.repositories.receive_pack(
        app_id, plain_body(request), lambda pushed, pusher: platform.builds.receive(app_id, user.id, pushed, pusher)
    )
    return Conversation(answer, RECEIVE)


async def upload_pack(request: Request) -> Response:
    try:
        app_id, _ = admitted(request, UPLOAD)
    except Refused as refused:
        return refused.response
    platform: Platform = request.app.state.platform
    answer = platform.repositories.upload_pack(app_id, plain_body(request))
    return Conversation(answer, UPLOAD)


class Conversation(Response):
    """An answer that is written while the request is still read: nothing else may read from the connection meanwhile.

    A client that goes away does not end it: as on Heroku, a build that has begun is finished.
    """

    def __init__(self, pieces: AsyncIterator[bytes], service: str) -> None:
        super().__init__(media_type=f"application/x-{service}-result", headers=NEVER_CACHED)
        del self.headers["content-length"]
        self.pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def plain_body(request: Request) -> AsyncIterator[bytes]:
    """The body as it was before git compressed it."""
    if request.headers.get("content-encoding") != "gzip":
        async for piece in request.stream():
            yield piece
        return
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    async for piece in request.stream():
        yield inflate.decompress(piece)
    yield inflate.flush()


ROUTES = [
    open_route("GET", "/{app}.git/info/refs", advertise),
    open_route("POST", "/{app}.git/git-receive-pack", receive_pack),
    open_route("POST", "/{app}.git/git-upload-pack", upload_pack),
]
