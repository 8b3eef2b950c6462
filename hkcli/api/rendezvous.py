"""Attaching to a one-off dyno: TLS to `rendezvous://HOST:PORT/SECRET`, the secret, the greeting, then raw bytes."""

import socket
import ssl
from urllib.parse import urlsplit

from hkcli.api.errors import ConnectionLost, Unreachable

CONNECT_TIMEOUT_S, GREETING_TIMEOUT_S = 20.0, 60.0
DEFAULT_PORT = 5000
GREETING = b"rendezvous"
LONGEST_GREETING = 256


def connect(url: str, context: ssl.SSLContext) -> tuple[ssl.SSLSocket, bytes]:
    """The attached socket, and the output that came right behind the greeting. Raises Unreachable, ConnectionLost."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORT
    if parts.scheme != "rendezvous" or not host:
        raise ConnectionLost(f"The platform gave an address to attach to that this client doesn't know: {parts.scheme}")
    secret = url.partition("://")[2].partition("/")[2]
    try:
        plain = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
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
        reason = f"its certificate is not trusted: {error.verify_message}"
        following: tuple[str, ...] = ("Its authority can be named: export SSL_CERT_FILE=/path/to/ca.pem",)
    elif isinstance(error, TimeoutError):
        reason, following = "no answer in time", ("A firewall may stop this port.",)
    else:
        reason, following = (error.strerror or str(error)).lower(), ("A firewall may stop this port.",)
    return Unreachable(f"Cannot attach to the dyno at {host}:{port} ({reason}).", next=following)
