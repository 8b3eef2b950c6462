"""An app with a table of jobs on a real backend, for the tests of the screen and for its pictures."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hkcli.dj.database import open_database, parse_url
from hkcli.dj.engine import connect
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.report import Report
from hkcli.dj.queue import NewJob, Queue, open_queue
from tests.backends import Backend, wait_for

APP = Path(__file__).parent / "app"


def handler(job: str, /, **fields: object) -> str:
    """A job as Ruby would write it."""
    lines = [
        f"{field}: {value!r}" if isinstance(value, str) else f"{field}: {value}" for field, value in fields.items()
    ]
    return "\n".join([f"--- !ruby/struct:{job}", *lines, ""])


@dataclass
class Stage:
    """`name` is the app's; jobs are put on its table from here."""

    backend: Backend
    name: str
    folder: Path
    config: dict[str, str] = field(default_factory=dict)

    @classmethod
    def set(cls, backend: Backend, folder: Path, name: str | None = None, **config: str) -> "Stage":
        """Deployed and migrated; the add-on comes by `add_workers`."""
        app = backend.ok("POST", "/apps", {"name": name} if name else {})["name"]
        shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__"))
        stage = cls(backend, app, folder, config)
        if config:
            backend.ok("PATCH", f"/apps/{app}/config-vars", config)
        stage.migrate()
        backend.push(folder, app)
        return stage

    @cached_property
    def address(self) -> str:
        return str(self.backend.ok("GET", f"/apps/{self.name}/config-vars")["DATABASE_URL"])

    def migrate(self) -> None:
        engine = connect(parse_url(self.address), foreign_keys=False)
        Migrator(engine, self.folder, Report(lambda line: None)).migrate()
        engine.dispose()

    @cached_property
    def engine(self) -> sa.Engine:
        return connect(parse_url(self.address))

    @cached_property
    def queue(self) -> Queue:
        return open_queue(open_database(parse_url(self.address)), {})

    def add_workers(self, plan: str = "dj:single") -> dict[str, Any]:
        addon: dict[str, Any] = self.backend.ok("POST", f"/apps/{self.name}/addons", {"plan": plan})
        self.wait_for_workers()
        return addon

    def wait_for_workers(self) -> None:
        def are_up() -> bool:
            dynos = self.backend.ok("GET", f"/apps/{self.name}/dynos")
            return bool(dynos) and all(dyno["state"] == "up" for dyno in dynos)

        wait_for(are_up, "the workers to be up")

    def enqueue(
        self, job: str, count: int = 1, /, *, in_s: float = 0, queue: str | None = None, **fields: object
    ) -> None:
        now = datetime.now(UTC)
        run_at = now + timedelta(seconds=in_s)
        self.queue.enqueue_many([NewJob(handler(job, **fields), queue=queue, run_at=run_at)] * count, now)

    def link(self) -> str:
        """A new link to the dashboard, as a client gets it."""
        (addon,) = self.backend.ok("GET", f"/apps/{self.name}/addons")
        return str(addon["web_url"])

    def close(self) -> None:
        if "queue" in self.__dict__:
            self.queue.close()
        if "engine" in self.__dict__:
            self.engine.dispose()
