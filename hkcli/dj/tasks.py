"""What `rake` can do here; each task takes the app's folder, its environment and the arguments in brackets."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hkcli.dj.migrations.migrator import Migrator
    from hkcli.dj.queue import Queue


class TaskError(Exception):
    """The task failed; `ruby_name` is the class rake would show, empty for the message alone."""

    def __init__(self, message: str, ruby_name: str = "") -> None:
        super().__init__(message)
        self.ruby_name = ruby_name


class Abort(Exception):
    """Ruby's `abort`: the message alone, and status 1."""


@dataclass(frozen=True)
class Invocation:
    """One call of a task."""

    root: Path
    environ: Mapping[str, str]
    arguments: Sequence[str]


@dataclass(frozen=True)
class Task:
    """`description` is what `rake -T` shows; None hides the task there, as Rails does with its rarer ones."""

    run: Callable[[Invocation], None]
    description: str | None
    parameters: tuple[str, ...] = ()


def _queue(call: Invocation) -> "Queue":
    from hkcli.dj.database import database_url, open_database
    from hkcli.dj.queue import open_queue

    return open_queue(open_database(database_url(call.environ)), call.environ)


def _work(call: Invocation, exit_on_complete: bool = False) -> None:
    from hkcli.dj.app_jobs import JobClasses
    from hkcli.dj.settings import settings_from
    from hkcli.dj.worker import Worker

    settings = settings_from(call.environ, exit_on_complete)
    sys.path.insert(0, str(call.root))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a job's own lines must not wait in a pipe's buffer either
    with closing(_queue(call)) as queue:
        Worker(queue, JobClasses(call.root), settings).start()


def work(call: Invocation) -> None:
    _work(call)


def workoff(call: Invocation) -> None:
    _work(call, exit_on_complete=True)


def clear(call: Invocation) -> None:
    with closing(_queue(call)) as queue:
        queue.clear()


def check(call: Invocation) -> None:
    """Raises TaskError when jobs are overdue."""
    text = call.arguments[0] if call.arguments and call.arguments[0] else "300"
    try:
        max_age = timedelta(seconds=int(text))
        before = datetime.now(UTC) - max_age
    except (ValueError, OverflowError):
        raise TaskError(f"max_age is {text!r}. It must be a number of seconds: rake 'jobs:check[300]'") from None
    with closing(_queue(call)) as queue:
        count = queue.unattempted_before(before)
    if count:
        raise TaskError(f"{count} jobs older than {int(text)} seconds have not been processed yet")


def _migrator(call: Invocation) -> "Migrator":
    from hkcli.dj.database import database_url
    from hkcli.dj.engine import connect
    from hkcli.dj.migrations.migrator import Migrator
    from hkcli.dj.migrations.report import Report

    verbose = call.environ.get("VERBOSE") != "false"
    environment = call.environ.get("RAILS_ENV") or call.environ.get("RACK_ENV") or "production"
    report = Report(lambda line: print(line, flush=True), verbose)
    return Migrator(connect(database_url(call.environ), foreign_keys=False), call.root, report, environment)


def _version(call: Invocation) -> int | None:
    """VERSION as a number; None when it is not given. Raises TaskError."""
    text = call.environ.get("VERSION", "")
    if not text:
        return None
    digits = text.removesuffix(".rb").partition("_")[0]
    if not digits.isascii() or not digits.isdigit():
        raise TaskError(f"Invalid format of target version: `VERSION={text}`")
    return int(digits)


def _steps(call: Invocation) -> int:
    text = call.environ.get("STEP") or "1"
    if not text.isascii() or not text.isdigit():
        raise TaskError(f"STEP is {text!r}. It must be a whole number, for example STEP=2")
    return int(text)


def migrate(call: Invocation) -> None:
    _migrator(call).migrate(_version(call))


def rollback(call: Invocation) -> None:
    _migrator(call).rollback(_steps(call))


def forward(call: Invocation) -> None:
    _migrator(call).forward(_steps(call))


def redo(call: Invocation) -> None:
    migrator, version = _migrator(call), _version(call)
    if version is None:
        migrator.rollback(_steps(call))
        migrator.migrate()
    else:
        migrator.run_one(version, "down")
        migrator.run_one(version, "up")


def up(call: Invocation) -> None:
    if (version := _version(call)) is None:
        raise TaskError("VERSION is required")
    _migrator(call).run_one(version, "up")


def down(call: Invocation) -> None:
    if (version := _version(call)) is None:
        raise TaskError("VERSION is required - To go down one migration, use db:rollback")
    _migrator(call).run_one(version, "down")


def version(call: Invocation) -> None:
    print(f"Current version: {_migrator(call).current_version()}")


def status(call: Invocation) -> None:
    """Raises Abort."""
    migrator = _migrator(call)
    if not migrator.has_metadata():
        raise Abort("Schema migrations table does not exist yet.")
    print(f"\ndatabase: {migrator.engine.url.database}\n")
    print(f"{'Status':^8}  {'Migration ID':<14}  Migration Name")
    print("-" * 50)
    for row in migrator.statuses():
        name = _humanize(row.name) if row.name else "********** NO FILE **********"
        print(f"{'up' if row.is_up else 'down':^8}  {row.file_version:<14}  {name}")
    print()


def _humanize(name: str) -> str:
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
    return words[:1].upper() + words[1:]


def abort_if_pending(call: Invocation) -> None:
    """Raises Abort."""
    if pending := _migrator(call).pending():
        print(f"You have {len(pending)} pending {'migration' if len(pending) == 1 else 'migrations'}:")
        for file in pending:
            print(f"  {file.version:4d} {file.name}")
        raise Abort("Run `rake db:migrate` to update your database then try again.")


TASKS = {
    "db:abort_if_pending_migrations": Task(abort_if_pending, None),
    "db:forward": Task(forward, None),
    "db:migrate": Task(migrate, "Migrate the database (options: VERSION=x, VERBOSE=false)"),
    "db:migrate:down": Task(down, 'Runs the "down" for a given migration VERSION'),
    "db:migrate:redo": Task(
        redo, "Rolls back the database one migration and re-migrates up (options: STEP=x, VERSION=x)"
    ),
    "db:migrate:status": Task(status, "Display status of migrations"),
    "db:migrate:up": Task(up, 'Runs the "up" for a given migration VERSION'),
    "db:rollback": Task(rollback, "Rolls the schema back to the previous version (specify steps w/ STEP=n)"),
    "db:version": Task(version, "Retrieves the current schema version number"),
    "jobs:check": Task(
        check,
        "Exit with error status if any jobs older than max_age seconds haven't been attempted yet",
        parameters=("max_age",),
    ),
    "jobs:clear": Task(clear, "Clear the delayed_job queue"),
    "jobs:work": Task(work, "Start a delayed_job worker"),
    "jobs:workoff": Task(workoff, "Start a delayed_job worker and exit when all available jobs are complete"),
}
