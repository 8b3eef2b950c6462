"""Everything the screens show, as one value: figures of the table, of the worker's log, and of the platform, together.

A figure that cannot be known is None, and `unknown` says why, by the figure's name.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from math import ceil
from typing import Any

from hkcli.dj.queue import Counts
from hkcli.dj.status.census import PRIME, Row, Tally, counts_of
from hkcli.dj.status.names import common_text, shape_of
from hkcli.dj.status.reasons import Facts, Reason, WorkerFact, explain, of_waiting
from hkcli.dj.status.worker_log import SLICE_S, Mark, Minute, WorkerLog

SLOTS, AXES_S = 30, (300, 600, 1800)
"""Into how many parts the time that charts show is cut, and how long it is: the shortest that holds what is known."""
PACE_S = 120
"""Of how much time the pace of work is the mean."""
GIVEN_UP = "given up: their attempts are used up"


@dataclass(frozen=True)
class Counted:
    """How the counts were made: `rows` seen; `is_whole` unless the first walk through a large table still goes on."""

    rows: int
    is_whole: bool
    age_s: float


@dataclass(frozen=True)
class Group:
    queue: str | None
    priority: int | None
    counts: Counts
    oldest_due_s: float | None


@dataclass(frozen=True)
class Running:
    row: Row
    for_s: float
    reason: Reason


@dataclass(frozen=True)
class ErrorGroup:
    """Failed jobs of one name with one message, numbers in it aside. `next_run` is the soonest retry."""

    name: str
    error: str
    """With # in place of the numbers, where they differ."""
    text: str
    """What all of them have in their error."""
    count: int
    gave_up: int
    latest: datetime | None
    next_run: datetime | None
    example_id: int


@dataclass(frozen=True)
class Waiting:
    """How many jobs wait for one reason."""

    count: int
    reason: Reason


@dataclass(frozen=True)
class KindSeen:
    """Jobs of one class, as the log told of them: how many runs ended how, and how long those took that were done."""

    name: str
    done: int
    failed: int
    run_p50_s: float | None
    run_p95_s: float | None
    error: str
    """The latest that the log told of, also of jobs that are gone from the table; "" for none."""


@dataclass(frozen=True)
class Snapshot:
    at: datetime
    app: str
    era: str | None = None
    counts: Counts | None = None
    counted: Counted | None = None
    groups: tuple[Group, ...] = ()
    oldest_due_s: float | None = None
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    wait_is_estimated: bool = False
    """These two are of a sample: more jobs are due than are looked at for them."""
    run_p50_s: float | None = None
    run_p95_s: float | None = None
    done_per_minute: float | None = None
    failed_per_minute: float | None = None
    running: tuple[Running, ...] = ()
    errors: tuple[ErrorGroup, ...] = ()
    errors_elsewhere: int = 0
    """Failed jobs of more kinds than are kept apart."""
    upcoming: tuple[Row, ...] = ()
    workers: tuple[WorkerFact, ...] | None = None
    minutes: tuple[Minute | None, ...] = ()
    axis_s: int = AXES_S[-1]
    slots: tuple[Minute | None, ...] = ()
    """Of the last `axis_s`, the present one last."""
    marks: tuple[Mark, ...] = ()
    kinds: tuple[KindSeen, ...] = ()
    gave_up: int | None = None
    """Jobs given up as the log told of them; where failed jobs are not kept, the table has none of these."""
    waiting: tuple[Waiting, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)
    lines_lost: int = 0


