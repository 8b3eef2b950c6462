"""Delayed Job: the status screen, and what an operator does to jobs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, confirm_option, json_option
from hkcli.cli.dj_screen import frame
from hkcli.cli.units import parse_time

if TYPE_CHECKING:
    from hkcli.api.documents import Dyno
    from hkcli.dj.status import Facts, JobTable, Row, Snapshot

LOG_LINES = 1500
PATIENCE_S = 10.0
REFRESH_S, REFRESH_ELSEWHERE_S = 1.0, 2.0
SLOW_FACTS_S = 30.0
COUNTING_SHARE = 0.25
"""How much of the time between two refreshes a large table is counted."""
MOST_LISTED = 1000


@app_command("dj")
@click.option("--max-age", type=click.FloatRange(0), metavar="SECONDS", help="fail if a job is due for longer")
@click.option("--max-failed", type=click.IntRange(0), metavar="COUNT", help="fail if more jobs were given up")
@click.option("--once", is_flag=True, help="one picture, not a live screen")
@click.option("--interval", type=click.FloatRange(0.2), metavar="SECONDS", help="between two pictures")
@json_option
def dj(
    run: Run, max_age: float | None, max_failed: int | None, once: bool, interval: float | None, as_json: bool
) -> None:
    """Watch Delayed Job: workers, jobs and errors.

    It says why jobs wait; q leaves the screen.
    """
    is_check = max_age is not None or max_failed is not None
    with opened(run) as source:
        if not (once or as_json or is_check) and run.out.can_redraw:
            watch(run, source, interval or (REFRESH_S if run.host.is_loopback else REFRESH_ELSEWHERE_S))
            return
        source.read_log()
        screen = source.whole()
    if as_json:
        from hkcli.dj.status import document, verdict

        told = verdict(screen)
        run.out.json({"verdict": {"level": told.level, "text": told.text, "mend": told.mend}} | document(screen))
    else:
        width = run.out.width if run.out.stdout.isatty() else 160
        run.out.styled_lines(frame(screen, width, is_unicode=run.out.is_unicode))
    if is_check:
        check(run, screen, max_age, max_failed)


def check(run: Run, screen: "Snapshot", max_age: float | None, max_failed: int | None) -> None:
    for problem in problems(screen, max_age, max_failed):
        run.out.talk(problem)
        run.exit_status = 1


def problems(screen: "Snapshot", max_age: float | None, max_failed: int | None) -> list[str]:
    """What a health check finds; not being able to tell is a problem too."""
    if screen.counts is None or screen.counted is None:
        return [f"unknown: {screen.unknown.get('counts', 'the table was not read')}"]
    found = []
    if not screen.counted.is_whole:
        found.append(f"unknown: only {screen.counted.rows:,} rows could be counted in {PATIENCE_S:.0f} s")
    if max_age is not None and screen.oldest_due_s is not None and screen.oldest_due_s > max_age:
        found.append(f"too old: a job is due for {screen.oldest_due_s:.0f} s, more than {max_age:g} s")
    if max_failed is not None and screen.counts.failed > max_failed:
        found.append(f"too many failed: {screen.counts.failed:,} jobs were given up, more than {max_failed}")
    return found


# --- where the figures come from


class Source:
    """The three places: the app's table, the platform, the app's log."""

    def __init__(self, run: Run, table: "JobTable", config: dict[str, str]) -> None:
        from hkcli.dj.status import WorkerLog

        self.run, self.table, self.config = run, table, config
        self.log = WorkerLog()
        self.why_no_log = ""
        self._log_lock = Lock()
        self._slow_at = 0.0
        self._has_addon = False

    def facts(self) -> "Facts":
        """What the platform says now; its silence is a reason, not an end."""
        from hkcli.dj.status import Facts, works_jobs

        run, api = self.run, self.run.api
        try:
            dynos = api.dynos(run.app)
            workers = tuple(worker_of(dyno) for dyno in dynos if works_jobs(dyno["type"], dyno["command"]))
            if time.monotonic() - self._slow_at > SLOW_FACTS_S or not self._slow_at:
                self._has_addon = any(each["addon_service"]["name"] == "dj" for each in api.addons(run.app))
                self._slow_at = time.monotonic()
        except HerokuError as error:
            return Facts(run.app, why_unknown=error.message, config=self.config)
        others = (dyno for dyno in dynos if dyno["type"] != "web" and not works_jobs(dyno["type"], dyno["command"]))
        strangers = [dyno for dyno in others if dyno["state"] not in ("crashed", "down")]
        return Facts(
            run.app,
            workers=workers,
            has_strangers=bool(strangers),
            config=self.config,
            has_addon=self._has_addon,
        )

    def read_log(self) -> None:
        """The log as it was."""
        self._follow({"lines": LOG_LINES, "source": None})

    def follow_log(self) -> None:
        """The log as it comes; for a thread of its own, which ends with the program."""
        self._follow({"lines": LOG_LINES, "tail": True})

    def _follow(self, wishes: dict[str, object]) -> None:
        from hkcli.api.logs import LogReader

        asked = {key: value for key, value in wishes.items() if value is not None}
        try:
            reader = LogReader(self.run.api_with(self.run.token_for(self.run.host)), self.run.app, asked)
            for block in reader.blocks():
                with self._log_lock:
                    self.log.feed(block.decode("utf-8", "replace").splitlines())
        except HerokuError as error:
            self.why_no_log = error.message

    def whole(self) -> "Snapshot":
        """A picture for which every row was counted, if that is possible in seconds."""
        now = datetime.now(UTC)
        self.table.look_through(now, PATIENCE_S)
        return self._snapshot(now)

    def picture(self) -> "Snapshot":
        now = datetime.now(UTC)
        self.table.look(now)
        return self._snapshot(now)

    def _snapshot(self, now: datetime) -> "Snapshot":
        facts = self.facts()
        with self._log_lock:
            return self.table.snapshot(now, facts, self.log, self.why_no_log)


def worker_of(dyno: "Dyno") -> Any:
    from hkcli.dj.status import WorkerFact

    release = f"v{dyno['release']['version']}" if dyno.get("release") else None
    return WorkerFact(dyno["name"], dyno["state"], parse_time(dyno["updated_at"]), release=release)


@contextmanager
def opened(run: Run) -> Iterator[Source]:
    """The app's jobs. Raises HerokuError."""
    try:
        from hkcli.dj.status import DatabaseError, JobTable
    except ImportError as error:
        raise HerokuError(
            f"This command reads the app's database, for which {error.name} is not installed.",
            next=("Install it: pip install 'hkcli[dj]'",),
        ) from error
    config = run.api.config_vars(run.app)
    address = config.get("DATABASE_URL")
    if not address:
        raise HerokuError(
            f"{run.app} has no DATABASE_URL, so there is no table of jobs to read.",
            next=("See what it has: heroku config",),
        )
    try:
        with JobTable(address, config) as table:
            yield Source(run, table, config)
    except DatabaseError as error:
        raise HerokuError(f"{run.app}'s jobs cannot be read: {error}") from error


