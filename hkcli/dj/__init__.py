"""Delayed Job without Ruby.

    from hkcli.dj import enqueue
    enqueue(NewsletterJob("Hello", ["a@example.org"]), priority=1, queue="mail")

A job is an object with a `perform` method whose class is in app/jobs/*.py. The database is DATABASE_URL's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hkcli.dj.queue import Queue

__all__ = ["count", "enqueue", "enqueue_many"]


def enqueue(job: object, *, priority: int = 0, run_at: datetime | None = None, queue: str | None = None) -> int:
    """Put a job on the queue; returns its id. A `run_at` without zone is UTC.

    Raises TypeError when the job has no `perform` or holds what cannot be written down, table.TableMissing and
    database.DatabaseError when there is nowhere to write it.
    """
    from hkcli.dj.enqueuing import new_job

    return _queue().enqueue(new_job(job, priority, run_at, queue), datetime.now(UTC))


def enqueue_many(
    jobs: Iterable[object], *, priority: int = 0, run_at: datetime | None = None, queue: str | None = None
) -> int:
    """Put all jobs on the queue in one transaction, so that workers see all or none; returns how many."""
    from hkcli.dj.enqueuing import new_job

    return _queue().enqueue_many((new_job(job, priority, run_at, queue) for job in jobs), datetime.now(UTC))


def count() -> int:
    """How many jobs are on the queue, in whatever state. Raises table.TableMissing and database.DatabaseError."""
    from dataclasses import astuple

    return sum(astuple(_queue().counts(datetime.now(UTC))))


def _queue() -> Queue:
    import os

    return _open(os.environ.get("DATABASE_URL", ""), os.getpid())


@cache
def _open(database_url: str, _pid: int) -> Queue:
    """Once for each database and process: connections must not be shared with a child."""
    from hkcli.dj.database import database_url as parse
    from hkcli.dj.database import open_database
    from hkcli.dj.queue import open_queue

    return open_queue(open_database(parse({"DATABASE_URL": database_url})))
