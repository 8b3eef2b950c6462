"""The dashboard's door: who gets in, what a page may do, and that many viewers cost one reading."""

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hkcli.backend.dashboard import watch as watching
from hkcli.backend.dashboard.book import Subject
from hkcli.backend.dashboard.links import LINK_S, Links
from hkcli.backend.dashboard.watch import Watch
from hkcli.backend.errors import NotFound
from hkcli.backend.logplex import Logplex
from hkcli.backend.tickets import Seal
from tests.backend.runtime import run, until
from tests.backends import Backend, wait_for
from tests.screens.stage import Stage

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def stage(shared_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An app with the add-on whose worker takes only the queue `mail`; other queues stay as they are."""
    stage = Stage.set(shared_backend, tmp_path_factory.mktemp("stage") / "app", QUEUES="mail")
    stage.add_workers()
    yield stage
    stage.close()


@pytest.fixture
def browser(stage: Stage) -> Iterator[requests.Session]:
    """Somebody who opened a link; `browser.get("jobs")` works from the dashboard's address."""
    with requests.Session() as session:
        opened = session.get(stage.link(), timeout=30)
        assert opened.status_code == 200
        (session.base,) = re.findall(r'href="(/dashboard/[^/]+/)"', opened.text)  # type: ignore[attr-defined]
        yield session


def address(stage: Stage, browser: requests.Session, path: str = "") -> str:
    return f"{stage.backend.url}{browser.base}{path}"  # type: ignore[attr-defined]


def get(stage: Stage, browser: requests.Session, path: str = "") -> requests.Response:
    return browser.get(address(stage, browser, path), timeout=30)


def csrf_of(page: str) -> str:
    return re.findall(r'name="csrf" value="([^"]+)"', page)[0]


def ids_in(stage: Stage, queue: str) -> list[int]:
    with stage.engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT id FROM delayed_jobs WHERE queue = '{queue}' ORDER BY id").all()
    return [row.id for row in found]


def test_a_link_opens_once_for_a_cookie_that_scripts_and_other_sites_cannot_use(stage: Stage) -> None:
    link = stage.link()
    first = requests.get(link, timeout=30)
    cookie = first.headers["Set-Cookie"]
    assert first.status_code == 200 and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert re.search(r"Path=/dashboard/[0-9a-f-]{36}/(;|$)", cookie)
    assert first.headers["Referrer-Policy"] == "no-referrer"
    again = requests.get(link, timeout=30)
    assert again.status_code == 403 and "Set-Cookie" not in again.headers and "heroku addons:open dj" in again.text


def test_a_link_that_a_browser_fetches_in_advance_is_not_used_up(stage: Stage) -> None:
    link = stage.link()
    assert requests.head(link, timeout=30).status_code == 503
    assert requests.get(link, headers={"Sec-Purpose": "prefetch"}, timeout=30).status_code == 503
    assert requests.get(link, timeout=30).status_code == 200


def test_without_the_cookie_no_page_says_anything_of_the_app(stage: Stage, browser: requests.Session) -> None:
    for method, path in [("GET", ""), ("GET", "live"), ("GET", "jobs"), ("GET", "jobs/1"), ("POST", "act")]:
        answer = requests.request(method, address(stage, browser, path), timeout=30)
        assert answer.status_code == 403 and stage.name not in answer.text
    stolen = {"hkcli_dashboard": browser.cookies["hkcli_dashboard"]}
    elsewhere = f"{stage.backend.url}/dashboard/00000000-0000-0000-0000-000000000000/"
    assert requests.get(elsewhere, cookies=stolen, timeout=30).status_code == 403, "it is for one add-on alone"


def test_pages_allow_no_code_and_no_hosts_but_ours(stage: Stage, browser: requests.Session) -> None:
    answer = get(stage, browser)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://", answer.text)


def test_job_arguments_are_text_and_never_markup(stage: Stage, browser: requests.Session) -> None:
    stage.enqueue("MailJob", queue=EVIL, to=EVIL)
    (number,) = ids_in(stage, EVIL)
    for path in ("", "jobs", f"jobs/{number}", f"jobs?text={EVIL}", f"confirm?action=retry&id={number}"):
        page = get(stage, browser, path)
        assert page.status_code == 200 and EVIL not in page.text
    assert "&lt;script&gt;alert(1)" in get(stage, browser, f"jobs/{number}").text
    assert get(stage, browser, f"?did={EVIL}&changed=1&meant=1").text.count("alert(1)") == 0, "nor is the address"


def test_a_change_needs_the_form_of_its_own_page(stage: Stage, browser: requests.Session) -> None:
    stage.enqueue("MailJob", 2, queue="forms", to="ada@example.org")
    first, second = ids_in(stage, "forms")
    page = get(stage, browser, f"confirm?action=remove&id={first}").text
    assert "Remove 1 job on" in page
    form, act = {"action": "remove", "id": first}, address(stage, browser, "act")
    for sent, headers in [
        (form, {}),
        (form | {"csrf": "wrong"}, {}),
        (form | {"csrf": csrf_of(page)}, {"Sec-Fetch-Site": "same-site"}),
        (form | {"csrf": csrf_of(page)}, {"Sec-Fetch-Site": "cross-site"}),
    ]:
        assert browser.post(act, sent, headers=headers, timeout=30).status_code == 403
    assert ids_in(stage, "forms") == [first, second]
    done = browser.post(act, form | {"csrf": csrf_of(page)}, headers={"Sec-Fetch-Site": "same-origin"}, timeout=30)
    assert done.status_code == 200 and "1 job removed." in done.text
    assert ids_in(stage, "forms") == [second]
    assert get(stage, browser, f"jobs/{first}").status_code == 404


def test_what_is_wrong_with_an_action_is_said_and_changes_nothing(stage: Stage, browser: requests.Session) -> None:
    assert get(stage, browser, "confirm?action=retry").status_code == 400
    assert get(stage, browser, "confirm?action=drop&state=failed").status_code == 400
    assert "No such jobs" in get(stage, browser, "confirm?action=retry&text=no-such-text-x").text
    assert "No such jobs" in get(stage, browser, "confirm?action=unlock").text


@pytest.mark.parametrize(
    "path, status",
    [
        ("jobs/99999999999999999999999", 404),
        ("jobs/-1", 404),
        ("jobs?skip=-1&state=none", 200),
        ("jobs?skip=99999999999999", 200),
        ("jobs?text=%00", 200),
        ("jobs?queue=%F0%9F&text=%27%25_!", 200),
        ("confirm?action=retry&id=99999999999999999999&id=x", 400),
        ("confirm?action=retry&id=999999999999999999", 200),
        ("confirm?action=restart&dyno=../../x", 400),
        ("act", 404),
        ("jobs/99999999999999999999", 404),
        (f"jobs/{'9' * 5000}", 404),
    ],
)
def test_strange_addresses_are_answered_calmly(stage: Stage, browser: requests.Session, path: str, status: int) -> None:
    assert get(stage, browser, path).status_code == status


def test_lists_are_cut_into_pages_and_found_by_state_queue_and_text(stage: Stage, browser: requests.Session) -> None:
    stage.enqueue("MailJob", 60, queue="pages", to="paging@example.org")
    first = get(stage, browser, "jobs?queue=pages&text=paging&state=due").text
    assert first.count('name="id"') == 50 and "1 to 50 of 60" in first
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
    rest = get(stage, browser, more.replace("&amp;", "&")).text
    assert rest.count('name="id"') == 10 and "51 to 60 of 60" in rest
    assert "No such jobs" in get(stage, browser, "jobs?queue=pages&state=failed").text
    assert "Remove 60 jobs" in get(stage, browser, "confirm?action=remove&text=paging@&queue=pages&job=MailJob").text
    assert "No such jobs" in get(stage, browser, "jobs?queue=pages&job=Mail").text


def test_all_jobs_of_a_list_are_changed_and_the_apps_log_says_by_whom(stage: Stage, browser: requests.Session) -> None:
    stage.enqueue("MailJob", 30, queue="bulk", to="ada@example.org")
    asked = {"action": "remove", "queue": "bulk", "state": "due"}
    page = get(stage, browser, "confirm?action=remove&queue=bulk&state=due").text
    done = browser.post(address(stage, browser, "act"), asked | {"csrf": csrf_of(page)}, timeout=30)
    assert "30 jobs removed." in done.text and ids_in(stage, "bulk") == []
    assert "/jobs?state=due&queue=bulk&did=" in done.url, "one is back at the list"
    who = stage.backend.credentials["email"]
    assert f"app[api]: Dashboard: Remove 30 jobs by user {who}" in stage.backend.logs(stage.name)


def test_a_worker_is_restarted_from_the_page(stage: Stage, browser: requests.Session) -> None:
    page = get(stage, browser, "confirm?action=restart&dyno=worker.1").text
    form = {"action": "restart", "csrf": csrf_of(page)}
    assert browser.post(address(stage, browser, "act"), form | {"dyno": "worker.9"}, timeout=30).status_code == 404
    done = browser.post(address(stage, browser, "act"), form | {"dyno": "worker.1"}, timeout=30)
    assert "The dyno restarts." in done.text
    stage.backend.wait_for_log(stage.name, "heroku[worker.1]: Restarting")


def test_a_lock_whose_dyno_lives_is_left_alone_whatever_that_dyno_is(stage: Stage, browser: requests.Session) -> None:
    """A worker may run in a one-off's shell, in a web dyno, or in a dyno of another app with the same database."""
    other = stage.backend.ok("POST", f"/apps/{stage.name}/dynos", {"command": "echo I am at $HOSTNAME; sleep 600"})
    told = stage.backend.wait_for_log(stage.name, "I am at railgun.")
    living = re.findall(r"I am at (railgun\.\d+)", told)[0]
    stage.enqueue("MailJob", 2, queue="locks", to="ada@example.org")
    held, left = ids_in(stage, "locks")
    with stage.engine.begin() as connection:
        for number, host in ((held, living), (left, "railgun.10000000")):
            lock = f"locked_at = CURRENT_TIMESTAMP, locked_by = 'host:{host} pid:1'"
            connection.exec_driver_sql(f"UPDATE delayed_jobs SET {lock} WHERE id = {number}")

    def asked() -> str:
        page = get(stage, browser, "confirm?action=unlock").text
        return page if f"#{left}<" in page else ""

    page = wait_for(asked, "the worker to be known by its log")
    assert f"#{held}<" not in page
    browser.post(address(stage, browser, "act"), {"action": "unlock", "csrf": csrf_of(page)}, timeout=30)
    with stage.engine.connect() as connection:
        locked = connection.exec_driver_sql(
            "SELECT id FROM delayed_jobs WHERE queue = 'locks' AND locked_by IS NOT NULL"
        )
        assert [row.id for row in locked] == [held]
    stage.backend.ok("POST", f"/apps/{stage.name}/dynos/{other['name']}/actions/stop")


def test_who_loses_the_app_loses_the_page(stage: Stage, shared_backend: Backend, tmp_path: Path) -> None:
    app = shared_backend.ok("POST", "/apps", {})["name"]
    addon = shared_backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    with requests.Session() as session:
        session.get(addon["web_url"], timeout=30)
        page = f"{shared_backend.url}/dashboard/{addon['id']}/"
        assert session.get(page, timeout=30).status_code == 200
        shared_backend.ok("DELETE", f"/apps/{app}/addons/{addon['name']}")
        assert session.get(page, timeout=30).status_code == 403


def test_the_live_stream_sends_what_changed_and_ends_with_the_app(shared_backend: Backend) -> None:
    app = shared_backend.ok("POST", "/apps", {})["name"]
    addon = shared_backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    with requests.Session() as session:
        session.get(addon["web_url"], timeout=30)
        page = f"{shared_backend.url}/dashboard/{addon['id']}/live"
        with session.get(page, stream=True, timeout=30) as stream:
            lines = stream.iter_lines(decode_unicode=True)
            events = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
            assert {"verdict", "figures", "charts", "workers"} <= next(events)["parts"].keys()
            assert "figures" not in next(events)["parts"], "nothing happened to the jobs"
            shared_backend.ok("DELETE", f"/apps/{app}")
            assert len(list(events)) < 100


def test_the_live_stream_ends_for_who_loses_the_app(shared_backend: Backend) -> None:
    app = shared_backend.ok("POST", "/apps", {})["name"]
    addon = shared_backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    user = shared_backend.ok("POST", "/backend/users", {"email": f"{app}@example.com"})
    shared_backend.ok("POST", f"/apps/{app}/collaborators", {"user": user["email"]})
    token = {"Authorization": f"Bearer {user['token']}"}
    link = shared_backend.ok("GET", f"/addons/{addon['id']}", headers=token)["web_url"]
    with requests.Session() as session:
        session.get(link, timeout=30)
        page = f"{shared_backend.url}/dashboard/{addon['id']}/live"
        with session.get(page, stream=True, timeout=30) as stream:
            lines = stream.iter_lines()
            next(lines)
            shared_backend.ok("DELETE", f"/apps/{app}/collaborators/{user['email']}")
            assert sum(line.startswith(b"data: ") for line in itertools.islice(lines, 60)) < 5
        assert session.head(page, timeout=30).status_code == 403


def test_an_open_page_does_not_hold_up_the_end_of_the_backend(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = Backend(tmp_path).start()
    app = backend.ok("POST", "/apps", {})["name"]
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    with requests.Session() as session:
        session.get(addon["web_url"], timeout=30)
        with session.get(f"{backend.url}/dashboard/{addon['id']}/live", stream=True, timeout=30) as stream:
            lines = stream.iter_lines()
            next(lines)
            backend.stop()
            assert list(lines)[-1] == b"", "it ended between two events"
    assert capfd.readouterr().err == ""


def test_a_ticket_is_taken_once_and_only_by_the_run_that_made_it() -> None:
    seal = Seal(b"s" * 32)
    links, later, others = Links(seal, "one"), Links(seal, "one"), Links(seal, "another")
    ticket = links.ticket("user", "addon")
    with pytest.raises(NotFound):
        later.take(ticket)
    with pytest.raises(NotFound):
        others.take(ticket)
    assert links.take(ticket) == ("user", "addon")
    with pytest.raises(NotFound):
        links.take(ticket)
    with pytest.raises(NotFound):
        links.take(seal.close("logs", {"user": "user", "addon": "addon"}))


def test_a_ticket_ends_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    links, begun = Links(Seal(b"s" * 32), "one"), time.time()
    early, late = links.ticket("user", "addon"), links.ticket("user", "other")
    monkeypatch.setattr(time, "time", lambda: begun + 9 * 60)
    assert links.take(early) == ("user", "addon")
    monkeypatch.setattr(time, "time", lambda: begun + 11 * 60)
    with pytest.raises(NotFound):
        links.take(late)


def test_a_link_stays_the_same_until_it_is_taken_or_half_its_life_is_over() -> None:
    now = [0.0]
    links = Links(Seal(b"s" * 32), "one", lambda: now[0])
    first = links.ticket("user", "addon")
    assert links.ticket("user", "addon") == first != links.ticket("other", "addon")
    links.take(first)
    second = links.ticket("user", "addon")
    assert second != first
    now[0] += LINK_S / 2
    assert links.ticket("user", "addon") != second and links.take(second) == ("user", "addon")


def test_many_viewers_share_one_reading_which_stops_when_the_last_one_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LINGER_S", 0)
    logplex, asked = Logplex(tmp_path), []

    def subject() -> Subject:
        asked.append(1)
        return Subject("demo", {"DATABASE_URL": f"sqlite3:{tmp_path}/none.sqlite3"})

    def tail() -> watching.Tail:
        return logplex.open_tail("app", after=0, limit_bytes=1000)

    async def look() -> None:
        watch = Watch(subject, list, tail, logplex.close_tail, lambda host: False, refresh_s=0.01)
        viewers = [watch.readings() for _ in range(20)]
        for _ in range(5):
            found = [await anext(viewer) for viewer in viewers]
            assert "is not here" in found[0].screen.unknown["counts"]
        assert logplex.tails("app") == 1 and len(asked) < 20
        for viewer in viewers:
            await viewer.aclose()
        await until(lambda: not watch.is_running)
        assert logplex.tails("app") == 0 and watch.viewers == 0
        assert (await watch.current()).screen.app == "demo", "and begins again"
        await watch.close()
        assert not watch.is_running

    run(look())
    logplex.close()


def test_official_clients_find_the_page_at_the_add_on_and_its_attachment(stage: Stage) -> None:
    (attachment,) = stage.backend.ok("GET", f"/apps/{stage.name}/addon-attachments")
    assert attachment["web_url"].startswith(f"{stage.backend.url}/dashboard/open/")
    assert requests.get(attachment["web_url"], timeout=30).ok


def test_a_slow_database_leaves_threads_to_everybody_else(tmp_path: Path) -> None:
    go_on, logplex = threading.Event(), Logplex(tmp_path)

    async def body() -> None:
        tail = logplex.open_tail("app", after=0, limit_bytes=1)
        watch = Watch(lambda: None, list, lambda: tail, logplex.close_tail, lambda host: False)
        asking = [asyncio.create_task(watch.ask(go_on.wait, 30)) for _ in range(40)]
        await asyncio.sleep(0)
        try:
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "answered"), 10) == "answered"
        finally:
            go_on.set()
        assert all(await asyncio.gather(*asking))

    run(body())
