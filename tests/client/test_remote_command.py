import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hkcli.api.exit_marker import MARK, MarkerFilter
from hkcli.cli.remote_command import command_line, may_end_the_shell, quote, shown, with_exit_status

words = st.binary(max_size=30).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))


def bash(line: str) -> "subprocess.CompletedProcess[bytes]":
    """The line as a dyno runs it: it has gone through JSON, so it must be text."""
    return subprocess.run(["bash", "-c", line.encode()], capture_output=True, check=False)


@settings(max_examples=60)
@given(st.lists(words, min_size=1, max_size=5))
@example(["", "a b", "'", '"', "\n", "$HOME", "`id`", "\\", "*", "~", "!x", "-n", "é", "\udce9", "#", "a\udcff'\\x41"])
def test_words_arrive_byte_for_byte(typed):
    arrived = bash(command_line(("printf", r"%s\0", *typed))).stdout
    assert arrived.split(b"\0")[:-1] == [os.fsencode(word) for word in typed]


@settings(max_examples=40)
@given(st.lists(words, min_size=1, max_size=3))
def test_words_arrive_byte_for_byte_with_the_marker_behind_them(typed):
    done = bash(with_exit_status(("printf", r"%s\0", *typed)))
    marker = MarkerFilter()
    assert marker.feed(done.stdout).split(b"\0")[:-1] == [os.fsencode(word) for word in typed]
    assert marker.status == 0


@settings(max_examples=40)
@given(words)
def test_one_word_is_a_shell_line_as_it_is(word):
    line = f"printf %s {quote(word)}; echo $((1+1))"
    assert bash(command_line((line,))).stdout == os.fsencode(word) + b"2\n"


def test_a_shell_line_that_is_not_utf_8_still_is_one():
    assert bash(command_line(("printf 'caf\udce9'; echo \" $((1+1))\"",))).stdout == b"caf\xe9 2\n"


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        (("true",), 0),
        (("false",), 1),
        (("exit 3",), 3),
        (("exit", "3"), 3),
        (("exec false",), 1),
        (("exec", "sh", "-c", "exit 9"), 9),
        (("set -e; false; true",), 1),
        (("true && exit 4",), 4),
        (("if true; then exit 5; fi",), 5),
        (("(exit 6)",), 6),
        (("kill -9 $$",), 137),
        (("trap 'exit 8' EXIT",), 8),
        (("eval exit 7",), 7),
        (("echo hi # a comment",), 0),
        (("false # a comment",), 1),
        (("true &",), 0),
        (("false;",), 1),
        (("cat <<EOF\nx\nEOF",), 0),
        (("echo 'unbalanced",), 2),
        (("echo )",), 2),
        (("( true",), 2),
        (("if true",), 2),
        (("done",), 2),
        (("; true",), 2),
        (("true | | true",), 2),
        (("{ true",), 2),
        (("false\n",), 1),
        (("true |",), 2),
        (("true \\",), 0),
        ((": ${missing:?gone}",), 127),
        ((": ${missing?gone}",), 127),
        (("no-such-command",), 127),
        (("sh", "-c", "exit 255"), 255),
    ],
)
def test_the_status_of_any_command_is_known(typed, status):
    marker = MarkerFilter()
    printed = marker.feed(bash(with_exit_status(typed)).stdout) + marker.end()
    assert (marker.status, MARK.encode() in printed) == (status, False)


@pytest.mark.parametrize("typed", [("worker",), ("worker", "a b"), ("worker --once && echo ok",), ("rake", "exit")])
def test_the_first_word_stays_first_where_it_can_be_a_process_type(typed):
    assert with_exit_status(typed).startswith(typed[0])


@pytest.mark.parametrize(
    "line", ["rake db:migrate", "echo exiting", "bin/exit", "ls --exit", "rails runner 'x'", "a | b && c"]
)
def test_harmless_lines_are_not_wrapped(line):
    assert not may_end_the_shell(line)


def test_what_is_shown_of_a_command_fits_on_one_line():
    assert shown(("echo", "a\nb\x1b[31m")) == "echo 'a\\nb\\x1b[31m'"