def watch(run: Run, source: Source, interval_s: float) -> None:
    """The live screen: it ends by q or Ctrl-C, and leaves the terminal as it was."""
    from threading import Thread

    from hkcli.cli.keys import keys

    source.facts()
    Thread(target=source.follow_log, daemon=True).start()
    with run.out.redrawn() as draw, keys(run.out.stdin) as pressed:
        screen = source.picture()
        while True:
            drawn_at = time.monotonic()
            draw(partial(frame, screen, is_unicode=run.out.is_unicode))
            if wait(source, pressed, interval_s, drawn_at):
                return
            screen = source.picture()


def wait(source: Source, pressed: Any, interval_s: float, since: float) -> bool:
    """Until the next picture, counting on in a large table meanwhile; True when the user wants to leave."""
    while (left_s := since + interval_s - time.monotonic()) > 0:
        share_is_left = left_s > interval_s * (1 - COUNTING_SHARE)
        if not source.table.is_counted and not source.table.trouble and share_is_left:
            source.table.look(datetime.now(UTC))
        if pressed(0 if share_is_left and not source.table.is_counted else left_s) in ("q", "Q", "\x03", "\x1b"):
            return True
    return False


# --- jobs


@app_command("dj:jobs")
@click.option("--failed", "state", flag_value="FAILED", help="only those that were given up")
@click.option("--running", "state", flag_value="RUNNING", help="only those that a worker has locked")
@click.option("--waiting", "state", flag_value="WAITING", help="only those that wait")
@click.option("--queue", metavar="QUEUE", help="only of this queue")
@click.option("-n", "--num", type=click.IntRange(1, MOST_LISTED), default=50, metavar="COUNT", help="how many")
@json_option
def dj_jobs(run: Run, state: str | None, queue: str | None, num: int, as_json: bool) -> None:
    """List jobs, with the reason why each waits."""
    with opened(run) as source:
        from hkcli.dj.status import Selection, State, explain, with_log

        now = datetime.now(UTC)
        rows = source.table.listed(Selection(state=State[state or "ANY"], queue=queue), now, num)
        if not as_json:
            source.read_log()
        facts = with_log(source.facts(), source.log)
    if as_json:
        run.out.json([row_document(row) | {"reason": explain(row, now, facts).text} for row in rows])
        return
    if not rows:
        run.out.talk(f"No such jobs on {run.app}" if state or queue else f"No jobs on {run.app}")
        return
    columns = ["Id", "Job", "Queue", "Prio", "Tries", "Why", "Error"]
    run.out.table(columns, [listed_row(row, explain(row, now, facts).text) for row in rows])


