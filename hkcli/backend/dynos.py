"""The values that say what should run and what does run; shared by the control plane and the supervisor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

EXIT_MARKER = re.compile(r'\s*;\s*echo "\uFFFF heroku-command-exit-status: \$\?"$')
"""What `heroku run --exit-code` appends to a command."""


class DynoState(StrEnum):
    """As in the API's `dyno.state`."""

    STARTING = "starting"
    UP = "up"
    CRASHED = "crashed"
    DOWN = "down"


@dataclass(frozen=True)
class DynoSpec:
    """One dyno as it should run; two equal specs are the same dyno, a changed one is restarted."""

    app_id: str
    app_name: str
    name: str
    """`worker.1`, `run.4859`; what stands before the dot is the process type."""
    command: str
    """A shell line, run by bash in the root of the slug."""
    release_id: str
    release_version: int
    slug: Path
    """The app's files as a gzipped tar archive; the members' names are relative to the app's root."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Config vars. `DYNO`, `PORT`, `HOME`, `HOSTNAME` and `PATH` are the engine's to add."""
    size: str = "Basic"

    @property
    def type(self) -> str:
        return self.name.partition(".")[0]

    @property
    def shown_command(self) -> str:
        """The command as people typed it: without what clients append to learn the exit status."""
        return EXIT_MARKER.sub("", self.command)

    @property
    def reports_status(self) -> bool:
        """Whether the client has the shell print the command's status, as the last thing it does."""
        return EXIT_MARKER.search(self.command) is not None


@dataclass
class Dyno:
    """One dyno as it runs. The supervisor alone changes it."""

    id: str
    spec: DynoSpec
    state: DynoState
    created_at: datetime
    updated_at: datetime
    """When the state last changed."""
    pid: int | None = None
    port: int | None = None
    """Where it was told to listen, while it runs."""
    attach_url: str | None = None
    """`rendezvous://HOST:PORT/SECRET` of a one-off that waits for, or serves, a client."""
