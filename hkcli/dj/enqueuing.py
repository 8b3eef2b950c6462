"""From a job object to the row to be written."""

from datetime import UTC, datetime

from hkcli.dj.handlers import dump_job
from hkcli.dj.queue import NewJob


def new_job(job: object, priority: int = 0, run_at: datetime | None = None, queue: str | None = None) -> NewJob:
    """As Delayed::Job.enqueue: an explicit queue, else the job's own `queue_name`. Raises TypeError."""
    if queue is None and hasattr(type(job), "queue_name"):
        own = getattr(job, "queue_name", None)
        queue = own() if callable(own) else own
    if run_at is not None and run_at.tzinfo is None:
        run_at = run_at.replace(tzinfo=UTC)
    return NewJob(dump_job(job), priority, run_at, queue)
