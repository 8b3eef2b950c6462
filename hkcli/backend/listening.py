"""The sockets that the backend listens on."""

import errno
import os
import socket

DEFAULT_PORT = 5080
PORTS_TRIED = 20
BACKLOG = 2048
LOOPBACK = ("127.0.0.1", "::1")
"""`localhost` is both: whoever held the one that we do not would be sent our users' tokens."""
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class CannotListen(Exception):
    """No socket can be had there; the message says why, and what to do."""


def listen(host: str, port: int | None, last: int | None = None) -> list[socket.socket]:
    """Listening sockets on one port; None means the last one, else the default one or the next that is free.

    Raises CannotListen."""
    defaults = range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED)
    candidates = [port] if port is not None else [*([last] if last else []), *defaults]
    hosts = LOOPBACK if host in ("localhost", LOOPBACK[0]) else (host,)
    for candidate in candidates:
        try:
            return on_all(hosts, candidate)
        except OSError as error:
            failure = error
    reason = f"{host}:{candidates[0]} cannot be listened on ({os.strerror(failure.errno or 0)})."
    is_taken = failure.errno in (errno.EADDRINUSE, errno.EACCES)
    raise CannotListen(f"{reason} {'Choose another port: --port PORT' if is_taken else 'Choose another --host.'}")


def on_all(hosts: tuple[str, ...], port: int) -> list[socket.socket]:
    """One socket a host, all on the same port, IPv6 only where the machine has it. Raises OSError."""
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            try:
                listeners.append(one(host, listeners[0].getsockname()[1] if listeners else port))
            except OSError as error:
                if not listeners or error.errno not in NO_IPV6:
                    raise
    except OSError:
        for each in listeners:
            each.close()
        raise
    return listeners


def one(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
