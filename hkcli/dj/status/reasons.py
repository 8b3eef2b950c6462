"""Why a job waits, in words, and the command that mends it. Pure: rows and facts in, sentences out."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hkcli.dj.claiming import MAX_RUN_TIME
from hkcli.dj.settings import BadSetting, settings_from
from hkcli.dj.status.census import Row

DYNO = re.compile(r"(?:.* )?host:(railgun\.\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}) pid:\d+\Z")
"""Workers on dynos, here and on Heroku. What runs elsewhere, on somebody's laptop perhaps, the platform cannot know."""


@dataclass(frozen=True)
class WorkerFact:
    """A worker's dyno as the platform knows it, with what its log lines add. `name` is that in `locked_by`."""

    dyno: str
    state: str
    since: datetime
    name: str | None = None
    job: str | None = None
    job_id: int | None = None
    job_since: datetime | None = None
    last_line_at: datetime | None = None
    crashed_at: datetime | None = None
    """Its last crash, after which it may be up again."""
    release: str | None = None
    done: int = 0
    failed: int = 0

    @property
    def is_up(self) -> bool:
        return self.state == "up"


def works_jobs(process_type: str, command: str) -> bool:
    """Whether a dyno is known to be one of Delayed Job's workers."""
    return process_type == "worker" or "jobs:work" in command


def never(host: str) -> bool:
    return False


@dataclass(frozen=True)
class Facts:
    """What surrounds the table. `workers` None: not known, for the reason given in `why_unknown`."""

    app: str = ""
    workers: tuple[WorkerFact, ...] | None = None
    why_unknown: str = "The platform was not asked"
    gone: frozenset[str] = frozenset()
    """Names of workers that are known to have ended."""
    is_living: Callable[[str], bool] = never
    """Whether a dyno is known to run on this host now, of this app or another one, a worker or not."""
    has_strangers: bool = False
    """Dynos run that may be workers for all that is known: one-offs, process types with programs of their own."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Config vars, for what they keep workers from taking."""
    has_addon: bool = False
    knows_all_dynos: bool = False
    """`is_living` knows the dynos of every app, not those of this one alone."""

    @property
    def up(self) -> int | None:
        return None if self.workers is None else sum(worker.is_up for worker in self.workers)

    @property
    def queues(self) -> tuple[str, ...]:
        try:
            return settings_from(self.config).limits.queues
        except BadSetting:
            return ()

    def is_gone(self, worker: str) -> bool | None:
        """Whether the worker that holds a lock has ended; None when that cannot be told."""
        dyno = DYNO.match(worker)
        if dyno and self.is_living(dyno[1]):
            return False
        if worker in self.gone:
            return True
        if self.workers is None:
            return None
        up = [each for each in self.workers if each.state in ("up", "starting")]
        if any(each.name == worker for each in up):
            return False
        return True if dyno and not self.has_strangers and all(each.name for each in up) else None

    def is_surely_gone(self, worker: str) -> bool:
        """And cannot be that of another app with the same database, of whose dynos this one is not told."""
        if worker in self.gone:
            return True
        names = [*self.gone, *(each.name for each in self.workers or () if each.name)]
        own_hosts = {found[1] for name in names if (found := DYNO.match(name))}
        dyno = DYNO.match(worker)
        return bool(self.is_gone(worker) and dyno and (self.knows_all_dynos or dyno[1] in own_hosts))


@dataclass(frozen=True)
class Reason:
    """`mend` is a command, or "" where nothing needs mending. `is_trouble`: it will not pass by itself."""

    text: str
    mend: str = ""
    is_trouble: bool = False


