"""Log sessions: a ticket for an app's log, and the stream behind it in either framing."""

import uuid
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hkcli.backend import schemas
from hkcli.backend.endpoint import Answer, Call, open_route, route
from hkcli.backend.log_channel import LogFilter
from hkcli.backend.logplex import Framing
from hkcli.backend.platform import Platform

CONNECT_S, RESUME_S = 5 * 60, 60 * 60
"""How long a session can be opened, and how long one that was read can be taken up again."""
DEFAULT_LINES, MAX_LINES = 100, 1500
MEDIA_TYPES = {Framing.EVENTS: "text/event-stream", Framing.PLAIN: "text/plain"}


def create(call: Call) -> Answer:
    ticket = {
        "app": call.app().id,
        "source": call.text("source"),
        "dyno": call.text("dyno") or call.text("dyno_name") or call.text("type") or call.text("ps"),
        "lines": min(DEFAULT_LINES if (lines := call.number("lines")) is None else lines, MAX_LINES),
        "tail": call.flag("tail") or False,
    }
    now = schemas.timestamp(datetime.now(UTC))
    url = f"{call.platform.urls.api}/logs/{call.platform.seal.close('logs', ticket)}"
    return {"id": str(uuid.uuid4()), "logplex_url": url, "created_at": now, "updated_at": now}


async def stream(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    after = request.headers.get("last-event-id", "")
    resumed = int(after) if after.isascii() and after.isdigit() else None
    ticket = platform.seal.open(
        "logs", request.path_params["ticket"], max_age_s=CONNECT_S if resumed is None else RESUME_S
    )
    framing = Framing.EVENTS if "text/event-stream" in request.headers.get("accept", "") else Framing.PLAIN
    content = platform.logplex.stream(
        ticket["app"],
        filter=LogFilter(source=ticket["source"], dyno=ticket["dyno"]),
        lines=ticket["lines"],
        tail=ticket["tail"],
        after=resumed,
        framing=framing,
    )
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(content, media_type=MEDIA_TYPES[framing], headers=headers)


ROUTES = [
    route("POST", "/apps/{app}/log-sessions", create, status=201),
    open_route("GET", "/logs/{ticket}", stream),
]
