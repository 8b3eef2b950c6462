"""Every link of Heroku's published schema, so that those which are not served here are refused by name."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("links.json")


@dataclass(frozen=True)
class Link:
    """One call of Platform API v3. `path` is split at its slashes; an empty segment stands for any."""

    method: str
    path: tuple[str, ...]
    title: str

    def matches(self, method: str, path: tuple[str, ...]) -> bool:
        return (
            method == self.method
            and len(path) == len(self.path)
            and all(ours in ("", theirs) for ours, theirs in zip(self.path, path, strict=True))
        )


@cache
def published() -> tuple[Link, ...]:
    """All links, as the table holds them: `METHOD /path/{}/...` to `Resource: Title`."""
    table: dict[str, str] = json.loads(TABLE.read_text())
    return tuple(Link(*parsed(call), title) for call, title in table.items())


def parsed(call: str) -> tuple[str, tuple[str, ...]]:
    method, _, path = call.partition(" ")
    return method, tuple(path.replace("{}", "").split("/")[1:])


def title(method: str, path: str) -> str | None:
    """What Heroku calls this request, None when it knows none such."""
    segments = tuple(path.split("/")[1:])
    return next((each.title for each in published() if each.matches(method, segments)), None)
