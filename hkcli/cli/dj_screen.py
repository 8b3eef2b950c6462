"""The status screen as lines of styled text. Pure: a snapshot and a size in, lines out; no terminal is known here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hkcli.dj.status import Snapshot, WorkerFact

Piece = tuple[str, str]
"""Text and its style: "", "bold", "dim", "red", "green", "yellow" or "cyan"."""
Line = list[Piece]

BARS, BARS_ASCII = "▁▂▃▄▅▆▇█", "_.-:=+*#"
LEVELS = {
    "well": ("all is well", "green"),
    "attention": ("needs attention", "yellow"),
    "trouble": ("jobs stand still", "red"),
    "unknown": ("unknown", "yellow"),
}
MOST_WORKERS = 4
LAG = 3
"""By how many lines what is planned, and what was, is behind what is wrong and where."""
CRASH_TOLD_S = 600
"""How long a crash is told of a worker that is up again."""
UNKNOWN = "?"


def frame(screen: "Snapshot", width: int, height: int | None = None, *, is_unicode: bool = True) -> list[Line]:
    """All of it when height is None; else what matters most, in so many lines."""
    top = [*head(screen), *workers(screen), *depth(screen, width), *flow(screen, width, is_unicode)]
    sections = [
        (queues(screen), 0),
        (waiting(screen, width), 0),
        (running(screen), 0),
        (errors(screen), 0),
        (upcoming(screen), LAG),
        (kinds(screen), LAG),
    ]
    room = None if height is None else height - len(top)
    body = fitted([(section, lag) for section, lag in sections if section], room, width)
    return [clipped(line, width) for line in top + body]


def fitted(sections: Sequence[tuple[list[Line], int]], room: int | None, width: int = 80) -> list[Line]:
    """Every section gets its title and one line before any gets more; the rest goes round, a line each.

    With each is its lag: by how many lines it is behind others in that."""
    if room is None:
        return [line for section, _ in sections for line in [[], *section]]
    shown = [0] * len(sections)
    for least in range(2, 1 + max((len(section) + lag for section, lag in sections), default=0)):
        for place, (section, lag) in enumerate(sections):
            wanted = min(max(2, least - lag), len(section))
            cost = wanted - shown[place]
            if 0 < cost <= room:
                shown[place], room = wanted, room - cost
    found: list[Line] = []
    for count, (section, _) in zip(shown, sections, strict=True):
        lines = section[:count]
        if 1 < count < len(section):
            lines[0] = noted(lines[0], f" ({count - 1} of {len(section) - 1})", width)
        found += lines
    return found


def noted(title: Line, note: str, width: int) -> Line:
    """The title with a note behind its first words: in the room there, else at the end if it fits."""
    text, style = title[0]
    words, gap, _ = text.partition("  ")
    room = len(text[len(words) :]) - len(text[len(words) :].lstrip()) if gap else 0
    if room > len(note):
        return [(words, style), (note, "dim"), (text[len(words) + len(note) :], style), *title[1:]]
    return [*title, (note, "dim")] if sum(len(each) for each, _ in title) + len(note) <= width else title


def clipped(line: Line, width: int) -> Line:
    kept: Line = []
    for text, style in line:
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        if len(text) > width:
            text = text[: max(0, width - 1)] + ("…" if width else "")
        kept.append((text, style))
        width -= len(text)
        if width <= 0:
            break
    return kept


def head(screen: "Snapshot") -> list[Line]:
    from hkcli.dj.status import verdict

    word, style = LEVELS[verdict(screen).level.value]
    return [[(screen.app, "bold"), ("  Delayed Job  ", ""), (word, style), (f"  {screen.at:%H:%M:%S} UTC", "dim")]]


def workers(screen: "Snapshot") -> list[Line]:
    if screen.workers is None:
        return [[("Workers  ", "bold"), (f"{UNKNOWN}  {screen.unknown.get('workers', '')}", "yellow")]]
    if not screen.workers:
        return [[("Workers  ", "bold"), ("none", "red")]]
    busy_first = sorted(screen.workers, key=lambda each: each.dyno)
    if len(busy_first) > MOST_WORKERS:
        busy_first.sort(key=lambda each: (each.is_up, not has_crashed(each, screen.at), each.job is None))
    lines = [worker_line(each, screen.at) for each in busy_first[:MOST_WORKERS]]
    if len(busy_first) > MOST_WORKERS:
        others = busy_first[MOST_WORKERS:]
        up, busy = sum(each.is_up for each in others), sum(each.job is not None for each in others)
        lines.append([(f"{len(others)} more: {up} up, {busy} busy", "dim")])
    return [[("Workers  " if place == 0 else "         ", "bold"), *line] for place, line in enumerate(lines)]


def worker_line(worker: "WorkerFact", now: datetime) -> Line:
    from hkcli.dj.status import span

    colour = {"up": "green", "starting": "yellow"}.get(worker.state, "red")
    line: Line = [(f"{worker.dyno} ", ""), (worker.state, colour)]
    line.append((f" {span((now - worker.since).total_seconds())}  {worker.release or ''}  ", ""))
    if worker.crashed_at and has_crashed(worker, now):
        line.append((f"crashed {span((now - worker.crashed_at).total_seconds())} ago  ", "red"))
    if worker.job:
        number = f" #{worker.job_id}" if worker.job_id else ""
        since = f" for {span((now - worker.job_since).total_seconds())}" if worker.job_since else ""
        line += [(f"{worker.job}{number}", "cyan"), (since, "")]
    elif worker.is_up:
        line.append(("idle", "dim"))
    return line


def has_crashed(worker: "WorkerFact", now: datetime) -> bool:
    return worker.crashed_at is not None and (now - worker.crashed_at).total_seconds() < CRASH_TOLD_S


def depth(screen: "Snapshot", width: int) -> list[Line]:
    counts, counted = screen.counts, screen.counted
    if counts is None or counted is None:
        return [[("Jobs     ", "bold"), (f"{UNKNOWN}  {screen.unknown.get('counts', '')}", "yellow")]]
    told = [
        (f"{count:,}", style if count else "dim", label)
        for label, count, style in (
            ("due", counts.due, ""),
            ("running", counts.running, "cyan"),
            ("retrying", counts.retrying, "yellow"),
            ("later", counts.scheduled, ""),
            ("given up", counts.failed, "red"),
        )
    ]
    if screen.gave_up and screen.gave_up > counts.failed:
        told.append((f"{screen.gave_up:,}", "red", "by the log"))
    line: Line = [("Jobs     ", "bold")]
    length = 9 + sum(len(number) + len(label) + 4 for number, _, label in told) - 3
    for place, (number, style, label) in enumerate(told):
        gap = "" if place == 0 else "   " if length <= width else " "
        line += [(gap + number, style), (f" {label}", "dim" if number == "0" else "")]
    ages = figures([("oldest", screen.oldest_due_s)], screen.unknown.get("oldest_due_s", ""))
    if screen.wait_p50_s is not None:
        waits = [("p50", screen.wait_p50_s), ("p95", screen.wait_p95_s)]
        ages += figures(waits, "", "~" if screen.wait_is_estimated else "")
    ages[-1] = ages[-1][0].rstrip(), ages[-1][1]
    if not counted.is_whole:
        ages.append((f"   so far {counted.rows:,} rows", "yellow"))
    elif counted.age_s >= 2:
        ages.append((f"   counted {counted.age_s:.0f} s ago", "dim"))
    return [line, [("Due for  ", "bold"), *ages]]


def figures(values: Sequence[tuple[str, float | None]], reason: str, about: str = "") -> Line:
    if all(value is None for _, value in values):
        return [(reason[:1].lower() + reason[1:] or UNKNOWN, "dim")]
    return [(f"{label} {UNKNOWN if value is None else about + took(value)}   ", "") for label, value in values]


def flow(screen: "Snapshot", width: int, is_unicode: bool) -> list[Line]:
    from hkcli.dj.status import SLOTS, span

    runs = figures([("p50", screen.run_p50_s), ("p95", screen.run_p95_s)], screen.unknown.get("run_p50_s", ""))
    lines: list[Line] = [[("Run time ", "bold"), *runs]]
    if screen.done_per_minute is None or screen.failed_per_minute is None:
        return [*lines, [("Done     ", "bold"), (screen.unknown.get("done_per_minute", UNKNOWN), "dim")]]
    shown = list(screen.slots)[-max(5, min(len(screen.slots), width - 40)) :]
    done = spark([slot.done if slot else None for slot in shown], is_unicode)
    failed = spark([slot.failed if slot else None for slot in shown], is_unicode)
    slot_s = screen.axis_s // SLOTS
    lines.append([("Done     ", "bold"), (done, "green"), (f"  {screen.done_per_minute:,.1f} a minute", "")])
    lines[-1].append((f"   the last {span(slot_s * len(shown))}", "dim"))
    has_failed = screen.failed_per_minute > 0
    rate = f"  {screen.failed_per_minute:,.1f} a minute"
    lines.append([("Failed   ", "bold"), (failed, "red" if has_failed else "dim"), (rate, "")])
    starts = [slot.start if slot else None for slot in shown]
    marked = [(starts.index(start), mark) for mark in screen.marks if (start := slot_of(mark.at, slot_s)) in starts]
    if marked:
        places = {place for place, _ in marked}
        latest = [mark for place, mark in marked if place == max(places)]
        told = next((mark for mark in reversed(latest) if mark.is_release), latest[-1])
        row = "".join("^" if place in places else " " for place in range(len(shown)))
        lines.append([("         ", ""), (row, "dim"), (f"  ^ {told.text}", "dim")])
    if screen.lines_lost:
        lines.append(
            [("         ", ""), (f"{screen.lines_lost} log lines were lost: true figures are higher", "yellow")]
        )
    return lines


def slot_of(time: datetime, length_s: int) -> datetime:
    """When its slot of the sparklines begins."""
    return datetime.fromtimestamp(int(time.timestamp()) // length_s * length_s, UTC)


def spark(values: Sequence[int | None], is_unicode: bool = True) -> str:
    """A column each, the highest full; nothing is lowest, and what is not known is a dot."""
    bars = BARS if is_unicode else BARS_ASCII
    most = max([value for value in values if value is not None], default=0)
    return "".join(
        ("·" if is_unicode else " ")
        if value is None
        else bars[0 if not value else max(1, round(value * (len(bars) - 1) / most))]
        for value in values
    )


def queues(screen: "Snapshot") -> list[Line]:
    from hkcli.dj.status import span

    if len(screen.groups) < 2 and not any(group.queue or group.priority for group in screen.groups):
        return []
    title = f"{'Queue':<14} {'prio':>5} {'due':>8} {'running':>8} {'retrying':>8} {'later':>8} {'given up':>8}  oldest"
    lines: list[Line] = [[(title, "bold")]]
    for group in screen.groups:
        counts = group.counts
        numbers = (counts.due, counts.running, counts.retrying, counts.scheduled, counts.failed)
        priority = "" if group.priority is None else str(group.priority)
        text = f"{(group.queue or '(none)')[:14]:<14} {priority:>5} " + " ".join(f"{number:>8,}" for number in numbers)
        age = "" if group.oldest_due_s is None else span(group.oldest_due_s)
        lines.append([(text, ""), (f"  {age}", "")])
    return lines


def waiting(screen: "Snapshot", width: int) -> list[Line]:
    """The command that mends it is beside the reason, or below it where it would not fit."""
    lines: list[Line] = [[("Why jobs wait", "bold")]]
    for each in screen.waiting:
        style = "red" if each.reason.is_trouble else ""
        lines.append([(f"{each.count:>8,}  ", ""), (each.reason.text, style)])
        if mend := each.reason.mend:
            if 10 + len(each.reason.text) + 4 + len(mend) <= width:
                lines[-1].append((f"  > {mend}", "cyan"))
            else:
                lines += [[(part, "cyan")] for part in command_lines(mend, width)]
    return lines if len(lines) > 1 else []


def command_lines(command: str, width: int) -> list[str]:
    """A command that can be copied whole: too long for a line, it goes on in the next, as a shell takes it."""
    found, rest = [], f"  > {command}"
    while len(rest) > width and (place := rest.rfind(" ", 5, width - 1)) > 0:
        found.append(f"{rest[:place]} \\")
        rest = "    " + rest[place + 1 :]
    return [*found, rest]


def running(screen: "Snapshot") -> list[Line]:
    """Only what the lines of the workers do not show already."""
    known = {worker.name for worker in screen.workers or () if worker.job}
    odd = [each for each in screen.running if each.row.locked_by not in known]
    lines: list[Line] = [[("Locked", "bold")]]
    for each in odd:
        lines.append(
            [(f"{each.row.id:>8}  {each.row.name}  ", ""), (each.reason.text, "red" if each.reason.is_trouble else "")]
        )
    return lines if len(lines) > 1 else []


def errors(screen: "Snapshot") -> list[Line]:
    from hkcli.dj.status import brief_span, span

    lines: list[Line] = [[("Errors", "bold")]]
    for group in screen.errors:
        line: Line = [(f"{group.count:>7,}x  {group.name}  ", ""), (group.error, "red")]
        if group.next_run and group.next_run > screen.at:
            line.insert(1, (f"next in {span((group.next_run - screen.at).total_seconds())}  ", "dim"))
        elif group.latest:
            line.insert(1, (f"{brief_span((screen.at - group.latest).total_seconds())} ago  ", "dim"))
        lines.append(line)
    if screen.errors_elsewhere:
        lines.append([(f"{screen.errors_elsewhere:>7,}x  other errors", "dim")])
    return lines if len(lines) > 1 else []


def upcoming(screen: "Snapshot") -> list[Line]:
    from hkcli.dj.status import span

    lines: list[Line] = [[("Next", "bold")]]
    for row in screen.upcoming:
        if row.run_at:
            what = f"attempt {row.attempts + 1}" if row.attempts else "first attempt"
            wait = span((row.run_at - screen.at).total_seconds())
            lines.append([(f"{row.id:>8}  {row.name}  in {wait}  ", ""), (what, "dim")])
    return lines if len(lines) > 1 else []


def kinds(screen: "Snapshot") -> list[Line]:
    lines: list[Line] = [[(f"{'Kind of job':<32} {'done':>9} {'failed':>9} {'p50':>10} {'p95':>10}", "bold")]]
    for kind in screen.kinds:
        times = f"{took(kind.run_p50_s):>10} {took(kind.run_p95_s):>10}"
        lines.append([(f"{kind.name[:32]:<32} {kind.done:>9,} {kind.failed:>9,} {times}", "")])
    return lines if len(lines) > 1 else []


def took(seconds: float | None) -> str:
    from hkcli.dj.status import span

    return "" if seconds is None else span(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"
