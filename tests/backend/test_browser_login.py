"""Logging in with a browser: the page, who may confirm, and what the program that asked is told. And second factors."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from hkcli.backend.browser_logins import LIFETIME_S, MOST, BrowserLogins
from hkcli.backend.errors import Conflict, NotFound, Unauthorized
from tests.backends import Backend


@dataclass
class Browser:
    """A person's browser, and the program that has asked for a login."""

    backend: Backend
    urls: dict[str, str]
    session: requests.Session
    form: str = ""

    def page(self) -> requests.Response:
        return self.session.get(self.backend.url + self.urls["browser_url"], timeout=30)

    def send(self, headers: dict[str, str] | None = None, **fields: str) -> requests.Response:
        """The form of the page, with these fields."""
        if shown := re.search('name="form" value="([^"]+)"', self.page().text):
            self.form = shown[1]
        fields = {"form": self.form, "answer": "yes", **fields}
        url = self.backend.url + self.urls["browser_url"]
        return self.session.post(url, fields, headers={"Origin": self.backend.url, **(headers or {})}, timeout=30)

    def outcome(self, token: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.urls['token']}"}
        return requests.get(self.backend.url + self.urls["cli_url"], headers=headers, timeout=60)


@pytest.fixture
def browser(shared_backend: Backend) -> Iterator[Browser]:
    body = {"description": "Heroku CLI login from <b>laptop</b>"}
    urls = requests.post(f"{shared_backend.url}/auth", json=body, timeout=30).json()
    with requests.Session() as session:
        yield Browser(shared_backend, urls, session)


@pytest.fixture
def ada(shared_backend: Backend) -> Iterator[dict[str, Any]]:
    """A user with a second factor."""
    wishes = {"email": "ada@login.example.com", "two_factor_code": "123456"}
    yield shared_backend.ok("POST", "/backend/users", wishes)
    shared_backend.ok("DELETE", "/backend/users/ada@login.example.com")


def test_a_person_confirms_and_the_program_that_waits_gets_a_token(browser: Browser) -> None:
    owner = browser.backend.credentials
    page = browser.page()
    assert "Heroku CLI login from &lt;b&gt;laptop&lt;/b&gt;" in page.text and owner["email"] not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert (page.headers["X-Frame-Options"], page.headers["Cache-Control"]) == ("DENY", "no-store")
    assert "HttpOnly" in page.headers["Set-Cookie"] and "SameSite=strict" in page.headers["Set-Cookie"]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(browser.outcome)
        assert "Email or password is wrong." in browser.send(email=owner["email"], password="guess").text
        assert not waiting.done()
        assert "Logged in" in browser.send(email=owner["email"], password=owner["password"]).text
        token = waiting.result(60).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert browser.backend.ok("GET", "/account", headers=headers)["email"] == owner["email"]
    made = [each for each in browser.backend.ok("GET", "/oauth/authorizations") if "laptop" in each["description"]]
    assert made[0]["access_token"]["expires_in"] == 30 * 24 * 3600
    assert browser.outcome().status_code == 404 and browser.page().status_code == 404


def test_other_sites_and_other_programs_get_nothing(browser: Browser) -> None:
    owner, backend = browser.backend.credentials, browser.backend
    right = {"email": owner["email"], "password": owner["password"]}
    elsewhere = {"Origin": "https://evil.example.com"}
    assert requests.post(f"{backend.url}/auth", json={}, headers=elsewhere, timeout=30).status_code == 403
    assert requests.get(backend.url + "/auth", headers={"Host": "evil.example.com"}, timeout=30).status_code == 403
    assert browser.send(headers=elsewhere, **right).status_code == 403
    assert browser.send(form="guess", **right).status_code == 403
    form = re.search('name="form" value="([^"]+)"', browser.page().text)
    assert form
    url = backend.url + browser.urls["browser_url"]
    assert requests.post(url, {"form": form[1], "answer": "yes", **right}, timeout=30).status_code == 403
    assert browser.outcome("guess").status_code == 401
    assert requests.get(f"{backend.url}/auth/browser/guess", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("fields", "times", "error"),
    [({"answer": "no"}, 1, "refused in the browser"), ({"email": "a@b.example", "password": "x"}, 5, "too many wrong")],
    ids=["refused", "guessed"],
)
def test_a_login_that_is_refused_or_guessed_at_ends_and_says_why(
    browser: Browser, fields: dict[str, str], times: int, error: str
) -> None:
    for _ in range(times):
        browser.send(**fields)
    owner = browser.backend.credentials
    assert error in browser.send(email=owner["email"], password=owner["password"]).text
    assert error in browser.outcome().json()["error"]


