"""The heads of requests and answers as a router passes them on: values in, values out."""

import re
import uuid
from collections.abc import Iterable

import h11

Header = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
ROUTERS_OWN = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port", b"x-request-start", b"via"})
VIA = b"1.1 heroku-router"
REQUEST_ID = re.compile(r"[A-Za-z0-9+/=-]{20,200}")
"""What a client may choose, as Heroku's router has it; anything else is replaced."""


def value(headers: Iterable[Header], name: bytes) -> bytes:
    """All values of a header (its name in lower case), joined as one list; empty when it is absent."""
    return b", ".join(content for key, content in headers if key.lower() == name)


def listed(headers: Iterable[Header], name: bytes) -> set[bytes]:
    return {word.strip().lower() for word in value(headers, name).split(b",")} - {b""}


def is_upgrade(request: h11.Request) -> bool:
    return b"upgrade" in listed(request.headers, b"connection") and bool(value(request.headers, b"upgrade"))


def has_body(request: h11.Request) -> bool:
    length = value(request.headers, b"content-length")
    return bool(value(request.headers, b"transfer-encoding")) or length not in (b"", b"0")


def host_of(request: h11.Request) -> str:
    return value(request.headers, b"host").decode("ascii", "replace")


def request_id(request: h11.Request) -> str:
    given = value(request.headers, b"x-request-id").decode("ascii", "replace")
    return given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def forwarded_for(request: h11.Request, peer: str) -> str:
    """Whom the request came through, the nearest last."""
    before = value(request.headers, b"x-forwarded-for").decode("ascii", "replace")
    return f"{before}, {peer}" if before else peer


def for_dyno(request: h11.Request, *, fwd: str, scheme: str, identity: str, port: int, now_ms: int) -> h11.Request:
    """The request as the dyno gets it: on a connection of its own, with the router's headers."""
    gone = HOP_BY_HOP | ROUTERS_OWN | {b"expect", b"x-request-id"} | listed(request.headers, b"connection")
    kept = [each for each in request.headers.raw_items() if each[0].lower() not in gone]
    if is_upgrade(request):
        kept += [(b"Connection", b"Upgrade"), (b"Upgrade", value(request.headers, b"upgrade"))]
    else:
        kept.append((b"Connection", b"close"))
    if coding := value(request.headers, b"transfer-encoding"):
        kept.append((b"Transfer-Encoding", coding))
    via = [each for each in (value(request.headers, b"via"), VIA) if each]
    added = {
        b"X-Request-Id": identity.encode(),
        b"X-Forwarded-For": fwd.encode("ascii", "replace"),
        b"X-Forwarded-Proto": scheme.encode(),
        b"X-Forwarded-Port": str(port).encode(),
        b"X-Request-Start": str(now_ms).encode(),
        b"Via": b", ".join(via),
    }
    return h11.Request(method=request.method, target=request.target, headers=[*kept, *added.items()])


def for_client(response: h11.Response | h11.InformationalResponse) -> list[Header]:
    """The headers of an answer as the client gets them; how the body is framed is the connection's own matter."""
    gone = HOP_BY_HOP | listed(response.headers, b"connection")
    kept = [each for each in response.headers.raw_items() if each[0].lower() not in gone | {b"via"}]
    via = [each for each in (value(response.headers, b"via"), VIA) if each]
    if response.status_code == 101:
        kept += [(b"Connection", b"Upgrade"), (b"Upgrade", value(response.headers, b"upgrade"))]
    return [*kept, (b"Via", b", ".join(via))]
