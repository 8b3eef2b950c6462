"""What every request passes, before any route: is it meant for us, and which request is it?"""

import asyncio
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hkcli.backend.endpoint import json_response
from hkcli.backend.faults import Faults
from hkcli.backend.hosts import host_name, is_loopback

MAX_REQUEST_ID_CHARS = 200
ERROR_IDS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    422: "invalid_params",
    429: "rate_limit",
    500: "internal_server_error",
    503: "service_unavailable",
}


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


class OnPurpose:
    """Lets requests meet the faults that are on."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app, self.faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.faults.strike(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if fault:
            await asyncio.sleep(fault.delay_s)
        if fault is None or fault.status is None:
            await self.app(scope, receive, send)
            return
        document = {"id": ERROR_IDS.get(fault.status, "fault"), "message": f"A fault on purpose: {fault.pattern}"}
        headers = {"Retry-After": "1"} if fault.status in (429, 503) else {}
        await json_response(document, fault.status, headers)(scope, receive, send)