def listed_row(row: "Row", reason: str) -> list[str]:
    return [str(row.id), row.name, row.queue or "", str(row.priority), str(row.attempts), reason, row.error or ""]


def row_document(row: "Row") -> dict[str, Any]:
    from dataclasses import asdict

    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(row).items()}


@app_command("dj:show")
@click.argument("job_id", metavar="ID", type=int)
@json_option
def dj_show(run: Run, job_id: int, as_json: bool) -> None:
    """Show one job, with its whole last error."""
    with opened(run) as source:
        from hkcli.dj.status import explain, with_log

        found = source.table.detail(job_id)
        if found is None:
            raise HerokuError(f"{run.app} has no job {job_id}. A job that was done is gone from the table.")
        source.read_log()
        now = datetime.now(UTC)
        reason = explain(found.row, now, with_log(source.facts(), source.log))
    if as_json:
        run.out.json(
            row_document(found.row)
            | {"name": found.name, "fields": dict(found.fields), "handler": found.handler}
            | {"last_error": found.last_error, "reason": reason.text, "mend": reason.mend}
        )
        return
    row = found.row
    run.out.header(f"{row.id} {found.name}")
    times = {
        "Created at": found.created_at,
        "Run at": row.run_at,
        "Locked at": row.locked_at,
        "Gave up at": row.failed_at,
    }
    values: dict[str, object] = {"Why": reason.text, "Mend": reason.mend, "Queue": row.queue or ""}
    values |= {"Priority": row.priority, "Attempts": row.attempts, "Locked by": row.locked_by or ""}
    values |= {label: f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "" for label, moment in times.items()}
    run.out.pairs({label: value for label, value in values.items() if value != ""})
    if found.fields:
        run.out.line("\nMade with:")
        run.out.pairs({f"  {name}": value for name, value in found.fields})
    else:
        run.out.line(f"\nHandler:\n{found.handler}")
    if found.last_error:
        run.out.line(f"\nLast error:\n{found.last_error}")


def chosen_options(function: Any) -> Any:
    """IDs, or any of --failed, --queue QUEUE and --matching TEXT; and --dry-run."""
    for option in (
        click.option("--dry-run", is_flag=True, help="say how many, and change nothing"),
        click.option("--queue", metavar="QUEUE", help="those of this queue"),
        click.option("--matching", metavar="TEXT", help="those with this text in handler or error"),
        click.option("--failed", is_flag=True, help="those that were given up"),
        click.argument("ids", metavar="[ID...]", nargs=-1, type=int),
    ):
        function = option(function)
    return function


def chosen(source: Source, ids: tuple[int, ...], failed: bool, matching: str | None, queue: str | None) -> list[int]:
    """The jobs that the words mean. Raises click.UsageError, HerokuError."""
    from hkcli.dj.status import Selection, State

    if bool(ids) == (failed or matching is not None or queue is not None):
        raise click.UsageError("Name jobs by ID, or choose them by --failed, --queue and --matching.")
    if matching is not None and not matching.strip():
        raise click.UsageError("--matching is empty, which is every job. Give a text.")
    if ids:
        present = {row.id for row in source.table.rows(ids)}
        if missing := [str(each) for each in ids if each not in present]:
            raise HerokuError(f"{source.run.app} has no job {', '.join(missing)}. Nothing was changed.")
    state = State.FAILED if failed else State.ANY
    wanted = Selection(tuple(dict.fromkeys(ids)), state, queue, matching)
    return source.table.selected(wanted, datetime.now(UTC))


