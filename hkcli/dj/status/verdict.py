"""The whole screen in one sentence: what an operator wants to know before anything else. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from hkcli.dj.status.reasons import span
from hkcli.dj.status.snapshot import GIVEN_UP, Snapshot

BEHIND_S = 60.0
"""Jobs that are due for longer than this are late, though they will be done."""

LARGE_QUEUE = 50


class Level(StrEnum):
    WELL = "well"
    ATTENTION = "attention"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """`mend` is a command, or "" where there is nothing to mend."""

    level: Level
    text: str
    mend: str = ""


def verdict(screen: Snapshot) -> Verdict:
    counts = screen.counts
    if counts is None:
        return Verdict(Level.UNKNOWN, screen.unknown.get("counts", "The table was not read"))
    if found := standing_still(screen):
        return found
    on_app = f" --app {screen.app}" if screen.app else ""
    if screen.oldest_due_s is not None and screen.oldest_due_s > BEHIND_S and screen.workers:
        late = f"Jobs wait up to {span(screen.oldest_due_s)} for their turn."
        return Verdict(Level.ATTENTION, late, f"heroku ps:scale worker+1{on_app}")
    if counts.failed:
        gave_up = f"{jobs(counts.failed)} {'was' if counts.failed == 1 else 'were'} given up."
        return Verdict(Level.ATTENTION, gave_up, f"heroku dj:jobs --failed{on_app}")
    if not screen.workers:
        why = screen.unknown.get("workers", "")
        return Verdict(Level.WELL, "Nothing is due, and no worker is up." if not why else f"Nothing is due. {why}")
    busy = sum(worker.job is not None for worker in screen.workers)
    up = f"{len(screen.workers)} worker{'s' if len(screen.workers) != 1 else ''}"
    if busy or counts.due:
        return Verdict(Level.WELL, f"Working: {busy} of {up} busy{drained(screen)}.")
    return Verdict(Level.WELL, f"All quiet: {up} up, nothing is due.")


def standing_still(screen: Snapshot) -> Verdict | None:
    """The first reason for which jobs stay where they are until somebody does something, given up ones aside."""
    for each in screen.waiting:
        if each.reason.is_trouble and each.reason.text != GIVEN_UP:
            still = "stands still" if each.count == 1 else "stand still"
            return Verdict(Level.TROUBLE, f"{jobs(each.count)} {still}: {each.reason.text}.", each.reason.mend)
    if screen.workers and (down := [worker for worker in screen.workers if worker.state == "crashed"]):
        names = ", ".join(worker.dyno for worker in down[:3])
        on_app = f" --app {screen.app}" if screen.app else ""
        return Verdict(Level.TROUBLE, f"{names} crashed.", f"heroku logs --ps worker{on_app}")
    return None


def drained(screen: Snapshot) -> str:
    """When the jobs that are due will be done at the present pace, should no more come."""
    due = screen.counts.due if screen.counts else 0
    if due < LARGE_QUEUE or not screen.done_per_minute:
        return ""
    return f"; at this pace what is due is done in {span(due / screen.done_per_minute * 60)}"


def jobs(count: int) -> str:
    return f"{count:,} job{'s' if count != 1 else ''}"
