"""Single jobs on the web: lists, one job, and what an operator does to them. Blocking; for a thread of its own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from hkcli.backend.dashboard.book import Reading
from hkcli.backend.dashboard.pages import clock, ids_of
from hkcli.backend.errors import BadRequest, NotFound, PlatformError
from hkcli.dj.status import DatabaseError, JobTable, Row, Selection, State, dead_locks, explain

A_PAGE, DEEPEST = 50, 10_000
COUNTED_ROWS = 20_000
"""Up to how many rows of a table a list says how many jobs it has in all."""
MOST_IDS = 1_000
DYNO = re.compile(r"[A-Za-z0-9_-]{1,128}\.\d{1,6}")
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
    "retry": ("Retry", "due now", "Due at once, as if never tried. What runs now is left alone."),
    "remove": ("Remove", "removed", "Deleted for good. What runs now is left alone."),
    "restart": ("Restart", "", "Stopped, and started again. A job that it runs has some seconds to end."),
    "unlock": ("Unlock", "unlocked", "The workers that hold the locks are gone. The jobs are due again."),
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
    job: str = ""
    queue: str = ""
    text: str = ""
    skip: int = 0

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        state, skip = query.get("state", ""), query.get("skip", "0")
        return cls(
            state if state in STATES else "",
            query.get("job", "").strip()[:255],
            query.get("queue", "").strip()[:255],
            query.get("text", "").strip()[:1_000],
            min(int(skip), DEEPEST) if skip.isascii() and skip.isdigit() and len(skip) < 9 else 0,
        )

    @property
    def selection(self) -> Selection:
        return Selection((), STATES[self.state][1], self.queue or None, self.text or None, self.job or None)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What an address or a form must say to mean the same."""
        values = (("state", self.state), ("job", self.job), ("queue", self.queue), ("text", self.text))
        return [(name, value) for name, value in values if value]

    def query(self, **more: object) -> str:
        return urlencode([*self.fields, *((name, value) for name, value in more.items() if value)])


def listing(reading: Reading, asked: Asked) -> dict[str, Any]:
    """What the list's template wants; trouble with the database is part of it."""
    now = datetime.now(UTC)
    rows, total, trouble = [], None, ""
    counted = reading.screen.counted
    try:
        with table_of(reading) as table:
            rows = table.listed(asked.selection, now, A_PAGE + 1, asked.skip)
            if counted and counted.is_whole and counted.rows <= COUNTED_ROWS:
                total = len(table.selected(asked.selection, now))
    except Unreadable as error:
        trouble = error.message
    return {
        "asked": asked,
        "states": [(value, name) for value, (name, _) in STATES.items()],
        "rows": [(row, explain(row, now, reading.facts)) for row in rows[:A_PAGE]],
        "now": now,
        "heading": heading(asked.skip + 1, min(len(rows), A_PAGE), total) if rows else "",
        "earlier": asked.query(skip=max(0, asked.skip - A_PAGE)) if asked.skip else None,
        "later": asked.query(skip=asked.skip + A_PAGE) if len(rows) > A_PAGE and asked.skip < DEEPEST else None,
        "trouble": trouble,
    }


def heading(first: int, count: int, total: int | None) -> str:
    """`1 to 50 of 180`; in a large table how many there are is said by the question before an action alone."""
    if total is not None and total <= count:
        return f"{count:,}"
    return f"{first:,} to {first + count - 1:,}" + (f" of {total:,}" if total is not None else "")


def detail(reading: Reading, number: str) -> dict[str, Any]:
    """What a job's template wants. Raises NotFound, Unreadable."""
    with table_of(reading) as table:
        found = next((table.detail(job_id) for job_id in ids_of([number])), None)
    if found is None:
        raise NotFound(f"Job {number[:20]} is not on the table any more: it was done, or removed.", "job")
    row = found.row
    facts = [("Queue", row.queue), ("Priority", row.priority), ("Failed runs", row.attempts)]
    facts += [("Locked by", row.locked_by)]
    moments = [("Created", row.created_at), ("Run at", row.run_at), ("Locked", row.locked_at)]
    moments += [("Gave up", row.failed_at), ("Changed", row.updated_at)]
    shown = [(name, str(value)) for name, value in facts if value not in (None, "")]
    shown += [(name, f"{clock(moment)} UTC") for name, moment in moments if moment]
    reason = explain(row, datetime.now(UTC), reading.facts)
    return {"job": found, "reason": reason, "facts": shown, "heading": f"{found.name} #{row.id}"}


# --- changes


