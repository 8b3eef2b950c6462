"""Faults on purpose, as requests meet them."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hkcli.backend.endpoint import json_response
from hkcli.backend.errors import RateLimited
from hkcli.backend.faults import Cut, Fault, Faults

ERROR_IDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    422: "invalid_params",
    500: "internal_server_error",
    503: "service_unavailable",
}
RETRY_AFTER_S = 1


class CutOff(Exception):
    """So much of the answer was sent as was to be."""


class OnPurpose:
    """Lets requests meet the faults that are on."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app, self.faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.faults.strike(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay_s)
        if fault.status is not None:
            await refuse(fault, fault.status)(scope, receive, send)
        elif fault.cut:
            await self._cut_off(fault.cut, scope, receive, send)
        else:
            scope.setdefault("state", {})["fault"] = fault
            await self.app(scope, receive, send)

    async def _cut_off(self, cut: Cut, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer that is not ended has its connection closed by the server."""
        try:
            async with asyncio.timeout(cut.seconds) as limit:
                await self.app(scope, receive, Cutter(cut, send))
        except CutOff:
            return
        except TimeoutError:
            if not limit.expired():
                raise


def refuse(fault: Fault, status: int) -> ASGIApp:
    """429 as Heroku gives it; any other with the error's usual id."""
    if status == RateLimited.status:
        error = RateLimited(RETRY_AFTER_S)
        return json_response(error.document(), status, error.headers)
    document = {"id": ERROR_IDS.get(status, "fault"), "message": f"A fault on purpose: {fault.pattern}"}
    return json_response(document, status, {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})


class Cutter:
    """Sends an answer up to where it is to be cut. Raises CutOff there."""

    def __init__(self, cut: Cut, send: Send) -> None:
        self._send = send
        self._bytes_left, self._lines_left = cut.bytes, cut.lines
        self._is_events = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_events = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            if (end := self._end(body)) is not None:
                await self._send({**message, "body": body[:end], "more_body": True})
                raise CutOff
        await self._send(message)

    def _end(self, body: bytes) -> int | None:
        """Where in this piece of the answer the cut is."""
        ends = [end for end in (self._end_in_bytes(body), self._end_in_lines(body)) if end is not None]
        return min(ends, default=None)

    def _end_in_bytes(self, body: bytes) -> int | None:
        if self._bytes_left is None:
            return None
        end, self._bytes_left = self._bytes_left, self._bytes_left - len(body)
        return end if self._bytes_left <= 0 else None

    def _end_in_lines(self, body: bytes) -> int | None:
        if self._lines_left is None:
            return None
        position = 0
        while (end := body.find(b"\n", position)) >= 0:
            self._lines_left -= not self._is_events or body.startswith(b"data:", position)
            position = end + 1
            if self._lines_left == 0:
                return position
        return None
