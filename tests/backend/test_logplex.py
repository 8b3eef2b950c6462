import asyncio
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hkcli.backend import log_channel
from hkcli.backend.log_channel import EVERYTHING, FEW_TAILS, PART_BYTES, LogFilter, Tail
from hkcli.backend.logplex import Framing, Logplex
from tests.backend.runtime import logged, read_log, run, until

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 app\[worker\.1\]: hello$")


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, last + 1))


async def collect(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


async def events(stream: AsyncIterator[bytes]) -> list[tuple[int | None, list[str]]]:
    """Server-sent events as (id, lines without their times)."""
    found = []
    for event in (await collect(stream)).decode().split("\n\n")[:-1]:
        fields = [line.partition(": ")[::2] for line in event.split("\n")]
        number = next((int(value) for name, value in fields if name == "id"), None)
        found.append((number, [value.partition(" ")[2] for name, value in fields if name == "data"]))
    return found


def test_a_line_has_time_source_and_dyno_as_heroku_prints_them(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", "hello")
    assert LINE.match(run(collect(logplex.stream("app-1"))).decode().rstrip("\n"))


def test_lines_written_together_share_their_time(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", b"a\nb\n\n")
    lines = run(collect(logplex.stream("app-1"))).decode().splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "app[worker.1]: a",
        "app[worker.1]: b",
        "app[worker.1]: ",
    ]
    assert len({line.partition(" ")[0] for line in lines}) == 1


def test_a_writer_without_dyno_stands_alone(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "heroku", None, "hi")
    assert logged(logplex) == ["heroku: hi"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"caf\xe9\n", ["caf\ufffd"]),
        ("grün".encode(), ["grün"]),
        ("half a pair \ud800", ["half a pair ?"]),
        (b"windows\r\nline\r\n", ["windows", "line"]),
        (b"nul \0 and \x1b[31mred", ["nul \0 and \x1b[31mred"]),
        (b"", []),
        (b"\r", []),
        (b"\n", [""]),
    ],
    ids=["latin-1", "utf-8", "surrogate", "crlf", "control", "nothing", "only-cr", "blank"],
)
def test_any_bytes_become_whole_utf_8_lines(tmp_path: Path, text: bytes | str, expected: list[str]) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", text)
    logplex.write("app-1", "app", "worker.1", "next")
    assert logged(logplex) == [f"app[worker.1]: {line}" for line in [*expected, "next"]]


def test_the_newest_lines_are_kept_and_counted_after_the_filter(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "clock.1", "rare")
    logplex.write("app-1", "app", "worker.1", numbered(1, 1000))
    logplex.write("app-1", "heroku", "worker.1", "event")
    assert run(read_log(logplex, lines=2)) == ["app[worker.1]: line 1000", "heroku[worker.1]: event"]
    assert run(read_log(logplex, lines=2, source="app")) == ["app[worker.1]: line 999", "app[worker.1]: line 1000"]
    assert run(read_log(logplex, lines=2, dyno="clock")) == ["app[clock.1]: rare"]
    assert run(read_log(logplex, lines=0)) == [] and run(read_log(logplex, lines=-1)) == []


@pytest.mark.parametrize(
    ("dyno", "found"), [("worker", 2), ("worker.1", 1), ("work", 0), ("workerx", 1), ("worker.", 0), ("api", 0)]
)
def test_a_dyno_filter_takes_a_name_or_a_type(tmp_path: Path, dyno: str, found: int) -> None:
    logplex = Logplex(tmp_path)
    for name in ("worker.1", "worker.12", "workerx.1", None):
        logplex.write("app-1", "app", name, "line")
    assert len(run(read_log(logplex, dyno=dyno))) == found


