import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hkcli.api.client import PlatformAPI
from hkcli.api.errors import HerokuError, Unreachable
from hkcli.api.logs import PATIENCE_HERE_S, LogReader
from hkcli.api.wakefulness import Watch
from hkcli.cli.log_lines import Colours, Ending, as_json_lines

EVENTS = "text/event-stream"


def line(number: int, source: str = "app[web.1]") -> str:
    return f"2026-11-23T18:40:{number // 1000:02d}.{number % 1000:03d}000+00:00 {source}: line {number}"


def event(*numbers: int) -> bytes:
    return b"id: %d\n" % numbers[-1] + b"".join(f"data: {line(n)}\n".encode() for n in numbers) + b"\n"


def text(*numbers: int) -> str:
    return "".join(line(n) + "\n" for n in numbers)


def stream(*chunks: bytes, content_type: str = EVENTS, ends: bool = True):
    def answer(request):
        request.begin(content_type)
        for chunk in chunks:
            request.chunk(chunk)
        request.end() if ends else request.cut()

    return answer


def gone(request):
    request.json({"id": "not_found", "message": "Gone."}, 404)


@pytest.fixture
def sessions(wire):
    def announce(*paths: str) -> None:
        answers = [{"id": "s", "logplex_url": f"{wire.url}{path}"} for path in paths]
        wire.on("POST", "/apps/demo/log-sessions", *answers)

    return announce


def test_logs_are_shown_as_they_are_and_the_stream_gets_no_token(run_heroku, wire, sessions, environment):
    Path(environment["HOME"], ".netrc").write_text("machine localhost login a password netrc-secret\n")
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(b": hello\n\n", event(1, 2), event(3)))
    result = run_heroku("logs", "-n", "3", "--source", "app", "--dyno", "web", "-a", "demo")
    assert (result.returncode, result.stdout.decode()) == (0, text(1, 2, 3)), result.stderr
    body = json.loads(wire.seen[0][3])
    assert body == {"lines": 3, "tail": False, "source": "app", "dyno": "web"}
    [headers] = wire.requests_to("/stream/1")
    assert "authorization" not in headers and headers["accept"].startswith(EVENTS)


def test_bytes_that_are_no_text_and_long_lines_pass_unchanged(run_heroku, wire, sessions):
    odd = b"2026-11-23T18:40:00.000000+00:00 app[web.1]: \xff\xfe \xc3\xa9 " + b"x" * 100_000
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(b"id: 1\ndata: " + odd + b"\n\n"))
    assert run_heroku("logs", "-a", "demo").stdout == odd + b"\n"


def test_plain_text_is_read_too(run_heroku, wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(text(1).encode(), text(2).encode()[:-1], content_type="text/plain"))
    assert run_heroku("logs", "-a", "demo").stdout.decode() == text(1, 2)


def tailed(wire, enough, watch=None, **wishes):
    """What a tail shows until it has shown so many lines; the waits it makes in between."""
    waits, shown = [], b""
    api = PlatformAPI(wire.url, "t")
    reader = LogReader(api, "demo", {"tail": True, "lines": 100, **wishes}, sleep=waits.append, watch=watch)
    for block in reader.blocks():
        shown += block
        if shown.count(b"\n") >= enough:
            break
    return shown.decode(), waits


def test_a_tail_that_is_cut_off_goes_on_behind_the_last_whole_event(wire, sessions):
    sessions("/stream/1")
    half = event(3, 4)[:-20]
    wire.on("GET", "/stream/1", stream(event(1, 2), half, ends=False), stream(event(3, 4)))
    shown, waits = tailed(wire, 4)
    assert shown == text(1, 2, 3, 4) and len(waits) == 1
    assert [headers.get("last-event-id") for headers in wire.requests_to("/stream/1")] == [None, "2"]


DEAD_S = 60


@pytest.fixture
def dead(wire):
    """An answer that sends its chunks and then stays open without a word, as after a sleep, until the test is over."""
    over = threading.Event()
    never_cut = []

    def answer(*chunks: bytes):
        def say_no_more(request):
            request.begin(EVENTS)
            for chunk in chunks:
                request.chunk(chunk)
            if not over.wait(DEAD_S):
                never_cut.append(request)
            request.cut()

        return say_no_more

    yield answer
    over.set()
    assert never_cut == [], "the client waited for the dead connection until that ended by itself"


