"""Attaching to a one-off dyno: TLS to `rendezvous://HOST:PORT/SECRET`, the secret, the greeting, then raw bytes."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from hkcli.api.authorities import trust
from hkcli.api.errors import ConnectionLost, Unreachable, Untrusted
from hkcli.api.tunnel import ProxyRefused, open_connection

CONNECT_TIMEOUT_S, GREETING_TIMEOUT_S = 20.0, 60.0
DEFAULT_PORT = 5000
GREETING = b"rendezvous"
LONGEST_GREETING = 256


def join(url: str, env: Mapping[str, str], authority: str | None) -> tuple[ssl.SSLSocket, bytes]:
    """Connect, trusting the platform's own authority if it has one, else those that `env` names and the system's.

    The latter can be hundreds, whose reading takes longer than all the rest: they are asked second."""
    if authority:
        with suppress(Untrusted):
            return connect(url, trust({}, authority))
    return connect(url, trust(env, authority))


def connect(url: str, context: ssl.SSLContext) -> tuple[ssl.SSLSocket, bytes]:
    """The attached socket, and the output that came right behind the greeting. Raises Unreachable, ConnectionLost."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORT
    if parts.scheme != "rendezvous" or not host:
        raise ConnectionLost(f"The platform gave an address to attach to that this client doesn't know: {parts.scheme}")
    secret = url.partition("://")[2].partition("/")[2]
    try:
        plain = open_connection(host, port, CONNECT_TIMEOUT_S)
    except OSError as error:
        raise cannot_attach(host, port, error) from error
    try:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = context.wrap_socket(plain, server_hostname=host)
    except OSError as error:
        plain.close()
        raise cannot_attach(host, port, error) from error
    try:
        secure.settimeout(GREETING_TIMEOUT_S)
        secure.sendall(f"{secret}\r\n".encode())
        return secure, after_greeting(secure)
    except OSError as error:
        secure.close()
        raise cannot_attach(host, port, error) from error
    except BaseException:
        secure.close()
        raise


def after_greeting(secure: ssl.SSLSocket) -> bytes:
    """Read up to the greeting's newline; returns what was read beyond it. Raises ConnectionLost."""
    received = b""
    while b"\n" not in received and len(received) < LONGEST_GREETING:
        data = secure.recv(4096)
        if not data:
            break
        received += data
    line, newline, rest = received.partition(b"\n")
    if not newline or line.strip() != GREETING:
        raise ConnectionLost("The dyno could not be attached to: its address has expired, or was used before.")
    return rest


def cannot_attach(host: str, port: int, error: OSError) -> Unreachable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(
            f"Cannot attach to the dyno at {host}:{port} (its certificate is not trusted: {error.verify_message}).",
            next=("Its authority can be named: export SSL_CERT_FILE=/path/to/ca.pem",),
        )
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    elif isinstance(error, ProxyRefused):
        reason = str(error)
    else:
        reason = (error.strerror or str(error)).lower()
    return Unreachable(
        f"Cannot attach to the dyno at {host}:{port} ({reason}).", next=("A firewall may stop this port.",)
    )
