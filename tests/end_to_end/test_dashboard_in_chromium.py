"""The dashboard in a real browser: it lives and acts, by keyboard too, and outlasts the backend's restart."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.backends import Backend
from tests.end_to_end.browser import has_text, looking
from tests.screens.stage import Stage

pytestmark = pytest.mark.e2e
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest(".scroll"))
    .map((each) => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A backend of its own, for it is restarted; one worker, which gives a job up at once and keeps it."""
    backend = Backend(tmp_path_factory.mktemp("dashboard")).start()
    folder = tmp_path_factory.mktemp("stage") / "app"
    settings = {"DJ_MAX_ATTEMPTS": "1", "DJ_DESTROY_FAILED_JOBS": "false", "SLEEP_DELAY": "0.2"}
    stage = Stage.set(backend, folder, **settings)
    stage.add_workers()
    yield stage
    stage.close()
    backend.stop()


@pytest.fixture
def page(chromium: Any, stage: Stage) -> Iterator[Any]:
    """The overview, opened by a link."""
    with looking(chromium, stage.backend, stage.link()) as page:
        yield page


def number(page: Any, stop: str) -> int:
    return int(page.inner_text(f".stop.{stop} .value").replace(",", ""))


def test_the_link_is_not_in_the_browsers_history(page: Any, stage: Stage) -> None:
    assert page.url.startswith(f"{stage.backend.url}/dashboard/") and "open" not in page.url
    assert page.evaluate("document.cookie") == "", "the cookie is not for scripts"
    page.go_back()
    assert page.url == "about:blank"


def test_it_updates_by_itself_while_jobs_run(page: Any, stage: Stage) -> None:
    page.evaluate("window.sameDocument = true")
    stage.enqueue("MailJob", 20, to="ada@example.org", seconds=0.1)
    page.wait_for_function("() => Number(document.querySelector('.stop.due .value').textContent) > 0")
    page.wait_for_selector("#workers .for")
    page.wait_for_function("() => document.querySelector('#workers tbody .number').textContent.startsWith('20')")
    page.wait_for_selector("#charts rect.done")
    assert (number(page, "due"), number(page, "running")) == (0, 0)
    assert page.inner_text("#age").startswith("live") and page.evaluate("window.sameDocument")


def test_a_failed_job_is_retried_by_keyboard_alone(page: Any, stage: Stage) -> None:
    stage.enqueue("ImportJob", url="https://example.org/<b>feed</b>")
    page.wait_for_selector("#errors .error")
    assert page.locator("#errors b").count() == 0
    before = number(page, "failed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reach(page, lambda: "errors" in page.evaluate("document.activeElement.closest('section')?.id || ''"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs\?job=ImportJob&text="))
    reach(page, lambda: page.evaluate("document.activeElement.getAttribute('href') || ''").startswith("jobs/"))
    page.keyboard.press("Enter")
    page.wait_for_selector("pre.trace")
    assert "no answer from https://example.org/<b>feed</b>" in page.inner_text("pre.trace")
    reach(page, lambda: page.evaluate("document.activeElement.textContent") == "Retry…")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Retry 1 job on")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert page.inner_text(".said") == "1 job due now."
    page.wait_for_function("(n) => Number(document.querySelector('.stop.failed .value').textContent) === n", arg=before)
    has_text(page, "#workers tbody .number", f"{before + 1} failed")


def reach(page: Any, is_there: Callable[[], bool]) -> None:
    """Tab on until the focus is where it should be; it must be visible there."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if is_there():
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError("the keyboard does not get there")


def test_it_pauses_while_hidden(page: Any) -> None:
    page.wait_for_function("() => document.querySelector('#age').textContent.startsWith('live')")
    show = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, True)
    page.wait_for_function("() => document.querySelector('#age .words').textContent.endsWith('s old')")
    with page.expect_request("**/live"):
        page.evaluate(show, False)
    page.wait_for_function("() => document.querySelector('#age .words').textContent === 'live'")


def test_it_outlasts_a_restart_of_the_backend(page: Any, stage: Stage) -> None:
    page.evaluate("window.sameDocument = true")
    stage.backend.kill()
    has_text(page, "#age .words", "reconnecting")
    stage.backend.start()
    stage.wait_for_workers()
    stage.enqueue("MailJob", 3, to="ada@example.org", in_s=3600)
    page.wait_for_function("() => document.querySelector('.stop.later .value').textContent === '3'")
    page.wait_for_function("() => document.querySelector('#age .words').textContent === 'live'")
    assert page.evaluate("window.sameDocument"), "and the cookie is still good"


def test_a_killed_worker_is_shown_and_its_name(page: Any, stage: Stage) -> None:
    stage.enqueue("ReportJob", name="october", seconds=60)
    page.wait_for_selector("#workers .for")
    with stage.engine.connect() as connection:
        (locked_by,) = connection.exec_driver_sql(
            "SELECT locked_by FROM delayed_jobs WHERE locked_by LIKE '%pid:%'"
        ).one()
    os.kill(int(locked_by.rpartition("pid:")[2]), signal.SIGKILL)
    has_text(page, "#workers", "crashed")
    has_text(page, "#charts", "crashed")


def test_all_jobs_of_a_page_are_chosen_by_one_box(page: Any, stage: Stage) -> None:
    stage.enqueue("MailJob", 3, to="chosen@example.org", in_s=3600, queue="chosen")
    page.goto(page.url + "jobs?queue=chosen")
    page.check("#every")
    page.click("button >> text=Remove chosen…")
    page.click("button.danger >> text=Remove 3 jobs")
    assert page.inner_text(".said") == "3 jobs removed."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(page: Any, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    for path in ("./", "jobs"):
        page.goto(page.url.partition("jobs")[0] + path)
        assert page.evaluate(TOO_WIDE) == []
    assert (
        page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == {
            "light": "rgb(245, 244, 240)",
            "dark": "rgb(19, 20, 23)",
        }[scheme]
    )
