"""The three pictures of the overview, as geometry for SVG. Pure: figures in, coordinates out; a template draws them.

All share one time axis of SLOTS slots, the present one last. What is not known is left out, never drawn as nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from hkcli.dj.status import SLOTS, Mark, Minute, Snapshot, span

WIDTH, HEIGHT = 420, 150
TOP, BASE = 30, 128
"""Where the highest value and nothing are drawn; above is room for marks, below for times."""
POINTS = 200
"""About how many points a line has; samples in between give way to the highest of them."""
MARKS_NAMED = 3
LETTER = 6.5
"""Width of a letter, at most."""
ROUND_COUNTS = tuple(digit * 10**power for power in range(10) for digit in (1, 2, 4, 6, 8))
ROUND_SECONDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800),
    *(3_600, 7_200, 4 * 3_600, 8 * 3_600, 86_400, *(days * 86_400 for days in (2, 5, 10, 30, 100, 365))),
)


class Sample(NamedTuple):
    """What the table said at a moment; None is unknown."""

    at: datetime
    due: int | None
    running: int | None
    oldest_due_s: float | None
    run_p95_s: float | None

    @classmethod
    def of(cls, screen: Snapshot) -> Self:
        counts = screen.counts
        if counts is None or screen.counted is None or not screen.counted.is_whole:
            return cls(screen.at, None, None, None, screen.run_p95_s)
        return cls(screen.at, counts.due, counts.running, screen.oldest_due_s or 0.0, screen.run_p95_s)


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    tip: str


@dataclass(frozen=True)
class Flag:
    """A release or a restart. `text` is "" where another one's name is in the way; `anchor` is SVG's."""

    x: float
    text: str
    anchor: str
    tip: str


@dataclass(frozen=True)
class Series:
    name: str
    kind: str
    path: str
    area: str
    """The same closed down to the base; "" for a line alone."""


@dataclass(frozen=True)
class Chart:
    title: str
    value: str
    """The figure of now."""
    note: str
    keys: tuple[str, str]
    """What value and note are drawn as."""
    summary: str
    """The picture in words."""
    top: str
    """What the highest line of the grid stands for; "" where nothing is known."""
    middle: str
    axis: str
    bars: tuple[Bar, ...] = ()
    series: tuple[Series, ...] = ()
    flags: tuple[Flag, ...] = ()


def flow(screen: Snapshot, parts: Sequence[Minute | None], axis_s: int) -> Chart:
    """Jobs that ended, in each slot: done, with failures on top."""
    slot_s = axis_s // SLOTS
    known = [part for part in parts if part]
    top = ceiling(max((part.done + part.failed for part in known), default=0), ROUND_COUNTS)
    width = WIDTH / SLOTS
    bars = []
    for place, part in enumerate(parts):
        if not part:
            continue
        y = float(BASE)
        tip = f"{part.start:%H:%M:%S}: {part.done:,} done, {part.failed:,} failed in {span(slot_s)}"
        for kind, count in (("done", part.done), ("failed", part.failed)):
            if count:
                height = max(1.0, round(count / top * (BASE - TOP), 1))
                y = round(y - height, 1)
                bars.append(Bar(round(place * width + 1, 1), y, round(width - 2, 1), height, kind, tip))
    done, failed = sum(part.done for part in known), sum(part.failed for part in known)
    return Chart(
        "Done",
        "unknown" if screen.done_per_minute is None else f"{rate(screen.done_per_minute)} a minute",
        screen.unknown.get("done_per_minute", "") or f"{rate(screen.failed_per_minute or 0)} a minute failed",
        ("done", "failed"),
        f"Jobs done in the last {span(axis_s)}: {done:,}, and {failed:,} runs failed.",
        f"{top:,} in {span(slot_s)}" if known else "",
        "",
        span(axis_s),
        bars=tuple(bars),
        flags=flags(screen.marks, screen.at, axis_s),
    )


def depth(screen: Snapshot, samples: Sequence[Sample], axis_s: int) -> Chart:
    """How many jobs were due, and how many ran."""
    due = points(samples, screen.at, axis_s, lambda sample: sample.due)
    running = points(samples, screen.at, axis_s, lambda sample: sample.running)
    most = highest(due, running)
    top = ceiling(most, ROUND_COUNTS)
    counts = screen.counts
    return Chart(
        "Queue depth",
        "unknown" if counts is None else f"{counts.due:,} due",
        screen.unknown.get("counts", "") or f"{counts.running if counts else 0:,} running",
        ("due", "running"),
        f"Jobs due, in the last {span(axis_s)}: at most {int(most):,}.",
        f"{top:,}" if due else "",
        f"{top // 2:,}" if top > 1 else "",
        span(axis_s),
        series=(line("due", "due", due, top, is_area=True), line("running", "running", running, top)),
        flags=flags(screen.marks, screen.at, axis_s),
    )


def latency(screen: Snapshot, samples: Sequence[Sample], axis_s: int) -> Chart:
    """How long the oldest job that is due has waited, and how long jobs run."""
    oldest = points(samples, screen.at, axis_s, lambda sample: sample.oldest_due_s)
    runs = points(samples, screen.at, axis_s, lambda sample: sample.run_p95_s)
    most = highest(oldest, runs)
    top = ceiling(max(most, 1), ROUND_SECONDS)
    if screen.counts is None:
        value = "unknown"
    else:
        value = f"{duration(screen.oldest_due_s or 0)} oldest" if screen.oldest_due_s is not None else "nothing waits"
    ran = "unknown" if screen.run_p95_s is None else duration(screen.run_p95_s)
    return Chart(
        "Latency",
        value,
        screen.unknown.get("counts", "") or f"run time p95 {ran}",
        ("due", "done"),
        f"Age of the oldest due job, in the last {span(axis_s)}: at most {duration(most)}.",
        duration(top) if oldest or runs else "",
        half(top) if oldest or runs else "",
        span(axis_s),
        series=(line("oldest due", "due", oldest, top, is_area=True), line("run time p95", "done", runs, top)),
        flags=flags(screen.marks, screen.at, axis_s),
    )


def charts(
    screen: Snapshot, parts: Sequence[Minute | None], samples: Sequence[Sample], axis_s: int
) -> tuple[Chart, ...]:
    return flow(screen, parts, axis_s), depth(screen, samples, axis_s), latency(screen, samples, axis_s)


# --- geometry


Point = tuple[float, float]
"""x on the picture, and a value."""


def points(
    samples: Iterable[Sample], now: datetime, axis_s: int, figure: Callable[[Sample], float | None]
) -> list[list[Point]]:
    """Lines of what is known, broken where it was not, or not looked at."""
    step_s = axis_s / POINTS
    found: list[list[Point]] = []
    last_s: float | None = None
    for sample in samples:
        age_s, value = (now - sample.at).total_seconds(), figure(sample)
        if age_s > axis_s:
            continue
        if value is None:
            last_s = None
            continue
        x = round(WIDTH * (1 - age_s // step_s * step_s / axis_s), 1)
        if last_s is None or last_s - age_s > 5 * step_s:
            found.append([])
        if found[-1] and found[-1][-1][0] == x:
            found[-1][-1] = (x, max(value, found[-1][-1][1]))
        else:
            found[-1].append((x, value))
        last_s = age_s
    return found


def highest(*lines: list[list[Point]]) -> float:
    return max((value for line in lines for part in line for _, value in part), default=0)


def line(name: str, kind: str, parts: list[list[Point]], top: float, *, is_area: bool = False) -> Series:
    placed = [[f"{x:g} {y_of(value, top):g}" for x, value in part] for part in parts]
    path = " ".join("M" + " L".join(each if len(each) > 1 else [*each, *each]) for each in placed)
    areas = (
        f"M{part[0][0]:g} {BASE} L{' L'.join(each)} L{part[-1][0]:g} {BASE}Z"
        for part, each in zip(parts, placed, strict=True)
    )
    return Series(name, kind, path, " ".join(areas) if is_area else "")


def y_of(value: float, top: float) -> float:
    return round(BASE - min(value / top, 1) * (BASE - TOP), 1)


def ceiling(value: float, steps: Sequence[float]) -> float:
    """The first round number that is not below the value."""
    return next((step for step in steps if step >= value), steps[-1])


def flags(marks: Iterable[Mark], now: datetime, axis_s: int) -> tuple[Flag, ...]:
    """What happened together is one flag, a release before the restarts that it causes. The newest have names."""
    clusters: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda mark: mark.at, reverse=True):
        if not 0 <= (now - mark.at).total_seconds() <= axis_s:
            continue
        if clusters and (clusters[-1][0].at - mark.at).total_seconds() < axis_s / SLOTS:
            clusters[-1].append(mark)
        else:
            clusters.append([mark])
    found: list[Flag] = []
    free_until = float(WIDTH)
    for cluster in clusters:
        mark = next((each for each in cluster if each.is_release), cluster[-1])
        x = round(WIDTH * (1 - (now - mark.at).total_seconds() / axis_s), 1)
        width = len(mark.text) * LETTER
        anchor = "end" if x > width else "start"
        right = x if anchor == "end" else x + width
        is_named = right <= free_until and sum(bool(flag.text) for flag in found) < MARKS_NAMED
        if is_named:
            free_until = right - width - LETTER
        tip = ", ".join(f"{each.at:%H:%M:%S} {each.text}" for each in reversed(cluster))
        found.append(Flag(x, mark.text if is_named else "", anchor, tip))
    return tuple(found)


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if 0 < seconds < 1 else span(seconds) if seconds else "0 s"


def half(seconds: float) -> str:
    """Of a round time: `2.5 s`, where a whole number would not be true."""
    return f"{seconds / 2:g} s" if 2 < seconds < 60 else duration(seconds / 2)


def rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"
