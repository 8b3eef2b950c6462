"""What worker lines tell: the embedded worker's and the real gem's, of both eras."""

from datetime import UTC, datetime, timedelta

import pytest

from hkcli.dj.era import ERA_4, ERA_2009
from hkcli.dj.status import WorkerLog
from hkcli.dj.status.snapshot import pace
from hkcli.dj.status.worker_log import event_of

START = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
NAME = "host:railgun.1 pid:7"


def read(*texts: str, dyno: str = "worker.1", step_s: float = 1, log: WorkerLog | None = None) -> WorkerLog:
    log = log or WorkerLog()
    for place, text in enumerate(texts):
        source = "heroku" if text.startswith(("State", "Restarting", "Process")) else "app"
        at = START + timedelta(seconds=place * step_s)
        log.feed([f"{at.isoformat()} {source}[{dyno}]: {text}"])
    return log


def lines_4(worker: str = NAME) -> list[str]:
    wording = ERA_4.wording
    return [
        wording.start.format(worker=worker),
        wording.running.format(worker=worker, job="MailJob (id=35) (queue=mail)"),
        wording.completed.format(worker=worker, job="MailJob (id=35) (queue=mail)", seconds=0.25),
        wording.running.format(worker=worker, job="User#wave (id=36)"),
        wording.failed.format(
            worker=worker, job="User#wave (id=36)", prior=0, error_class="RuntimeError", error="boom"
        ),
        wording.permanent.format(worker=worker, job="User#wave (id=36)", attempts=1),
        wording.stats.format(worker=worker, count=2, rate=8.0, failed=1),
    ]


def lines_2009() -> list[str]:
    wording = ERA_2009.wording
    return [
        wording.start.format(worker=NAME),
        wording.running.format(job="MailJob"),
        wording.completed.format(job="MailJob", seconds=0.25),
        wording.running.format(job="User#wave"),
        wording.failed.format(job="User#wave", error_class="RuntimeError", error="boom", attempts=1),
        wording.stats.format(count=2, rate=8.0, failed=1),
    ]


@pytest.mark.parametrize("lines", [lines_4(), lines_2009()], ids=["4", "2009"])
def test_done_and_failed_are_counted_once_with_statistics_behind_them(lines: list[str]) -> None:
    log = read(*lines)
    assert (log.done, log.failed, list(log.runs_s)) == (1, 1, [0.25])
    assert log.workers["worker.1"].name == NAME and log.workers["worker.1"].job is None


def test_a_real_worker_of_2009_tells_only_statistics_on_stdout() -> None:
    log = read("*** Starting job worker host:vm pid:18662", "8 jobs processed at 233.0153 j/s, 2 failed ...")
    assert (log.done, log.failed, log.has_job_lines) == (6, 2, False)


def test_lines_that_come_by_stdout_and_by_rails_logger_count_once() -> None:
    both = []
    for line in lines_4():
        both += [line, f"I, [2026-11-23T18:52:26.062028 #10455]  INFO -- : 2026-11-23T18:52:26+0000: {line}"]
    assert (read(*both).done, read(*both).failed) == (1, 1)
    assert read(*both[1::2]).done == 1, "the logger alone is heard as well"


@pytest.mark.parametrize("line", [lines_4()[1], lines_2009()[1]])
def test_a_job_that_began_is_what_the_worker_does(line: str) -> None:
    worker = read(lines_4()[0], line).workers["worker.1"]
    assert worker.job == "MailJob" and worker.job_since == START + timedelta(seconds=1)


def test_a_worker_is_known_to_be_gone_when_another_follows_it_or_its_process_ends() -> None:
    log = read(lines_4()[0], lines_4()[1], *lines_4("host:railgun.1 pid:8")[:1])
    assert log.former == {NAME: "worker.1"} and log.workers["worker.1"].job is None
    ended = read(lines_4()[0], "Process exited with status 137")
    assert ended.former == {NAME: "worker.1"}


def test_minutes_before_the_first_line_are_unknown_and_not_empty() -> None:
    log = read(*lines_4(), step_s=30)
    minutes = log.minutes(START + timedelta(minutes=3), 6)
    assert [minute and (minute.done, minute.failed) for minute in minutes] == [
        None,
        None,
        (0, 0),
        (1, 0),
        (0, 1),
        (0, 0),
    ]


def test_releases_restarts_and_crashes_are_marks() -> None:
    log = read("Restarting", "State changed from up to crashed")
    log.feed([f"{START.isoformat()} app[api]: Release v12 created by user a@example.org"])
    assert [mark.text for mark in log.marks] == ["worker.1 restarts", "worker.1 crashed", "v12"]


def test_lines_that_were_lost_are_counted() -> None:
    log = WorkerLog()
    log.feed(
        [f"{START.isoformat()} logplex[1]: Error L11 (Tail buffer overflow) -> This tail session dropped 40 messages"]
    )
    assert log.lines_lost == 40


@pytest.mark.parametrize(
    "text", ["Job done", "", "[Worker(x)] hello", "E, no", "\x00\xff", "Job x (id=1) RUNNING away"]
)
def test_what_an_app_prints_is_not_mistaken_for_a_worker(text: str) -> None:
    assert event_of(text) is None
    log = read(text)
    assert not log.workers


def test_a_name_with_brackets_is_kept_whole() -> None:
    name = "SendJob [1-2] from DelayedJob(mail) with arguments: [1]"
    found = event_of(f"[Worker({NAME})] Job {name} (id=9) (queue=mail) COMPLETED after 1.5000")
    assert found is not None
    assert (found[1]["name"], found[1]["id"], found[1]["queue"]) == (name, "9", "mail")


def test_each_kind_of_job_has_its_own_figures_whatever_an_active_job_calls_itself() -> None:
    worker = f"[Worker({NAME})] "
    send = "Job SendJob [0b1c] from DelayedJob(mail) with arguments: [1] (id={}) (queue=mail)"
    log = read(
        *(worker + send.format(number) + f" COMPLETED after 0.{number}000" for number in (1, 2, 3)),
        worker + send.format(4) + " FAILED (24 prior attempts) with RuntimeError: boom",
        worker + send.format(4) + " FAILED permanently because of 25 consecutive failures",
        worker + "Job User#wave (id=9) COMPLETED after 2.0000",
    )
    kinds = {kind.name: (kind.done, kind.failed, list(kind.runs_s)) for kind in log.kinds.values()}
    assert kinds == {"SendJob": (3, 1, [0.1, 0.2, 0.3]), "User#wave": (1, 0, [2.0])}
    assert log.gave_up == 1 and log.kinds["SendJob"].error == "RuntimeError: boom"


def test_a_job_that_2009_gave_up_is_told() -> None:
    log = read("* [JOB] PERMANENTLY removing MailJob because of 26 consequetive failures.")
    assert log.gave_up == 1


def test_the_pace_is_of_the_time_that_the_log_tells_of() -> None:
    log = read(*(f"[Worker({NAME})] Job A (id={n}) COMPLETED after 0.1" for n in range(30)), step_s=1)
    done, failed = pace(log, START + timedelta(seconds=30))
    assert (round(done), failed) == (60, 0)