@app_command("dj:retry")
@chosen_options
@confirm_option
@json_option
def dj_retry(
    run: Run,
    ids: tuple[int, ...],
    failed: bool,
    matching: str | None,
    queue: str | None,
    dry_run: bool,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Make jobs due now, as if never tried.

    Running ones are left alone.
    """
    with opened(run) as source:
        found = chosen(source, ids, failed, matching, queue)
        if is_only_said(run, "tried again", found, dry_run):
            return
        if not ids:
            run.confirm(confirm, f"{jobs_text(len(found))} on {run.app} will be due now.")
        with run.out.progress(f"Retrying {jobs_text(len(found))} on {run.app}") as step:
            changed = source.table.retry(found, datetime.now(UTC))
            step.done(of_all(changed, found, "due now"))
        say_changed(run, found, changed)


@app_command("dj:remove")
@chosen_options
@confirm_option
@json_option
def dj_remove(
    run: Run,
    ids: tuple[int, ...],
    failed: bool,
    matching: str | None,
    queue: str | None,
    dry_run: bool,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Delete jobs for good; running ones are left alone."""
    with opened(run) as source:
        found = chosen(source, ids, failed, matching, queue)
        if is_only_said(run, "removed", found, dry_run):
            return
        run.confirm(confirm, f"{jobs_text(len(found))} on {run.app} will be deleted for good.")
        with run.out.progress(f"Removing {jobs_text(len(found))} from {run.app}") as step:
            changed = source.table.remove(found)
            step.done(of_all(changed, found, "removed"))
        say_changed(run, found, changed)


@app_command("dj:unlock")
@click.option("--dry-run", is_flag=True, help="say which, and change nothing")
@json_option
def dj_unlock(run: Run, dry_run: bool, as_json: bool) -> None:
    """Free jobs that gone workers have locked."""
    with opened(run) as source:
        from hkcli.dj.status import Selection, State, dead_locks, with_log

        source.read_log()
        now, facts = datetime.now(UTC), with_log(source.facts(), source.log)
        locked = source.table.listed(Selection(state=State.RUNNING), now, MOST_LISTED)
        dead = dead_locks(locked, facts, now)
        changed = 0
        for row in dead:
            run.out.talk(f"{row.id} {row.name} is locked by {row.locked_by}, which is gone")
        if not dead:
            unsure = sum(facts.is_gone(row.locked_by or "") is None for row in locked)
            why = "not every dyno that may be a worker is named by the log"
            tail = f" Of {jobs_text(unsure)} it cannot be told: {why}." if unsure else ""
            run.out.talk(f"No job on {run.app} is locked by a worker that is gone.{tail}")
        elif not dry_run:
            with run.out.progress(f"Unlocking {jobs_text(len(dead))} on {run.app}") as step:
                changed = source.table.unlock(dead)
                step.done(of_all(changed, [row.id for row in dead], "unlocked"))
        say_changed(run, [row.id for row in dead], changed)


def is_only_said(run: Run, what: str, found: list[int], dry_run: bool) -> bool:
    if not found:
        run.out.talk(f"No such jobs on {run.app}")
    elif dry_run:
        run.out.talk(f"{jobs_text(len(found))} on {run.app} would be {what}. Nothing was changed.")
    if dry_run or not found:
        say_changed(run, found, 0)
    return dry_run or not found


def say_changed(run: Run, found: list[int], changed: int) -> None:
    """Under --json: the jobs that were meant, and how many of them were changed."""
    if run.as_json:
        run.out.json({"jobs": found, "changed": changed})


def jobs_text(count: int) -> str:
    return f"{count:,} job{'s' if count != 1 else ''}"


def of_all(changed: int, found: list[int], what: str) -> str:
    left = len(found) - changed
    return f"{changed:,} {what}" + (f", {left:,} left alone: running, or gone meanwhile" if left else "")