def explain(row: Row, now: datetime, facts: Facts) -> Reason:
    """Why this job is not done yet."""
    on_app = f" --app {facts.app}" if facts.app else ""
    if row.failed_at:
        tries = f"after {row.attempts} attempt{'s' if row.attempts != 1 else ''}: its attempts are used up"
        return Reason(
            f"given up {tries}" if row.attempts else "given up at once: it cannot be run",
            f"heroku dj:retry {row.id}{on_app}",
            True,
        )
    if row.locked_at and row.locked_by:
        return of_lock(row, now, facts, on_app)
    if row.run_at is None:
        return Reason("it has no run_at, so no worker takes it", f"heroku dj:retry {row.id}{on_app}", True)
    if row.run_at > now:
        wait = span((row.run_at - now).total_seconds())
        what = f"attempt {row.attempts} failed; next in {wait}" if row.attempts else f"due later, in {wait}"
        return Reason(what)
    return of_waiting(row.queue, row.priority, facts)


def of_lock(row: Row, now: datetime, facts: Facts, on_app: str) -> Reason:
    held_s = (now - row.locked_at).total_seconds() if row.locked_at else 0
    gone = facts.is_gone(row.locked_by or "")
    if gone:
        what = "is gone" if facts.is_surely_gone(row.locked_by or "") else "is on none of this app's dynos"
        return Reason(f"locked by {row.locked_by}, which {what}", f"heroku dj:unlock{on_app}", True)
    if held_s > MAX_RUN_TIME.total_seconds():
        return Reason(f"locked for {span(held_s)}, longer than any job may run", f"heroku dj:unlock{on_app}", True)
    by = f"on {row.locked_by}" if gone is False else f"by {row.locked_by}, if that still lives"
    return Reason(f"running for {span(held_s)} {by}")


def of_waiting(queue: str | None, priority: int | None, facts: Facts) -> Reason:
    """Why a job that is due has not begun."""
    on_app = f" --app {facts.app}" if facts.app else ""
    if facts.queues and queue not in facts.queues:
        worked = ", ".join(facts.queues)
        setting = shlex.quote(f"QUEUES={','.join([*facts.queues, queue])}") if queue else ""
        mend = f"heroku config:set {setting}{on_app}" if queue else ""
        return Reason(
            f"queue {queue or '(none)'} is not worked: QUEUES is {worked}",
            mend or f"heroku config:unset QUEUES QUEUE{on_app}",
            True,
        )
    if bound := priority_bound(priority or 0, facts.config):
        return Reason(
            f"priority {priority} is not worked: {bound}",
            f"heroku config:unset {bound.partition('=')[0]}{on_app}",
            True,
        )
    if facts.workers is None:
        return Reason(f"waiting; whether a worker is up is not known ({facts.why_unknown})")
    if not facts.up:
        return no_worker(facts, on_app)
    busy = sum(worker.job is not None for worker in facts.workers)
    return Reason(f"waiting its turn: {facts.up} worker{'s' if facts.up != 1 else ''} up, {busy} busy")


def priority_bound(priority: int, config: Mapping[str, str]) -> str:
    """The setting that keeps workers from this priority, as `MIN_PRIORITY=5`; "" if none does."""
    try:
        limits = settings_from(config).limits
    except BadSetting:
        return ""
    if limits.min_priority is not None and priority < limits.min_priority:
        return f"MIN_PRIORITY={limits.min_priority}"
    if limits.max_priority is not None and priority > limits.max_priority:
        return f"MAX_PRIORITY={limits.max_priority}"
    return ""


def no_worker(facts: Facts, on_app: str) -> Reason:
    states = sorted({worker.state for worker in facts.workers or ()})
    if "starting" in states:
        return Reason("no worker yet: it is starting")
    if states:
        return Reason(f"no worker is up: {', '.join(states)}", f"heroku logs --ps worker{on_app}", True)
    if facts.has_addon:
        return Reason("no worker: the app was not deployed yet, or has no `worker` process", f"heroku ps{on_app}", True)
    return Reason("no worker: none is asked for", f"heroku addons:add dj{on_app}", True)


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 m 5 s`, `2 h 4 m`, `5 d 1 h`."""
    if seconds < 1:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    for unit_s, letter, smaller_s, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // smaller_s
            return f"{whole // unit_s} {letter}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def brief_span(seconds: float) -> str:
    """In one unit: `3 h` for all that is less than four."""
    return " ".join(span(seconds).split()[:2])
