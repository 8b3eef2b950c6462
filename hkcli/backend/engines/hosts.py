"""The host names of dynos (`railgun.46824682`): each is given once, and is not forgotten before it may be.

A job's lock names the host of whoever holds it. So a host is noted on disk before anything runs on it, and stays noted
after its last process has ended, however the backend itself ends, until what it still held has been given back."""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hkcli.backend.dynos import DynoSpec
from hkcli.backend.home import write_private

FIRST, LAST = 10_000_000, 99_999_999
"""Eight digits, because dynos of several backends may share one database: two of them must not have the same name."""


def new_name() -> str:
    return f"railgun.{FIRST + secrets.randbelow(LAST - FIRST + 1)}"


@dataclass(frozen=True)
class Stay:
    """Which dyno ran on a host: its name, and of which release it was."""

    dyno: str
    release_id: str
    crashed: bool = False
    """It ended by itself: nobody asked it to, and no backend was killed."""


class Hosts:
    """A folder with a file for each host. Those that an earlier backend noted count as left; end its dynos first."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._living: set[str] = set()
        self._crashed: set[str] = set()
        self.on_leave: Callable[[], None] = lambda: None

    def enter(self, spec: DynoSpec) -> str:
        """A host for a dyno that is about to be started. Raises OSError."""
        name = new_name()
        while (self._folder / name).exists():
            name = new_name()
        self._living.add(name)
        write_private(self._folder / name, asdict(Stay(spec.name, spec.release_id)))
        return name

    def leave(self, name: str, crashed: bool = False) -> None:
        """Every process of its dyno has ended."""
        if name in self._living:
            self._living.remove(name)
            self._crashed |= {name} if crashed else set()
            self.on_leave()

    def is_living(self, name: str) -> bool:
        """May be asked from any thread."""
        return name in self._living

    def left(self) -> dict[str, Stay]:
        """The hosts whose dynos are gone."""
        notes = [path for path in self._folder.glob("railgun.*") if path.name not in self._living]
        stays = {path.name: Stay(**json.loads(path.read_text())) for path in notes}
        return {name: replace(stay, crashed=name in self._crashed) for name, stay in stays.items()}

    def forget(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        self._crashed.discard(name)
