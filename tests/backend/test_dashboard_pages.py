"""The overview's pictures and parts, from figures alone."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from hkcli.backend.dashboard.charts import BASE, SLOTS, TOP, WIDTH, Sample, charts, depth, duration, flags, flow, half
from hkcli.backend.dashboard.pages import REGIONS, changed, ids_of, regions
from hkcli.dj.status import Level, Mark, Minute, Snapshot, WorkerFact, verdict
from hkcli.dj.status.census import Row
from hkcli.dj.status.reasons import Reason
from hkcli.dj.status.snapshot import GIVEN_UP, Counted, Counts, ErrorGroup, Waiting

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AXIS_S = 300
EVIL = '"><script>alert(1)</script>'


def screen(**more: object) -> Snapshot:
    values = {"counts": Counts(1, 5, 2, 3, 0), "counted": Counted(11, True, 0), "workers": (worker(),)}
    return Snapshot(NOW, "demo", **(values | more))  # type: ignore[arg-type]


def worker(state: str = "up", **more: object) -> WorkerFact:
    return WorkerFact("worker.1", state, NOW, **more)  # type: ignore[arg-type]


def sample(age_s: float, due: int | None) -> Sample:
    return Sample(NOW - timedelta(seconds=age_s), due, 0, 0.0, None)


def test_bars_stand_on_the_base_failures_on_what_was_done_and_the_unknown_is_left_out() -> None:
    parts: list[Minute | None] = [None] * (SLOTS - 1) + [Minute(NOW, done=30, failed=10)]
    done, failed = flow(screen(), parts, AXIS_S).bars
    assert (done.kind, done.y + done.height) == ("done", BASE)
    assert (failed.kind, failed.y + failed.height, failed.y) == ("failed", done.y, TOP)
    assert done.x + done.width == pytest.approx(WIDTH, abs=2)
    assert "30 done, 10 failed" in done.tip


def test_a_line_is_broken_where_nothing_was_read() -> None:
    samples = [sample(age, 5) for age in range(200, 190, -1)] + [sample(100, None)]
    samples += [sample(age, 10) for age in range(50, 0, -1)]
    due = depth(screen(), samples, AXIS_S).series[0]
    assert due.path.count("M") == 2 and due.area.count("Z") == 2
    last = due.path.rpartition("L")[2].split()
    assert float(last[0]) == pytest.approx(WIDTH, abs=3) and float(last[1]) == TOP


def test_without_any_figure_the_pictures_say_so_in_words() -> None:
    unknown = Snapshot(NOW, "demo", unknown={"counts": "The database is gone", "done_per_minute": "no log"})
    for chart in charts(unknown, [None] * SLOTS, [Sample.of(unknown)], AXIS_S):
        assert (chart.value, chart.top, chart.bars) == ("unknown", "", ())
    assert "The database is gone" in regions(unknown, [], [], AXIS_S)["verdict"]


def test_a_release_names_the_flag_of_the_restarts_that_it_causes() -> None:
    at = NOW - timedelta(seconds=100)
    restarts = [Mark(at + timedelta(seconds=n), f"worker.{n} restarts") for n in (1, 2)]
    marks = [Mark(NOW - timedelta(seconds=AXIS_S + 1), "v1", True), Mark(at, "v6", True), *restarts]
    (flag,) = flags(marks, NOW, AXIS_S)
    assert flag.text == "v6" and "worker.2 restarts" in flag.tip


def test_names_of_flags_do_not_run_into_each_other() -> None:
    marks = [Mark(NOW - timedelta(seconds=age), f"worker.{age} crashed") for age in (10, 40, 280)]
    assert [bool(flag.text) for flag in flags(marks, NOW, AXIS_S)] == [True, False, True]


@pytest.mark.parametrize("seconds, text", [(0.05, "50 ms"), (2, "2 s"), (90, "1 m 30 s"), (0, "0 s")])
def test_durations_are_as_fine_as_they_need_to_be(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_half_of_a_round_time_is_true() -> None:
    assert [half(each) for each in (1, 5, 10, 60)] == ["500 ms", "2.5 s", "5 s", "30 s"]


def test_whatever_a_job_is_called_is_text_on_the_page_and_the_pictures_stay_xml() -> None:
    error = ErrorGroup(EVIL, EVIL, EVIL, 1, 1, NOW, None, 1)
    row = Row(1, EVIL, EVIL, 0, 0, NOW + timedelta(hours=1), None, None, None, None, NOW, EVIL)
    waiting = (Waiting(1, Reason(EVIL, f"heroku {EVIL}", True)),)
    evil = screen(
        errors=(error,), upcoming=(row,), waiting=waiting, workers=(worker(job=EVIL),), marks=(Mark(NOW, EVIL),)
    )
    parts = regions(evil, [None] * SLOTS, [sample(1, 3)], AXIS_S)
    assert set(parts) == set(REGIONS)
    for name, html in parts.items():
        assert "<script" not in html, name
    for picture in parts["charts"].split("<svg")[1:]:
        ElementTree.fromstring("<svg" + picture.partition("</svg>")[0] + "</svg>")


def test_only_what_changed_is_sent() -> None:
    assert changed({"a": "1", "b": "2"}, {"a": "1", "b": "1"}) == {"b": "2"}


def test_job_numbers_are_numbers() -> None:
    assert ids_of(["3", "3", "-1", "x", "²", "9" * 30, "4"]) == (3, 4)


given_up = Waiting(1, Reason(GIVEN_UP, "heroku dj:retry --failed", True))


@pytest.mark.parametrize(
    "figures, level, text",
    [
        ({"counts": None, "unknown": {"counts": "No such file"}}, Level.UNKNOWN, "No such file"),
        ({"waiting": (Waiting(5, Reason("no worker", "x", True)),)}, Level.TROUBLE, "5 jobs stand still: no worker."),
        ({"workers": (worker("crashed"),)}, Level.TROUBLE, "worker.1 crashed."),
        ({"oldest_due_s": 75.0}, Level.ATTENTION, "Jobs wait up to 1 m 15 s for their turn."),
        ({"waiting": (given_up,), "counts": Counts(0, 0, 0, 0, 1)}, Level.ATTENTION, "1 job was given up."),
        ({"workers": (worker(job="MailJob"),)}, Level.WELL, "Working: 1 of 1 worker busy."),
        (
            {"counts": Counts(0, 200, 0, 0, 0), "done_per_minute": 100.0},
            Level.WELL,
            "Working: 0 of 1 worker busy; at this pace what is due is done in 2 m.",
        ),
        ({"counts": Counts(0, 0, 0, 9, 0)}, Level.WELL, "All quiet: 1 worker up, nothing is due."),
        ({"counts": Counts(0, 0, 0, 0, 0), "workers": ()}, Level.WELL, "Nothing is due, and no worker is up."),
    ],
)
def test_the_verdict_is_the_worst_that_is_true(figures: dict[str, object], level: Level, text: str) -> None:
    found = verdict(screen(**figures))
    assert (found.level, found.text) == (level, text)
