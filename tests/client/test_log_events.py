from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.api.events import EventLines, PlainLines
from hkcli.api.logs import Shown

log_lines = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))


def framed(batches: list[list[bytes]]) -> bytes:
    number, text = 0, b": keepalive\n\n"
    for batch in batches:
        number += len(batch)
        text += b"id: %d\n" % number + b"".join(b"data: " + line + b"\n" for line in batch) + b"\n"
    return text


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(point, len(data)) for point in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.lists(log_lines, min_size=1, max_size=4), max_size=5), st.lists(st.integers(0, 400)))
def test_every_line_of_every_event_comes_once_however_the_stream_is_cut(batches, at):
    parser = EventLines()
    lines = [line for batch in batches for line in batch]
    assert b"".join(map(parser.feed, cut(framed(batches), at))) == b"".join(line + b"\n" for line in lines)
    assert parser.last_id == (str(len(lines)) if batches else None)


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b"data:no space\n\n", b"no space\n"),
        (b"data:  two spaces\n\n", b" two spaces\n"),
        (b"data\n\n", b"\n"),
        (b"data: \n\n", b"\n"),
        (b"data: a\nid: 5\n\n", b"a\n"),
        (b"event: log\nretry: 10\ndata: a\n\n", b"a\n"),
        (b": comment\n\n", b""),
        (b"id: 5\n\n", b""),
        (b"id: 5\r\ndata: a\r\n\r\n", b"a\n"),
        (b"data: id: 5\n\n", b"id: 5\n"),
        (b"database: x\n\n", b""),
        (b"data: cut off\n", b""),
    ],
)
def test_unusual_events_are_read_as_the_format_says(stream, lines):
    assert EventLines().feed(stream) == lines


def test_the_id_of_an_event_that_is_cut_off_does_not_count():
    parser = EventLines()
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_id == "1"


@given(st.lists(log_lines), st.lists(st.integers(0, 400)))
def test_plain_text_comes_in_whole_lines(lines, at):
    parser, data = PlainLines(), b"".join(line + b"\n" for line in lines)
    blocks = [parser.feed(piece) for piece in cut(data, at)]
    assert all(block.endswith(b"\n") for block in blocks if block)
    assert b"".join(blocks) + parser.end() == data


def test_a_last_plain_line_without_newline_is_not_lost():
    parser = PlainLines()
    assert parser.feed(b"a\nb") + parser.end() == b"a\nb\n"


def stamped(second: int, text: str = "x") -> bytes:
    return b"2026-11-23T18:40:%02d.000000+00:00 app[web.1]: %s\n" % (second, text.encode())


def unseen(shown: list[bytes], again: list[bytes]) -> list[bytes]:
    memory = Shown()
    memory.add(b"".join(shown))
    return memory.filter().new(b"".join(again)).splitlines(keepends=True)


def test_lines_that_were_shown_are_not_shown_again_and_none_after_them_is_lost():
    shown, later = [stamped(5), stamped(6)], [stamped(7), stamped(8)]
    assert unseen(shown, [stamped(3), stamped(4), *shown, *later]) == later


def test_a_line_that_came_twice_with_one_time_is_shown_as_often_as_it_came():
    assert unseen([stamped(5)], [stamped(5), stamped(5), stamped(5)]) == [stamped(5), stamped(5)]


def test_a_line_of_an_earlier_time_that_came_later_is_not_lost():
    assert unseen([stamped(5), stamped(7)], [stamped(5), stamped(7), stamped(6, "late")]) == [stamped(6, "late")]


def test_when_all_that_was_shown_has_left_the_history_everything_is_new():
    assert unseen([stamped(5)], [stamped(8), stamped(9)]) == [stamped(8), stamped(9)]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 30), st.integers(0, 30))
def test_any_cut_through_an_ordered_log_continues_exactly(seconds, begin, length):
    log = [stamped(second, f"line {number}") for number, second in enumerate(sorted(seconds))]
    start = min(begin, len(log)) - 1
    shown = log[start : start + 1 + length]
    assert unseen(shown, log) == log[start + len(shown) :]


def test_memory_holds_about_as_many_lines_as_the_platform_keeps():
    memory = Shown(limit=10)
    for number in range(100):
        memory.add(stamped(number % 60) * 3)
    assert 10 <= memory._count <= 13
