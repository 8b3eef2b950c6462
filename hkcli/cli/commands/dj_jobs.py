"""Delayed Job: single jobs, and what an operator does to them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, confirm_option, json_option
from hkcli.cli.dj_source import Source, opened, sharers
from hkcli.cli.units import jobs_text

if TYPE_CHECKING:
    from hkcli.dj.status import Row

MOST_LISTED = 1000


@app_command("dj:jobs")
@click.option("--failed", "state", flag_value="FAILED", help="only those that were given up")
@click.option("--running", "state", flag_value="RUNNING", help="only those that a worker has locked")
@click.option("--waiting", "state", flag_value="WAITING", help="only those that wait")
@click.option("--job", metavar="NAME", help="only of this class")
@click.option("--queue", metavar="QUEUE", help="only of this queue")
@click.option("--matching", metavar="TEXT", help="only with this text in handler or error")
@click.option("-n", "--num", type=click.IntRange(1, MOST_LISTED), default=50, metavar="COUNT", help="how many")
@json_option
def dj_jobs(
    run: Run,
    state: str | None,
    job: str | None,
    queue: str | None,
    matching: str | None,
    num: int,
    as_json: bool,
) -> None:
    """List jobs, with the reason why each waits."""
    with opened(run) as source:
        from hkcli.dj.status import Selection, State, explain, with_log

        now = datetime.now(UTC)
        wanted = Selection((), State[state or "ANY"], queue, matching, job)
        rows = source.table.listed(wanted, now, num)
        if not as_json:
            source.read_log()
        facts = with_log(source.facts(), source.log)
    if as_json:
        run.out.json([row_document(row) | {"reason": explain(row, now, facts).text} for row in rows])
        return
    if not rows:
        run.out.talk(f"No such jobs on {run.app}" if wanted != Selection() else f"No jobs on {run.app}")
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
        "Created at": row.created_at,
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
    """IDs, or any of --failed, --job NAME, --queue QUEUE and --matching TEXT; and --dry-run."""
    for option in (
        click.option("--dry-run", is_flag=True, help="say how many, and change nothing"),
        click.option("--queue", metavar="QUEUE", help="those of this queue"),
        click.option("--matching", metavar="TEXT", help="those with this text in handler or error"),
        click.option("--job", metavar="NAME", help="those of this class"),
        click.option("--failed", is_flag=True, help="those that were given up"),
        click.argument("ids", metavar="[ID...]", nargs=-1, type=int),
    ):
        function = option(function)
    return function


def chosen(
    source: Source, ids: tuple[int, ...], failed: bool, job: str | None, matching: str | None, queue: str | None
) -> list[int]:
    """The jobs that the words mean. Raises click.UsageError, HerokuError."""
    from hkcli.dj.status import Selection, State

    if bool(ids) == (failed or job is not None or matching is not None or queue is not None):
        raise click.UsageError("Name jobs by ID, or choose them by --failed, --job, --queue and --matching.")
    if matching is not None and not matching.strip():
        raise click.UsageError("--matching is empty, which is every job. Give a text.")
    if ids:
        present = {row.id for row in source.table.rows(ids)}
        if missing := [str(each) for each in ids if each not in present]:
            raise HerokuError(f"{source.run.app} has no job {', '.join(missing)}. Nothing was changed.")
    state = State.FAILED if failed else State.ANY
    wanted = Selection(tuple(dict.fromkeys(ids)), state, queue, matching, job)
    return source.table.selected(wanted, datetime.now(UTC))


@app_command("dj:retry")
@chosen_options
@confirm_option
@json_option
def dj_retry(
    run: Run,
    ids: tuple[int, ...],
    failed: bool,
    job: str | None,
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
        found = chosen(source, ids, failed, job, matching, queue)
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
    job: str | None,
    matching: str | None,
    queue: str | None,
    dry_run: bool,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Delete jobs for good; running ones are left alone."""
    with opened(run) as source:
        found = chosen(source, ids, failed, job, matching, queue)
        if is_only_said(run, "removed", found, dry_run):
            return
        run.confirm(confirm, f"{jobs_text(len(found))} on {run.app} will be deleted for good.")
        with run.out.progress(f"Removing {jobs_text(len(found))} from {run.app}") as step:
            changed = source.table.remove(found)
            step.done(of_all(changed, found, "removed"))
        say_changed(run, found, changed)


@app_command("dj:unlock")
@click.option("--dry-run", is_flag=True, help="say which, and change nothing")
@confirm_option
@json_option
def dj_unlock(run: Run, dry_run: bool, confirm: str | None, as_json: bool) -> None:
    """Free jobs that gone workers have locked.

    It asks first where another app with the same database may have locked them.
    """
    with opened(run) as source:
        from hkcli.dj.status import Selection, State, dead_locks, doubtful, explain, with_log

        source.read_log()
        now, facts = datetime.now(UTC), with_log(source.facts(), source.log)
        locked = source.table.listed(Selection(state=State.RUNNING), now, MOST_LISTED)
        dead = dead_locks(locked, facts, now)
        doubts = doubtful(dead, facts, now)
        others = sharers(run) if doubts else []
        if others:
            dead = [row for row in dead if row not in doubts]
            run.out.talk(f"Of {jobs_text(len(doubts))} it cannot be told: {', '.join(others)} uses the same database.")
        for row in dead:
            run.out.talk(f"{row.id} {row.name} is {explain(row, now, facts).text}")
        changed = 0
        if not dead:
            unsure = sum(facts.is_gone(row.locked_by or "") is None for row in locked)
            why = "not every dyno that may be a worker is named by the log"
            tail = f" Of {jobs_text(unsure)} it cannot be told: {why}." if unsure else ""
            run.out.talk(f"No job on {run.app} is known to be locked by a worker that is gone.{tail}")
        elif not dry_run:
            if doubts and not others:
                run.confirm(confirm, may_live_elsewhere(run.app, len(doubts)))
            with run.out.progress(f"Unlocking {jobs_text(len(dead))} on {run.app}") as step:
                changed = source.table.unlock(dead)
                step.done(of_all(changed, [row.id for row in dead], "unlocked"))
        say_changed(run, [row.id for row in dead], changed)


def may_live_elsewhere(app: str, count: int) -> str:
    return (
        f"{jobs_text(count)} on {app} will be unlocked whose worker is on none of its dynos. Should another app use the"
        f" same database, by a copy of its DATABASE_URL, its workers may be at work on them: they would run twice."
    )


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


def of_all(changed: int, found: list[int], what: str) -> str:
    left = len(found) - changed
    return f"{changed:,} {what}" + (f", {left:,} left alone: running, or gone meanwhile" if left else "")
