"""Migrations to be run by us and by Active Record. Each begins with a line `#: name | tags` in a file beside this one.

A tag is a version of migrations to write it for (none: 6.1), the only database it is for (none: both), or `copied`: on
SQLite Active Record copies a table and so makes a `bigint` an `integer`, which we do not (hkcli/dj/DIFFERENCES.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = re.compile(r"^#: (?P<name>[^|\n]+?)(?: \| (?P<tags>.*))?\n", re.MULTILINE)
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Case:
    """One migration, for one version of migrations and one database."""

    name: str
    version: str
    database: str
    body: str
    copied: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {self.version}, {self.database}"

    @property
    def text(self) -> str:
        return f"class Case < ActiveRecord::Migration[{self.version}]\n{self.body}end\n"


def cases(*names: str) -> Iterator[Case]:
    """Those of these files; none are all but the refused."""
    folder = Path(__file__).parent
    for path in sorted(folder.glob("*.rb")):
        if path.stem in names or (not names and path.stem != "refused"):
            yield from _cases(path.read_text())


def _cases(text: str) -> Iterator[Case]:
    heads = list(HEAD.finditer(text))
    for head, end in zip(heads, [*(h.start() for h in heads[1:]), len(text)], strict=True):
        tags = (head["tags"] or "").split()
        versions = [tag for tag in tags if tag[0].isdigit()] or ["6.1"]
        for database in [tag for tag in tags if tag in DATABASES] or DATABASES:
            for version in versions:
                yield Case(head["name"], version, database, text[head.end() : end], "copied" in tags)
