"""A real browser, and somebody who looks at a dashboard with it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.backends import Backend

PATIENCE_MS = 60_000
PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def looking(browser: Any, backend: Backend, link: str) -> Iterator[Any]:
    """The overview. Nothing may go wrong on its console, and nothing be asked of other hosts."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if is_wrong(said) else None)
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(backend.url) else None)
    page.goto(link)
    page.wait_for_selector("#verdict h2")
    yield page
    context.close()
    assert wrong == []


def is_wrong(said: Any) -> bool:
    """That nobody answers is what a test of restarts wants; the browser itself reports it."""
    return said.type in ("error", "warning") and not said.text.startswith("Failed to load resource: net::ERR_")


def has_text(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([where, what]) => document.querySelector(where).textContent.includes(what)", arg=[selector, text]
    )
