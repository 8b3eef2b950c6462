"""What dynos use of the machine, measured on real processes, and what follows from it."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from hkcli.backend.engines import usage
from hkcli.backend.engines.usage import parse_rollup
from hkcli.backend.errors import InvalidParams
from hkcli.backend.metering import MB, Load, Metering, quota_bytes
from tests.backend.runtime import make_slug, make_spec, until
from tests.backend.runtime import run as run_loop
from tests.backend.test_supervisor import Runtime, running
from tests.backends import Backend

QUOTA = 100 * MB
HOLD = f"{sys.executable} -c 'import time; held = b\"x\" * ({{}} << 20); time.sleep(600)'"
PARTS = f"{HOLD.format(70)} & env -i {HOLD.format(70)} & wait"
"""The second is known by its session alone: it does not have the dyno's environment."""


@asynccontextmanager
async def metered(folder: Path) -> AsyncIterator[Runtime]:
    """A supervisor whose dynos may have 100 MB each, looked at again and again."""
    async with running(folder) as runtime:
        metering = Metering(
            runtime.supervisor.running,
            partial(usage.of_dynos, f"test-{folder}"),
            set,
            runtime.logplex,
            every_s=0.05,
            quota_bytes=lambda size: QUOTA,
        )
        metering.start()
        try:
            yield runtime
        finally:
            await metering.close()


@pytest.fixture
def slug(tmp_path: Path) -> Path:
    return make_slug(tmp_path / "slug.tgz")


def test_a_dyno_over_its_quota_in_the_sum_of_its_processes_is_told_so_again_and_again(
    tmp_path: Path, slug: Path
) -> None:
    async def body() -> None:
        async with metered(tmp_path) as runtime:
            runtime.want(make_spec(slug, PARTS), make_spec(slug, "sleep 60", name="worker.2"))
            dyno = await runtime.up()
            await until(lambda: runtime.lines().count("Error R14 (Memory quota exceeded)") >= 2)
            found = [re.fullmatch(r"Process running mem=(\d+)M\((\d+\.\d)%\)", line) for line in runtime.lines()]
            sizes = [(int(match[1]), float(match[2])) for match in found if match]
            assert all(QUOTA <= mb * MB < 2 * QUOTA and mb <= percent < mb + 1.1 for mb, percent in sizes), sizes
            first = next(at for at, match in enumerate(found) if match)
            assert runtime.lines()[first + 1] == "Error R14 (Memory quota exceeded)"
            assert await runtime.up() is dyno and "R14" not in "".join(runtime.lines("worker.2"))

    run_loop(body())


def test_a_dyno_at_twice_its_quota_is_killed_and_crashes(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with metered(tmp_path) as runtime:
            command = f"[ -e ../../grown ] && exec sleep 60; touch ../../grown; {HOLD.format(210)}"
            runtime.want(make_spec(slug, command))
            await until(lambda: runtime.lines().count("State changed from starting to up") == 2)
            lines = [line for line in runtime.lines() if "R14" not in line]
            start = lines.index("Error R15 (Memory quota vastly exceeded)")
            assert re.fullmatch(r"Process running mem=2\d\dM\(2\d\d\.\d%\)", lines[start - 1])
            assert lines[start + 1 : start + 5] == [
                "Stopping process with SIGKILL",
                "Process exited with status 137",
                "State changed from up to crashed",
                "State changed from crashed to starting",
            ]

    run_loop(body())


def test_a_one_off_at_twice_its_quota_is_killed_and_complete(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with metered(tmp_path) as runtime:
            spec = make_spec(slug, HOLD.format(210), name="run.1")
            dyno = runtime.supervisor.run_one_off(spec, attach=False, terminal=None, user=None)
            assert await runtime.supervisor.wait_for(dyno) == 137
            assert runtime.lines("run.1")[-4:] == [
                "Error R15 (Memory quota vastly exceeded)",
                "Stopping process with SIGKILL",
                "Process exited with status 137",
                "State changed from up to complete",
            ]

    run_loop(body())


def test_a_look_that_fails_is_not_the_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def fail() -> list[object]:
        nonlocal looks
        looks += 1
        raise OSError("too many open files")

    async def body() -> None:
        async with running(tmp_path) as runtime:
            metering = Metering(fail, lambda sessions: {}, set, runtime.logplex, every_s=0.001)  # type: ignore[arg-type]
            metering.start()
            await until(lambda: looks > 1)
            await metering.close()

    run_loop(body())
    assert "too many open files" in caplog.text


def test_the_quota_is_that_of_the_dynos_size() -> None:
    assert [quota_bytes(size) // MB for size in ("Eco", "Standard-1X", "Standard-2X", "Performance-L")] == [
        512,
        512,
        1024,
        14336,
    ]


def test_an_unknown_size_is_told_in_herokus_words() -> None:
    sizes = "Eco, Basic, Standard-1X, Standard-2X, Performance-M and Performance-L"
    with pytest.raises(InvalidParams, match=f"^No such size as x. Available dyno sizes are {sizes}.$"):
        quota_bytes("x")


def test_a_load_average_nears_the_number_of_runnable_processes() -> None:
    load = Load(0).later(20, 3)
    assert [round(value, 2) for value in load.averages.values()] == [0.85, 0.19, 0.07]
    for second in range(40, 3600, 20):
        load = load.later(second, 3)
    assert [round(value, 2) for value in load.averages.values()] == [3.0, 3.0, 2.94]


def test_what_linux_says_of_a_process_is_read_in_bytes() -> None:
    text = "55b7-7ffc ---p 00000000 00:00 0      [rollup]\nRss:    1736 kB\nPss_Anon:   116 kB\nSwapPss:     0 kB\n"
    assert parse_rollup(text) == {"Rss": 1736 * 1024, "Pss_Anon": 116 * 1024, "SwapPss": 0}


def test_the_lab_feature_logs_what_a_dyno_uses(tmp_path: Path) -> None:
    mb = r"\d+\.\d\dMB"
    memory = f"sample#memory_total={mb} sample#memory_rss={mb} sample#memory_swap={mb} sample#memory_quota=512\\.00MB"
    load = " ".join(rf"sample#load_avg_{period}m=\d\.\d\d" for period in (1, 5, 15))
    backend = Backend(tmp_path / "home", options=("--stop-grace", "1", "--metering", "0.1")).start()
    try:
        app = backend.ok("POST", "/apps", {"feature_flags": ["log-runtime-metrics"]})["name"]
        other = backend.ok("POST", "/apps", {})["name"]
        for name in (app, other):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "Procfile").write_text("worker: while true; do true; done\n")
            backend.push(folder, name)
            backend.ok("PATCH", f"/apps/{name}/formation/worker", {"quantity": 1})
        dyno = backend.ok("GET", f"/apps/{app}/dynos")[0]["id"]
        backend.wait_for_log(app, "sample#load_avg_1m=0.01")
        logs = backend.logs(app)
        for figures in (memory, load):
            assert re.search(rf" heroku\[worker\.1\]: source=worker\.1 dyno=heroku\.\d+\.{dyno} {figures}\n", logs)
        backend.wait_for_log(other, "State changed from starting to up")
        assert "sample#" not in backend.logs(other)
    finally:
        backend.stop()
