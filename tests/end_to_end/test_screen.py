"""The screen tells the truth, in the terminal and on the web: its figures are the table's; a killed worker shows."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pexpect
import pytest
import requests

from tests.backends import Backend, wait_for
from tests.end_to_end.shell import Shell
from tests.screens.stage import Stage

pytestmark = pytest.mark.e2e
COUNTED = {
    "running": "failed_at IS NULL AND locked_at IS NOT NULL",
    "due": "failed_at IS NULL AND locked_at IS NULL AND attempts = 0 AND run_at < '2100-01-01'",
    "retrying": "failed_at IS NULL AND locked_at IS NULL AND attempts > 0",
    "scheduled": "failed_at IS NULL AND locked_at IS NULL AND attempts = 0 AND run_at >= '2100-01-01'",
    "failed": "failed_at IS NOT NULL",
}
WORDS = {"later": "scheduled", "due": "due", "running": "running", "retrying": "retrying", "failed": "failed"}
CENTURY_S = 100 * 365 * 24 * 3600


@pytest.fixture(scope="module")
def stage(shared_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Eight workers, and jobs of every kind on their way: done, failing, given up, for later."""
    settings = {"DJ_MAX_ATTEMPTS": "2", "DJ_DESTROY_FAILED_JOBS": "false", "SLEEP_DELAY": "0.2"}
    stage = Stage.set(shared_backend, tmp_path_factory.mktemp("stage") / "app", **settings)
    stage.add_workers("dj:octet")
    yield stage
    stage.backend.ok("DELETE", f"/apps/{stage.name}")
    stage.close()


@pytest.fixture
def viewer(stage: Stage) -> Iterator[requests.Session]:
    """Somebody whose browser has the page open; what comes is not read, and that slows nobody."""
    with requests.Session() as session:
        opened = session.get(stage.link(), timeout=30)
        session.headers["X-Base"] = stage.backend.url + re.findall(r'href="(/dashboard/[^/]+/)"', opened.text)[0]
        with session.get(f"{session.headers['X-Base']}live", stream=True, timeout=60) as stream:
            session.stream = stream  # type: ignore[attr-defined, assignment]
            yield session


def page_of(viewer: requests.Session) -> str:
    return viewer.get(str(viewer.headers["X-Base"]), timeout=30).text


@contextmanager
def frozen(stage: Stage) -> Iterator[Any]:
    """The table as it is at one moment: workers go on, but none of them can write meanwhile."""
    with stage.engine.connect() as connection, connection.begin():
        yield connection


def counts_in(connection: Any) -> dict[str, int]:
    sql = "SELECT COUNT(*) FROM delayed_jobs WHERE "
    return {name: connection.exec_driver_sql(sql + condition).scalar() for name, condition in COUNTED.items()}


def counts_on(page: str) -> dict[str, int]:
    shown = re.findall(r'class="stop (\w+)[^>]*>.*?class="value">([\d,?]+)<', page, re.DOTALL)
    return {WORDS[name]: int(value.replace(",", "")) for name, value in shown}


def done_on(page: str) -> int:
    region = page.partition('id="workers"')[2].partition("</section>")[0]
    return sum(int(each.replace(",", "")) for each in re.findall(r'<td class="number">([\d,]+)', region))


def test_the_figures_are_the_tables_while_eight_workers_run(
    stage: Stage, viewer: requests.Session, person: Shell
) -> None:
    stage.enqueue("MailJob", 7, in_s=CENTURY_S, to="later@example.org", queue="later")
    stage.enqueue("ImportJob", 30, url="https://example.org/feed", queue="imports")
    stage.enqueue("MailJob", 3_000, to="ada@example.org", seconds=0.05, queue="mail")
    wait_for(lambda: counts_on(page_of(viewer))["retrying"], "workers to be at it")
    for _ in range(3):
        with frozen(stage) as connection:
            counts = counts_in(connection)
            assert counts["due"] and counts["scheduled"] == 7 and counts["retrying"] + counts["failed"], counts
            wait_for(lambda counts=counts: counts_on(page_of(viewer)) == counts, f"the page to show {counts}")
            told = json.loads(person.ok("heroku", "dj", "--json", "--app", stage.name).out)
            assert told["counts"] == counts
            locked = connection.exec_driver_sql(f"SELECT id FROM delayed_jobs WHERE {COUNTED['running']}").scalars()
            assert {each["row"]["id"] for each in told["running"]} == set(locked)
            left = connection.exec_driver_sql("SELECT COUNT(*) FROM delayed_jobs WHERE queue = 'mail'").scalar()
            assert sum(sum(g["counts"].values()) for g in told["groups"] if g["queue"] == "mail") == left
            wait_for(lambda left=left: done_on(page_of(viewer)) == 3_000 - left, f"the log to tell of {3_000 - left}")
        done = 3_000 - left
        wait_for(lambda done=done: done_on(page_of(viewer)) > done, "work to go on")
    with frozen(stage) as connection:
        connection.exec_driver_sql("DELETE FROM delayed_jobs WHERE locked_at IS NULL")


def test_a_killed_worker_shows_within_two_refreshes_on_the_web(stage: Stage) -> None:
    with requests.Session() as session:
        opened = session.get(stage.link(), timeout=30)
        base = stage.backend.url + re.findall(r'href="(/dashboard/[^/]+/)"', opened.text)[0]
        with session.get(f"{base}live", stream=True, timeout=30) as stream:
            lines = stream.iter_lines(decode_unicode=True)
            events = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
            next(events)
            dyno, crashed_at = kill_a_worker(stage)
            later = (each for each in events if datetime.fromisoformat(each["at"]) > crashed_at)
            seen = [next(later)["parts"].get("workers", "") for _ in range(2)]
    assert any("crashed" in each.partition(f'data-key="{dyno}"')[2].partition("</tr>")[0] for each in seen)


def test_a_killed_worker_shows_within_two_refreshes_in_the_terminal(stage: Stage, person: Shell) -> None:
    environment = {**person.environment, "TERM": "xterm-256color"}
    words = ["dj", "--app", stage.name]
    screen = pexpect.spawn("heroku", words, env=environment, cwd=str(person.folder), dimensions=(40, 110), timeout=60)
    screen.expect(r"\d\d:\d\d:\d\d UTC")
    dyno, crashed_at = kill_a_worker(stage)
    redraws = 0
    while screen.expect([rf"{dyno} [^\r\n]*crashed", r"(\d\d:\d\d:\d\d) UTC"]):
        redraws += screen.match[1].decode() > f"{crashed_at:%H:%M:%S}"
        assert redraws <= 2
    screen.send("q")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 0


def kill_a_worker(stage: Stage) -> tuple[str, datetime]:
    """kill -9 of the process of a dyno that has not crashed yet; the dyno's name, and when the platform saw it."""
    log = stage.backend.logs(stage.name)
    pids = dict(re.findall(r"app\[(worker\.\d)\]: \[Worker\(host:\S+ pid:(\d+)\)\]", log))
    crash = "heroku[{}]: State changed from up to crashed"
    dyno = next(each for each in sorted(pids) if crash.format(each) not in log)
    os.kill(int(pids[dyno]), signal.SIGKILL)
    told = stage.backend.wait_for_log(stage.name, crash.format(dyno))
    (line,) = [line for line in told.splitlines() if crash.format(dyno) in line]
    return dyno, datetime.fromisoformat(line.split()[0])
