"""A connection for bytes of any kind, through the proxy where the environment names one for the host."""

import http.client
import socket
from urllib.parse import SplitResult, unquote, urlsplit

from hkcli.api.transport import is_here


class ProxyRefused(OSError):
    """The proxy did not connect us, and the host can't be reached without it either."""


def open_connection(host: str, port: int, timeout_s: float) -> socket.socket:
    """Raises OSError. A proxy that lets nobody out at this port is gone around, where that is possible."""
    proxy = proxy_for(host, port)
    if proxy is None:
        return socket.create_connection((host, port), timeout=timeout_s)
    try:
        return through(proxy, host, port, timeout_s)
    except OSError as refused:
        try:
            return socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise ProxyRefused(f"the proxy {proxy.hostname} says: {refused}") from error


def proxy_for(host: str, port: int) -> SplitResult | None:
    from requests.utils import get_environ_proxies, select_proxy

    url = f"https://{host}:{port}"
    found = None if is_here(url) else select_proxy(url, get_environ_proxies(url))
    if not found:
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    return parts if parts.scheme == "http" and parts.hostname else None


def through(proxy: SplitResult, host: str, port: int, timeout_s: float) -> socket.socket:
    """Raises OSError, whatever is wrong with the proxy."""
    from requests.auth import _basic_auth_str

    headers = {}
    if proxy.username:
        headers["Proxy-Authorization"] = _basic_auth_str(unquote(proxy.username), unquote(proxy.password or ""))
    connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout_s)
    connection.set_tunnel(host, port, headers)
    try:
        connection.connect()
    except http.client.HTTPException as error:
        connection.close()
        raise OSError(f"no HTTP: {error}") from error
    return connection.sock
