"""What a dyno that is gone still held is given back, whatever else ended with it."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hkcli.backend import accounts, apps, orphans, providers
from hkcli.backend.addons.provider import Gone, Unreachable
from hkcli.backend.engines.hosts import Hosts, Stay
from hkcli.backend.engines.local import LocalEngine
from hkcli.backend.home import Home
from hkcli.backend.logplex import Logplex
from hkcli.backend.orphans import Orphans
from hkcli.backend.store import Release, Store
from hkcli.backend.work import Works
from tests.backend.runtime import logged, make_slug, make_spec, run, until


class Told:
    """A provider that is told of dynos that are gone, and answers, first to last, what it was made with."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)
        self.gone: list[Gone] = []

    def give_back(self, gone: Gone) -> list[str]:
        self.gone.append(gone)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "home")


@pytest.fixture
def logplex(home: Home) -> Logplex:
    return Logplex(home.logs)


def provided(monkeypatch: pytest.MonkeyPatch, *answers: list[str] | Exception) -> Told:
    told = Told(*answers)
    monkeypatch.setattr(providers, "OWN", {"told": told})
    monkeypatch.setattr(orphans, "FIRST_RETRY_S", 0.01)
    return told


def release_of_an_app(store: Store, home: Home, logplex: Logplex) -> Release:
    def who(session):
        return accounts.create_user(session, "a@localhost", "secret-1")

    with Works(store, logplex, lambda: None).begin(who) as work:
        app = apps.create(work, home, name="mist", region=None, stack=None)
        return work.session.query(Release).where(Release.app_id == app.id, Release.version == 1).one()


def test_a_host_is_noted_before_its_dyno_starts_and_has_left_when_no_process_is_left(tmp_path: Path) -> None:
    async def body() -> None:
        hosts = Hosts(tmp_path / "hosts")
        engine = LocalEngine(tmp_path / "dynos", f"test-{tmp_path}", hosts)
        slug = make_slug(tmp_path / "slug.tgz")
        process = await engine.start(make_spec(slug, "trap '' TERM; setsid sleep 60 & exit 0", version=3), "dyno")
        assert await process.wait() == 0 and hosts.left() == {}, "a process in a session of its own is left"
        (host,) = Hosts(tmp_path / "hosts").left()
        await process.close()
        assert hosts.left() == {host: Stay("worker.1", "release-3", crashed=True)}
        hosts.forget(host)
        assert hosts.left() == {}
        process = await engine.start(make_spec(slug, "sleep 60"), "dyno")
        await process.stop(grace_s=10)
        await process.close()
        assert [stay.crashed for stay in hosts.left().values()] == [False]
        hosts.forget(*hosts.left())
        process = await engine.start(make_spec(slug, "sleep 60"), "dyno")
        await process.kill(is_at_fault=True)
        await process.close()
        assert [stay.crashed for stay in hosts.left().values()] == [True], "one that took too much memory has crashed"

    run(body())


def test_hosts_differ_and_an_earlier_backends_are_known_after_it_was_killed(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "slug.tgz", "true")
    names = {Hosts(tmp_path / "hosts").enter(spec) for _ in range(50)}
    later = Hosts(tmp_path / "hosts")
    own = later.enter(spec)
    assert len(names) == 50 and own not in names
    assert set(later.left()) == names
    later.leave(own)
    assert set(later.left()) == names | {own}


def test_what_a_dyno_held_is_given_back_at_once_and_said_in_the_log(
    home: Home, logplex: Logplex, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = provided(monkeypatch, ["Released 2 jobs"])

    async def body() -> None:
        store = Store(f"sqlite:///{home.store}")
        hosts = Hosts(home.hosts)
        release = release_of_an_app(store, home, logplex)
        spec = make_spec(home.slug("s"), "true")
        spec = type(spec)(**{**vars(spec), "release_id": release.id})
        living, dead = hosts.enter(spec), hosts.enter(spec)
        waiting = Orphans(store, hosts, logplex)
        waiting.start()
        hosts.leave(dead)
        await until(lambda: not hosts.left())
        assert [(gone.host, gone.process_type, gone.config) for gone in told.gone] == [(dead, "worker", release.config)]
        assert "heroku[worker.1]: Released 2 jobs" in logged(logplex, release.app_id)
        told.answers.append([])
        hosts.leave(living)
        await waiting.close()
        assert told.gone[1].host == living and hosts.left() == {}
        store.close()

    run(body())


def test_what_cannot_be_reached_is_tried_again_and_an_app_that_is_gone_is_not(
    home: Home, logplex: Logplex, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = provided(monkeypatch, Unreachable("no route"), RuntimeError("a surprise"), Unreachable("no route"), [])

    async def body() -> None:
        store = Store(f"sqlite:///{home.store}")
        hosts = Hosts(home.hosts)
        release = release_of_an_app(store, home, logplex)
        spec = make_spec(home.slug("s"), "true")
        Hosts(home.hosts).enter(type(spec)(**{**vars(spec), "release_id": release.id}))
        Hosts(home.hosts).enter(spec)
        waiting = Orphans(store, hosts, logplex)
        waiting.start()
        await until(lambda: not hosts.left())
        assert len(told.gone) == 4 and told.answers == []
        await waiting.close()
        store.close()

    run(body())


def test_slow_databases_leave_threads_to_everybody_else(
    home: Home, logplex: Logplex, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """A provider of which all are asked at once that it can be asked at once."""

        def __init__(self) -> None:
            self.most = self.now = 0
            self.go_on = threading.Event()

        def give_back(self, gone: Gone) -> list[str]:
            self.now += 1
            self.most = max(self.most, self.now)
            self.go_on.wait(30)
            self.now -= 1
            return []

    slow = Slow()
    monkeypatch.setattr(providers, "OWN", {"slow": slow})

    async def body() -> None:
        store = Store(f"sqlite:///{home.store}")
        hosts, release = Hosts(home.hosts), release_of_an_app(store, home, logplex)
        spec = make_spec(home.slug("s"), "true")
        for _ in range(40):
            Hosts(home.hosts).enter(replace(spec, release_id=release.id))
        waiting = Orphans(store, hosts, logplex)
        waiting.start()
        await until(lambda: slow.now > 0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "answered"), 10) == "answered"
        slow.go_on.set()
        await until(lambda: not hosts.left())
        assert slow.most <= orphans.AT_ONCE
        await waiting.close()
        store.close()

    run(body())
