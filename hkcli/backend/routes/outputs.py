"""What builds and release commands print, while they do and afterwards; the address is the proof of access."""

import hmac
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hkcli.backend.endpoint import open_route
from hkcli.backend.errors import NotFound
from hkcli.backend.platform import Platform
from hkcli.backend.store import Build, Release


async def output(request: Request) -> Response:
    platform: Platform = request.app.state.platform
    kind, identity, proof = (request.path_params[each] for each in ("kind", "id", "proof"))
    path = path_of(platform, kind, identity)
    if path is None or not hmac.compare_digest(platform.urls.proof(kind, identity), proof) or not path.exists():
        raise NotFound("Couldn't find that output; it may not have begun.", "output")
    if "text/event-stream" not in request.headers.get("accept", ""):
        return StreamingResponse(platform.outputs.stream(path), media_type="text/plain; charset=utf-8")
    after = request.headers.get("last-event-id", "")
    start = int(after) if after.isascii() and after.isdigit() else 0
    return StreamingResponse(
        as_events(platform.outputs.stream(path, after_bytes=start), start), media_type="text/event-stream"
    )


def path_of(platform: Platform, kind: str, identity: str) -> Path | None:
    with platform.store.transaction() as session:
        if kind == Build.__tablename__:
            return platform.home.build_output(identity) if session.get(Build, identity) else None
        release = session.get(Release, identity)
        return platform.home.release_output(release.app_id, release.id) if release else None


async def as_events(pieces: AsyncIterator[bytes], position: int) -> AsyncIterator[bytes]:
    """Events of whole lines; each one's id is where the next begins, so that a reader can go on from there."""
    rest = b""
    async for piece in pieces:
        lines, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            position += len(lines) + 1
            yield event(lines, position)
    if rest:
        yield event(rest, position + len(rest))


def event(lines: bytes, position: int) -> bytes:
    data = lines.replace(b"\r", b"").replace(b"\n", b"\ndata: ")
    return b"id: %d\ndata: %b\n\n" % (position, data)


ROUTES = [open_route("GET", "/outputs/{kind}/{id}/{proof}", output)]
