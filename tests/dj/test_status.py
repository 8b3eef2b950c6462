"""The snapshot of the table that the screens show, against rows on SQLite and PostgreSQL, of both eras."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hkcli.dj.database import DatabaseError, open_database, parse_url
from hkcli.dj.queue import NewJob, Queue, open_queue
from hkcli.dj.status import (
    Facts,
    JobTable,
    Selection,
    Snapshot,
    State,
    WorkerFact,
    dead_locks,
    document,
    free_jobs_of_host,
)
from hkcli.dj.status.census import FIRST_SLICE_ROWS, SLICE_S, next_size
from hkcli.dj.status.reading import address, reading_engine, with_tls
from hkcli.dj.status.reasons import of_waiting
from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, App

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
MAIL = "--- !ruby/struct:MailJob\nto: a@example.org\n"
SLOW = "--- !ruby/object:Delayed::PerformableMethod\nobject: !ruby/class 'Report'\nmethod_name: :build\nargs: []\n"
ME = "host:railgun.1 pid:7"


def worker(name: str | None = ME, state: str = "up") -> WorkerFact:
    return WorkerFact("worker.1", state, NOW - timedelta(hours=1), name=name)


FACTS = Facts("demo", workers=(worker(),))


@pytest.fixture(params=[MIGRATION_4, MIGRATION_2009], ids=["4", "2009"])
def queue(app_anywhere: App, request: pytest.FixtureRequest) -> Iterator[Queue]:
    app_anywhere.migration("20260101000000_create_delayed_jobs", request.param)
    app_anywhere.migrate()
    queue = open_queue(open_database(parse_url(app_anywhere.database_url)), {})
    yield queue
    queue.close()


@pytest.fixture
def mixed(queue: Queue) -> Queue:
    """One running, two due, one retrying, one scheduled and one given up."""
    queue.enqueue(NewJob(SLOW, run_at=NOW - timedelta(seconds=5)), NOW)
    job = queue.reserve(ME, NOW)
    assert job is not None
    for handler, wait_s in ((MAIL, -60), (MAIL, -20), (MAIL, 3600)):
        queue.enqueue(NewJob(handler, run_at=NOW + timedelta(seconds=wait_s)), NOW)
    for final in (False, True):
        queue.enqueue(NewJob(SLOW, priority=-9 if queue.era.name == "4" else 9, run_at=NOW - timedelta(hours=1)), NOW)
        taken = queue.reserve("host:other pid:1", NOW)
        assert taken is not None
        if final:
            queue.fail(taken, 25, "RuntimeError: no paper\nbacktrace", NOW)
        else:
            queue.retry(taken, NOW + timedelta(seconds=40), "RuntimeError: no paper\nother trace", NOW)
    return queue


def looked(app: App, now: datetime = NOW) -> JobTable:
    table = JobTable(app.database_url)
    table.look_through(now, 20)
    assert table.trouble == ""
    return table


def test_every_state_is_counted_as_the_queue_counts_it(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere) as table:
        screen = table.snapshot(NOW, FACTS)
    assert screen.counts == mixed.counts(NOW)
    assert (screen.counts.running, screen.counts.due, screen.counts.retrying) == (1, 2, 1)
    assert screen.oldest_due_s == 60
    assert (screen.wait_p50_s, screen.wait_p95_s) == (20, 60)
    assert screen.era == mixed.era.name


def test_jobs_of_any_id_are_counted(app_anywhere: App, queue: Queue) -> None:
    queue.enqueue_many([NewJob(MAIL, run_at=NOW - timedelta(seconds=9)) for _ in range(3)], NOW)
    with queue.database.connection() as connection:
        for before, after in ((1, 300_000), (2, 1_000_002), (3, 2**31 - 1)):
            connection.change(f"UPDATE delayed_jobs SET id = {after} WHERE id = {before}")
    with looked(app_anywhere) as table:
        screen = table.snapshot(NOW, FACTS)
    assert (screen.counts.due, screen.wait_p95_s) == (3, 9)


def test_failures_are_grouped_by_job_and_first_line_of_the_error(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere) as table:
        (group,) = table.snapshot(NOW, FACTS).errors
    assert (group.name, group.error, group.count, group.gave_up) == ("Report.build", "RuntimeError: no paper", 2, 1)
    assert group.next_run == NOW + timedelta(seconds=40)


HANDLERS = {
    "MailJob": MAIL,
    "Old::MailJob": "--- !ruby/struct:Old::MailJob \nto: a@example.org\n",
    "PlainJob": "--- !ruby/object:PlainJob {}\n",
    "Report.build": SLOW,
    "User#wave": "--- !ruby/struct:Delayed::PerformableMethod \nobject: AR:User:7\nmethod: :wave\nargs: []\n",
    "SendJob": "--- !ruby/object:ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper\n"
    "job_data:\n  job_class: SendJob\n  job_id: 0f\n",
    "(unreadable)": "--- MailJob\n",
}


def test_every_failed_job_is_in_one_group_whatever_their_number_and_is_found_by_it(
    app_anywhere: App, queue: Queue
) -> None:
    queue.enqueue_many([NewJob(handler, run_at=NOW) for handler in HANDLERS.values() for _ in range(90)], NOW)
    app_anywhere.execute("UPDATE delayed_jobs SET attempts = 1, last_error = 'no user ' || id || '\ntrace'")
    app_anywhere.execute("UPDATE delayed_jobs SET failed_at = run_at, last_error = '\n  late' WHERE id % 3 = 0")
    with looked(app_anywhere) as table:
        screen = table.snapshot(NOW, FACTS)
        groups = {(group.name, group.text): group for group in screen.errors}
        assert set(groups) == {(name, text) for name in HANDLERS for text in ("no user", "late")}
        for (name, text), group in groups.items():
            assert (group.count, group.gave_up) == ((30, 30) if text == "late" else (60, 0)), (name, text)
            found = Selection(job=name, matching=text)
            assert len(table.selected(found, NOW)) == group.count
            assert {row.name for row in table.listed(found, NOW, most=20, skip=9)} == {name}
        assert {group.error for group in screen.errors} == {"no user #", "late"} and screen.errors_elsewhere == 0


def test_more_kinds_of_errors_than_anyone_reads_are_counted_all_the_same(
    app_anywhere: App, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hkcli.dj.status.census.FAILURES_KEPT", 3)
    queue.enqueue_many([NewJob(MAIL, run_at=NOW)] * 10, NOW)
    letter = "substr('abcdefghij', CAST(id AS integer), 1)"
    app_anywhere.execute(f"UPDATE delayed_jobs SET last_error = {letter} || ' is no word'")
    with looked(app_anywhere) as table:
        screen = table.snapshot(NOW, FACTS)
    assert (len(screen.errors), screen.errors_elsewhere) == (3, 7)


def test_waits_of_very_many_jobs_are_estimated_and_called_so(app_anywhere: App, queue: Queue) -> None:
    def waits(count: int) -> Snapshot:
        jobs = [NewJob(MAIL, run_at=NOW - timedelta(seconds=second)) for second in range(count)]
        app_anywhere.execute("DELETE FROM delayed_jobs")
        queue.enqueue_many(jobs, NOW)
        with looked(app_anywhere) as table:
            return table.snapshot(NOW, FACTS)

    few, many = waits(1_000), waits(8_000)
    assert (few.wait_p50_s, few.wait_p95_s, few.wait_is_estimated) == (499, 949, False)
    assert many.wait_is_estimated and many.wait_p50_s == pytest.approx(4_000, rel=0.05)
    assert many.wait_p95_s == pytest.approx(7_600, rel=0.05) and many.oldest_due_s == 7_999


def test_the_locked_job_is_shown_with_its_worker_and_how_long_it_runs(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere, NOW + timedelta(seconds=3)) as table:
        screen = table.snapshot(NOW + timedelta(seconds=3), FACTS)
    (running,) = screen.running
    assert (running.row.name, running.row.locked_by, running.for_s) == ("Report.build", ME, 3)
    assert screen.workers[0].job == "Report.build"


def test_every_waiting_job_has_a_reason_and_they_add_up(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere) as table:
        screen = table.snapshot(NOW, Facts("demo", workers=()))
    assert sum(each.count for each in screen.waiting) == 2 + 1 + 1 + 1 + 1, "the running one's worker is gone as well"
    mends = {each.reason.mend for each in screen.waiting if each.reason.is_trouble}
    assert mends == {
        "heroku addons:add dj --app demo",
        "heroku dj:retry --failed --app demo",
        "heroku dj:unlock --app demo",
    }


def test_a_table_of_many_slices_gives_the_same_figures_as_one_count(
    app_anywhere: App, mixed: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed.enqueue_many([NewJob(MAIL, run_at=NOW - timedelta(seconds=n)) for n in range(500)], NOW)
    monkeypatch.setattr("hkcli.dj.status.census.FIRST_SLICE_ROWS", 7)
    monkeypatch.setattr("hkcli.dj.status.census.MOST_SLICE_ROWS", 50)
    with JobTable(app_anywhere.database_url) as table:
        table.look(NOW, budget_s=0)
        first = table.snapshot(NOW, FACTS)
        assert first.counted is not None and first.counted.rows < 506 and not first.counted.is_whole
        table.look_through(NOW, 20)
        screen = table.snapshot(NOW, FACTS)
    assert screen.counted is not None and screen.counted.is_whole and screen.counted.rows == 506
    assert screen.counts == mixed.counts(NOW)
    assert screen.oldest_due_s == 499


def test_reading_never_writes(app_anywhere: App, queue: Queue) -> None:
    with JobTable(app_anywhere.database_url) as table:
        table.look(NOW)
        engine = table._engine
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        with engine.connect() as connection, pytest.raises(Exception, match=r"(?i)read-?only|query_only"):
            connection.exec_driver_sql("DELETE FROM delayed_jobs")


def test_without_the_table_it_says_what_to_run_and_heals_when_the_table_is_made(app_anywhere: App) -> None:
    with app_anywhere.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    with JobTable(app_anywhere.database_url) as table:
        table.look(NOW)
        screen = table.snapshot(NOW, FACTS)
        assert screen.counts is None and "rake db:migrate" in screen.unknown["counts"]
        app_anywhere.migration("20260101000000_create_delayed_jobs", MIGRATION_4)
        app_anywhere.migrate()
        table.look(NOW)
        assert table.snapshot(NOW, FACTS).counts is not None


def test_a_database_that_is_gone_is_trouble_and_not_a_crash(tmp_path) -> None:
    with JobTable(f"sqlite3:{tmp_path}/none.sqlite3") as table:
        table.look(NOW)
    assert "is not here" in table.trouble and not (tmp_path / "none.sqlite3").exists()
    with JobTable("postgres://u:hidden@127.0.0.1:1/none") as table:
        table.look(NOW)
    assert table.trouble and "hidden" not in table.trouble


def test_a_file_that_was_taken_away_or_replaced_is_not_read_any_more(app: App, tmp_path: Path) -> None:
    app.migration("20260101000000_create_delayed_jobs", MIGRATION_4)
    app.migrate()
    app.engine.dispose()
    file, away = tmp_path / "app.sqlite3", tmp_path / "away"
    with looked(app) as table:
        file.rename(away)
        table.look(NOW)
        assert "is not here" in table.trouble
        away.rename(file)
        table.look(NOW)
        assert table.trouble == ""


def test_retry_makes_given_up_and_waiting_jobs_due_but_leaves_running_ones(app_anywhere: App, mixed: Queue) -> None:
    ids = [int(row["id"]) for row in app_anywhere.rows()]  # type: ignore[call-overload]
    with looked(app_anywhere) as table:
        assert table.retry(ids, NOW) == len(ids) - 1
        table.look_through(NOW, 20)
        counts = table.snapshot(NOW, FACTS).counts
    assert counts is not None and (counts.running, counts.due, counts.failed, counts.retrying) == (1, 5, 0, 0)


def test_jobs_are_selected_by_failure_and_by_literal_text(app_anywhere: App, mixed: Queue) -> None:
    mixed.enqueue(NewJob("--- !ruby/struct:Odd\nname: 100%_!\n"), NOW)
    with looked(app_anywhere) as table:
        assert len(table.selected(Selection(state=State.FAILED), NOW)) == 1
        assert len(table.selected(Selection(matching="no paper"), NOW)) == 2
        assert len(table.selected(Selection(matching="100%_!"), NOW)) == 1
        assert table.selected(Selection(matching="%"), NOW) == table.selected(Selection(matching="100%_!"), NOW)
        assert table.remove(table.selected(Selection(matching="no paper"), NOW)) == 2


def test_only_locks_of_workers_that_are_gone_are_taken_away(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere) as table:
        locked = table.listed(Selection(state=State.RUNNING), NOW)
        assert dead_locks(locked, FACTS, NOW) == []
        unsure = Facts("demo", workers=(worker(name=None),))
        assert dead_locks(locked, unsure, NOW) == [], "a worker that did not say its name yet may be the one"
        gone = dead_locks(locked, Facts("demo", workers=(worker(name="host:railgun.1 pid:8"),)), NOW)
        assert [row.locked_by for row in gone] == [ME]
        assert table.unlock(gone) == 1
        assert table.unlock(gone) == 0


@pytest.mark.parametrize(
    "name, gone",
    [
        (ME, False),
        ("host:railgun.2 pid:7", True),
        ("delayed_job host:0a1b2c3d-0000-4000-8000-0123456789ab pid:4", True),
        ("host:laptop pid:7", None),
        ("web-1", None),
    ],
)
def test_of_a_worker_outside_of_dynos_it_cannot_be_told_whether_it_is_gone(name: str, gone: bool | None) -> None:
    assert FACTS.is_gone(name) is gone


@pytest.mark.parametrize(
    "queue, mend",
    [
        ("sms", "heroku config:set QUEUES=mail,sms --app demo"),
        ("a $(b)", "heroku config:set 'QUEUES=mail,a $(b)' --app demo"),
        (None, "heroku config:unset QUEUES QUEUE --app demo"),
    ],
)
def test_a_queue_that_is_not_worked_is_mended_by_a_command_that_a_shell_takes_as_it_is(
    queue: str | None, mend: str
) -> None:
    reason = of_waiting(queue, 0, Facts("demo", config={"QUEUES": "mail"}))
    assert reason.is_trouble and "QUEUES is mail" in reason.text and reason.mend == mend
    assert not of_waiting("mail", 0, Facts("demo", config={"QUEUES": "mail"})).is_trouble


def test_who_is_not_among_the_known_workers_may_be_another_dyno() -> None:
    other = "host:railgun.2 pid:7"
    assert replace(FACTS, has_strangers=True).is_gone(other) is None
    assert replace(FACTS, has_strangers=True, gone=frozenset([other])).is_gone(other) is True
    assert replace(FACTS, is_living=lambda host: host == "railgun.2").is_gone(other) is False


def test_a_job_is_shown_whole(app_anywhere: App, mixed: Queue) -> None:
    with looked(app_anywhere) as table:
        failed = table.listed(Selection(state=State.FAILED), NOW)[0]
        detail = table.detail(failed.id)
        assert table.detail(10**9) is None
    assert detail is not None and detail.name == "Report.build" and detail.handler == SLOW
    assert ("method_name", ":build") in detail.fields


def test_jobs_are_listed_in_the_order_workers_take_them(app_anywhere: App, queue: Queue) -> None:
    for priority in (5, -5, 0):
        queue.enqueue(NewJob(MAIL, priority=priority), NOW)
    with looked(app_anywhere) as table:
        found = [row.priority for row in table.listed(Selection(state=State.WAITING), NOW)]
        assert found == ([5, 0, -5] if queue.era.name == "2009" else [-5, 0, 5])
        assert len(table.listed(Selection(state=State.WAITING), NOW, most=2)) == 2


def test_a_snapshot_becomes_json_with_reasons_for_what_is_not_known(app_anywhere: App, queue: Queue) -> None:
    with looked(app_anywhere) as table:
        found = document(table.snapshot(NOW, Facts("demo", why_unknown="HTTP 503")))
    assert found["counts"] == {"running": 0, "due": 0, "retrying": 0, "scheduled": 0, "failed": 0}
    assert found["oldest_due_s"] is None and found["unknown"]["oldest_due_s"] == "No job is due"
    assert found["workers"] is None and found["unknown"]["workers"] == "HTTP 503"


@pytest.mark.parametrize("host, mode", [("db.example.org", "require"), ("localhost", None), ("127.0.0.1", None)])
def test_a_database_elsewhere_is_spoken_to_over_tls(host: str, mode: str | None) -> None:
    assert with_tls(address(f"postgres://u:p@{host}/name")).query.get("sslmode") == mode
    assert with_tls(address(f"postgres://u:p@{host}/name?sslmode=disable")).query["sslmode"] == "disable"


@pytest.mark.parametrize("host, is_private", [("127.0.0.1", None), ("db.example.org", {"check_hostname": False})])
def test_mysql_elsewhere_is_spoken_to_over_tls_as_well(host: str, is_private: object) -> None:
    pytest.importorskip("pymysql")
    engine, asked = reading_engine(f"mysql2://u:p@{host}/name?reconnect=true"), []

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, words: object, options: dict[str, object]) -> None:
        asked.append(options)
        raise OSError("not in a test")

    with pytest.raises(OSError, match="not in a test"):
        engine.connect()
    assert asked[0].get("ssl") == is_private and asked[0]["database"] == "name" and "reconnect" not in asked[0]


def test_an_unknown_database_is_refused_by_name() -> None:
    with pytest.raises(DatabaseError, match="oracle"):
        JobTable("oracle://x")


def test_a_look_at_a_large_table_reads_one_slice_of_it_when_time_is_short(app_anywhere: App, queue: Queue) -> None:
    queue.enqueue_many([NewJob(MAIL, run_at=NOW)] * 3 * FIRST_SLICE_ROWS, NOW)
    with JobTable(app_anywhere.database_url) as table:
        table.look(NOW, budget_s=0)
        counted = table.snapshot(NOW, Facts("demo")).counted
        assert counted is not None and (counted.rows, counted.is_whole) == (FIRST_SLICE_ROWS, False)
        table.look_through(NOW, patience_s=60)
        counted = table.snapshot(NOW, Facts("demo")).counted
        assert counted is not None and (counted.rows, counted.is_whole) == (3 * FIRST_SLICE_ROWS, True)


@pytest.mark.parametrize(
    ("took_s", "rows"), [(SLICE_S / 4, 8000), (SLICE_S * 0.7, 4000), (SLICE_S * 2, 2000), (SLICE_S * 100, 1000)]
)
def test_the_next_slice_is_as_large_as_there_is_time_for(took_s: float, rows: int) -> None:
    assert next_size(4000, took_s) == rows


def freed(database_url: str, host: str = "railgun.12345678") -> dict[str, int]:
    return free_jobs_of_host(database_url, {}, host, NOW, crashed=True)


def test_jobs_of_a_host_that_is_gone_are_freed_and_nobody_elses(app_anywhere: App, queue: Queue) -> None:
    host = "railgun.12345678"
    dead = [f"host:{host} pid:7", f"delayed_job.0 host:{host} pid:8"]
    kept = [f"host:{host}9 pid:7", f"host:1{host} pid:7", "host:railgun_12345678 pid:7", f"worker on host:{host}"]
    for name in (*dead, *kept):
        queue.enqueue(NewJob(MAIL), NOW - timedelta(minutes=1))
        assert queue.reserve(name, NOW) is not None
    failed = queue.enqueue(NewJob(MAIL), NOW - timedelta(minutes=1))
    app_anywhere.execute(
        "UPDATE delayed_jobs SET failed_at = run_at, locked_at = run_at, locked_by = :name WHERE id = :id",
        name=dead[0],
        id=failed,
    )
    assert freed(app_anywhere.database_url) == {dead[0]: 1, dead[1]: 1}
    assert freed(app_anywhere.database_url) == {}
    assert sorted(queue.lockers()) == sorted([*kept, dead[0]]), "a lock on what failed for good hurts nobody"


def test_where_no_jobs_can_be_none_are_freed(app_anywhere: App, tmp_path: Path) -> None:
    assert freed(app_anywhere.database_url) == {}
    assert freed(f"sqlite3:{tmp_path}/nowhere.sqlite3") == {}
    assert not (tmp_path / "nowhere.sqlite3").exists()
    with pytest.raises(DatabaseError, match="onnection"):
        freed("postgres://u@127.0.0.1:1/x")


def test_freeing_leaves_a_files_journal_mode_as_its_programs_have_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "rails.sqlite3") as rails:
        columns = "id INTEGER PRIMARY KEY, attempts, last_error, locked_at, locked_by, failed_at, queue"
        rails.execute(f"CREATE TABLE delayed_jobs ({columns})")
        rails.execute("INSERT INTO delayed_jobs (locked_at, locked_by) VALUES ('2026-01-01', 'host:railgun.1 pid:7')")
    assert freed(f"sqlite3:{tmp_path}/rails.sqlite3", "railgun.1") == {"host:railgun.1 pid:7": 1}
    assert rails.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
    rails.close()
