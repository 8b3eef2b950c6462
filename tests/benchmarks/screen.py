"""A refresh of the status screen on a table of a million jobs, beside one plain count of it: `... screen`

On SQLite, and on a PostgreSQL of its own, there as a user who may only read.
"""

import gc
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from hkcli.backend.dashboard.charts import Sample
from hkcli.backend.dashboard.pages import regions
from hkcli.cli.dj_screen import frame
from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.report import Report
from hkcli.dj.status import Facts, JobTable, Snapshot
from tests.dj import servers
from tests.screens.stage import APP

JOBS, REFRESHES = 1_000_000, 600
HANDLER = "--- !ruby/struct:MailJob\nto: ada@example.org\ntext: " + "lorem ipsum " * 20 + "\n"
COLUMNS = (
    "priority, attempts, handler, last_error, run_at, locked_at, failed_at, locked_by, queue, created_at, updated_at"
)
INSERT = f"INSERT INTO delayed_jobs ({COLUMNS}) VALUES ({', '.join('?' * 11)})"
PLAIN_COUNT = "SELECT queue, priority, failed_at IS NULL, COUNT(*), MIN(run_at) FROM delayed_jobs GROUP BY 1, 2, 3"
READER = "CREATE ROLE reader LOGIN; GRANT SELECT ON delayed_jobs TO reader"


def rows(now: datetime) -> Iterator[tuple[object, ...]]:
    """Most are due or for later; a tenth has failed, half of these for good; a few are locked."""
    past, future = (str((now + timedelta(hours=hours)).replace(tzinfo=None)) for hours in (-1, 1))
    error = "RuntimeError: no paper\n" + "/app/lib/printer.rb:10:in `feed'\n" * 10
    for number in range(JOBS):
        failed, final = number % 10 == 0, number % 20 == 0
        locked = "host:railgun.1 pid:7" if number % 100_000 == 1 else None
        yield (
            *(number % 3, 25 if final else int(failed), HANDLER, error if failed else None),
            *(past if number % 2 else future, past if locked else None, past if final else None, locked),
            *(f"queue{number % 5}", past, past),
        )


def migrate(address: str) -> None:
    engine = connect(parse_url(address), foreign_keys=False)
    Migrator(engine, APP, Report(lambda line: None)).migrate()
    engine.dispose()


@contextmanager
def sqlite() -> Iterator[tuple[str, float]]:
    """The address of such a table, and the seconds that a plain count takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.sqlite3"
        migrate(f"sqlite3:{path}")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(INSERT, rows(datetime.now(UTC)))
        with closing(sqlite3.connect(path)) as connection:
            plain_s = seconds(lambda: connection.execute(PLAIN_COUNT).fetchall())
        yield f"sqlite3:{path}", plain_s


@contextmanager
def postgresql() -> Iterator[tuple[str, float]]:
    """The same. As after a flood of jobs, nobody has vacuumed or analyzed the table yet."""
    with servers.postgresql("-c", "autovacuum=off") as server:
        migrate(f"{server}postgres")
        with psycopg.connect(f"{server}postgres") as connection:
            with connection.cursor().copy(f"COPY delayed_jobs ({COLUMNS}) FROM STDIN") as copy:
                for row in rows(datetime.now(UTC)):
                    copy.write_row(row)
            connection.execute(READER)
            connection.commit()
            plain_s = seconds(lambda: connection.execute(PLAIN_COUNT).fetchall())
        yield f"{server}postgres".replace("postgres@", "reader@"), plain_s


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def refresh(table: JobTable) -> Snapshot:
    """Read the table and draw the terminal's screen."""
    now = datetime.now(UTC)
    table.look(now)
    screen = table.snapshot(now, Facts("demo", workers=()))
    frame(screen, 80, 24)
    return screen


def measure() -> Iterator[str]:
    yield measured("SQLite", sqlite())
    if why := servers.why_no_postgresql():
        yield f"PostgreSQL: not measured, for want of {why}"
    else:
        yield measured("PostgreSQL", postgresql())


def measured(database: str, filled: AbstractContextManager[tuple[str, float]]) -> str:
    looks = 1
    with filled as (address, plain_s), JobTable(address) as table:
        opening_s = seconds(lambda: refresh(table))
        gc.freeze()  # as `heroku dj` does then
        taken, worked = [], []
        while not table.is_counted or len(taken) < REFRESHES:
            begun_s = time.thread_time()
            taken.append(seconds(lambda: refresh(table)))
            worked.append(time.thread_time() - begun_s)
            looks = 1 + len(taken) if not table.is_counted else looks
        screen = refresh(table)
    assert screen.counted and screen.counted.rows == JOBS, "not every row was counted"
    ordered = sorted(taken)
    median, p95, most = statistics.median(ordered), ordered[len(ordered) * 95 // 100], ordered[-1]
    return (
        f"{database}, {JOBS:,} jobs: a refresh {median * 1000:.0f} ms at the median, {p95 * 1000:.0f} ms p95,"
        f" {most * 1000:.0f} ms at most, {max(worked) * 1000:.0f} ms of it our own work; the first, which connects,"
        f" {opening_s * 1000:.0f} ms; every row was counted after {looks} looks; one plain count of all rows"
        f" {plain_s * 1000:,.0f} ms; the web page's parts {drawing_s(screen) * 1000:.0f} ms, once for all viewers"
    )


def drawing_s(screen: Snapshot) -> float:
    """Of the web page's parts, once its templates are there."""
    samples = [Sample.of(replace(screen, at=screen.at - timedelta(seconds=back))) for back in range(1_800, 0, -1)]
    regions(screen, [None] * 30, samples, 1_800)
    return seconds(lambda: regions(screen, [None] * 30, samples, 1_800))