def test_a_tail_on_a_connection_that_died_in_silence_goes_on_without_loss_or_repetition(wire, sessions, dead):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", dead(event(1, 2), event(3)[:-9]), stream(event(3, 4)))
    assert tailed(wire, 4, Watch(quiet_s=0.3))[0] == text(1, 2, 3, 4)
    assert [headers.get("last-event-id") for headers in wire.requests_to("/stream/1")] == [None, "2"]


def test_a_tail_goes_on_at_once_when_the_machine_wakes_from_a_sleep(wire, sessions, dead):
    sessions("/stream/1", "/stream/2")
    wire.on("GET", "/stream/1", dead(event(1, 2)), gone)
    wire.on("GET", "/stream/2", stream(event(1, 2, 3)))
    slept_s = iter([0.0, 0.0, 3600.0])
    watch = Watch(poll_s=0.05, wall=lambda: time.monotonic() + next(slept_s, 3600.0))
    assert tailed(wire, 3, watch)[0] == text(1, 2, 3), "the session had expired meanwhile, too"


def test_a_tail_whose_session_has_expired_asks_for_a_new_one_and_repeats_nothing(wire, sessions):
    sessions("/stream/1", "/stream/2")
    wire.on("GET", "/stream/1", stream(event(5, 6)), gone)
    wire.on("GET", "/stream/2", stream(event(3, 4), event(5, 6, 7), event(8)))
    assert tailed(wire, 4)[0] == text(5, 6, 7, 8)
    again = [json.loads(body) for method, _, _, body in wire.seen if method == "POST"][1]
    assert again["lines"] == 1500 and again["tail"] is True


def test_a_tail_that_had_nothing_to_show_yet_shows_what_it_asked_for(wire, sessions):
    sessions("/stream/1", "/stream/2")
    wire.on("GET", "/stream/1", stream(b": quiet\n\n"), gone)
    wire.on("GET", "/stream/2", stream(event(1, 2)))
    assert tailed(wire, 2, lines=7)[0] == text(1, 2)
    assert json.loads(wire.seen[-2][3])["lines"] == 7


def test_a_tail_of_plain_text_repeats_nothing_though_it_has_no_ids(wire, sessions):
    sessions("/stream/1")
    wire.on(
        "GET",
        "/stream/1",
        stream(text(1, 2).encode(), content_type="text/plain"),
        stream(text(1, 2, 3).encode(), content_type="text/plain"),
    )
    assert tailed(wire, 3)[0] == text(1, 2, 3)


def test_a_tail_gives_up_in_words_when_the_platform_stays_away(wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(event(1), ends=False), lambda request: request.cut())
    now, said = [0.0], []

    def sleep(seconds):
        now[0] += seconds

    api = PlatformAPI(wire.url, "t")
    reader = LogReader(api, "demo", {"tail": True}, tell=said.append, sleep=sleep, clock=lambda: now[0])
    with pytest.raises(Unreachable):
        list(reader.blocks())
    assert len(said) == 1 and said[0].endswith("Reconnecting...")
    assert PATIENCE_HERE_S < now[0] < PATIENCE_HERE_S + 10


def busy(request):
    request.json({"id": "service_unavailable", "message": "Later."}, 503)


def test_a_tail_that_has_begun_waits_out_a_platform_that_is_busy(wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(event(1), ends=False), busy, busy, stream(event(2)))
    assert tailed(wire, 2)[0] == text(1, 2)


