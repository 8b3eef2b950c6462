"""Single jobs on the web: lists, one job, and what an operator does to them. Blocking; for a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from hkcli.backend.dashboard.pages import clock, ids_of
from hkcli.backend.dashboard.watch import Reading
from hkcli.backend.errors import BadRequest, NotFound, PlatformError
from hkcli.dj.status import DatabaseError, JobTable, Selection, State, dead_locks, explain

A_PAGE, DEEPEST = 50, 10_000
MOST_IDS = 1_000
NAMED = 10
"""How many of the jobs concerned a confirmation names."""
STATES = {
    "": ("All", State.ANY),
    "due": ("Due", State.DUE),
    "running": ("Running", State.RUNNING),
    "retrying": ("Retrying", State.RETRYING),
    "scheduled": ("Later", State.SCHEDULED),
    "failed": ("Given up", State.FAILED),
}
ACTIONS = {
    "retry": ("Retry", "due now", "They are due at once, as if never tried. Running ones are left alone."),
    "remove": ("Remove", "removed", "They are deleted for good. Running ones are left alone."),
    "unlock": ("Unlock", "unlocked", "Their workers are gone. They are due again, and another worker takes them."),
}


class Unreadable(PlatformError):
    status, id = 503, "database_unavailable"


@contextmanager
def table_of(reading: Reading) -> Iterator[JobTable]:
    """The app's table, for one request. Raises Unreadable."""
    try:
        with JobTable(reading.subject.address, reading.subject.config) as table:
            yield table
    except DatabaseError as error:
        raise Unreadable(f"The jobs cannot be read: {error}") from error


# --- lists


@dataclass(frozen=True)
class Asked:
    """Which jobs a list is of; texts as they came."""

    state: str = ""
    queue: str = ""
    text: str = ""
    skip: int = 0

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        state, skip = query.get("state", ""), query.get("skip", "0")
        return cls(
            state if state in STATES else "",
            query.get("queue", "").strip()[:255],
            query.get("text", "").strip()[:1_000],
            min(int(skip), DEEPEST) if skip.isascii() and skip.isdigit() and len(skip) < 9 else 0,
        )

    def query(self, skip: int) -> str:
        values = {"state": self.state, "queue": self.queue, "text": self.text, "skip": skip or ""}
        return urlencode({name: value for name, value in values.items() if value})


def listing(reading: Reading, asked: Asked) -> dict[str, Any]:
    """What the list's template wants; trouble with the database is part of it."""
    now = datetime.now(UTC)
    rows, trouble = [], ""
    try:
        with table_of(reading) as table:
            rows = table.listed(
                STATES[asked.state][1],
                asked.queue or None,
                A_PAGE + 1,
                text=asked.text or None,
                skip=asked.skip,
                now=now,
            )
    except Unreadable as error:
        trouble = error.message
    first = asked.skip + 1
    return {
        "asked": asked,
        "states": [(value, name) for value, (name, _) in STATES.items()],
        "rows": [(row, explain(row, now, reading.facts)) for row in rows[:A_PAGE]],
        "heading": f"{first:,} to {asked.skip + min(len(rows), A_PAGE):,}" if rows else "",
        "earlier": asked.query(max(0, asked.skip - A_PAGE)) if asked.skip else None,
        "later": asked.query(asked.skip + A_PAGE) if len(rows) > A_PAGE and asked.skip < DEEPEST else None,
        "trouble": trouble,
    }


