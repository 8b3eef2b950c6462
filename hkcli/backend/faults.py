"""Faults on purpose: answers that fail or come late, so that people see how their scripts take it."""

import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hkcli.backend.errors import InvalidParams

NEVER = "/backend/"
"""What begins so cannot be made to fail: it is the way to end a fault."""
STATUSES = range(400, 600)
LONGEST_DELAY_S = 600


@dataclass
class Fault:
    """`pattern` is a method and a path in which `*` stands for anything: `POST /apps/*/addons`, `* /account`.

    `status` None lets the request through, after the delay. `times` None is until it is cleared.
    """

    pattern: str
    status: int | None = None
    delay_s: float = 0
    times: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def check(self) -> "Fault":
        """Itself. Raises InvalidParams."""
        method, space, path = self.pattern.partition(" ")
        if not (method and space and path.startswith(("/", "*"))):
            raise InvalidParams(f"{self.pattern!r} is no pattern. Try: 'POST /apps/*/addons' or '* /account'")
        if self.status is None and not self.delay_s:
            raise InvalidParams("A fault needs a status, a delay, or both.")
        if self.status is not None and self.status not in STATUSES:
            raise InvalidParams(f"{self.status} is no status of a failure: choose 400 to 599.")
        if not 0 <= self.delay_s <= LONGEST_DELAY_S:
            raise InvalidParams(f"A delay is 0 to {LONGEST_DELAY_S} seconds.")
        if self.times is not None and self.times < 1:
            raise InvalidParams("times must be 1 or more.")
        return self

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(f"{method} {path}", self.pattern)


@dataclass
class Faults:
    """The faults that are on, the oldest first; forgotten when the backend ends."""

    on: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        self.on.append(fault.check())
        return fault

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted."""
        if path.startswith(NEVER):
            return None
        for fault in self.on:
            if fault.matches(method, path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self.on.remove(fault)
                return fault
        return None

    def clear(self) -> list[Fault]:
        gone, self.on = self.on, []
        return gone
