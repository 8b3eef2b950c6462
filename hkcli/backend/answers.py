"""Answers that are still true: what is asked again before the store has changed is answered without it.

Only for what follows from the store alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from hkcli.backend.store import Store, now

MOST_BYTES = 8 * 1024 * 1024
ENTRY_BYTES = 1024
"""About what an answer takes besides its body and the question."""
ASKED_WITH = ("authorization", "range", "accept-inclusion", "accept-expansion")
"""Headers that an answer depends on."""

Question = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    user_id: str
    body: bytes
    status: int
    headers: dict[str, str]
    until: datetime | None
    """When the token expires that the question was asked with."""

    def response(self) -> Response:
        return Response(self.body, self.status, self.headers)


@dataclass
class Answers:
    store: Store
    clock: Callable[[], datetime] = now
    _as_of: int = 0
    _bytes: int = 0
    _known: dict[Question, Known] = field(default_factory=dict)

    def find(self, question: Question | None) -> Known | None:
        """Raises Restarting."""
        self.store.check_open()
        if question is None or self._as_of != self.store.changes:
            return None
        known = self._known.get(question)
        return known if known and (known.until is None or self.clock() < known.until) else None

    def keep(
        self, question: Question | None, user_id: str, response: Response, *, as_of: int, until: datetime | None
    ) -> None:
        """`as_of`: the store's changes when the answer was found."""
        if question is None or response.status_code not in (200, 206) or as_of != self.store.changes:
            return
        size = len(response.body) + sum(map(len, question)) + ENTRY_BYTES
        if self._as_of != as_of or self._bytes + size > MOST_BYTES:
            self._known.clear()
            self._as_of, self._bytes = as_of, 0
        self._bytes += size
        body, headers = bytes(response.body), dict(response.headers)
        self._known[question] = Known(user_id, body, response.status_code, headers, until)


def question_of(request: Request) -> Question | None:
    """What a request asks; None for one with a body, which is to be looked at."""
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        return None
    return (str(request.url), *(request.headers.get(name, "") for name in ASKED_WITH))
