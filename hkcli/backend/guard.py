"""What every request passes, before any route: is it meant for us, and which request is it?"""

import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hkcli.backend.endpoint import json_response
from hkcli.backend.hosts import host_name, is_loopback

MAX_REQUEST_ID_CHARS = 200


class Guard:
    """Refuses requests for other hosts (a web page that rebinds a name to us, an app's own pages), and labels the rest.

    `hosts` are names that are ours besides the loopback ones.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("request-id", "").split(",")[0].strip()[:MAX_REQUEST_ID_CHARS] or str(uuid.uuid4())

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer["Request-Id"] = request_id
                if (remaining := scope.get("state", {}).get("remaining")) is not None:
                    answer["RateLimit-Remaining"] = str(remaining)
            await send(message)

        host = host_name(headers.get("host", ""))
        if is_loopback(host) or host in self.hosts:
            await self.app(scope, receive, labelled)
        else:
            document = {"id": "forbidden", "message": f"This backend does not serve the host {host!r}."}
            await json_response(document, 403)(scope, receive, labelled)
