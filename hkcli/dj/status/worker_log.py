"""What a worker's log lines tell: who works, on what, and what is done. The table forgets all of it.

Understands the embedded worker in both eras and the real gem, on stdout or through Rails' logger. Lines are those of a
log session: `2026-11-23T18:40:01.123456+00:00 app[worker.1]: text`.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

SLICE_S = 10
"""Ends of jobs are counted in slices this long, of which a minute has a whole number."""
SLICES_KEPT = 360
RUNS_KEPT = 2_000
MARKS_KEPT = 50
KINDS_KEPT, RUNS_OF_A_KIND, ERROR_CHARS = 200, 200, 200
LINE = re.compile(r"(?P<time>\S+) (?P<source>[\w-]+)\[(?P<dyno>[^\]\s]+)\]: ?(?P<text>.*)", re.DOTALL)
LOGGER = re.compile(r"[A-Z], \[[^\]]*\]\s+[A-Z]+ -- [^:]*: (?:\d{4}-\d\d-\d\dT\S+: )?")
"""What Ruby's Logger writes before a message, and the time that the gem adds."""
HINT = re.compile(r"Job |\[JOB\]|job worker|jobs processed at|Exiting\.\.\.")
"""What each of a worker's lines has; most lines of an app are others, and are passed over at once."""
WORKER_4 = re.compile(r"\[Worker\((?P<worker>.*?)\)\] ")
JOB_4 = r"Job (?P<name>.+?)(?: \(id=(?P<id>\d+)\))?(?: \(queue=(?P<queue>[^)]*)\))?"
JOB_2009 = r"\* \[JOB\] (?P<name>.+)"
DURATION = r"(?P<seconds>\d+(?:\.\d+)?)"
SHAPES = [
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("start", r"Starting job worker"),
        ("start", r"\*\*\* Starting job worker (?P<worker>\S.*)"),
        ("running", JOB_4 + r" RUNNING"),
        ("running", r"\* \[JOB\] aquiring lock on (?P<name>.+)"),
        ("lost", r"\* \[JOB\] failed to aquire exclusive lock for (?P<name>.+)"),
        ("done", JOB_4 + rf" COMPLETED after {DURATION}"),
        ("done", JOB_2009 + rf" completed after {DURATION}"),
        ("failed", JOB_4 + r" FAILED \(\d+ prior attempts\) with (?P<error>.*)"),
        ("failed", JOB_4 + r" FAILED permanently with (?P<error>.*)"),
        ("failed", JOB_2009 + r" failed with (?P<error>.*?)(?: - \d+ failed attempts| - keeping it as failed)?"),
        ("given up", JOB_4 + r" (?:FAILED|REMOVED) permanently because of .*"),
        ("given up", r"\* \[JOB\] PERMANENTLY removing (?P<name>.+) because of .*"),
        ("released", JOB_4 + r" RELEASED: .*"),
        ("released", JOB_2009 + r" was interrupted and is back in the queue"),
        ("stats", rf"(?P<count>\d+) jobs processed at {DURATION} j/s, (?P<failures>\d+) failed(?: \.\.\.)?"),
        ("exiting", r"Exiting\.\.\."),
    )
]
MARK = re.compile(r"(?P<what>Release (?P<version>v\d+) created|Restarting$|State changed from \w+ to crashed)")
DROPPED = re.compile(r"dropped (\d+) messages")


@dataclass
class WorkerSeen:
    """A worker as its lines show it. `name` is None until its first line was seen."""

    dyno: str
    name: str | None = None
    started_at: datetime | None = None
    last_line_at: datetime | None = None
    job: str | None = None
    job_id: int | None = None
    job_since: datetime | None = None
    is_exiting: bool = False
    done: int = 0
    failed: int = 0
    told: int = 0
    """Ends of jobs since the last line of statistics, so that neither counts what the other has."""
    last_stats: str = ""
    speaks_plainly: bool = False
    """It writes to stdout itself; what its logger writes there is then the same once more."""


