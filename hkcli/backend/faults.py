"""Faults on purpose: answers that fail, come late or break off, so that people see how their scripts take it."""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hkcli.backend.errors import InvalidParams, NotFound

NEVER = "/backend/"
"""What begins so cannot be made to fail: it is the way to end a fault."""
STATUSES = range(400, 600)
LONGEST_DELAY_S = 600
SEEDS = 1 << 31
PROVISIONING = ("fails", "hangs")
ASKS_FOR_ADDON = "POST /apps/example/addons"


@dataclass(frozen=True)
class Cut:
    """Where an answer breaks off, its connection closed without an end; whichever comes first."""

    lines: int | None = None
    """Lines of a log, in either framing."""
    bytes: int | None = None
    seconds: float | None = None

    def __bool__(self) -> bool:
        return self != Cut()


@dataclass
class Fault:
    """`pattern` is a method and a path in which `*` stands for anything: `POST /apps/*/addons`, `* /account`.

    `status` None lets the request through, after the delay. `times` None is until it is cleared. `chance` is that of a
    request to meet it; the same `seed` and the same requests meet it at the same places.
    """

    pattern: str
    status: int | None = None
    delay_s: float = 0
    times: int | None = None
    chance: float | None = None
    seed: int | None = None
    cut: Cut = Cut()
    provisioning: str | None = None
    """What becomes of an add-on that is asked for: it `fails` after the answer, or `hangs` until the fault is over."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    met: int = 0
    """How many requests have met it."""

    def __post_init__(self) -> None:
        if self.chance is not None and self.seed is None:
            self.seed = random.randrange(SEEDS)
        self._random = random.Random(self.seed)
        self.over = asyncio.Event()

    def check(self) -> "Fault":
        """Itself. Raises InvalidParams."""
        method, space, path = self.pattern.partition(" ")
        if not (method and space and path.startswith(("/", "*"))):
            raise InvalidParams(f"{self.pattern!r} is no pattern. Try: 'POST /apps/*/addons' or '* /account'")
        if self.status is None and not self.delay_s and not self.cut and self.provisioning is None:
            raise InvalidParams("A fault needs a status, a delay, a place to cut the answer off, or provisioning.")
        if (self.status is not None) + bool(self.cut) + (self.provisioning is not None) > 1:
            raise InvalidParams("A fault has one of a status, a place to cut the answer off, and provisioning.")
        if self.provisioning not in (None, *PROVISIONING):
            raise InvalidParams(f"provisioning is one of: {', '.join(PROVISIONING)}.")
        if self.provisioning and not fnmatchcase(ASKS_FOR_ADDON, self.pattern):
            raise InvalidParams("Only what asks for an add-on can have its provisioning fail: 'POST /apps/*/addons'.")
        if self.status is not None and self.status not in STATUSES:
            raise InvalidParams(f"{self.status} is no status of a failure: choose 400 to 599.")
        if not 0 <= self.delay_s <= LONGEST_DELAY_S:
            raise InvalidParams(f"A delay is 0 to {LONGEST_DELAY_S} seconds.")
        if any(each is not None and each <= 0 for each in (self.times, self.cut.lines, self.cut.bytes)):
            raise InvalidParams("times, and lines and bytes before a cut, must be 1 or more.")
        if self.cut.seconds is not None and not 0 < self.cut.seconds <= LONGEST_DELAY_S:
            raise InvalidParams(f"An answer is cut off after up to {LONGEST_DELAY_S} seconds.")
        if self.chance is None and self.seed is not None:
            raise InvalidParams("A seed is for a chance: give both.")
        if self.chance is not None and not 0 < self.chance <= 1:
            raise InvalidParams("A chance is more than 0, and 1 at most.")
        return self

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(f"{method} {path}", self.pattern)

    def strikes(self) -> bool:
        """Whether the next request that matches meets it."""
        return not self.is_spent and (self.chance is None or self._random.random() < self.chance)

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.met >= self.times


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
            if fault.matches(method, path) and fault.strikes():
                fault.met += 1
                if fault.is_spent and fault.provisioning != "hangs":
                    self.remove(fault.id)
                return fault
        return None

    def clear(self) -> list[Fault]:
        return [self.remove(each.id) for each in list(self.on)]

    def remove(self, fault_id: str) -> Fault:
        """Raises NotFound."""
        for fault in self.on:
            if fault.id == fault_id:
                self.on.remove(fault)
                fault.over.set()
                return fault
        raise NotFound("Couldn't find that fault; it may have been met as often as it was to be.", "fault")
