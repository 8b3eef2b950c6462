"""Jobs whose worker is gone and did not come to unlock them itself."""

from datetime import datetime, timedelta

from hkcli.dj.database import Connection
from hkcli.dj.table import UNLOCK, Table

DEADLY_DELAY_S = 60
DIED = "The worker died while it ran the job"
LOCKERS = "SELECT DISTINCT locked_by FROM delayed_jobs WHERE locked_by IS NOT NULL"
HELD = "SELECT id, attempts, last_error FROM delayed_jobs WHERE locked_by = :worker AND failed_at IS NULL"
HELD_BY = " WHERE id = :id AND locked_by = :worker AND failed_at IS NULL"


def lockers(connection: Connection) -> list[str]:
    """The names of workers that hold locks."""
    return [name for (name,) in connection.rows(LOCKERS)]


def free(connection: Connection, table: Table, worker: str, now: datetime, crashed: bool = True) -> int:
    """Unlock the jobs of a worker that is gone; returns how many.

    A job in the middle of which two workers in a row `crashed` counts as failed, and waits for longer than it takes to
    start a worker anew, lest it be first in line for ever.
    """
    held = connection.rows(HELD, {"worker": worker})
    for job_id, attempts, last_error in held:
        prior, before = attempts or 0, last_error or ""
        again = before.startswith(DIED)
        changes: dict[str, object] = {}
        if crashed:
            changes["last_error"] = table.last_error("\n".join([f"{DIED}: {worker}", *before.splitlines()[again:]]))
        if crashed and again:
            wait_s = max(DEADLY_DELAY_S, table.era.retry_delay_s(prior))
            changes |= {"attempts": prior + 1, "run_at": now + timedelta(seconds=wait_s)}
        sets = "".join(f", {name} = :{name}" for name in changes)
        connection.change(UNLOCK + sets + HELD_BY, {"id": job_id, "worker": worker, **changes})
    return len(held)