def compose(
    now: datetime,
    facts: Facts,
    *,
    tally: Tally | None,
    locked: Sequence[Row] = (),
    log: WorkerLog | None = None,
    era: str | None = None,
    why_no_table: str = "The table was not read",
    why_no_log: str = "The app's log was not read",
) -> Snapshot:
    """One moment's picture. `locked` are the locked rows as they are now, which may be fewer than the tally's."""
    facts = with_log(facts, log)
    screen = Snapshot(now, facts.app, era, workers=facts.workers)
    unknown = {} if facts.workers is not None else {"workers": facts.why_unknown}
    if tally is None:
        unknown |= dict.fromkeys(("counts", "oldest_due_s", "wait_p50_s", "wait_p95_s"), why_no_table)
    else:
        screen = of_table(screen, tally, locked, facts)
        if screen.oldest_due_s is None:
            unknown |= dict.fromkeys(("oldest_due_s", "wait_p50_s", "wait_p95_s"), "No job is due")
    if log is None or log.known_since is None:
        reason = why_no_log if log is None else "The app's log has no lines yet"
        unknown |= dict.fromkeys(("done_per_minute", "failed_per_minute", "run_p50_s", "run_p95_s"), reason)
    else:
        screen = of_log(screen, log)
        if screen.run_p50_s is None:
            unknown |= dict.fromkeys(("run_p50_s", "run_p95_s"), why_no_runs(log))
    return replace(screen, unknown=unknown)


def why_no_runs(log: WorkerLog) -> str:
    if log.done + log.failed and not log.has_job_lines:
        return "This worker's lines tell how many jobs it did, not how long each took"
    return "No job ended since the oldest line of the log"


def with_log(facts: Facts, log: WorkerLog | None) -> Facts:
    """The platform's facts with what the worker's lines add to each."""
    if log is None:
        return facts
    gone = facts.gone | frozenset(log.former)
    if facts.workers is None:
        return replace(facts, gone=gone)
    workers = []
    for worker in facts.workers:
        worker = replace(worker, crashed_at=log.crashes.get(worker.dyno))
        if seen := log.workers.get(worker.dyno):
            worker = replace(
                worker,
                name=seen.name,
                job=seen.job,
                job_id=seen.job_id,
                job_since=seen.job_since,
                last_line_at=seen.last_line_at,
                done=seen.done,
                failed=seen.failed,
            )
        workers.append(worker)
    return replace(facts, workers=tuple(workers), gone=gone)


def with_locks(
    workers: tuple[WorkerFact, ...] | None, locked: Sequence[Row], are_all: bool
) -> tuple[WorkerFact, ...] | None:
    """What the table says a worker does is newer than what its log said; `are_all`: there are no other locks."""
    if workers is None:
        return None
    held = {row.locked_by: row for row in locked}
    found = []
    for worker in workers:
        row = held.get(worker.name) if worker.name else None
        if row:
            found.append(replace(worker, job=row.name, job_id=row.id, job_since=row.locked_at))
        elif worker.job and are_all:
            found.append(replace(worker, job=None, job_id=None, job_since=None))
        else:
            found.append(worker)
    return tuple(found)


def of_table(screen: Snapshot, tally: Tally, locked: Sequence[Row], facts: Facts) -> Snapshot:
    now = screen.at
    waits = sorted(wait_s for _, wait_s in tally.waits)
    oldest = tally.oldest_due
    workers = with_locks(facts.workers, locked, are_all=tally.ended_at == now)
    facts = replace(facts, workers=workers)
    return replace(
        screen,
        workers=workers,
        counts=tally.counts,
        counted=Counted(tally.rows, tally.ended_at is not None, (now - (tally.ended_at or now)).total_seconds()),
        groups=groups_of(tally, now),
        oldest_due_s=(now - oldest).total_seconds() if oldest else None,
        wait_p50_s=quantile(waits, 0.5),
        wait_p95_s=quantile(waits, 0.95),
        wait_is_estimated=tally.share < PRIME,
        running=tuple(
            Running(row, (now - row.locked_at).total_seconds() if row.locked_at else 0, explain(row, now, facts))
            for row in sorted(locked, key=lambda row: row.locked_at or now)
        ),
        errors=error_groups(tally),
        errors_elsewhere=tally.failed - sum(each.count for each in tally.failures.values()),
        upcoming=tuple(tally.upcoming),
        waiting=waiting_of(tally, locked, now, facts),
    )


def groups_of(tally: Tally, now: datetime) -> tuple[Group, ...]:
    def place(key: tuple[str | None, int | None]) -> tuple[str, int]:
        return key[0] or "", key[1] or 0

    return tuple(
        Group(
            *key,
            counts_of(tally.groups[key]),
            (now - tally.oldest[key]).total_seconds() if key in tally.oldest else None,
        )
        for key in sorted(tally.groups, key=place)
    )


