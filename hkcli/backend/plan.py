"""What the supervisor decides, as functions of values: which dynos to start and stop, and when to try again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from hkcli.backend.dynos import DynoSpec

SlotKey = tuple[str, str]
"""App id and dyno name. At no time do two processes run for one of them."""

FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=5)
CYCLE_AFTER, CYCLE_SPREAD = timedelta(hours=24), timedelta(minutes=216)
"""A dyno is restarted when it has run so long, and up to so much longer, lest all be at once; as on Heroku."""
HEALTHY_AFTER = timedelta(minutes=1)
"""A dyno that ran so long before it crashed is treated as if it never had before."""


class Phase(Enum):
    RUNNING = auto()
    STOPPING = auto()
    IDLE = auto()
    """No process: crashed and waiting, or about to be started again."""


@dataclass(frozen=True)
class Actual:
    """A slot as the plan sees it."""

    spec: DynoSpec
    phase: Phase
    start_at: datetime | None = None
    """When an idle slot may start again; None: at once."""
    restart: bool = False
    """Somebody asked for a restart."""
    cycle_at: datetime | None = None
    """When a running one has run long enough."""


@dataclass(frozen=True)
class Start:
    spec: DynoSpec
    fresh: bool
    """Earlier crashes do not count: another release, a wish of the user, or the first start."""


@dataclass(frozen=True)
class Stop:
    key: SlotKey
    restart: bool
    cycling: bool = False
    """It is restarted for its age alone."""


@dataclass(frozen=True)
class Drop:
    """Give up a slot without process."""

    key: SlotKey


Action = Start | Stop | Drop


def key_of(spec: DynoSpec) -> SlotKey:
    return spec.app_id, spec.name


def plan(desired: Iterable[DynoSpec], actual: Iterable[Actual], now: datetime) -> list[Action]:
    """The steps that bring `actual` nearer to `desired`; those that must wait for a process to end come later."""
    wanted = {key_of(spec): spec for spec in desired}
    slots = {key_of(slot.spec): slot for slot in actual}
    actions: list[Action] = []
    for key, slot in slots.items():
        if action := step(wanted.get(key), slot, now):
            actions.append(action)
    actions.extend(Start(spec, fresh=True) for key, spec in wanted.items() if key not in slots)
    return actions


def step(wanted: DynoSpec | None, slot: Actual, now: datetime) -> Action | None:
    key = key_of(slot.spec)
    if slot.phase is Phase.STOPPING:
        return None
    if slot.phase is Phase.RUNNING:
        if wanted is None:
            return Stop(key, restart=False)
        if slot.restart or wanted != slot.spec:
            return Stop(key, restart=True)
        is_old = slot.cycle_at is not None and slot.cycle_at <= now
        return Stop(key, restart=True, cycling=True) if is_old else None
    if wanted is None:
        return Drop(key)
    if slot.restart or wanted != slot.spec:
        return Start(wanted, fresh=True)
    if slot.start_at is None or slot.start_at <= now:
        return Start(wanted, fresh=False)
    return None


def next_start(actual: Iterable[Actual]) -> datetime | None:
    """When to plan again though nothing happens."""
    due = {Phase.IDLE: lambda slot: slot.start_at, Phase.RUNNING: lambda slot: slot.cycle_at}
    moments = (due[slot.phase](slot) for slot in actual if slot.phase in due)
    return min((moment for moment in moments if moment), default=None)


def cycle_at(started: datetime, chance: float) -> datetime:
    """When a dyno that has just been started is to be restarted; `chance` is from 0 to 1."""
    return started + CYCLE_AFTER + CYCLE_SPREAD * chance


def restart_delay(crashes: int) -> timedelta:
    """How long to wait after so many crashes in a row: at once, then 10 s, doubling up to 5 minutes."""
    if crashes <= 1:
        return timedelta()
    doublings = min(crashes - 2, 20)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def crashes_after(crashes: int, ran_for: timedelta) -> int:
    """The count of crashes in a row, one more having happened after a run of `ran_for`."""
    return 1 if ran_for >= HEALTHY_AFTER else crashes + 1
