"""`heroku dj` and its family: the platform on a stubbed wire, the table a real SQLite file."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from hkcli.api.errors import Unreachable
from hkcli.cli.dj_screen import clipped, command_lines, fitted, frame, spark
from hkcli.cli.dj_source import Source
from hkcli.dj.queue import Counts
from hkcli.dj.status import Facts, Snapshot, WorkerFact, WorkerLog, compose
from hkcli.dj.status.census import Tally
from hkcli.dj.status.reasons import Reason
from hkcli.dj.status.snapshot import Counted, Waiting

NOW = datetime.now(UTC).replace(microsecond=0)
TABLE = """CREATE TABLE delayed_jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, priority integer DEFAULT 0,
 attempts integer DEFAULT 0, handler text, last_error varchar, run_at datetime, locked_at datetime, failed_at datetime,
 locked_by varchar, queue varchar, created_at datetime, updated_at datetime)"""
MAIL = "--- !ruby/struct:MailJob\nto: a@example.org\n"
DYNO = {
    "id": "1",
    "name": "worker.1",
    "type": "worker",
    "state": "up",
    "command": "rake jobs:work",
    "size": "Basic",
    "attach_url": None,
    "created_at": NOW.isoformat(),
    "updated_at": NOW.isoformat(),
    "release": {"id": "r", "version": 7},
}
LOG = b"2026-01-01T00:00:00+00:00 app[worker.1]: [Worker(host:railgun.1 pid:7)] Starting job worker\n"


@pytest.fixture
def jobs(tmp_path: Path) -> sqlite3.Connection:
    """Job 1 is due for a minute, 2 was given up, 3 is locked by a worker that is gone, 4 runs."""
    connection = sqlite3.connect(tmp_path / "app.sqlite3")
    connection.execute(TABLE)
    past = str((NOW - timedelta(minutes=1)).replace(tzinfo=None))
    rows = [
        (0, None, None, None, None),
        (25, "RuntimeError: no paper\ntrace", None, None, past),
        (0, None, past, "host:railgun.1 pid:6", None),
        (0, None, past, "host:railgun.1 pid:7", None),
    ]
    for attempts, error, locked_at, locked_by, failed_at in rows:
        connection.execute(
            "INSERT INTO delayed_jobs (attempts, handler, last_error, run_at, locked_at, locked_by, failed_at, queue,"
            " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'mail', ?, ?)",
            (attempts, MAIL, error, past, locked_at, locked_by, failed_at, past, past),
        )
    connection.commit()
    yield connection
    connection.close()


@pytest.fixture
def known(platform, jobs, tmp_path):
    """Announces what the platform says of the app; `log` and `facts` leave out what a command does not ask for."""

    def announce(*others: dict[str, object], log: bool = True, facts: bool = True) -> None:
        platform.on("GET", "/apps/demo/config-vars", reply={"DATABASE_URL": f"sqlite3:{tmp_path}/app.sqlite3"})
        if log:
            platform.on("POST", "/apps/demo/log-sessions", reply={"id": "1", "logplex_url": "http://localhost:5080/l"})
            platform.on("GET", "/l", reply=LOG, headers={"Content-Type": "text/plain"})
        if facts:
            platform.on("GET", "/apps/demo/dynos", reply=[DYNO, *others])
            platform.on("GET", "/apps/demo/addons", reply=[])

    return announce


def test_in_a_pipe_dj_prints_one_plain_picture(heroku, known):
    known()
    result = heroku("dj", "--app", "demo")
    assert result.exit_code == 0 and "\x1b" not in result.stdout
    assert "1 due   2 running   0 retrying   0 later   1 given up" in result.stdout
    assert "locked by host:railgun.1 pid:6, which is gone  > heroku dj:unlock --app demo" in result.stdout
    assert "worker.1 up" in result.stdout and "MailJob #4" in result.stdout


def test_dj_json_is_for_monitoring(heroku, known):
    known()
    found = heroku("dj", "--json", "--app", "demo").json
    assert found["counts"] == {"running": 2, "due": 1, "retrying": 0, "scheduled": 0, "failed": 1}
    assert found["oldest_due_s"] >= 60 and found["workers"][0]["job_id"] == 4
    assert found["verdict"] == {
        "level": "trouble",
        "text": "1 job stands still: locked by host:railgun.1 pid:6, which is gone.",
        "mend": "heroku dj:unlock --app demo",
    }


@pytest.mark.parametrize(
    "words, status, said",
    [
        (("--max-age", "9000", "--max-failed", "1"), 0, ""),
        (("--max-age", "30"), 1, "too old: a job is due for "),
        (("--max-failed", "0"), 1, "too many failed: 1 job was given up, more than 0\n"),
    ],
)
def test_dj_is_a_health_check(heroku, known, words, status, said):
    known()
    result = heroku("dj", *words, "--app", "demo")
    assert result.exit_code == status and result.stderr.startswith(said)
    assert said or not result.stderr


def test_a_health_check_under_json_prints_the_figures_and_says_in_one_object_what_is_wrong(heroku, known):
    known()
    result = heroku("dj", "--max-age", "30", "--max-failed", "0", "--json", "--app", "demo")
    assert result.exit_code == 1 and json.loads(result.stdout)["counts"]["failed"] == 1
    failure = json.loads(result.stderr)
    assert failure["id"] == "unhealthy"
    assert "too old: a job is due for " in failure["message"] and "too many failed: 1 job was " in failure["message"]


def test_a_health_check_that_cannot_tell_fails(heroku, known, jobs):
    known()
    jobs.execute("DROP TABLE delayed_jobs")
    result = heroku("dj", "--max-failed", "5", "--app", "demo")
    assert result.exit_code == 1 and "unknown: Could not find table 'delayed_jobs'" in result.stderr


def test_dj_says_so_when_the_app_has_no_database(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", reply={})
    result = heroku("dj", "--app", "demo")
    assert result.exit_code == 1 and "has no DATABASE_URL" in result.stderr


def test_what_the_platform_does_not_say_is_shown_as_unknown_with_the_reason(heroku, platform, known):
    known(facts=False)
    platform.on("GET", "/apps/demo/dynos", status=403, reply={"id": "forbidden", "message": "You may not look."})
    result = heroku("dj", "--app", "demo")
    assert result.exit_code == 0 and "Workers  ?  You may not look." in result.stdout


def test_jobs_lists_each_with_its_reason(heroku, known):
    known()
    lines = [line.split("\t") for line in heroku("dj:jobs", "--app", "demo").stdout.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    assert lines[0][5] == "waiting its turn: 1 worker up, 0 busy"
    assert lines[1][5:] == ["given up after 25 attempts: its attempts are used up", "RuntimeError: no paper"]
    assert lines[2][5] == "locked by host:railgun.1 pid:6, which is gone"


def test_jobs_can_be_asked_for_by_state_and_queue(heroku, known):
    known()
    assert heroku("dj:jobs", "--failed", "--app", "demo").stdout.startswith("2\tMailJob\tmail")
    known()
    assert "No such jobs on demo" in heroku("dj:jobs", "--queue", "other", "--app", "demo").stderr


def test_jobs_can_be_asked_for_by_class_and_text(heroku, known):
    for words, ids in [
        (("--job", "MailJob", "--matching", "no paper"), "2"),
        (("--job", "MailJob", "--running"), "34"),
        (("--job", "Mail"), ""),
    ]:
        known()
        assert [line[0] for line in heroku("dj:jobs", *words, "--app", "demo").stdout.splitlines()] == list(ids)
    known(log=False, facts=False)
    told = heroku("dj:retry", "--job", "MailJob", "--failed", "--dry-run", "--app", "demo").stderr
    assert told == "1 job on demo would be tried again. Nothing was changed.\n"


def test_show_decodes_the_handler_and_gives_the_whole_error(heroku, known):
    known()
    shown = heroku("dj:show", "2", "--app", "demo").stdout
    assert 'to: "a@example.org"' in shown and "RuntimeError: no paper\ntrace" in shown
    assert "heroku dj:retry 2 --app demo" in shown


def test_retry_of_all_failed_asks_first_and_a_dry_run_changes_nothing(heroku, known, jobs):
    known(log=False, facts=False)
    result = heroku("dj:retry", "--failed", "--app", "demo")
    assert result.exit_code == 1 and "1 job on demo will be due now" in result.stderr
    known(log=False, facts=False)
    assert (
        "would be tried again. Nothing was changed"
        in heroku("dj:retry", "--failed", "--dry-run", "--app", "demo").stderr
    )
    assert jobs.execute("SELECT COUNT(*) FROM delayed_jobs WHERE failed_at IS NOT NULL").fetchone() == (1,)
    known(log=False, facts=False)
    assert heroku("dj:retry", "--failed", "--confirm", "demo", "--app", "demo").exit_code == 0
    assert jobs.execute("SELECT attempts, failed_at FROM delayed_jobs WHERE id = 2").fetchone() == (0, None)


def test_remove_deletes_what_matches_and_leaves_a_running_job(heroku, known, jobs):
    known(log=False, facts=False)
    result = heroku("dj:remove", "--matching", "MailJob", "--confirm", "demo", "--app", "demo")
    assert "2 removed, 2 left alone: running, or gone meanwhile" in result.stderr
    assert [row for (row,) in jobs.execute("SELECT id FROM delayed_jobs")] == [3, 4]


def test_a_queue_can_be_emptied(heroku, known, jobs):
    known(log=False, facts=False)
    result = heroku("dj:remove", "--queue", "other", "--failed", "--confirm", "demo", "--app", "demo")
    assert "No such jobs on demo" in result.stderr
    known(log=False, facts=False)
    assert "2 removed, 2 left" in heroku("dj:remove", "--queue", "mail", "--confirm", "demo", "--app", "demo").stderr


@pytest.mark.parametrize("words", [(), ("1", "--failed"), ("1", "--queue", "mail"), ("--matching", " ")])
def test_jobs_must_be_chosen_one_way(heroku, known, words):
    known(log=False, facts=False)
    assert heroku("dj:remove", *words, "--app", "demo").exit_code == 2


def test_as_many_jobs_as_a_shell_can_name_are_found(heroku, known, jobs):
    jobs.execute("DELETE FROM delayed_jobs")
    with jobs:
        for number in range(1, 1_202):
            jobs.execute("INSERT INTO delayed_jobs (id, handler, run_at) VALUES (?, ?, ?)", (number, MAIL, str(NOW)))
    known(log=False, facts=False)
    result = heroku("dj:remove", *map(str, range(1, 1_202)), "--confirm", "demo", "--app", "demo")
    assert result.exit_code == 0 and "1,201 removed" in result.stderr, result.stderr


def test_a_job_that_is_not_there_stops_the_command_before_any_change(heroku, known, jobs):
    known(log=False, facts=False)
    result = heroku("dj:retry", "2", "99", "--app", "demo")
    assert result.exit_code == 1 and "has no job 99. Nothing was changed." in result.stderr
    assert jobs.execute("SELECT attempts FROM delayed_jobs WHERE id = 2").fetchone() == (25,)


def test_unlock_frees_only_jobs_of_workers_that_are_gone(heroku, known, jobs):
    known()
    assert "Unlocking 1 job on demo... done, 1 unlocked" in heroku("dj:unlock", "--app", "demo").stderr
    assert [row for (row,) in jobs.execute("SELECT id FROM delayed_jobs WHERE locked_by IS NOT NULL")] == [4]


@pytest.mark.parametrize(("kind", "command"), [("run", "bash"), ("jobs", "bin/delayed_job run")])
def test_unlock_leaves_alone_what_a_dyno_of_another_kind_may_be_working_on(heroku, known, jobs, kind, command):
    known(DYNO | {"name": f"{kind}.1", "type": kind, "command": command})
    result = heroku("dj:unlock", "--app", "demo")
    assert "cannot be told: not every dyno that may be a worker is named by the log" in result.stderr
    assert jobs.execute("SELECT COUNT(*) FROM delayed_jobs WHERE locked_by IS NOT NULL").fetchone() == (2,)


def attached(app):
    return {"id": app, "name": "DATABASE", "addon": {"id": "db", "name": "db"}, "app": {"id": app, "name": app}}


def test_unlock_asks_where_a_worker_may_be_another_apps_and_never_frees_what_one_that_is_known_may_hold(
    heroku, platform, known, jobs
):
    jobs.execute("UPDATE delayed_jobs SET locked_by = 'host:railgun.2 pid:6' WHERE id = 3")
    jobs.commit()

    def unlock(*words, apps):
        known()
        platform.on("GET", "/addon-attachments", reply=[attached(app) for app in apps])
        result = heroku("dj:unlock", *words, "--app", "demo")
        return result, [row for (row,) in jobs.execute("SELECT id FROM delayed_jobs WHERE locked_by IS NOT NULL")]

    result, locked = unlock(apps=["demo"])
    assert result.exit_code == 1 and locked == [3, 4] and "they would run twice" in result.stderr
    assert "3 MailJob is locked by host:railgun.2 pid:6, which is on none of this app's dynos" in result.stderr
    result, locked = unlock("--confirm", "demo", apps=["demo", "billing"])
    assert result.exit_code == 0 and locked == [3, 4] and "billing uses the same database" in result.stderr
    assert unlock("--confirm", "demo", apps=["demo"])[1] == [4]


# --- the picture


def picture(**more: object) -> Snapshot:
    trouble = Reason("no worker: none is asked for", "heroku addons:add dj --app demo", True)
    values = {
        "counts": Counts(1, 12_000, 3, 4, 5),
        "counted": Counted(12_013, True, 0),
        "workers": (WorkerFact("worker.1", "up", NOW, job="MailJob\x1b[31m", job_since=NOW),),
        "waiting": (Waiting(12_000, trouble), Waiting(3, Reason("due later"))),
        "unknown": {"oldest_due_s": "No job is due", "run_p50_s": "no log", "done_per_minute": "no log"},
    }
    return Snapshot(NOW, "demo", **(values | more))


@pytest.mark.parametrize("width, height", [(80, 24), (40, 10), (20, 6), (200, 60)])
def test_the_picture_fits_any_terminal(width, height):
    lines = frame(picture(), width, height)
    assert len(lines) <= height or height < 8
    assert all(sum(len(text) for text, _ in line) <= width for line in lines)


def test_nothing_from_elsewhere_drives_the_terminal():
    assert "\x1b" not in "".join(text for line in frame(picture(), 80) for text, _ in line)


def test_every_section_keeps_a_line_before_any_gets_more():
    first, second = [[(f"{letter}{n}", "")] for n in range(9) for letter in "a"], [[("b0", "")], [("b1", "")]]

    def shown(room, lag=0):
        lines = fitted([(first, lag), (second, 0)], room)
        return ["".join(text for text, _ in line).split(" ")[0] for line in lines]

    assert shown(5) == ["a0", "a1", "a2", "b0", "b1"]
    second += [[("b2", "")], [("b3", "")]]
    assert shown(5, lag=3) == ["a0", "a1", "b0", "b1", "b2"]
    assert shown(7, lag=3) == ["a0", "a1", "a2", "b0", "b1", "b2", "b3"]


def test_a_sparkline_tells_nothing_from_unknown():
    assert spark([None, 0, 1, 8]) == "·▁▂█"
    assert spark([None, 0, 8], is_unicode=False) == " _#"
    assert clipped([("abc", ""), ("def", "")], 4) == [("abc", ""), ("…", "")]


def test_a_command_too_long_for_a_line_can_still_be_copied():
    command = "heroku config:set QUEUES=mail,reports,imports,newsletters --app lingering-mist"
    first, second = command_lines(command, 80)
    assert first.endswith(" --app \\") and len(first) <= 80 and second == "    lingering-mist"
    assert command_lines(command, 200) == [f"  > {command}"]


def test_figures_of_a_million_jobs_fit_a_narrow_terminal_with_their_age():
    many = {"counts": Counts(11, 499_964, 50_000, 400_000, 50_000), "counted": Counted(1_000_000, True, 41)}
    many |= {"oldest_due_s": 90_000.0, "wait_p50_s": 3_600.0, "wait_p95_s": 7_300.0, "wait_is_estimated": True}
    shown = ["".join(text for text, _ in line).rstrip() for line in frame(picture(**many), 80)]
    assert "Jobs     499,964 due 11 running 50,000 retrying 400,000 later 50,000 given up" in shown
    assert "Due for  oldest 1 d 1 h   p50 ~1 h   p95 ~2 h 1 m   counted 41 s ago" in shown
    just = picture(counts=Counts(3, 50_132, 5_380, 43_041, 5_381), counted=Counted(100_000, False, 0))
    shown = ["".join(text for text, _ in line) for line in frame(just, 80)]
    assert "Jobs     50,132 due   3 running   5,380 retrying   43,041 later   5,381 given up" in shown
    assert "Due for  no job is due   so far 100,000 rows" in shown


def test_what_is_estimated_is_marked():
    waits = {"oldest_due_s": 9.0, "wait_p50_s": 3.0, "wait_p95_s": 8.0, "unknown": {}}
    for is_estimated, told in [(True, "oldest 9 s   p50 ~3 s   p95 ~8 s"), (False, "oldest 9 s   p50 3 s   p95 8 s")]:
        lines = frame(picture(**waits, wait_is_estimated=is_estimated), 80)
        assert told in ["".join(text for text, _ in line[1:]).strip() for line in lines]


def test_a_crash_is_told_of_a_worker_that_is_up_again():
    fallen = WorkerFact("worker.7", "up", NOW, crashed_at=NOW - timedelta(seconds=5))
    workers = (*(WorkerFact(f"worker.{n}", "up", NOW, job="MailJob") for n in range(6)), fallen)
    shown = ["".join(text for text, _ in line) for line in frame(picture(workers=workers), 80)]
    assert any("worker.7 up 0.0 s" in line and "crashed 5 s ago" in line for line in shown)


def test_a_live_screen_whose_log_ended_says_so_and_counts_again_when_it_is_back(monkeypatch):
    """Figures that stand still would look like workers that do."""
    line = b"2026-11-23T18:40:01+00:00 app[worker.1]: [Worker(host:railgun.1 pid:5)] Job A (id=1) COMPLETED after 0.1\n"
    seen = []

    class Reader:
        def __init__(self, *_):
            pass

        def blocks(self):
            yield line
            seen.append((source.log.done, source.why_no_log))
            raise Unreachable("Cannot reach it.")

    def again(_):
        seen.append((source._snapshot(NOW, Facts("demo")).done_per_minute, source.why_no_log))
        if len(seen) == 4:
            raise KeyboardInterrupt

    run = SimpleNamespace(app="demo", host=None, token_for=lambda _: "t", api_with=lambda _: None)
    source = Source(
        run, SimpleNamespace(snapshot=lambda now, facts, log, why: compose(now, facts, tally=None, log=log)), {}
    )
    monkeypatch.setattr("hkcli.api.logs.LogReader", Reader)
    monkeypatch.setattr("time.sleep", again)
    with pytest.raises(KeyboardInterrupt):
        source.follow_log()
    assert seen == [(1, ""), (None, "Cannot reach it.")] * 2


def test_a_platform_that_hangs_stops_neither_the_screen_nor_passes_for_one_where_nothing_is_done(monkeypatch):
    """Of what was said before, nothing is true for long."""
    told, go_on = Facts("demo", workers=()), Event()
    log = WorkerLog()
    log.feed(f"{NOW.isoformat()} app[worker.1]: [Worker(host:railgun.1 pid:5)] Job A COMPLETED after {n}" for n in "12")
    table = SimpleNamespace(
        look=lambda now: None, snapshot=lambda now, facts, log, why: compose(now, facts, tally=None, log=log)
    )
    source = Source(SimpleNamespace(app="demo"), table, {})
    source.log = log
    answers = iter([lambda: told, lambda: go_on.wait(60) and told])
    source.facts = lambda: next(answers, lambda: told)()  # for good: its thread outlives the test
    Thread(target=source.follow_facts, daemon=True).start()
    assert (source.picture().workers, source.picture().done_per_minute is None) == ((), False)
    monkeypatch.setattr("hkcli.cli.dj_source.SILENT_S", 0)
    monkeypatch.setattr("hkcli.cli.dj_source.PLATFORM_S", 0)
    silent = source.picture()
    assert silent.workers is None and "has not answered for" in silent.unknown["workers"]
    assert silent.done_per_minute is None and "has not answered for" in silent.unknown["done_per_minute"]
    go_on.set()


def test_what_a_log_says_of_a_worker_stands_until_a_count_that_is_of_now_says_otherwise():
    """In a large table a lock that is minutes young was not seen yet."""
    log = WorkerLog()
    log.feed([f"{NOW.isoformat()} app[worker.1]: [Worker(host:railgun.1 pid:5)] Job A (id=7) RUNNING"])
    facts = Facts("demo", workers=(WorkerFact("worker.1", "up", NOW),))
    for counted_at, job in ((NOW - timedelta(seconds=40), "A"), (NOW, None)):
        (worker,) = compose(NOW, facts, tally=Tally(NOW, ended_at=counted_at), log=log).workers or ()
        assert worker.job == job
