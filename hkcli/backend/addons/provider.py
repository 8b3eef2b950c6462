"""What every add-on provider says of itself, and what it must be able to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hkcli.backend.store import App


@dataclass(frozen=True)
class Plan:
    """What is bought. `cents` a month; 0 is free."""

    name: str
    human_name: str
    description: str
    cents: int = 0
    default: bool = False


@dataclass(frozen=True)
class Service:
    name: str
    human_name: str
    plans: tuple[Plan, ...]
    attachment: str
    """The name that a first attachment gets, `DJ`."""
    several: bool = False
    """May one app have it more than once?"""


@dataclass(frozen=True)
class Provisioned:
    config: dict[str, str] = field(default_factory=dict)
    message: str | None = None
    """Shown once to whoever created the add-on."""
    is_ready: bool = True
    """If not, it is made afterwards, and its config is known then."""
    is_agreed: bool = True
    """If not, its provider is asked first: the app hears of it only when the provider has said yes."""


@dataclass(frozen=True)
class Gone:
    """A dyno all of whose processes have ended."""

    host: str
    """Its name, `railgun.46824682`, which no other dyno has or will have."""
    process_type: str
    config: Mapping[str, str]
    """The config vars of its release."""
    plans: tuple[str, ...]
    """What add-ons the app had with that release."""
    crashed: bool
    """It ended by itself; nobody had asked it to."""


class Unreachable(Exception):
    """Where the add-on keeps its things cannot be reached now; to be tried again. The message is for the operator."""


class Provider(Protocol):
    """One file in addons/ each."""

    SERVICE: Service

    def provision(self, app: App, plan: str, options: Mapping[str, Any]) -> Provisioned: ...

    def holds(self, plan: str) -> dict[str, int]:
        """Process types whose quantity the add-on keeps, and at what."""
        ...

    def give_back(self, gone: Gone) -> list[str]:
        """Free what a dyno that is gone still holds; what to say of it in the app's log. Blocks. Raises Unreachable."""
        ...
