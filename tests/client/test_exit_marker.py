from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.api.exit_marker import MARK, MarkerFilter

MARKER = MARK.encode()
near_markers = st.lists(
    st.sampled_from([b"\xef", b"\xef\xbf", b"\xef\xbf\xbf", MARKER, MARKER[:-1], b"7", b"\n", b"\r", b"x"])
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(point, len(data)) for point in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.binary(max_size=200), st.integers(0, 255), st.sampled_from([b"\n", b"\r\n"]), st.lists(st.integers(0, 260)))
def test_the_marker_is_found_and_taken_out_however_the_stream_is_cut(output, status, newline, at):
    marker = MarkerFilter()
    pieces = cut(output + MARKER + str(status).encode() + newline, at)
    assert b"".join(map(marker.feed, pieces)) + marker.end() == output
    assert marker.status == status


@given(near_markers.map(b"".join), st.lists(st.integers(0, 80)))
def test_what_only_looks_like_a_marker_is_shown_whole_and_the_cut_changes_nothing(data, at):
    whole, parts = MarkerFilter(), MarkerFilter()
    expected = whole.feed(data) + whole.end()
    assert b"".join(map(parts.feed, cut(data, at))) + parts.end() == expected
    assert parts.status == whole.status


def test_output_is_not_held_back_without_need():
    assert MarkerFilter().feed("prompt> \ufffd".encode()) == "prompt> \ufffd".encode()


def test_a_begun_marker_is_held_back():
    marker = MarkerFilter()
    assert marker.feed(b"x" + MARKER[:5]) == b"x"
    assert marker.feed(b"y") == MARKER[:5] + b"y"


@pytest.mark.parametrize("ending", [b"", b"\r"])
def test_a_marker_at_the_very_end_counts_without_its_newline(ending):
    marker = MarkerFilter()
    assert marker.feed(b"out\n" + MARKER + b"12" + ending) + marker.end() == b"out\n"
    assert marker.status == 12


def test_the_last_of_several_markers_counts():
    marker = MarkerFilter()
    assert marker.feed(MARKER + b"1\nmore\n" + MARKER + b"2\n") == b"more\n"
    assert marker.status == 2
