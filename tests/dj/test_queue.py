"""The contract of the queue, on SQLite and on PostgreSQL, with the 2009 table and that of the gem."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hkcli.dj.claiming import Limits
from hkcli.dj.database import MOST_CONNECTIONS, DatabaseError, DriverError, open_database, parse_url
from hkcli.dj.engine import EngineConnection
from hkcli.dj.postgresql import PostgreSQLConnection
from hkcli.dj.queue import Counts, Job, NewJob, Queue, open_queue
from hkcli.dj.table import TableMissing, read_table
from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, App, wait_for

NOW = datetime(2030, 1, 2, 3, 4, 5, 123456, UTC)
ME, OTHER = "host:a pid:1", "host:b pid:2"


def migrated(app: App, migration: str) -> Queue:
    app.migration("20090204000000_create_delayed_jobs", migration)
    app.migrate()
    return open_queue(open_database(parse_url(app.database_url)), {})


@pytest.fixture(params=[MIGRATION_2009, MIGRATION_4], ids=["2009", "4"])
def queue(request: pytest.FixtureRequest, app_anywhere: App) -> Any:
    queue = migrated(app_anywhere, request.param)
    yield queue
    queue.close()


@pytest.fixture
def queue_4(app_anywhere: App) -> Any:
    queue = migrated(app_anywhere, MIGRATION_4)
    yield queue
    queue.close()


def put(to: Queue, /, handler: str = "--- x\n", **how: Any) -> int:
    return to.enqueue(NewJob(handler, **how), NOW)


def row(queue: Queue, job_id: int) -> dict[str, Any]:
    names = list(queue.table.columns)
    with queue.database.connection() as connection:
        (found,) = connection.rows(f"SELECT {', '.join(names)} FROM delayed_jobs WHERE id = :id", {"id": job_id})
    return dict(zip(names, found, strict=True))


def order(queue: Queue, now: datetime = NOW, limits: Limits = Limits()) -> list[int]:  # noqa: B008
    """The ids in which a worker gets them, each done before the next."""
    ids = []
    while job := queue.reserve(ME, now, limits):
        ids.append(job.id)
        queue.succeed(job)
    return ids


def test_a_new_row_is_as_active_record_would_have_written_it(queue: Queue) -> None:
    found = row(queue, put(queue, "--- héllo ☃\n", priority=3))
    assert (found["priority"], found["attempts"], found["handler"]) == (3, 0, "--- héllo ☃\n")
    assert found["run_at"] == found["created_at"] == found["updated_at"]
    assert str(found["run_at"]) == "2030-01-02 03:04:05.123456"
    assert [found[name] for name in ("locked_at", "locked_by", "failed_at", "last_error")] == [None] * 4


def test_many_are_written_at_once_or_not_at_all(queue: Queue) -> None:
    assert queue.enqueue_many((NewJob("--- x\n", priority=n) for n in range(100)), NOW) == 100
    with pytest.raises((DriverError, OverflowError)):
        queue.enqueue_many([NewJob("--- x\n"), NewJob("--- x\n", priority=2**70)], NOW)
    assert queue.counts(NOW).due == 100
    assert queue.enqueue_many([], NOW) == 0


def test_each_era_has_its_own_direction_of_priority(queue: Queue) -> None:
    ids = {n: put(queue, priority=n) for n in (0, 5, -1)}
    earlier = put(queue, run_at=NOW - timedelta(hours=1))
    expected = [ids[5], earlier, ids[0], ids[-1]] if queue.era.name == "2009" else [ids[-1], earlier, ids[0], ids[5]]
    assert order(queue) == expected


def test_equals_come_in_the_order_they_were_enqueued_in(queue: Queue) -> None:
    queue.enqueue_many([NewJob(f"--- {n}\n") for n in range(450)], NOW)
    ids = order(queue)
    assert ids == sorted(ids) and len(ids) == 450


def test_a_job_is_not_available_before_its_time(queue: Queue) -> None:
    put(queue, run_at=NOW + timedelta(seconds=1))
    assert queue.reserve(ME, NOW) is None
    assert queue.reserve(ME, NOW + timedelta(seconds=1)) is not None


def test_a_locked_job_is_mine_alone_until_its_lock_is_old(queue: Queue) -> None:
    put(queue)
    assert queue.reserve(ME, NOW)
    assert queue.reserve(OTHER, NOW + timedelta(hours=4)) is None
    assert queue.reserve(OTHER, NOW + timedelta(hours=4, microseconds=1))


def test_what_my_name_has_locked_is_available_to_me_even_before_its_time(queue: Queue) -> None:
    job_id = put(queue)
    job = queue.reserve(ME, NOW)
    assert job and job.id == job_id
    with queue.database.connection() as connection:
        connection.change("UPDATE delayed_jobs SET run_at = '2031-01-01 00:00:00'")
    assert queue.reserve(OTHER, NOW) is None
    again = queue.reserve(ME, NOW)
    assert again and again.id == job_id


def test_what_others_enqueue_meanwhile_is_taken_in_its_order(queue: Queue, any_database: str) -> None:
    first = 9 if queue.era.name == "2009" else -9
    slow = [put(queue) for _ in range(6)]
    got = []
    for _ in range(3):
        job = queue.reserve(ME, NOW)
        assert job
        got.append(job.id)
        queue.succeed(job)
    other = open_queue(open_database(parse_url(any_database)), {})
    urgent = put(other, priority=first)
    assert [*got, *order(queue)] == [*slow[:3], urgent, *slow[3:]]
    other.close()


def test_a_job_whose_time_comes_is_taken_in_its_order(queue: Queue) -> None:
    first = 9 if queue.era.name == "2009" else -9
    ids = [put(queue) for _ in range(4)]
    urgent = put(queue, priority=first, run_at=NOW + timedelta(minutes=1))
    got = []
    for minute in (0, 0, 1, 1, 1):
        job = queue.reserve(ME, NOW + timedelta(minutes=minute))
        assert job
        got.append(job.id)
        queue.succeed(job)
    assert got == [*ids[:2], urgent, *ids[2:]]


def test_limits_keep_priorities_and_queues_apart(queue_4: Queue) -> None:
    ids = {n: put(queue_4, priority=n) for n in range(4)}
    mail, none = put(queue_4, queue="mail"), ids[0]
    assert order(queue_4, limits=Limits(queues=("mail", "sms"))) == [mail]
    assert order(queue_4, limits=Limits(min_priority=1, max_priority=2)) == [ids[1], ids[2]]
    assert order(queue_4) == [none, ids[3]]


def test_a_failed_run_unlocks_and_counts_and_says_why(queue: Queue) -> None:
    job_id = put(queue)
    job = queue.reserve(ME, NOW)
    assert job
    later = NOW + timedelta(seconds=6)
    queue.retry(job, later, "boom\x00\ud800", later)
    found = row(queue, job_id)
    assert (found["attempts"], found["locked_by"], found["locked_at"]) == (1, None, None)
    assert found["last_error"] == "boom\\0\\ud800"
    assert queue.reserve(OTHER, NOW) is None
    again = queue.reserve(OTHER, later)
    assert again and again.attempts == 1


def test_a_job_that_failed_for_good_is_never_taken_again(queue: Queue) -> None:
    job_id = put(queue)
    job = queue.reserve(ME, NOW)
    assert job
    queue.fail(job, 3, "no", NOW)
    assert queue.reserve(ME, NOW + timedelta(days=9)) is None
    assert (row(queue, job_id)["attempts"], row(queue, job_id)["last_error"]) == (3, "no")


def test_a_job_that_is_done_goes_with_the_claim_of_the_next_one(queue: Queue) -> None:
    ids = [put(queue) for _ in range(3)]
    jobs: list[Job | None] = [queue.reserve(ME, NOW)]
    while jobs[-1]:
        jobs.append(queue.reserve(ME, NOW, done=jobs[-1]))
    assert [job and job.id for job in jobs] == [*ids, None]
    assert queue.clear() == 0


def test_a_flood_of_jobs_shares_waits_for_the_disk_and_a_slow_job_has_its_own(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(tmp_path, postgresql_url)
    queue = migrated(app, MIGRATION_4)
    said: list[str] = []
    rows = PostgreSQLConnection.rows
    monkeypatch.setattr(PostgreSQLConnection, "rows", lambda *call: said.append(call[1]) or rows(*call))
    queue.enqueue_many([NewJob("--- x\n")] * 5, NOW)
    done = queue.reserve(ME, NOW)
    for pause_s in (60, 60, 0):
        monkeypatch.setattr("hkcli.dj.queue.FLUSH_EVERY_S", pause_s)
        done = queue.reserve(ME, NOW, done=done)
    assert ["synchronous_commit" in sql for sql in said if "DELETE" in sql] == [False, True, False]
    monkeypatch.setattr("hkcli.dj.queue.FLUSH_EVERY_S", 60)
    done = queue.reserve(ME, NOW, done=done)
    with queue.database.connection() as connection:
        ((written,),) = connection.rows("SELECT CAST(pg_current_wal_insert_lsn() AS text)")
        assert queue.reserve(ME, NOW, done=done) is None, "the flood is over: its last job waits for the disk"
        sql = "SELECT pg_current_wal_flush_lsn() > CAST(:written AS pg_lsn)"
        assert connection.rows(sql, {"written": written}) == [(True,)]
    queue.close()
    app.engine.dispose()


def test_a_worker_that_was_idle_does_not_look_through_the_whole_table_once_it_is_full(
    postgresql_url: str, tmp_path: Path
) -> None:
    app = App(tmp_path, postgresql_url)
    queue = migrated(app, MIGRATION_4)
    assert [queue.reserve(ME, NOW) for _ in range(12)] == [None] * 12
    app.execute(
        "INSERT INTO delayed_jobs (priority, attempts, handler, run_at)"
        " SELECT i % 10, 0, '--- x', '2029-01-01' FROM generate_series(1, 20000) AS n(i)"
    )
    done = None
    for _ in range(5):
        done = queue.reserve(ME, NOW, done=done)
        assert done
    queue.close()
    app.engine.dispose()
    others = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'delayed_job' AND datname = current_database()"
    wait_for(lambda: not app.rows(f"{others} AND pid <> pg_backend_pid()"), "the server to count what was read")
    (read,) = app.rows("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'delayed_jobs'")
    assert int(str(read["seq_tup_read"])) < 1_000
    app.engine.dispose()


def test_a_worker_has_one_connection_to_the_server(postgresql_url: str, tmp_path: Path) -> None:
    app = App(tmp_path, postgresql_url)
    queue = migrated(app, MIGRATION_4)
    app.engine.dispose()
    put(queue)
    assert queue.reserve(ME, NOW) and queue.lockers() == [ME]
    sql = "SELECT COUNT(*) AS held FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert app.rows(sql) == [{"held": 1}]
    queue.close()
    app.engine.dispose()


def test_an_sqlite_file_that_stays_locked_is_the_databases_trouble_and_can_be_used_once_it_is_free(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker tries again after these errors, and would die of the driver's own."""
    queue = migrated(app, MIGRATION_4)
    put(queue)
    done = queue.reserve(ME, NOW)
    assert done
    monkeypatch.setattr("hkcli.dj.sqlite.BUSY_TIMEOUT_MS", 1)
    with app.engine.begin():
        for write in (lambda: queue.succeed(done), lambda: queue.reserve(ME, NOW, done=done), lambda: put(queue)):
            with pytest.raises(DriverError, match="database is locked"):
                write()
    assert queue.reserve(ME, NOW, done=done) is None and queue.clear() == 0
    queue.close()