def test_a_tail_that_has_not_begun_says_at_once_that_the_platform_is_busy(wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", busy)
    with pytest.raises(HerokuError, match="Later"):
        tailed(wire, 1)


def test_a_tail_that_goes_on_at_once_says_nothing_of_it(wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(event(1)), stream(event(2)))
    said = []
    reader = LogReader(PlatformAPI(wire.url, "t"), "demo", {"tail": True}, tell=said.append, sleep=lambda _: None)
    blocks = reader.blocks()
    assert next(blocks) + next(blocks) == text(1, 2).encode()
    blocks.close()
    assert said == []


def test_an_app_that_is_gone_ends_the_tail(wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream(event(1)), gone)
    api = PlatformAPI(wire.url, "t")
    reader = LogReader(
        api, "demo", {"tail": True}, sleep=lambda _: wire.routes.pop(("POST", "/apps/demo/log-sessions"), None)
    )
    with pytest.raises(HerokuError, match="no route POST"):
        list(reader.blocks())


@pytest.fixture
def tailing(wire, sessions, environment, folder):
    """A `heroku logs --tail` as a process, with a stream that stays open."""
    sessions("/stream/1")

    def stay(request):
        request.begin(EVENTS)
        number = 0
        try:
            while True:
                number += 1
                request.chunk(event(number))
                time.sleep(0.02)
        except OSError:
            request.cut()

    wire.on("GET", "/stream/1", stay)
    environment["HEROKU_HOST"] = wire.url
    process = subprocess.Popen(
        [sys.executable, "-m", "hkcli", "logs", "--tail", "-a", "demo"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_ends_a_tail_quietly_with_130(tailing):
    assert tailing.stdout.readline().decode() == text(1)
    tailing.send_signal(signal.SIGINT)
    assert (tailing.wait(timeout=30), tailing.stderr.read()) == (130, b"")


def test_a_reader_that_goes_away_ends_a_tail_quietly(tailing):
    assert tailing.stdout.readline().decode() == text(1)
    tailing.stdout.close()
    assert tailing.wait(timeout=30) == 0
    assert tailing.stderr.read() == b""
    tailing.stdout = open(os.devnull, "rb")  # noqa: PTH123, SIM115


def test_colours_mark_each_process_type_and_leave_the_text_alone():
    block = f"{line(1)}\n{line(2, 'app[worker.1]')}\n{line(3)}\nno log line\n".encode()
    coloured = Colours().block(block).decode().splitlines()
    assert coloured[0] == "\x1b[36m2026-11-23T18:40:00.001000+00:00 app[web.1]:\x1b[0m line 1"
    assert coloured[1].startswith("\x1b[93m") and coloured[2].startswith("\x1b[36m") and coloured[3] == "no log line"


def test_run_router_and_web_have_the_colours_that_herokus_own_cli_gives_them_whoever_comes_first():
    block = "\n".join(
        line(n, source) for n, source in enumerate(("app[web.1]", "heroku[router]", "app[run.1]"))
    ).encode()
    assert [each[:5].decode() for each in Colours().block(block).splitlines()] == ["\x1b[36m", "\x1b[32m", "\x1b[33m"]


def test_json_lines_hold_time_source_dyno_and_message():
    first, second = as_json_lines(f"{line(1)}\nelse\n".encode()).splitlines()
    assert json.loads(first) == {
        "timestamp": "2026-11-23T18:40:00.001000+00:00",
        "source": "app",
        "dyno": "web.1",
        "message": "line 1",
    }
    assert json.loads(second) == {"timestamp": None, "source": None, "dyno": None, "message": "else"}


def test_a_mistyped_dyno_is_told_with_the_nearest_types_and_the_status_stays_0(run_heroku, wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream())
    wire.on("GET", "/apps/demo/formation", [{"type": "worker"}, {"type": "web"}])
    result = run_heroku("logs", "--dyno", "wrker.1", "-a", "demo")
    assert (result.returncode, result.stdout) == (0, b"") and b"Did you mean: worker?" in result.stderr
    assert run_heroku("logs", "--dyno", "web.2", "-a", "demo").stderr == b"", "quiet, not mistyped"


def test_dyno_and_type_exclude_each_other(heroku, platform):
    assert heroku("logs", "-d", "web.1", "-p", "web", "-a", "demo").exit_code == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["exited first", "over first"])
def test_the_log_of_a_one_off_ends_with_it_and_tells_its_status(order):
    told = [b"Process exited with status 3\n", b"State changed from up to complete\n"]
    others = [b"t app[run.7]: Process exited with status 9\n", b"t heroku[run.71]: Process exited with status 8\n"]
    blocks = [*others, *(b"t heroku[run.7]: " + told[place] for place in order), b"t app[run.7]: never\n"]
    ending = Ending("run.7")
    assert list(ending.of(blocks)) == blocks[:4] and ending.status == 3


def test_a_source_that_nothing_comes_from_is_told(run_heroku, wire, sessions):
    sessions("/stream/1")
    wire.on("GET", "/stream/1", stream())
    assert b"Nothing comes from a source web." in run_heroku("logs", "--source", "web", "-a", "demo").stderr
