"""What is known of one delayed_jobs table before anything is done with it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hkcli.dj.database import Connection
from hkcli.dj.era import Era, era_of

LAST_ERROR_MAX_CHARS = 65_000
UNLOCK = "UPDATE delayed_jobs SET locked_at = NULL, locked_by = NULL"
"""How whatever is done to a locked job begins."""


class TableMissing(Exception):
    """There is no delayed_jobs table; the message says what to run."""


@dataclass(frozen=True)
class Table:
    """`columns` with the length of each that has one."""

    era: Era
    columns: Mapping[str, int | None]

    @property
    def has_queues(self) -> bool:
        return "queue" in self.columns

    def last_error(self, error: str) -> str:
        """As much of it as the column holds, without what PostgreSQL cannot store."""
        most = min(self.columns.get("last_error") or LAST_ERROR_MAX_CHARS, LAST_ERROR_MAX_CHARS)
        clean = error.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
        return clean[:most]


def read_table(connection: Connection, environ: Mapping[str, str] | None = None) -> Table:
    """Raises TableMissing, era.UnknownEra, and what the connection raises."""
    columns = connection.columns("delayed_jobs")
    if not columns:
        raise TableMissing("Could not find table 'delayed_jobs'. Make it with a migration: rake db:migrate")
    return Table(era_of(columns, os.environ if environ is None else environ), columns)
