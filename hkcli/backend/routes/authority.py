"""GET /ca.pem: the authority that signs this platform's certificates. Public: it proves, it does not admit."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hkcli.backend.endpoint import open_route


async def certificate(request: Request) -> Response:
    return PlainTextResponse(request.app.state.platform.ca_pem, media_type="application/x-pem-file")


ROUTES = [open_route("GET", "/ca.pem", certificate)]
