"""Tickets: documents that only this platform can write or read."""

import base64
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from hkcli.backend.errors import NotFound


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
