"""Links that open a dashboard once."""

import secrets
import time
from collections.abc import Callable

from hkcli.backend.errors import NotFound
from hkcli.backend.tickets import Seal

LINK_S = 10 * 60


class Links:
    """Makes tickets for a purpose, and takes each of them once. What was taken is kept for as long as it would live.

    A ticket that nobody took is given out again in the first half of its life, so that a document that names it is the
    same when it is read twice.
    """

    def __init__(self, seal: Seal, purpose: str, now: Callable[[], float] = time.monotonic) -> None:
        self._seal, self._purpose, self._now = seal, purpose, now
        self._run = secrets.token_hex(8)
        self._taken: dict[str, float] = {}
        self._given: dict[tuple[str, str], tuple[str, float]] = {}

    def ticket(self, user_id: str, addon_id: str) -> str:
        now, place = self._now(), (user_id, addon_id)
        self._given = {each: given for each, given in self._given.items() if now - given[1] < LINK_S / 2}
        if place not in self._given:
            self._given[place] = self._new(user_id, addon_id), now
        return self._given[place][0]

    def _new(self, user_id: str, addon_id: str) -> str:
        words = {"user": user_id, "addon": addon_id, "run": self._run, "number": secrets.token_hex(8)}
        return self._seal.close(self._purpose, words)

    def take(self, ticket: str) -> tuple[str, str]:
        """The ids of user and add-on. Raises NotFound when it is not ours, too old, or was taken."""
        words = self._seal.open(self._purpose, ticket, max_age_s=LINK_S)
        number, now = words["number"], self._now()
        self._taken = {each: at for each, at in self._taken.items() if now - at <= LINK_S}
        if words["run"] != self._run or number in self._taken:
            raise NotFound("This link was used already, or is too old.", "session")
        self._taken[number] = now
        self._given.pop((words["user"], words["addon"]), None)
        return words["user"], words["addon"]
