import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.backend.log_lines import LINE_LIMIT, LineAssembler, split_long_lines, whole_lines


@given(st.lists(st.binary(max_size=50)))
def test_fed_in_any_pieces_the_bytes_come_back_whole(pieces: list[bytes]) -> None:
    assembler = LineAssembler()
    given_back = [assembler.feed(piece) for piece in pieces]
    assert all(lines.endswith(b"\n") for lines in given_back if lines)
    text = b"".join(pieces)
    expected = text if not text or text.endswith(b"\n") else text + b"\n"
    assert b"".join([*given_back, assembler.flush()]) == expected


def test_an_unfinished_line_becomes_a_line_after_a_pause_and_swallows_its_late_newline() -> None:
    assembler = LineAssembler()
    assert assembler.feed(b"Password: ") == b""
    assert assembler.flush_quiet() == b"Password: \n"
    assert assembler.feed(b"\r\nnext\n") == b"next\n"
    assert assembler.feed(b"\n") == b"\n"


def test_a_pause_inside_a_character_keeps_the_character_whole() -> None:
    assembler = LineAssembler()
    snowman = "☃".encode()
    assert assembler.feed(b"a" + snowman[:2]) == b""
    assert assembler.flush_quiet() == b"a\n"
    assert assembler.feed(snowman[2:] + b"\n") == snowman + b"\n"


def test_half_a_character_alone_waits_for_the_end() -> None:
    assembler = LineAssembler()
    assembler.feed(b"\xe2\x98")
    assert assembler.flush_quiet() == b""
    assert assembler.flush() == b"\xe2\x98\n"


def test_a_line_without_end_is_held_only_up_to_the_limit() -> None:
    assembler = LineAssembler()
    sizes = []
    for _ in range(100):
        lines = assembler.feed(b"x" * 999)
        sizes.extend(len(line) for line in lines.splitlines())
    assert set(sizes) == {LINE_LIMIT}
    assert sum(sizes) + len(assembler.flush()) - 1 == 99_900


@given(st.lists(st.integers(min_value=0, max_value=3 * LINE_LIMIT), max_size=6))
def test_long_lines_are_split_and_short_ones_untouched(lengths: list[int]) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths)
    expected = [size for length in lengths for size in split_sizes(length)]
    assert [len(line) for line in split_long_lines(data).split(b"\n")[:-1]] == expected


def split_sizes(length: int) -> list[int]:
    full = max(length - 1, 0) // LINE_LIMIT
    return [LINE_LIMIT] * full + [length - LINE_LIMIT * full]


@pytest.mark.parametrize("character", ["é", "☃", "🦝"])
def test_a_split_does_not_cut_a_character(character: str) -> None:
    for before in range(4):
        text = "x" * before + character * LINE_LIMIT
        lines = whole_lines(text).decode().splitlines()
        assert "".join(lines) == text and "\ufffd" not in "".join(lines)
        assert all(LINE_LIMIT - 4 < len(line.encode()) <= LINE_LIMIT for line in lines[:-1])


@given(st.binary(max_size=300))
def test_any_bytes_become_valid_lines(data: bytes) -> None:
    lines = whole_lines(data)
    lines.decode()
    assert b"\r" not in lines and (not lines or lines.endswith(b"\n"))