def test_releasing_a_job_does_not_count_as_a_run(queue: Queue) -> None:
    put(queue)
    job = queue.reserve(ME, NOW)
    assert job
    queue.release(job)
    assert queue.reserve(OTHER, NOW) == job


def test_locks_of_one_worker_are_cleared_and_no_others(queue: Queue) -> None:
    put(queue), put(queue)
    mine, theirs = queue.reserve(ME, NOW), queue.reserve(OTHER, NOW)
    assert mine and theirs and sorted(queue.lockers()) == [ME, OTHER]
    assert queue.clear_locks(OTHER) == 1
    assert queue.lockers() == [ME]
    assert queue.reserve("host:c pid:3", NOW) == theirs


def test_a_job_that_two_workers_in_a_row_died_of_counts_as_failed(queue: Queue) -> None:
    job_id, other = put(queue, run_at=NOW - timedelta(hours=1)), put(queue)
    for attempts, due in ((0, job_id), (1, other)):
        assert (job := queue.reserve(ME, NOW)) and job.id == job_id
        assert queue.free(OTHER, NOW) == 0 and queue.free(ME, NOW) == 1
        found = row(queue, job_id)
        assert (found["attempts"], found["locked_by"], found["locked_at"]) == (attempts, None, None)
        assert found["last_error"] == f"The worker died while it ran the job: {ME}"
        first = queue.reserve(OTHER, NOW)
        assert first and first.id == due, "others come before what kills its workers"
        assert queue.free(OTHER, NOW, crashed=False) == 1