def test_a_second_factor_is_asked_for_wherever_a_password_is(browser: Browser, ada: dict[str, Any]) -> None:
    backend, basic = browser.backend, b64encode(f"{ada['email']}:{ada['password']}".encode()).decode()

    def log_in(**headers: str) -> requests.Response:
        headers = {"Authorization": f"Basic {basic}", **headers}
        return backend.call("POST", "/oauth/authorizations", {"scope": ["global"]}, headers=headers)

    assert ada["two_factor_authentication"] is True
    asked = log_in()
    assert (asked.status_code, asked.json()["id"]) == (403, "two_factor")
    assert asked.headers["Heroku-Two-Factor-Required"] == "true"
    wrong = log_in(**{"Heroku-Two-Factor-Code": "654321"})
    assert (wrong.status_code, wrong.json()["id"]) == (401, "invalid_two_factor_code")
    assert log_in(**{"Heroku-Two-Factor-Code": "123456"}).status_code == 201
    assert "asks for its two-factor code" in browser.send(email=ada["email"], password=ada["password"]).text
    assert "code is wrong" in browser.send(email=ada["email"], password=ada["password"], code="1111").text
    assert "Logged in" in browser.send(email=ada["email"], password=ada["password"], code="123456").text
    assert browser.outcome().json()["access_token"].startswith("HRKU-")


def test_logins_are_few_and_end_by_themselves() -> None:
    now = 0.0
    logins = BrowserLogins(clock=lambda: now)
    first = logins.begin("x" * 1000)
    assert len(first.description) == 200 and logins.asked_by(first.id, first.token) is first
    with pytest.raises(Unauthorized):
        logins.asked_by(first.id, first.form)
    for _ in range(MOST - 1):
        logins.begin("x")
    with pytest.raises(Conflict):
        logins.begin("x")
    now = LIFETIME_S
    with pytest.raises(NotFound):
        logins.find(first.id)
    assert logins.begin("x")


def test_what_was_decided_stays_so() -> None:
    """A password that is still being checked, which is slow, comes too late for a login that was refused meanwhile."""
    login = BrowserLogins().begin("x")
    login.refuse("No.")
    login.confirm("somebody")
    assert (login.user_id, login.error) == (None, "No.")
    login = BrowserLogins().begin("x")
    login.confirm("somebody")
    login.refuse("No.")
    assert (login.user_id, login.error) == ("somebody", None)


@pytest.mark.parametrize("end", ["stop", "restore"])
def test_who_waits_for_a_login_is_told_when_the_backend_ends_or_becomes_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], end: str
) -> None:
    backend = Backend(tmp_path).start()
    try:
        backend.ok("POST", "/backend/snapshots", {"name": "before"})
        login = requests.post(f"{backend.url}/auth", json={"description": "a program"}, timeout=30).json()
        token = {"Authorization": f"Bearer {login['token']}"}
        with requests.get(backend.url + login["cli_url"], headers=token, stream=True, timeout=30) as waiting:
            if end == "restore":
                backend.ok("POST", "/backend/snapshots/before/actions/restore")
            else:
                backend.stop()
            pieces = waiting.iter_content(1)
            assert (first := next(pieces)) == b"{", "the outcome, and no blank while it is waited for still"
            assert "Begin again: heroku login" in json.loads(first + b"".join(pieces))["error"]
    finally:
        backend.stop()
    assert capfd.readouterr().err == ""
