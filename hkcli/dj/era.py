"""The two eras of Delayed Job; every difference between them is a field here.

2009 is tobi/delayed_job as the quick start installs it, 4 is the gem's 4.x series. Where either has a fault that only
hurts, neither era here has it: `hkcli/dj/DIFFERENCES.md` lists these.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass


class UnknownEra(Exception):
    """DJ_ERA names no era; the message is meant for the reader."""


@dataclass(frozen=True)
class Wording:
    """The lines a worker writes, as str.format templates; `worker`, `job`, `id` and so on are filled in."""

    start: str
    running: str
    completed: str
    failed: str
    permanent: str
    unreadable: str
    stats: str
    no_more: str
    exiting: str
    released: str
    reserve_error: str
    reserve_again: str
    save_error: str
    freed: str


@dataclass(frozen=True)
class Era:
    """`retry_delay_s` and `is_final` take the number of failed runs before this one; `order` is SQL for `ORDER BY`."""

    name: str
    order: str
    retry_delay_s: Callable[[int], int]
    is_final: Callable[[int, int], bool]
    keeps_error_on_final: bool
    has_hooks: bool
    shows_exception: bool
    wording: Wording

    def job_label(self, name: str, job_id: int, queue: str | None) -> str:
        """How a job is named in the lines of this era."""
        if self is ERA_2009:
            return name
        return f"{name} (id={job_id})" + (f" (queue={queue})" if queue else "")


_PREFIX = "[Worker({worker})] "

ERA_2009 = Era(
    name="2009",
    order="priority DESC, run_at ASC",
    retry_delay_s=lambda prior: prior**4 + 5,
    is_final=lambda prior, max_attempts: prior >= max_attempts,
    keeps_error_on_final=False,
    has_hooks=False,
    shows_exception=True,
    wording=Wording(
        start="*** Starting job worker {worker}",
        running="* [JOB] aquiring lock on {job}",
        completed="* [JOB] {job} completed after {seconds:.4f}",
        failed="* [JOB] {job} failed with {error_class}: {error} - {attempts} failed attempts",
        permanent="* [JOB] PERMANENTLY removing {job} because of {attempts} consequetive failures.",
        unreadable="* [JOB] {job} failed with {error_class}: {error} - keeping it as failed",
        stats="{count} jobs processed at {rate:.4f} j/s, {failed} failed ...",
        no_more="No more jobs available. Exiting",
        exiting="Exiting...",
        released="* [JOB] {job} was interrupted and is back in the queue",
        reserve_error="Error while reserving job: {error}",
        reserve_again="Reserving jobs again",
        save_error="Error while saving job: {error}",
        freed="Released {count} jobs of {dead}, which is gone",
    ),
)

ERA_4 = Era(
    name="4",
    order="priority ASC, run_at ASC",
    retry_delay_s=lambda prior: (prior + 1) ** 4 + 5,
    is_final=lambda prior, max_attempts: prior + 1 >= max_attempts,
    keeps_error_on_final=True,
    has_hooks=True,
    shows_exception=False,
    wording=Wording(
        start=_PREFIX + "Starting job worker",
        running=_PREFIX + "Job {job} RUNNING",
        completed=_PREFIX + "Job {job} COMPLETED after {seconds:.4f}",
        failed=_PREFIX + "Job {job} FAILED ({prior} prior attempts) with {error_class}: {error}",
        permanent=_PREFIX + "Job {job} FAILED permanently because of {attempts} consecutive failures",
        unreadable=_PREFIX + "Job {job} FAILED permanently with {error_class}: {error}",
        stats=_PREFIX + "{count} jobs processed at {rate:.4f} j/s, {failed} failed",
        no_more=_PREFIX + "No more jobs available. Exiting",
        exiting=_PREFIX + "Exiting...",
        released=_PREFIX + "Job {job} RELEASED: it was interrupted and is back in the queue",
        reserve_error=_PREFIX + "Error while reserving job: {error}",
        reserve_again=_PREFIX + "Reserving jobs again",
        save_error=_PREFIX + "Error while saving job: {error}",
        freed=_PREFIX + "Released {count} jobs of {dead}, which is gone",
    ),
)

ERAS = {era.name: era for era in (ERA_2009, ERA_4)}


def era_of(columns: Collection[str], environ: Mapping[str, str]) -> Era:
    """DJ_ERA if set, else told by the table: the `queue` column came with 3.0. Raises UnknownEra."""
    chosen = environ.get("DJ_ERA", "").strip()
    if not chosen:
        return ERA_4 if "queue" in columns else ERA_2009
    if chosen not in ERAS:
        raise UnknownEra(f"DJ_ERA is {chosen!r}. Use one of: {', '.join(ERAS)}")
    return ERAS[chosen]
