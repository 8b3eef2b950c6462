"""What a terminal gets, and what a pipe: the same words, laid out for each."""

import pytest

from hkcli.cli.output import Output
from tests.client.conftest import Stream
from tests.client.payloads import addon, app, release


def output(env=None, *, terminal=True):
    streams = [Stream(is_terminal=terminal) for _ in range(3)]
    return Output(*streams, env or {}), *streams[1:]


@pytest.mark.parametrize(
    ("env", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"HEROKU_COLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_terminal_and_the_usual_variables(env, terminal, coloured):
    out, stdout, _ = output(env, terminal=terminal)
    out.header("demo")
    assert (b"\x1b[" in stdout.written) is coloured


def test_a_table_is_drawn_for_a_terminal_and_is_tabs_in_a_pipe():
    rows = [["a", "two words"], ["b\tc", "x\ny"]]
    drawn, stdout, _ = output({"NO_COLOR": "1"})
    drawn.table(["One", "Two"], rows[:1])
    assert [line.rstrip() for line in stdout.written.decode().splitlines()] == [
        "One   Two",
        "─" * 15,
        "a     two words",
    ]
    plain, stdout, _ = output(terminal=False)
    plain.table(["One", "Two"], rows)
    assert stdout.written == b"a\ttwo words\nb c\tx y\n"


def test_text_from_elsewhere_cannot_drive_the_terminal():
    out, stdout, stderr = output({"NO_COLOR": "1"})
    out.table(["One"], [["\x1b]0;title\x07\x9b2Jx"]])
    out.line("a\x07b\rc")
    out.talk("a\x1b]0;t\x07")
    assert not {7, 13, 0x9B} & set(stdout.written.decode().encode("latin-1", "ignore"))
    assert b"\x07" not in stderr.written and b"\x1b]" not in stdout.written + stderr.written


def test_in_a_pipe_text_stays_as_it_is():
    out, stdout, _ = output(terminal=False)
    out.line("a\x07\x1b[31mb")
    assert stdout.written == b"a\x07\x1b[31mb\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_ends_as_the_work_did(terminal):
    out, _, stderr = output({"TERM": "xterm"}, terminal=terminal)
    with out.progress("Working") as step:
        step.done("v7")
    with pytest.raises(ValueError, match="x"), out.progress("Failing"):
        raise ValueError("x")
    text = stderr.written.decode()
    assert "Working... done, v7\n" in text and "Failing... failed\n" in text


def test_where_the_total_is_known_a_terminal_shows_how_far_it_is_and_a_pipe_only_the_end():
    out, _, stderr = output({"TERM": "xterm"}, terminal=True)
    with out.progress("Waiting") as step:
        step.reached(2, 5)
    assert "2/5" in stderr.written.decode() and "0:00:00" in stderr.written.decode()
    out, _, stderr = output(terminal=False)
    with out.progress("Waiting") as step:
        step.reached(2, 5)
    assert stderr.written == b"Waiting... done\n"


def test_for_a_program_stderr_holds_no_talk_and_warnings_come_last():
    out, _, stderr = output(terminal=False)
    out.is_for_program = True
    with out.progress("Working"):
        out.talk("by the way")
        out.warn("careful")
    assert stderr.written == b"" and out.warnings == ["careful"]
    out.release_warnings()
    assert stderr.written.decode() == " ›   Warning: careful\n"


def test_in_a_dumb_terminal_nothing_turns():
    out, _, stderr = output({"TERM": "dumb"})
    with out.progress("Working"):
        pass
    assert stderr.written == b"Working... done\n"


def test_what_is_said_during_progress_is_heard_after_it():
    out, _, stderr = output(terminal=False)
    with out.progress("Working"):
        out.warn("careful")
        out.warn("careful")
    assert stderr.written.decode() == "Working... done\n ›   Warning: careful\n"


def test_a_stream_that_knows_ascii_alone_gets_ascii():
    out, _, stderr = output(terminal=False)
    stderr.reconfigure(encoding="ascii")
    out.warn("careful")
    assert stderr.written == b" >   Warning: careful\n"


def test_pairs_are_aligned_and_empty_values_leave_no_space():
    out, stdout, _ = output(terminal=False)
    out.pairs({"A": "1", "LONG": ""})
    assert stdout.written == b"A:    1\nLONG:\n"


READS = {
    ("apps",): {"/users/~/apps": [app()]},
    ("addons", "--all"): {"/addons": [addon(attachments=[])]},
    ("config", "-a", "demo"): {"/apps/demo/config-vars": {"A": "1"}},
    ("ps", "-a", "demo"): {"/apps/demo/dynos": []},
    ("releases", "-a", "demo"): {"/apps/demo/releases": [release()]},
    ("whoami",): {"/account": {"email": "ada@example.com"}},
    ("addons:services",): {"/addon-services": [{"name": "dj", "human_name": "Delayed Job", "state": "ga"}]},
    ("addons:plans", "dj"): {"/addon-services/dj/plans": [{"name": "dj:single"}]},
}


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_json_is_the_platforms_own_document(heroku, platform, words):
    [(path, document)] = READS[words].items()
    platform.on("GET", path, reply=document)
    assert heroku(*words, "--json").json == document


def test_on_a_terminal_errors_break_between_words_and_in_a_pipe_not_at_all(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = "Couldn't find that app. " * 3 + "See https://example.com/a/very/long/address/that/is/whole"
    for terminal in (True, False):
        out, _, _ = output({"NO_COLOR": "1"}, terminal=terminal)
        lines = out.marked("Error", text, "red").splitlines()
        assert all(line.startswith(" ›   ") for line in lines)
        assert lines[-1].endswith("/a/very/long/address/that/is/whole")
        assert all(len(line) <= 40 for line in lines[:-1]) and (len(lines) > 2) == terminal
