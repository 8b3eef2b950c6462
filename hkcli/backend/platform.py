"""The platform, put together: the store, what runs, and where it is reached."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from hkcli.backend.browser_logins import BrowserLogins
from hkcli.backend.builds import Builds
from hkcli.backend.errors import NotFound
from hkcli.backend.faults import Faults
from hkcli.backend.handover import Handover
from hkcli.backend.home import Home
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.logplex import Logplex
from hkcli.backend.provisioning import Provisioning
from hkcli.backend.rate_limits import RateLimits
from hkcli.backend.repositories import Repositories
from hkcli.backend.schemas import Urls
from hkcli.backend.sources import Sources
from hkcli.backend.store import Store
from hkcli.backend.supervisor import Supervisor
from hkcli.backend.work import Works


class Seal:
    """Tickets: documents that only we can write or read, for addresses that need no other proof of access."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(secret))

    def close(self, purpose: str, document: dict[str, Any]) -> str:
        return self._fernet.encrypt(json.dumps([purpose, document]).encode()).decode()

    def open(self, purpose: str, ticket: str, *, max_age_s: int) -> dict[str, Any]:
        """The document, if it was sealed for this purpose and not too long ago. Raises NotFound."""
        try:
            sealed_for, document = json.loads(self._fernet.decrypt(ticket.encode(), ttl=max_age_s))
        except InvalidToken:
            raise NotFound("Couldn't find that session; it may have expired.", "session") from None
        if sealed_for != purpose or not isinstance(document, dict):
            raise NotFound("Couldn't find that session.", "session")
        return document


@dataclass(frozen=True)
class Platform:
    """What the routes need; made by the server, handed to each request."""

    home: Home
    store: Store
    works: Works
    logplex: Logplex
    supervisor: Supervisor
    repositories: Repositories
    builds: Builds
    sources: Sources
    outputs: LiveOutputs
    provisioning: Provisioning
    urls: Urls
    seal: Seal
    ca_pem: str
    rate_limits: RateLimits
    faults: Faults
    handover: Handover
    browser_logins: BrowserLogins