def test_counts_tell_every_state_once(queue: Queue) -> None:
    for _ in range(4):
        put(queue)
    put(queue, run_at=NOW + timedelta(days=1))
    running, failed, retried = (queue.reserve(f"host:h pid:{n}", NOW) for n in range(3))
    assert running and failed and retried
    queue.fail(failed, 1, "x", NOW)
    queue.retry(retried, NOW, "x", NOW)
    assert queue.counts(NOW) == Counts(running=1, due=1, retrying=1, scheduled=1, failed=1)
    assert queue.unattempted_before(NOW + timedelta(seconds=1)) == 3
    assert queue.clear() == 5
    assert queue.counts(NOW) == Counts(0, 0, 0, 0, 0)


def test_no_job_is_taken_twice_by_many_at_once(queue: Queue, any_database: str) -> None:
    queue.enqueue_many([NewJob("--- x\n") for _ in range(300)], NOW)
    numbers = count()

    def work() -> list[int]:
        own = open_queue(open_database(parse_url(any_database)), {})
        name, ids = f"host:w pid:{next(numbers)}", []
        while job := own.reserve(name, NOW):
            ids.append(job.id)
            own.succeed(job)
        own.close()
        return ids

    with ThreadPoolExecutor(4) as workers:
        taken = [job_id for ids in workers.map(lambda _: work(), range(4)) for job_id in ids]
    assert len(taken) == len(set(taken)) == 300


