from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hkcli.backend.dynos import DynoSpec
from hkcli.backend.plan import (
    Action,
    Actual,
    Drop,
    Phase,
    Start,
    Stop,
    crashes_after,
    cycle_at,
    next_start,
    plan,
    restart_delay,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
SPEC = DynoSpec("app-1", "example-app", "worker.1", "rake jobs:work", "release-1", 1, Path("slug.tgz"), {"A": "1"})
OTHER = replace(SPEC, name="worker.2")
NEWER = replace(SPEC, env={"A": "2"})
KEY = ("app-1", "worker.1")


@pytest.mark.parametrize(
    ("desired", "actual", "expected"),
    [
        ([], [], []),
        ([SPEC, OTHER], [], [Start(SPEC, fresh=True), Start(OTHER, fresh=True)]),
        ([replace(SPEC)], [Actual(SPEC, Phase.RUNNING)], []),
        ([NEWER], [Actual(SPEC, Phase.RUNNING)], [Stop(KEY, restart=True)]),
        ([SPEC], [Actual(SPEC, Phase.RUNNING, restart=True)], [Stop(KEY, restart=True)]),
        ([], [Actual(SPEC, Phase.RUNNING)], [Stop(KEY, restart=False)]),
        ([NEWER], [Actual(SPEC, Phase.STOPPING)], []),
        ([], [Actual(SPEC, Phase.STOPPING)], []),
        ([SPEC], [Actual(SPEC, Phase.IDLE)], [Start(SPEC, fresh=False)]),
        ([SPEC], [Actual(SPEC, Phase.IDLE, start_at=LATER)], []),
        ([SPEC], [Actual(SPEC, Phase.IDLE, start_at=NOW)], [Start(SPEC, fresh=False)]),
        ([NEWER], [Actual(SPEC, Phase.IDLE, start_at=LATER)], [Start(NEWER, fresh=True)]),
        ([SPEC], [Actual(SPEC, Phase.IDLE, start_at=LATER, restart=True)], [Start(SPEC, fresh=True)]),
        ([], [Actual(SPEC, Phase.IDLE, start_at=LATER)], [Drop(KEY)]),
        ([SPEC], [Actual(SPEC, Phase.RUNNING, cycle_at=NOW)], [Stop(KEY, restart=True, cycling=True)]),
        ([SPEC], [Actual(SPEC, Phase.RUNNING, cycle_at=LATER)], []),
        ([replace(SPEC, app_id="app-2")], [Actual(SPEC, Phase.RUNNING)],
         [Stop(KEY, restart=False), Start(replace(SPEC, app_id="app-2"), fresh=True)]),
    ],
    ids=[
        "nothing", "first starts", "same", "changed config", "restart asked", "scaled down", "changed while stopping",
        "unwanted while stopping", "stopped for a restart", "still waiting", "wait over", "new release ends a wait",
        "restart ends a wait", "unwanted while waiting", "a day old", "not a day old", "another app",
    ],
)  # fmt: skip
def test_a_plan_brings_what_runs_nearer_to_what_should(
    desired: list[DynoSpec], actual: list[Actual], expected: list[Action]
) -> None:
    assert plan(desired, actual, NOW) == expected


def test_the_next_look_is_at_the_earliest_start() -> None:
    waits = [Actual(SPEC, Phase.IDLE, start_at=LATER), Actual(OTHER, Phase.IDLE, start_at=NOW)]
    assert next_start([*waits, Actual(SPEC, Phase.RUNNING)]) == NOW
    assert next_start([Actual(SPEC, Phase.RUNNING), Actual(OTHER, Phase.IDLE)]) is None
    assert next_start([Actual(SPEC, Phase.RUNNING, cycle_at=NOW), Actual(OTHER, Phase.IDLE, start_at=LATER)]) == NOW


def test_a_dyno_runs_for_a_day_and_a_part_of_the_next_that_is_its_own() -> None:
    assert [cycle_at(NOW, chance) - NOW for chance in (0, 0.5, 1)] == [
        timedelta(hours=24),
        timedelta(hours=24, minutes=108),
        timedelta(hours=24, minutes=216),
    ]


def test_the_waits_of_a_crashing_dyno_grow_to_five_minutes() -> None:
    delays = [restart_delay(crashes).total_seconds() for crashes in range(1, 10)]
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300, 300]
    assert restart_delay(10**9) == timedelta(minutes=5)


def test_a_long_run_makes_up_for_earlier_crashes() -> None:
    assert crashes_after(7, timedelta(seconds=59)) == 8
    assert crashes_after(7, timedelta(seconds=60)) == 1
