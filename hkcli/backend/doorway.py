"""The way in: requests go to the platform that is there now, and wait while another takes its place."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from hkcli.backend.router.exchange import Routing


class Doorway:
    """An ASGI application, and what the router knows; closed at first."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._routing: Routing | None = None
        self._open = asyncio.Event()
        self._waiting: list[Callable[[], object]] = []

    def open(self, app: ASGIApp, routing: Routing) -> "Doorway":
        """From now on everything goes here, what has waited first."""
        self._app, self._routing = app, routing
        self._open.set()
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
        return self

    def close(self) -> None:
        """Let nothing new in; what is inside already is not touched."""
        self._open.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._open.wait()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def routing(self) -> Routing:
        """What the router goes by now."""
        await self._open.wait()
        assert self._routing is not None
        return self._routing

    def when_open(self, action: Callable[[Routing], object]) -> bool:
        """Do something with the routing of now: at once (True), or as soon as there is one."""
        if not self._open.is_set():
            self._waiting.append(lambda: self.when_open(action))
            return False
        assert self._routing is not None
        action(self._routing)
        return True