def test_history_ends_after_1500_lines_also_inside_a_chunk(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    for first in range(1, 10_000, 700):
        logplex.write("app-1", "app", "worker.1", numbered(first, first + 699))
    lines = logged(logplex)
    last = int(lines[-1].rpartition(" ")[2])
    assert [int(line.rpartition(" ")[2]) for line in lines] == list(range(last - 1499, last + 1))


def test_lines_of_one_app_are_not_seen_by_another(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", "mine")
    assert logged(logplex, "app-2") == []


def test_an_event_carries_a_chunk_and_the_number_of_its_last_line(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", "a\nb")
    logplex.write("app-1", "app", "worker.1", "c")
    assert run(events(logplex.stream("app-1", framing=Framing.EVENTS))) == [
        (2, ["app[worker.1]: a", "app[worker.1]: b"]),
        (3, ["app[worker.1]: c"]),
    ]


@pytest.mark.parametrize("after", range(0, 8))
def test_resuming_after_any_number_neither_repeats_nor_skips(tmp_path: Path, after: int) -> None:
    logplex = Logplex(tmp_path)
    for text in ("1\n2\n3", "4", "5\n6\n7"):
        logplex.write("app-1", "app", "worker.1", text)
    found = run(events(logplex.stream("app-1", after=after, lines=1, framing=Framing.EVENTS)))
    lines = [line.rpartition(" ")[2] for _, lines in found for line in lines]
    assert lines == [str(number) for number in range(after + 1, 8)]
    assert [number for number, _ in found] == [last for last in (3, 4, 7) if last > after]


def test_resuming_after_lines_that_are_no_longer_kept_says_how_many_are_lost(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path, history_lines=3, segment_bytes=1)
    for number in range(1, 11):
        logplex.write("app-1", "app", "worker.1", str(number))
    first, *rest = run(events(logplex.stream("app-1", after=2, framing=Framing.EVENTS)))
    assert first[0] is None
    told = "logplex[1]: Error L11 (Tail buffer overflow) -> This tail session dropped 4 messages since "
    assert first[1][0].startswith(told)
    assert [number for number, _ in rest] == [7, 8, 9, 10]


def test_resuming_goes_on_in_what_is_on_disk_though_it_is_no_history_any_more(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path, history_lines=3)
    for number in range(1, 11):
        logplex.write("app-1", "app", "worker.1", str(number))
    found = run(events(logplex.stream("app-1", after=2, framing=Framing.EVENTS)))
    assert [number for number, _ in found] == list(range(3, 11))


def test_several_tails_get_every_new_line_after_the_history(tmp_path: Path) -> None:
    async def body() -> None:
        logplex = Logplex(tmp_path)
        logplex.write("app-1", "app", "worker.1", numbered(1, 5))
        readers = [
            asyncio.create_task(collect(logplex.stream("app-1", lines=2, tail=True))),
            asyncio.create_task(collect(logplex.stream("app-1", lines=0, tail=True, filter=LogFilter(source="app")))),
        ]
        for first in range(6, 106, 10):
            await asyncio.sleep(0)
            logplex.write("app-1", "app", "worker.1", numbered(first, first + 9))
            logplex.write("app-1", "heroku", "worker.1", "noise")
        logplex.close()
        everything, only_app = [(await reader).decode().splitlines() for reader in readers]
        assert [line.rpartition(" ")[2] for line in everything if "noise" not in line] == [
            str(number) for number in range(4, 106)
        ]
        assert [line.rpartition(" ")[2] for line in only_app] == [str(number) for number in range(6, 106)]

    run(body())


@pytest.mark.parametrize("framing", Framing)
def test_many_tails_are_handed_small_parts_of_the_same_stream(tmp_path: Path, framing: Framing) -> None:
    async def one(logplex: Logplex) -> list[bytes]:
        return [part async for part in logplex.stream("app-1", tail=True, lines=0, framing=framing)]

    async def read_by(number: int) -> list[list[bytes]]:
        logplex = Logplex(tmp_path / f"logs-{number}", now=lambda: datetime(2026, 11, 25, tzinfo=UTC))
        reading = [asyncio.create_task(one(logplex)) for _ in range(number)]
        await until(lambda: logplex.tails("app-1") == number)
        logplex.write("app-1", "app", "worker.1", b"a line of the flood\n" * 5000)
        logplex.write("app-1", "app", "worker.1", b"the last one")
        logplex.close()
        return list(await asyncio.gather(*reading))

    number = 3 * FEW_TAILS
    (alone,), many = run(read_by(1)), run(read_by(number))
    assert {b"".join(parts) for parts in many} == {b"".join(alone)}
    assert sum(max(map(len, parts)) <= PART_BYTES for parts in many) >= number - FEW_TAILS


def test_a_quiet_tail_hears_a_comment_now_and_then(tmp_path: Path) -> None:
    async def body() -> None:
        logplex = Logplex(tmp_path, keepalive_s=0.01)
        stream = logplex.stream("app-1", tail=True, framing=Framing.EVENTS)
        assert [await anext(stream), await anext(stream)] == [b": \n\n", b": \n\n"]
        await stream.aclose()
        plain = asyncio.create_task(anext(logplex.stream("app-1", tail=True)))
        await asyncio.wait([plain], timeout=0.05)
        logplex.write("app-1", "app", "worker.1", "line")
        assert (await plain).endswith(b" app[worker.1]: line\n")

    run(body())


def test_a_tail_that_is_behind_reads_from_disk_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_channel, "RECENT_BYTES", 10_000)

    def files_bytes() -> int:
        return sum(file.stat().st_size for file in (tmp_path / "app-1").iterdir())

    async def body() -> None:
        logplex = Logplex(tmp_path, history_lines=10, segment_bytes=20_000)
        stream = logplex.stream("app-1", tail=True)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        for number in range(1, 20_001):
            logplex.write("app-1", "app", "worker.1", f"line {number}")
        held = files_bytes()
        assert held > 1_000_000
        lines, rest = (await first).decode(), asyncio.create_task(collect(stream))
        await until(lambda: not any(tail.waiting for tail in logplex._channel("app-1").tails))
        for number in range(20_001, 21_001):
            logplex.write("app-1", "app", "worker.1", f"line {number}")
            await asyncio.sleep(0)
        assert files_bytes() < held / 10, "what was kept for the tail alone is gone once it has it"
        logplex.close()
        lines += (await rest).decode()
        assert [line.rpartition(" ")[2] for line in lines.splitlines()] == [str(each) for each in range(1, 21_001)]

    run(body())


def test_a_tail_that_falls_too_far_behind_loses_its_oldest_lines_and_is_told_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_channel, "RECENT_BYTES", 1_000)

    async def body() -> None:
        noon = datetime(2026, 11, 23, tzinfo=UTC)
        logplex = Logplex(tmp_path, history_lines=10, behind_bytes=10_000, segment_bytes=1_000, now=lambda: noon)
        streams = [logplex.stream("app-1", tail=True, filter=which) for which in (EVERYTHING, LogFilter("app"))]
        firsts = [asyncio.create_task(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        logplex.write("app-1", "app", "worker.1", "line 0")
        assert all([(await first).endswith(b"line 0\n") for first in firsts])
        for number in range(1, 1001):
            logplex.write("app-1", "app", "worker.1", f"line {number}")
            logplex.write("app-1", "heroku", "worker.1", "an event")
        logplex.close()
        for stream, step in zip(streams, (2, 1), strict=True):
            notice, *lines = (await collect(stream)).decode().splitlines()
            assert notice == (
                "2026-11-23T00:00:00.000000+00:00 logplex[1]: Error L11 (Tail buffer overflow) -> "
                f"This tail session dropped {step * 1000 - len(lines)} messages since 2026-11-23T00:00:00.000000+00:00."
            )
            numbers = [int(line.rpartition(" ")[2]) for line in lines if "event" not in line]
            assert numbers == list(range(1001 - len(numbers), 1001))
            assert 5_000 < sum(len(line) + 1 for line in lines) * (2 / step) <= 11_000

    run(body())


def read(tail: Tail, expected: list[str], found: list[str], about_bytes: int) -> None:
    """Take lines; those that the reader was told are lost count as found."""
    chunks, loss = tail.take(about_bytes), tail.take_loss()
    found += expected[len(found) : len(found) + (loss[0] if loss else 0)]
    found += [line.rpartition(" ")[2] for chunk in chunks for line in chunk.data.decode().splitlines()]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_readers_do_each_gets_every_line_once_or_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Against a list of all lines: readers of different filters and patience come, read, lag and leave."""
    monkeypatch.setattr(log_channel, "RECENT_BYTES", 3_000)
    chance = random.Random(seed)
    logplex = Logplex(tmp_path, history_lines=20, segment_bytes=2_000)
    written: list[tuple[str, str]] = []
    readers: list[tuple[Tail, list[str], list[str]]] = []
    for _ in range(400):
        match chance.choice(("write", "write", "write", "read", "read", "come")):
            case "write":
                source = chance.choice(("app", "heroku"))
                lines = [f"{len(written) + each}" for each in range(chance.choice((1, 1, 3, 40)))]
                written += [(source, line) for line in lines]
                logplex.write("app-1", source, "worker.1", "\n".join(lines))
                for tail, expected, _ in readers:
                    expected += lines if tail.filter.source in (None, source) else []
            case "come" if len(readers) < 8:
                which, limit = LogFilter(chance.choice((None, "app", "heroku"))), chance.choice((100, 5_000, 10**9))
                readers.append((logplex._channel("app-1").follow(which, limit), [], []))
            case "read" if readers:
                read(*chance.choice(readers), chance.choice((1, 1_000, 50_000)))
    for tail, expected, found in readers:
        while tail.waiting:
            read(tail, expected, found, 10_000)
        assert found == expected


def test_a_reader_that_leaves_is_forgotten(tmp_path: Path) -> None:
    async def body() -> None:
        logplex = Logplex(tmp_path)
        reader = asyncio.create_task(collect(logplex.stream("app-1", tail=True)))
        await asyncio.sleep(0)
        assert logplex.tails("app-1") == 1
        reader.cancel()
        await asyncio.wait([reader])
        assert logplex.tails("app-1") == 0

    run(body())


def test_a_forgotten_app_ends_its_tails_and_leaves_no_file(tmp_path: Path) -> None:
    async def body() -> None:
        logplex = Logplex(tmp_path)
        logplex.write("app-1", "app", "worker.1", "last words")
        tail = asyncio.create_task(collect(logplex.stream("app-1", tail=True)))
        await asyncio.sleep(0)
        logplex.forget("app-1")
        assert (await tail).endswith(b"last words\n")
        logplex.write("app-1", "heroku", "worker.1", "Process exited with status 143")
        assert await read_log(logplex) == []

    run(body())
    assert list(tmp_path.iterdir()) == []


def test_lines_and_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    before = Logplex(tmp_path)
    before.write("app-1", "app", "worker.1", "one\ntwo")
    after = Logplex(tmp_path)
    after.write("app-1", "heroku", None, "three")
    assert run(events(after.stream("app-1", framing=Framing.EVENTS))) == [
        (2, ["app[worker.1]: one", "app[worker.1]: two"]),
        (3, ["heroku: three"]),
    ]
    assert logged(Logplex(tmp_path)) == ["app[worker.1]: one", "app[worker.1]: two", "heroku: three"]


@pytest.mark.parametrize("kept_bytes", [-1, -7, -20, -30, -60])
def test_a_torn_last_record_is_dropped_and_writing_goes_on(tmp_path: Path, kept_bytes: int) -> None:
    before = Logplex(tmp_path)
    before.write("app-1", "app", "worker.1", "whole")
    before.write("app-1", "app", "worker.1", "torn")
    (segment,) = (tmp_path / "app-1").iterdir()
    segment.write_bytes(segment.read_bytes()[:kept_bytes])
    after = Logplex(tmp_path)
    after.write("app-1", "app", "worker.1", "next")
    expected = [(1, ["app[worker.1]: whole"]), (2, ["app[worker.1]: next"])]
    assert run(events(after.stream("app-1", framing=Framing.EVENTS))) == expected
    assert run(events(Logplex(tmp_path).stream("app-1", framing=Framing.EVENTS))) == expected


def test_numbers_never_go_back_though_a_segment_is_lost_to_garbage(tmp_path: Path) -> None:
    before = Logplex(tmp_path, segment_bytes=1)
    for number in range(1, 6):
        before.write("app-1", "app", "worker.1", str(number))
    newest = max((tmp_path / "app-1").iterdir())
    newest.write_bytes(b"\xff" * 100)
    after = Logplex(tmp_path)
    after.write("app-1", "app", "worker.1", "again")
    assert run(events(after.stream("app-1", after=4, framing=Framing.EVENTS))) == [(5, ["app[worker.1]: again"])]


def test_files_stay_bounded_however_much_is_written(tmp_path: Path) -> None:
    logplex = Logplex(tmp_path, segment_bytes=200_000)
    for _ in range(100):
        logplex.write("app-1", "app", "worker.1", numbered(1, 1000))
    assert sum(file.stat().st_size for file in (tmp_path / "app-1").iterdir()) < 600_000
    assert len(logged(Logplex(tmp_path))) == 1500


def test_lines_that_are_gone_from_the_disk_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_channel, "RECENT_BYTES", 1_000)
    logplex = Logplex(tmp_path, history_lines=10, segment_bytes=1_000)
    tail = logplex.open_tail("app-1", after=0, limit_bytes=10**9)
    for number in range(100):
        logplex.write("app-1", "app", "worker.1", str(number))
    _, second, *_ = sorted((tmp_path / "app-1").iterdir())
    second.unlink()
    found: list[str] = []
    while tail.waiting:
        read(tail, ["?"] * 100, found, 500)
    numbers = [int(each) for each in found if each != "?"]
    assert len(found) == 100 and 5 < found.count("?") < 30 and numbers[-1] == 99
    assert found.index("?") == numbers.index(numbers[found.index("?") - 1]) + 1, "told where the gap is"


def test_a_disk_that_refuses_does_not_stop_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "app-1").write_text("a file where the folder should be")
    logplex = Logplex(tmp_path)
    logplex.write("app-1", "app", "worker.1", "one")
    logplex.write("app-1", "app", "worker.1", "two")
    assert logged(logplex) == ["app[worker.1]: one", "app[worker.1]: two"]
    assert len(caplog.records) == 1