def error_groups(tally: Tally) -> tuple[ErrorGroup, ...]:
    """By kind of job and error, the latest first."""
    found = sorted(tally.failures.values(), key=lambda each: (each.latest is not None, each.latest), reverse=True)
    return tuple(
        ErrorGroup(
            each.name,
            *((each.error, each.error) if each.is_one_text else (shape_of(each.error), common_text(each.error))),
            each.count,
            each.gave_up,
            each.latest,
            each.next_run,
            each.example_id,
        )
        for each in found
    )


def waiting_of(tally: Tally, locked: Sequence[Row], now: datetime, facts: Facts) -> tuple[Waiting, ...]:
    """Every job that is not running well, counted by the reason; what does not pass by itself comes first."""
    counts: dict[Reason, int] = {}
    app = f" --app {facts.app}" if facts.app else ""

    def add(reason: Reason, count: int) -> None:
        if count:
            counts[reason] = counts.get(reason, 0) + count

    for (queue, priority), group in tally.groups.items():
        add(of_waiting(queue, priority, facts), group["due"] + group["retry due"])
        add(Reason("failed before; tried again when their time comes"), group["retrying"])
        add(Reason("due later"), group["scheduled"])
        add(Reason(GIVEN_UP, f"heroku dj:retry --failed{app}", True), group["failed"])
    for row in locked:
        if (reason := explain(row, now, facts)).is_trouble:
            add(reason, 1)
    found = [Waiting(count, reason) for reason, count in counts.items()]
    return tuple(sorted(found, key=lambda each: (not each.reason.is_trouble, -each.count)))


def of_log(screen: Snapshot, log: WorkerLog) -> Snapshot:
    minutes = log.minutes(screen.at, AXES_S[-1] // 60)
    axis = axis_s((screen.at - (log.known_since or screen.at)).total_seconds())
    runs = sorted(log.runs_s)
    done_per_minute, failed_per_minute = pace(log, screen.at)
    return replace(
        screen,
        minutes=tuple(minutes),
        axis_s=axis,
        slots=tuple(log.minutes(screen.at, SLOTS, axis // SLOTS)),
        marks=tuple(log.marks),
        kinds=kinds_of(log),
        gave_up=log.gave_up,
        run_p50_s=quantile(runs, 0.5),
        run_p95_s=quantile(runs, 0.95),
        done_per_minute=done_per_minute,
        failed_per_minute=failed_per_minute,
        lines_lost=log.lines_lost,
    )


def axis_s(age_s: float) -> int:
    """Seconds that charts show, when the oldest that is known is so old."""
    return next((each for each in AXES_S if each >= age_s), AXES_S[-1])


def kinds_of(log: WorkerLog) -> tuple[KindSeen, ...]:
    """Those that ran most often first."""
    found = []
    for kind in sorted(log.kinds.values(), key=lambda kind: -(kind.done + kind.failed)):
        runs = sorted(kind.runs_s)
        p50, p95 = quantile(runs, 0.5), quantile(runs, 0.95)
        found.append(KindSeen(kind.name, kind.done, kind.failed, p50, p95, kind.error))
    return tuple(found)


def pace(log: WorkerLog, now: datetime) -> tuple[float, float]:
    """Runs that were done and that failed a minute: the mean of the last minutes, as far as the log reaches back."""
    parts = [part for part in log.minutes(now, PACE_S // SLICE_S, SLICE_S) if part]
    since = max(log.known_since or now, parts[0].start if parts else now)
    minutes = max(SLICE_S, (now - since).total_seconds()) / 60
    return sum(part.done for part in parts) / minutes, sum(part.failed for part in parts) / minutes


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that this share of all values does not exceed (nearest rank)."""
    if not ordered:
        return None
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def document(screen: Snapshot) -> dict[str, Any]:
    """The snapshot for JSON: times as ISO 8601 in UTC, a figure that is not known as null with its reason."""
    return plain(asdict(screen))  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
