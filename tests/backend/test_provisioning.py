"""Add-ons that were under way when a backend ended."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hkcli.backend import provisioning
from hkcli.backend.errors import ServiceUnavailable
from hkcli.backend.logplex import Logplex
from hkcli.backend.provisioning import Provisioning
from hkcli.backend.store import Addon, App, Store, User
from hkcli.backend.work import Works
from tests.backend.runtime import run, until


class AwayAtFirst:
    """A Maker whose provider is not there yet when it is asked for the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def require(self) -> None:
        return None

    async def make(self, addon_id: str) -> dict[str, str]:
        self.asked += 1
        if self.asked == 1:
            raise ServiceUnavailable("nobody is there")
        return {"URL": "echo://here"}

    async def unmake(self, addon_id: str) -> None:
        raise AssertionError(f"{addon_id} is wanted")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite3")) as store:
        with store.transaction() as session:
            app = App(name="demo", owner=User(email="a@localhost", password_hash=""))
            addon = Addon(name="echo-1", service="echo", plan="echo:basic", state="provisioning", app=app)
            session.add_all([app, addon])
        yield store


def states(store: Store) -> list[str]:
    with store.transaction() as session:
        return [each.state for each in session.query(Addon)]


def test_whatever_wakes_it_first_what_was_left_over_is_asked_for_until_it_is_there(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning, "pause_s", lambda attempt: 0.01)
    (notes := tmp_path / "notes").mkdir()
    maker = AwayAtFirst()

    async def body() -> None:
        parts = Provisioning(store, notes, lambda service: maker)
        with closing(Logplex(tmp_path / "logs")) as logplex:
            parts.works = Works(store, logplex, parts.wake)
            parts.wake()
            await asyncio.sleep(0.01)
            assert maker.asked == 0, "whoever wakes it before it may go on would have the first failure count"
            parts.resume()
            await until(lambda: states(store) == ["provisioned"])
            await parts.close()

    run(body())
    assert maker.asked == 2 and [each.name.partition(".")[0] for each in notes.iterdir()] == ["echo"]
