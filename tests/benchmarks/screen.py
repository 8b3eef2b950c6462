"""A refresh of the status screen on a table of a million jobs, beside one plain count of it: `... screen`"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hkcli.backend.dashboard.charts import Sample
from hkcli.backend.dashboard.pages import regions
from hkcli.cli.dj_screen import frame
from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.report import Report
from hkcli.dj.status import Facts, JobTable, Snapshot
from tests.screens.stage import APP

JOBS, REFRESHES = 1_000_000, 200
HANDLER = "--- !ruby/struct:MailJob\nto: ada@example.org\ntext: " + "lorem ipsum " * 20 + "\n"
INSERT = (
    "INSERT INTO delayed_jobs (priority, attempts, handler, last_error, run_at, locked_at, failed_at, locked_by, queue,"
    " created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)
PLAIN_COUNT = "SELECT queue, priority, failed_at IS NULL, COUNT(*), MIN(run_at) FROM delayed_jobs GROUP BY 1, 2, 3"


def fill(path: Path, now: datetime) -> None:
    """Most are due or for later; a tenth has failed, half of these for good; a few are locked."""
    engine = connect(parse_url(f"sqlite3:{path}"), foreign_keys=False)
    Migrator(engine, APP, Report(lambda line: None)).migrate()
    engine.dispose()
    past, future = (str((now + timedelta(hours=hours)).replace(tzinfo=None)) for hours in (-1, 1))
    error = "RuntimeError: no paper\n" + "/app/lib/printer.rb:10:in `feed'\n" * 10

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(JOBS):
            failed, final = number % 10 == 0, number % 20 == 0
            locked = "host:railgun.1 pid:7" if number % 100_000 == 1 else None
            yield (
                *(number % 3, 25 if final else int(failed), HANDLER, error if failed else None),
                *(past if number % 2 else future, past if locked else None, past if final else None, locked),
                *(f"queue{number % 5}", past, past),
            )

    with sqlite3.connect(path) as connection:
        connection.executemany(INSERT, rows())
    connection.close()


def refresh(table: JobTable) -> tuple[float, Snapshot]:
    """Seconds for reading the table and drawing the terminal's screen."""
    begun = time.perf_counter()
    now = datetime.now(UTC)
    table.look(now)
    screen = table.snapshot(now, Facts("demo", workers=()))
    frame(screen, 80, 24)
    return time.perf_counter() - begun, screen


def measure() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.sqlite3"
        fill(path, datetime.now(UTC))
        with JobTable(f"sqlite3:{path}") as table:
            taken = [refresh(table)[0]]
            while not table.is_counted:
                taken.append(refresh(table)[0])
            looks = len(taken)
            taken += [refresh(table)[0] for _ in range(REFRESHES)]
            screen = refresh(table)[1]
            assert screen.counted and screen.counted.rows == JOBS, "not every row was counted"
        samples = [Sample.of(replace(screen, at=screen.at - timedelta(seconds=back))) for back in range(1_800, 0, -1)]
        for _ in range(2):
            begun = time.perf_counter()
            regions(screen, [None] * 30, samples, 1_800)
            drawn_s = time.perf_counter() - begun
        with sqlite3.connect(path) as connection:
            begun = time.perf_counter()
            connection.execute(PLAIN_COUNT).fetchall()
            plain_s = time.perf_counter() - begun
        connection.close()
    ordered = sorted(taken)
    yield (
        f"SQLite, {JOBS:,} jobs: a refresh {statistics.median(ordered) * 1000:.0f} ms at the median,"
        f" {ordered[len(ordered) * 95 // 100] * 1000:.0f} ms p95, {ordered[-1] * 1000:.0f} ms at most;"
        f" every row was counted after {looks} looks; one plain count of all rows {plain_s * 1000:,.0f} ms;"
        f" the web page's parts {drawn_s * 1000:.0f} ms, once for all viewers"
    )
