"""Delayed Job: the status screen, and the health check."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dj_screen import frame
from hkcli.cli.dj_source import PATIENCE_S, Source, opened
from hkcli.cli.units import jobs_text

if TYPE_CHECKING:
    from hkcli.dj.status import JobTable, Snapshot

REFRESH_S, REFRESH_ELSEWHERE_S = 1.0, 2.0
COUNTING_SHARE, RECOUNTING_SHARE = 0.25, 0.1
"""How much of the time between two refreshes a large table is counted, the first time and later."""


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
    """A line for each problem; for a program they are the one object of a failure. Raises HerokuError."""
    found = problems(screen, max_age, max_failed)
    if found and run.as_json:
        error = HerokuError("; ".join(found), next=(f"See why: heroku dj --app {run.app}",))
        error.id = "unhealthy"
        raise error
    for problem in found:
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
        gave_up = f"{jobs_text(screen.counts.failed)} {'was' if screen.counts.failed == 1 else 'were'} given up"
        found.append(f"too many failed: {gave_up}, more than {max_failed}")
    return found


def watch(run: Run, source: Source, interval_s: float) -> None:
    """The live screen: it ends by q or Ctrl-C, and leaves the terminal as it was."""
    import gc
    from threading import Thread

    from hkcli.cli.keys import keys

    for follow in (source.follow_facts, source.follow_log):
        Thread(target=follow, daemon=True).start()
    with run.out.redrawn() as draw, keys(run.out.stdin) as pressed:
        screen = source.picture()
        gc.freeze()  # All libraries are there now: to look through them for garbage would take 40 ms every few minutes.
        while True:
            drawn_at = time.monotonic()
            draw(partial(frame, screen, is_unicode=run.out.is_unicode))
            if wait(source.table, pressed, interval_s, drawn_at):
                return
            screen = source.picture()


def wait(table: "JobTable", pressed: Any, interval_s: float, since: float) -> bool:
    """Until the next picture, counting on in a large table meanwhile; True when the user wants to leave."""
    counting_s = interval_s * (RECOUNTING_SHARE if table.is_counted else COUNTING_SHARE)
    while (left_s := since + interval_s - time.monotonic()) > 0:
        is_counting = table.is_large and left_s > interval_s - counting_s
        if is_counting:
            table.look(datetime.now(UTC))
        if pressed(0 if is_counting else left_s) in ("q", "Q", "\x03", "\x1b"):
            return True
    return False