@dataclass(frozen=True)
class Change:
    """An action, and what it is for: jobs by id or as a list shows them, or a dyno."""

    action: str
    ids: tuple[int, ...] = ()
    asked: Asked | None = None
    dyno: str = ""
    came_from: Asked | None = None
    """The list in which the jobs were chosen."""

    @classmethod
    def of(cls, query: QueryParams) -> Self:
        """Raises BadRequest."""
        action = query.get("action", "")
        if action == "restart" and DYNO.fullmatch(query.get("dyno", "")):
            return cls(action, dyno=query["dyno"])
        if action == "unlock":
            return cls(action)
        if action not in ("retry", "remove"):
            raise BadRequest("There is no such action.")
        ids, asked = ids_of(query.getlist("id"))[:MOST_IDS], Asked.of(query)
        if bool(ids) == bool(asked.fields):
            raise BadRequest("No job was chosen. Go back, and choose some.")
        came_from = Asked.of(QueryParams(query["list"])) if "list" in query else None
        return cls(action, ids, came_from=came_from) if ids else cls(action, asked=asked, came_from=asked)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form must send to mean the same."""
        found = [("action", self.action), *(("id", str(each)) for each in self.ids)]
        found += self.asked.fields if self.asked else []
        found += [("list", self.came_from.query(skip=self.came_from.skip))] if self.came_from and self.ids else []
        return found + ([("dyno", self.dyno)] if self.dyno else [])

    def back(self, more: str = "") -> str:
        """Where one is afterwards, from the dashboard's address; `more` is for the end of it."""
        if self.came_from is None:
            return f"?{more}" if more else "./"
        return "jobs?" + "&".join(part for part in (self.came_from.query(skip=self.came_from.skip), more) if part)

    def dead(self, table: JobTable, reading: Reading, now: datetime) -> list[Row]:
        """Locked jobs whose worker is gone."""
        return dead_locks(table.listed(Selection(state=State.RUNNING), now, MOST_IDS), reading.facts, now)

    def job_ids(self, table: JobTable, reading: Reading, now: datetime) -> list[int]:
        if self.action == "unlock":
            return [row.id for row in self.dead(table, reading, now)]
        return table.selected(self.asked.selection if self.asked else Selection(self.ids), now)


@dataclass(frozen=True)
class Done:
    action: str
    changed: int
    meant: int
    dyno: str = ""

    @property
    def told(self) -> str:
        """For the app's log."""
        what = self.dyno or f"{self.changed:,} job{'s' if self.changed != 1 else ''}"
        return f"{ACTIONS[self.action][0]} {what}"

    @property
    def query(self) -> str:
        return urlencode({"did": self.action, "changed": self.changed, "meant": self.meant})


def question(reading: Reading, change: Change) -> dict[str, Any]:
    """What the confirmation's template wants. Raises Unreadable."""
    verb, _, consequence = ACTIONS[change.action]
    standard = {"consequence": consequence, "action": change.action, "fields": change.fields, "back": change.back()}
    if change.dyno:
        asked = f"{verb} {change.dyno} of {reading.subject.name}?"
        return standard | {"question": asked, "heading": asked, "verb": f"{verb} {change.dyno}", "rows": [], "count": 1}
    with table_of(reading) as table:
        ids = change.job_ids(table, reading, datetime.now(UTC))
        rows = table.rows(ids[:NAMED])
    count = len(rows) if len(ids) <= NAMED else len(ids)
    jobs = f"{count:,} job{'s' if count != 1 else ''}"
    asked = f"{verb} {jobs} on {reading.subject.name}?"
    if not count:
        standard["consequence"] = "Nothing is to be done: they ran, were changed or removed meanwhile."
    shown = {"question": asked if count else "No such jobs", "heading": asked, "verb": f"{verb} {jobs}"}
    return standard | shown | {"rows": rows, "count": count}


def carry_out(reading: Reading, change: Change) -> Done:
    """What is done to jobs. Raises Unreadable."""
    now = datetime.now(UTC)
    with table_of(reading) as table:
        if change.action == "unlock":
            dead = change.dead(table, reading, now)
            return Done(change.action, table.unlock(dead), len(dead))
        ids = change.job_ids(table, reading, now)
        changed = table.retry(ids, now) if change.action == "retry" else table.remove(ids)
        return Done(change.action, changed, len(ids))


def said(query: QueryParams) -> str:
    """What was done, from numbers alone: an address cannot put words of its own on the page."""
    action, numbers = query.get("did", ""), ids_of([query.get("changed", ""), query.get("meant", "")])
    if action not in ACTIONS or not numbers:
        return ""
    if action == "restart":
        return "The dyno restarts."
    changed, meant = numbers[0], numbers[-1]
    left = f", {meant - changed:,} left alone: running, or gone meanwhile" if meant > changed else ""
    return f"{changed:,} job{'s' if changed != 1 else ''} {ACTIONS[action][1]}{left}."
