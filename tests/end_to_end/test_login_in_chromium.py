"""`heroku login` by the browser, on a backend: a person at a terminal, and a real browser with the page it opens."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.backends import Backend
from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e
PATIENCE_S = 60


@pytest.fixture
def visitor(shell: Shell, shared_backend: Backend, tmp_path: Path) -> Shell:
    """Not logged in; the web browser writes down what it was to open. HEROKU_LOGIN_HOST names somebody else."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    shell.environment |= {"HEROKU_HOST": shared_backend.url, "BROWSER": str(browser)}
    shell.environment["HEROKU_LOGIN_HOST"] = "http://localhost:9"
    return shell


@pytest.fixture
def login(visitor: Shell) -> Iterator[Any]:
    program = ["-m", "hkcli", "login"]
    terminal = pexpect.spawn(
        sys.executable,
        program,
        cwd=str(visitor.folder),
        env=visitor.environment,  # type: ignore[arg-type]
        timeout=PATIENCE_S,
        encoding="utf-8",
    )
    terminal.expect_exact("Email (or Enter for the browser): ")
    terminal.sendline("")
    terminal.expect_exact("Waiting for the login in the browser")
    yield terminal
    terminal.close(force=True)


@pytest.fixture
def page(chromium: Any, login: Any, tmp_path: Path) -> Iterator[Any]:
    """What the browser was told to open, with nothing wrong on its console."""
    wrong: list[str] = []
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.on("console", lambda said: wrong.append(said.text))
    page.goto((tmp_path / "opened").read_text())
    yield page
    page.close()
    assert wrong == []


def test_who_logs_in_on_the_page_is_logged_in_at_the_terminal(
    page: Any, login: Any, visitor: Shell, shared_backend: Backend
) -> None:
    owner = shared_backend.credentials
    page.fill("[name=email]", owner["email"])
    page.fill("[name=password]", owner["password"])
    page.click("button[value=yes]")
    page.wait_for_selector("text=You can close this window")
    login.expect_exact(f"Logged in as {owner['email']} to {shared_backend.url}")
    login.expect(pexpect.EOF)
    login.close()
    assert login.exitstatus == 0
    assert visitor.ok("hkcli", "whoami").out == f"{owner['email']}\n"
    assert visitor.ok("hkcli", "auth:token").out.strip() != owner["token"]


def test_who_refuses_there_is_told_so_at_the_terminal(page: Any, login: Any, visitor: Shell) -> None:
    page.click("button[value=no]")
    page.wait_for_selector("text=The login was refused")
    login.expect_exact("gave no token")
    login.expect(pexpect.EOF)
    login.close()
    assert login.exitstatus == 1 and visitor("hkcli", "whoami").status == 1
