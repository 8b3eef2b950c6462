"""Whose certificates are believed, for HTTP and for attached dynos alike."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

from hkcli.api.errors import HerokuError

EXTRA_AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def trust(env: Mapping[str, str], authority: str | None = None) -> ssl.SSLContext:
    """The system's authorities and Mozilla's, or in their place one as PEM; and those that the usual variables name.

    Host names are checked. Raises HerokuError when a variable names a file that can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not authority:
        import certifi

        context.load_default_certs()
        context.load_verify_locations(certifi.where())
    for variable in EXTRA_AUTHORITIES:
        if path := env.get(variable):
            try:
                add_authorities(context, Path(path))
            except (OSError, ssl.SSLError) as error:
                raise HerokuError(
                    f"{variable} is {path}, which holds no usable certificates ({error}).",
                    next=(f"Set it right, or do without it: unset {variable}",),
                ) from error
    if authority:
        context.load_verify_locations(cadata=authority)
    return context


def add_authorities(context: ssl.SSLContext, path: Path) -> None:
    if path.is_dir():
        context.load_verify_locations(capath=str(path))
    else:
        context.load_verify_locations(cafile=str(path))


class SecureAdapter(HTTPAdapter):
    """HTTPS on one context for all connections, which also a corporate authority of the system's is in."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **settings)

    def proxy_manager_for(self, proxy: Any, **settings: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **settings)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Always; by the context, which holds what requests would load from files here again."""
        conn.cert_reqs = "CERT_REQUIRED"
