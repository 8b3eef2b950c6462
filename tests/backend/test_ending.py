"""What becomes of those who wait when a platform ends."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from hkcli.backend import ending
from hkcli.backend.ending import Ending
from hkcli.backend.errors import ServiceUnavailable
from hkcli.backend.home import Home
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.release_phase import ReleasePhases
from hkcli.backend.store import App, Release, Store, User
from hkcli.backend.supervisor import Supervisor
from tests.backend.runtime import run


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (ending.STOPPED, "The backend is being stopped; it is made when it is back."),
        (ending.REPLACED, "The backend is given another state; ask again when it has it."),
    ],
)
def test_who_waits_is_told_what_becomes_of_it(why: str, told: str) -> None:
    async def body() -> None:
        end = Ending()
        waiting = asyncio.create_task(end.or_else(asyncio.Event().wait(), "it is made when it is back"))
        await asyncio.sleep(0)
        end.begin(why)
        with pytest.raises(ServiceUnavailable) as refused:
            await waiting
        assert refused.value.message == told

    run(body())


def test_who_follows_a_release_that_has_not_begun_is_let_go(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "home")

    async def body() -> None:
        with closing(Store(f"sqlite:///{home.store}")) as store:
            with store.transaction() as session:
                app = App(name="demo", owner=(owner := User(email="a@localhost", password_hash="")))
                session.add(app)
                session.flush()
                release = Release(
                    app_id=app.id, user_id=owner.id, version=2, description="Deploy", status="pending", config={}
                )
                session.add(release)
                session.flush()
                app_id, release_id = app.id, release.id
            phases = ReleasePhases(home, store, cast(Supervisor, None), LiveOutputs())

            async def followed() -> list[bytes]:
                return [piece async for piece in phases.follow(app_id, release_id)]

            following, ended = asyncio.create_task(followed()), asyncio.create_task(phases.ended(release_id))
            await asyncio.sleep(0.01)
            assert not following.done() and not ended.done()
            await phases.close()
            assert (await following, await ended) == ([], False)

    run(body())