def test_any_number_of_threads_may_enqueue(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(2 * MOST_CONNECTIONS) as threads:
        ids = list(threads.map(lambda _: put(queue), range(200)))
    assert len(set(ids)) == queue.counts(NOW).due == 200
    monkeypatch.setattr("hkcli.dj.database.TURN_S", 0.01)
    with ExitStack() as busy, pytest.raises(DatabaseError, match=f"All {MOST_CONNECTIONS} connections"):
        for _ in range(MOST_CONNECTIONS + 1):
            busy.enter_context(queue.database.connection())


def test_a_queue_name_needs_the_column(queue: Queue) -> None:
    if queue.table.has_queues:
        assert row(queue, put(queue, queue="mail"))["queue"] == "mail"
    else:
        with pytest.raises(ValueError, match="add_column :delayed_jobs, :queue, :string"):
            put(queue, queue="mail")


def test_last_error_is_cut_to_what_its_column_holds(app_anywhere: App) -> None:
    queue = migrated(
        app_anywhere, MIGRATION_2009.replace("table.string   :last_error", "table.string :last_error, :limit => 20")
    )
    job_id = put(queue)
    job = queue.reserve(ME, NOW)
    assert job
    queue.retry(job, NOW, "é" * 300, NOW)
    assert row(queue, job_id)["last_error"] == "é" * 20
    queue.close()


def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    database = open_database(parse_url(f"sqlite3:{tmp_path}/empty.db"))
    with pytest.raises(TableMissing, match="rake db:migrate"):
        open_queue(database, {})


def test_the_table_is_the_same_to_sqlalchemy_as_to_the_driver(queue: Queue, app_anywhere: App) -> None:
    assert read_table(EngineConnection(app_anywhere.engine), {}) == queue.table
    assert queue.table.columns["locked_by"] in (None, 255) and queue.table.columns["handler"] is None


def test_a_row_that_others_wrote_oddly_is_read(app: App) -> None:
    queue = migrated(app, MIGRATION_2009)
    app.execute(
        "INSERT INTO delayed_jobs (priority, attempts, handler, run_at) VALUES (NULL, NULL, x'ff41', '2029-01-01')"
    )
    assert queue.reserve(ME, NOW) == Job(1, 0, 0, "\ufffdA", None)
    queue.close()


@pytest.mark.parametrize(("words", "is_any"), [("", True), ("?prepared_statements=false&pool=5", False)])
def test_behind_a_pooler_no_statement_is_prepared(
    tmp_path: Path, postgresql_url: str, words: str, is_any: bool
) -> None:
    queue = migrated(app := App(tmp_path, postgresql_url + words), MIGRATION_4)
    for _ in range(10):
        put(queue)
    with queue.database.connection() as connection:
        assert bool(connection.rows("SELECT name FROM pg_prepared_statements")) == is_any
    assert len(order(queue)) == 10
    queue.close()
    app.engine.dispose()


def test_a_server_named_in_the_options_is_the_one_that_is_meant(tmp_path: Path, postgresql_url: str) -> None:
    where = urlsplit(postgresql_url)
    address = (
        f"postgres://elsewhere.invalid:1{where.path}?host={where.hostname}&port={where.port}&user={where.username}"
    )
    queue = migrated(app := App(tmp_path, address), MIGRATION_4)
    assert put(queue) == 1
    queue.close()
    app.engine.dispose()
