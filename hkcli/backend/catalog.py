"""What Heroku offers and we name alike: regions, stacks, dyno sizes."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from hkcli.backend.errors import InvalidParams

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When what never changes was made."""


def fixed_id(*words: str) -> str:
    """The same UUID for the same words, on every backend."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "hkcli:" + ":".join(words)))


@dataclass(frozen=True)
class Region:
    name: str
    description: str
    country: str
    locale: str
    provider_region: str


@dataclass(frozen=True)
class Stack:
    name: str
    default: bool = False


@dataclass(frozen=True)
class DynoSize:
    name: str
    compute: int
    dyno_units: int
    memory_gb: float
    dedicated: bool = False


REGIONS = (
    Region("us", "United States", "United States", "Virginia", "us-east-1"),
    Region("eu", "Europe", "Ireland", "Dublin", "eu-west-1"),
)
STACKS = (Stack("heroku-22"), Stack("heroku-24", default=True))
SIZES = (
    DynoSize("Eco", 1, 0, 0.5),
    DynoSize("Basic", 1, 0, 0.5),
    DynoSize("Standard-1X", 1, 1, 0.5),
    DynoSize("Standard-2X", 2, 2, 1),
    DynoSize("Performance-M", 11, 8, 2.5, dedicated=True),
    DynoSize("Performance-L", 46, 16, 14, dedicated=True),
)
OLD_STACKS = frozenset({"cedar", "cedar-14"})
OLD_SIZES = {"free": "Eco", "hobby": "Basic", "1x": "Standard-1X", "2x": "Standard-2X"}


def region(name: str) -> Region:
    for each in REGIONS:
        if name in (each.name, fixed_id("region", each.name)):
            return each
    raise InvalidParams(f"Region {name} is not available. Choose one of: {', '.join(each.name for each in REGIONS)}")


def stack(name: str) -> Stack:
    """The stack of this name; names that clients of ten years ago send mean the default one."""
    for each in STACKS:
        if name in (each.name, fixed_id("stack", each.name)) or (name in OLD_STACKS and each.default):
            return each
    raise InvalidParams(f"Stack {name} is not available. Choose one of: {', '.join(each.name for each in STACKS)}")


def size(name: str) -> DynoSize:
    """A dyno size by name in any case, or by id. Raises InvalidParams."""
    wanted = OLD_SIZES.get(name.lower(), name).lower()
    for each in SIZES:
        if wanted in (each.name.lower(), fixed_id("size", each.name)):
            return each
    *others, last = (each.name for each in SIZES)
    raise InvalidParams(f"No such size as {name}. Available dyno sizes are {', '.join(others)} and {last}.")