@dataclass
class Minute:
    """Or another whole number of slices, beginning at `start`."""

    start: datetime
    done: int = 0
    failed: int = 0


@dataclass
class Kind:
    """What was seen of the jobs of one class."""

    name: str
    done: int = 0
    failed: int = 0
    runs_s: deque[float] = field(default_factory=lambda: deque(maxlen=RUNS_OF_A_KIND))
    error: str = ""
    """The latest."""


@dataclass(frozen=True)
class Mark:
    """Something that explains a bend in a curve: a release, a restart, a crash."""

    at: datetime
    text: str
    is_release: bool = False


@dataclass
class WorkerLog:
    """Feed it lines, oldest first; `known_since` is the time of the first, before which nothing is known."""

    known_since: datetime | None = None
    known_until: datetime | None = None
    workers: dict[str, WorkerSeen] = field(default_factory=dict)
    runs_s: deque[float] = field(default_factory=lambda: deque(maxlen=RUNS_KEPT))
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=MARKS_KEPT))
    former: dict[str, str] = field(default_factory=dict)
    """Workers that another one on the same dyno has followed: name to dyno. They are gone."""
    crashes: dict[str, datetime] = field(default_factory=dict)
    """When a dyno last crashed."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    gave_up: int = 0
    """Jobs whose attempts were used up, whether they were kept on the table or not."""
    lines_lost: int = 0
    has_job_lines: bool = False
    _slices: dict[int, Minute] = field(default_factory=dict)

    def feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            if found := LINE.match(line.rstrip("\r\n")):
                at = time_of(found["time"])
                if at is not None:
                    self._line(at, found["source"], found["dyno"], found["text"])

    def minutes(self, now: datetime, count: int, length_s: int = 60) -> list[Minute | None]:
        """The last minutes (or parts that long), the present one last; None where the log does not reach back."""
        present = int(now.timestamp()) // length_s * length_s
        if self.known_since is None:
            return [None] * count
        first = int(self.known_since.timestamp()) // length_s * length_s
        starts = range(present - (count - 1) * length_s, present + 1, length_s)
        return [self._sum(start, length_s) if start >= first else None for start in starts]

    def _sum(self, start: int, length_s: int) -> Minute:
        slices = [found for at in range(start, start + length_s, SLICE_S) if (found := self._slices.get(at))]
        total = Minute(datetime.fromtimestamp(start, UTC))
        total.done, total.failed = sum(each.done for each in slices), sum(each.failed for each in slices)
        return total

    @property
    def done(self) -> int:
        return sum(worker.done for worker in self.workers.values())

    @property
    def failed(self) -> int:
        return sum(worker.failed for worker in self.workers.values())

    def _line(self, at: datetime, source: str, dyno: str, text: str) -> None:
        self.known_since = min(self.known_since or at, at)
        self.known_until = max(self.known_until or at, at)
        if source == "logplex" and (lost := DROPPED.search(text)):
            self.lines_lost += int(lost[1])
        if source == "heroku" or dyno == "api":
            self._event(at, dyno, text)
        elif event := event_of(text):
            self._worked(at, dyno, *event)

    def _event(self, at: datetime, dyno: str, text: str) -> None:
        if mark := MARK.match(text):
            if mark["version"]:
                self.marks.append(Mark(at, mark["version"], is_release=True))
            else:
                self.marks.append(Mark(at, f"{dyno} {'restarts' if text == 'Restarting' else 'crashed'}"))
            if "crashed" in text:
                self.crashes[dyno] = at
        if dyno in self.workers and text.startswith(("Process exited", "State changed from up")):
            self._is_gone(self.workers[dyno])

    def _is_gone(self, worker: WorkerSeen) -> None:
        if worker.name:
            self.former[worker.name] = worker.dyno
        worker.job = worker.job_id = worker.job_since = worker.name = None

    def _worked(self, at: datetime, dyno: str, kind: str, fields: dict[str, str | None], is_plain: bool) -> None:
        worker = self.workers.setdefault(dyno, WorkerSeen(dyno))
        name = fields.get("worker")
        if kind == "start" or (name and worker.name and name != worker.name):
            if worker.name and worker.name != name:
                self._is_gone(worker)
            worker = self.workers[dyno] = WorkerSeen(
                dyno, name, at if kind == "start" else None, done=worker.done, failed=worker.failed
            )
        worker.name = name or worker.name
        worker.last_line_at = at
        worker.speaks_plainly |= is_plain and kind not in ("stats", "start", "exiting")
        if worker.speaks_plainly and not is_plain:
            return
        if kind == "running":
            worker.job, worker.job_since = fields["name"], at
            worker.job_id = int(number) if (number := fields.get("id")) else None
        elif kind in ("done", "failed"):
            self.has_job_lines = True
            self._ended(worker, at, kind)
            if kind == "done":
                self._of_kind(fields["name"], run_s=float(fields["seconds"] or 0))
            else:
                self._of_kind(fields["name"], error=fields["error"] or "")
        elif kind == "given up":
            self.gave_up += 1
        elif kind == "stats":
            self._stats(worker, at, fields)
        elif kind == "exiting":
            worker.is_exiting = True
        if kind in ("done", "failed", "released", "lost", "given up"):
            worker.job = worker.job_id = worker.job_since = None

    def _ended(self, worker: WorkerSeen, at: datetime, kind: str) -> None:
        worker.told += 1
        self._count(worker, at, done=int(kind == "done"), failed=int(kind == "failed"))

    def _of_kind(self, name: str | None, *, run_s: float | None = None, error: str = "") -> None:
        """A run that was done, in so many seconds, or else failed."""
        name = kind_of(name or "")
        if name not in self.kinds and len(self.kinds) >= KINDS_KEPT:
            name = "(others)"
        kind = self.kinds.setdefault(name, Kind(name))
        if run_s is None:
            kind.failed, kind.error = kind.failed + 1, error[:ERROR_CHARS]
        else:
            kind.done += 1
            kind.runs_s.append(run_s)
            self.runs_s.append(run_s)

    def _stats(self, worker: WorkerSeen, at: datetime, fields: dict[str, str | None]) -> None:
        """Without lines about jobs (2009 writes them to the logger alone) this is all that is known."""
        same = f"{fields['count']} {fields['seconds']} {fields['failures']}"
        if same != worker.last_stats and not worker.told:
            failed = int(fields["failures"] or 0)
            self._count(worker, at, done=int(fields["count"] or 0) - failed, failed=failed)
        worker.last_stats, worker.told = same, 0

    def _count(self, worker: WorkerSeen, at: datetime, done: int, failed: int) -> None:
        worker.done += done
        worker.failed += failed
        start = int(at.timestamp()) // SLICE_S * SLICE_S
        part = self._slices.setdefault(start, Minute(datetime.fromtimestamp(start, UTC)))
        part.done += done
        part.failed += failed
        while len(self._slices) > SLICES_KEPT:
            del self._slices[min(self._slices)]


def event_of(text: str) -> tuple[str, dict[str, str | None], bool] | None:
    """What a worker's line says: the kind of event, its values, and whether it came past the logger."""
    if not HINT.search(text):
        return None
    message = LOGGER.sub("", text, count=1) if text[1:2] == "," else text
    is_plain = message == text
    worker = WORKER_4.match(message)
    if worker:
        message = message[worker.end() :]
    for kind, pattern in SHAPES:
        if found := pattern.fullmatch(message.rstrip()):
            fields = found.groupdict()
            return kind, fields | ({"worker": worker["worker"]} if worker else {}), is_plain
    return None


def kind_of(name: str) -> str:
    """The class; an ActiveJob calls itself `SendJob [id] from DelayedJob(mail) with arguments: [...]`."""
    return name.partition(" [")[0][:100]


def time_of(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
