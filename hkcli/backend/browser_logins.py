"""Logins that a person confirms in a browser: a program asks for one, shows its address, and waits for the outcome.

Kept in memory, few and short-lived. Whoever confirms proves with their password who they are; the program that asked
alone can fetch the token (PROTOCOL 3.1)."""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hkcli.backend.errors import Conflict, NotFound, Unauthorized

LIFETIME_S = 600.0
"""As long as the official CLI waits."""
MOST = 50
ATTEMPTS = 5
DESCRIPTION_CHARS = 200


@dataclass(eq=False)
class BrowserLogin:
    """Decided once: what comes later changes nothing."""

    description: str
    """Who asks, in its own words: not to be believed."""
    ends_at: float
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """What the program that asked proves itself with."""
    form: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What a form that we have shown proves itself with, together with the cookie that came with it."""
    attempts_left: int = ATTEMPTS
    user_id: str | None = None
    error: str | None = None
    decided: asyncio.Event = field(default_factory=asyncio.Event)

    def confirm(self, user_id: str) -> None:
        self._decide(user_id, None)

    def refuse(self, error: str) -> None:
        self._decide(None, error)

    def _decide(self, user_id: str | None, error: str | None) -> None:
        if not self.decided.is_set():
            self.user_id, self.error = user_id, error
            self.decided.set()

    def fail(self) -> None:
        """A wrong password, of which there may be few."""
        self.attempts_left -= 1
        if not self.attempts_left:
            self.refuse("The login was ended: there were too many wrong passwords.")


@dataclass
class BrowserLogins:
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, BrowserLogin] = field(default_factory=dict)

    def begin(self, description: str) -> BrowserLogin:
        """Raises Conflict when too many wait already."""
        self._forget_old()
        if len(self._open) >= MOST:
            raise Conflict(f"{MOST} logins wait to be confirmed in a browser. Try again in some minutes.")
        login = BrowserLogin(description[:DESCRIPTION_CHARS], self.clock() + LIFETIME_S)
        self._open[login.id] = login
        return login

    def find(self, login_id: str) -> BrowserLogin:
        """Raises NotFound."""
        self._forget_old()
        if login_id not in self._open:
            raise NotFound("This login is not known here, or not any more. Begin again: heroku login", "login")
        return self._open[login_id]

    def asked_by(self, login_id: str, token: str) -> BrowserLogin:
        """The login, for the program that asked for it. Raises NotFound, Unauthorized."""
        login = self.find(login_id)
        if not hmac.compare_digest(login.token.encode(), token.encode()):
            raise Unauthorized
        return login

    def left_s(self, login: BrowserLogin) -> float:
        return max(login.ends_at - self.clock(), 0)

    def end(self, login: BrowserLogin) -> None:
        """The outcome was fetched, or nobody waits for it."""
        self._open.pop(login.id, None)

    def close(self) -> None:
        """Tell whoever waits that it is for nothing."""
        for login in self._open.values():
            login.refuse("The backend has ended, or was restored, before that. Begin again: heroku login")

    def _forget_old(self) -> None:
        now = self.clock()
        self._open = {key: login for key, login in self._open.items() if login.ends_at > now}