def detail(reading: Reading, job_id: int) -> dict[str, Any]:
    """What a job's template wants. Raises NotFound, Unreadable."""
    with table_of(reading) as table:
        found = table.detail(job_id)
    if found is None:
        raise NotFound(f"Job {job_id} is not on the table any more: it was done, or removed.", "job")
    row = found.row
    facts = [("Queue", row.queue), ("Priority", row.priority), ("Failed runs", row.attempts)]
    facts += [("Locked by", row.locked_by)]
    moments = [("Created", found.created_at), ("Run at", row.run_at), ("Locked", row.locked_at)]
    moments += [("Gave up", row.failed_at), ("Changed", row.updated_at)]
    shown = [(name, str(value)) for name, value in facts if value not in (None, "")]
    shown += [(name, f"{clock(moment)} UTC") for name, moment in moments if moment]
    reason = explain(row, datetime.now(UTC), reading.facts)
    return {"job": found, "reason": reason, "facts": shown, "heading": f"{found.name} #{row.id}"}


# --- changes


@dataclass(frozen=True)
class Change:
    """An action, and the jobs that it is for: by id, or given up ones, those with a text, or both."""

    action: str
    selection: Selection

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        """Raises BadRequest."""
        action = query.get("action", "")
        if action not in ACTIONS:
            raise BadRequest("There is no such action.")
        ids, text = ids_of(query.getlist("id")), query.get("text", "").strip()
        selection = Selection(ids[:MOST_IDS], query.get("failed") == "1", text or None)
        if action != "unlock" and bool(ids) == (selection.failed or selection.matching is not None):
            raise BadRequest("No job was chosen. Go back, and choose some.")
        return cls(action, selection)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form must send to mean the same."""
        found = [("action", self.action)] + [("id", str(each)) for each in self.selection.ids]
        if self.selection.failed:
            found.append(("failed", "1"))
        return found + ([("text", self.selection.matching)] if self.selection.matching else [])


@dataclass(frozen=True)
class Done:
    action: str
    changed: int
    meant: int

    @property
    def query(self) -> str:
        return urlencode({"did": self.action, "changed": self.changed, "meant": self.meant})


def chosen(table: JobTable, reading: Reading, change: Change) -> list[int]:
    if change.action != "unlock":
        return table.selected(change.selection)
    return [row.id for row in dead_locks(table.listed(State.RUNNING, most=MOST_IDS), reading.facts, datetime.now(UTC))]


def question(reading: Reading, change: Change) -> dict[str, Any]:
    """What the confirmation's template wants. Raises Unreadable."""
    verb, _, consequence = ACTIONS[change.action]
    with table_of(reading) as table:
        ids = chosen(table, reading, change)
        rows = table.rows(ids[:NAMED])
    count = len(ids)
    if change.selection.ids:
        count = len(rows) if count <= NAMED else count
    jobs = f"{count:,} job{'s' if count != 1 else ''}"
    asked = f"{verb} {jobs} on {reading.subject.name}?"
    return {
        "question": asked if count else "No such jobs",
        "consequence": consequence if count else "They were done, changed or removed meanwhile.",
        "heading": asked,
        "verb": f"{verb} {jobs}",
        "action": change.action,
        "fields": change.fields,
        "rows": rows,
        "count": count,
    }


def carry_out(reading: Reading, change: Change) -> Done:
    """Raises Unreadable."""
    now = datetime.now(UTC)
    with table_of(reading) as table:
        if change.action == "unlock":
            dead = dead_locks(table.listed(State.RUNNING, most=MOST_IDS), reading.facts, now)
            return Done(change.action, table.unlock(dead), len(dead))
        ids = table.selected(change.selection)
        changed = table.retry(ids, now) if change.action == "retry" else table.remove(ids)
        return Done(change.action, changed, len(ids))


def said(query: QueryParams) -> str:
    """What was done, from numbers alone: an address cannot put words of its own on the page."""
    action, numbers = query.get("did", ""), ids_of([query.get("changed", ""), query.get("meant", "")])
    if action not in ACTIONS or not numbers:
        return ""
    changed, meant = numbers[0], numbers[-1]
    left = f", {meant - changed:,} left alone: running, or gone meanwhile" if meant > changed else ""
    return f"{changed:,} job{'s' if changed != 1 else ''} {ACTIONS[action][1]}{left}."
