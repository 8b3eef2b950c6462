"""What is read of an app's jobs at one moment: table, log and dynos, together, and as the page shows them. Blocking."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from hkcli.backend.dashboard import pages
from hkcli.backend.dashboard.charts import Sample
from hkcli.backend.dynos import Dyno
from hkcli.dj.status import (
    AXES_S,
    SLOTS,
    DatabaseError,
    Facts,
    JobTable,
    Snapshot,
    Verdict,
    WorkerFact,
    WorkerLog,
    axis_s,
    compose,
    verdict,
    with_log,
    works_jobs,
)

SAMPLES_KEPT = AXES_S[-1]
"""One a second for as long as charts show."""
COUNTING_SHARE = 0.25
"""How much of the time a large table is counted, until every row was."""
LOOK_S = 0.04
"""Then, a reading; most tables take less."""


@dataclass(frozen=True)
class Subject:
    """What is looked at: an app, as the store has it now."""

    name: str
    config: dict[str, str]

    @property
    def address(self) -> str:
        return self.config.get("DATABASE_URL", "")


@dataclass(frozen=True)
class Reading:
    subject: Subject
    facts: Facts
    """With what the log adds."""
    screen: Snapshot
    verdict: Verdict
    regions: dict[str, str]
    """The overview's parts as HTML, made once for all viewers."""


class Book:
    """What one run of a watch keeps: the table it reads and what the log told. Used by one thread at a time."""

    def __init__(self, samples: deque[Sample], refresh_s: float) -> None:
        self._samples, self._refresh_s = samples, refresh_s
        self._log = WorkerLog()
        self._address = ""
        self._config: dict[str, str] = {}
        self._table: JobTable | None = None
        self._why_no_table = ""

    def read(self, subject: Subject, facts: Facts, lines: Iterable[bytes], lines_lost: int) -> Reading:
        """`lines` are those of the app's log that are new."""
        for each in lines:
            self._log.feed(each.decode("utf-8", "replace").splitlines())
        self._log.lines_lost += lines_lost
        self._open(subject)
        now = datetime.now(UTC)
        if self._table:
            self._table.look(now, LOOK_S if self._table.is_counted else self._refresh_s * COUNTING_SHARE)
            screen = self._table.snapshot(now, facts, self._log)
        else:
            screen = compose(now, facts, tally=None, log=self._log, why_no_table=self._why_no_table)
        self._samples.append(Sample.of(screen))
        return Reading(subject, with_log(facts, self._log), screen, verdict(screen), self._regions(screen))

    def _regions(self, screen: Snapshot) -> dict[str, str]:
        since = min(self._samples[0].at, self._log.known_since or screen.at)
        axis = axis_s((screen.at - since).total_seconds())
        parts = self._log.minutes(screen.at, SLOTS, axis // SLOTS)
        return pages.regions(screen, parts, self._samples, axis)

    def _open(self, subject: Subject) -> None:
        if (subject.address, subject.config) == (self._address, self._config) and (self._table or self._why_no_table):
            return
        self.close()
        self._address, self._config, self._why_no_table = subject.address, subject.config, ""
        if not subject.address:
            self._why_no_table = f"{subject.name} has no DATABASE_URL, so there is no table of jobs"
            return
        try:
            self._table = JobTable(subject.address, subject.config)
        except DatabaseError as error:
            self._why_no_table = str(error)

    def close(self) -> None:
        if self._table:
            self._table.__exit__()
        self._table = None


def facts_of(subject: Subject, dynos: list[Dyno], is_living: Callable[[str], bool]) -> Facts:
    workers = tuple(
        WorkerFact(each.spec.name, each.state.value, each.updated_at, release=f"v{each.spec.release_version}")
        for each in dynos
        if works_jobs(each.spec.type, each.spec.command)
    )
    return Facts(
        subject.name,
        workers=workers,
        is_living=is_living,
        config=subject.config,
        has_addon=True,
        knows_all_dynos=True,
    )
