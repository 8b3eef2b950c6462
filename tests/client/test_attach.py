"""`run` and `rake` with a real TLS server, a real bash behind it, and, where it matters, a real terminal in front."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pexpect
import pytest

from hkcli.api.exit_marker import MARK
from tests.client.dyno import SECRET, certificate, rendezvous, until


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("keys"), "localhost", "127.0.0.1")


@pytest.fixture
def dyno(wire, keys):
    """A platform that serves its authority and starts dynos which run the command for real."""
    pem, authority = keys
    with rendezvous(pem) as server:

        def create(request):
            server.wishes.update(json.loads(wire.seen[-1][3]))
            request.json({"name": "run.1234", "attach_url": server.attach_url, "type": "run", "state": "starting"}, 201)

        wire.on("POST", "/apps/demo/dynos", create)
        wire.on("GET", "/ca.pem", lambda request: plain(request, authority))
        yield server


def plain(request, text):
    request.begin("application/x-pem-file")
    request.chunk(text.encode())
    request.end()


@pytest.fixture
def run(run_heroku):
    def run(*words, stdin=b""):
        return run_heroku("run", "-a", "demo", *words, stdin=stdin)

    return run


def test_output_and_status_of_the_remote_command_are_ours(run, dyno):
    result = run("sh", "-c", "echo out; exit 7")
    assert (result.returncode, result.stdout) == (7, b"out\n")
    assert result.stderr.decode() == "Running sh -c 'echo out; exit 7' on demo... up, run.1234\n"
    assert dyno.secret == f"{SECRET}\r\n".encode()


def test_rake_runs_rake_with_all_that_follows(run_heroku, dyno):
    run_heroku("rake", "-a", "demo", "db:migrate", "VERSION=1", "--trace", "--app", "x y")
    assert dyno.wishes["command"].startswith("rake db:migrate VERSION=1 --trace --app 'x y' ; echo ")


def test_after_the_first_word_everything_is_the_remote_commands(run, dyno):
    assert run("printf", "%s,", "--app", "x", "-a", "--", "--help").stdout == b"--app,x,-a,--,--help,"


def test_a_word_that_is_no_text_arrives_byte_for_byte(run, dyno):
    word = "caf\udce9 \n'\""
    assert run("printf", "%s", word).stdout == b"caf\xe9 \n'\""


def test_options_before_the_first_word_are_ours(run, dyno):
    run("-s", "standard-2x", "--type", "worker", "-e", "A=1;B=x y", "-x", "--", "echo", "hi")
    assert dyno.wishes == {
        "command": f'echo hi ; echo "{MARK}$?"',
        "attach": True,
        "env": {"A": "1", "B": "x y"},
        "size": "standard-2x",
        "type": "worker",
        "force_no_tty": True,
    }


def test_a_pipe_passes_any_bytes_both_ways(run, dyno):
    data = bytes(range(256)) * 2000 + b"\r\n\x04\x03end"
    result = run("cat", stdin=data)
    assert (result.returncode, result.stdout == data) == (0, True)


def test_a_marker_that_comes_in_single_bytes_is_never_shown(run, dyno):
    dyno.drip = True
    result = run("echo begin; printf 'no newline'; exit 300")
    assert (result.returncode, result.stdout) == (44, b"begin\nno newline")


def test_an_open_stdin_that_says_nothing_does_not_hold_us(run_heroku, dyno, environment, folder):
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "hkcli", "run", "-a", "demo", "echo", "done"],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
    )
    try:
        assert process.communicate(timeout=60) == (b"done\n", None)
        assert process.returncode == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_the_end_of_stdin_is_the_end_there(run, dyno):
    assert run("cat; echo after").stdout == b"after\n"


def test_a_dyno_that_is_lost_is_said_so_with_where_to_look(run, dyno):
    dyno.is_lost = True
    result = run("true")
    assert result.returncode == 1
    assert "run.1234 was lost before it told its exit status." in result.stderr.decode()
    assert "heroku logs --app demo --dyno run.1234" in result.stderr.decode()


def test_an_address_that_has_expired_is_said_so(run, dyno):
    dyno.greeting = b""
    result = run("true")
    assert result.returncode == 1 and "its address has expired" in result.stderr.decode()


def test_a_certificate_of_another_authority_is_refused_before_the_secret_is_told(run, dyno, wire, tmp_path):
    _, foreign = certificate(tmp_path, "localhost")
    wire.on("GET", "/ca.pem", lambda request: plain(request, foreign))
    result = run("true")
    assert result.returncode == 1 and "certificate is not trusted" in result.stderr.decode()
    assert dyno.secret == b""


def test_a_certificate_for_another_name_is_refused_before_the_secret_is_told(run, dyno, wire, tmp_path):
    pem, authority = certificate(tmp_path, "elsewhere.example")
    wire.on("GET", "/ca.pem", lambda request: plain(request, authority))
    with rendezvous(pem) as impostor:
        document = {"name": "run.1", "attach_url": impostor.attach_url}
        wire.on("POST", "/apps/demo/dynos", document)
        result = run("true")
    assert result.returncode == 1 and "certificate is not trusted" in result.stderr.decode()
    assert impostor.secret == b""


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_an_authority_named_by_the_environment_is_trusted_too(run, dyno, wire, keys, tmp_path, environment, variable):
    _, foreign = certificate(tmp_path, "localhost")
    wire.on("GET", "/ca.pem", lambda request: plain(request, foreign))
    (tmp_path / "mine.pem").write_text(keys[1])
    environment[variable] = str(tmp_path / "mine.pem")
    assert run("exit 4").returncode == 4


def test_a_port_where_nothing_listens_is_said_so(run, dyno, wire):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    wire.on("POST", "/apps/demo/dynos", {"name": "run.1", "attach_url": f"rendezvous://localhost:{port}/x"})
    result = run("true")
    assert result.returncode == 1
    assert f"Cannot attach to the dyno at localhost:{port} (connection refused)" in result.stderr.decode()


def test_without_a_command_nothing_is_started(run, dyno):
    for words in ((), ("",), ("", "x")):
        assert run(*words).returncode == 2
    assert dyno.wishes == {}


def test_an_interrupt_without_a_terminal_lets_go_and_the_dyno_is_hung_up(run_heroku, dyno, environment, folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "hkcli", "run", "-a", "demo", "echo ready; sleep 60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, b"Traceback" in said) == (130, False)
    assert dyno.was_left.wait(30)


def test_rake_tasks_complete_as_the_apps_own_rake_lists_them(run_heroku, dyno, tmp_path, monkeypatch):
    rake = tmp_path / "rake"
    rake.write_text(
        "#!/bin/sh\necho 'rake db:migrate  # Migrate'; echo 'rake jobs:check[max_age]  # Check'; echo noise\n"
    )
    rake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run_heroku("--complete", "rake-task", "-a", "demo", "").stdout == b"db:migrate\njobs:check[max_age]\n"
    assert dyno.wishes["command"] == "rake -T"


# --- with a terminal


@pytest.fixture
def terminal(run_heroku, dyno, environment, folder):
    """Starts `heroku run` on a pty of 100 by 30."""
    started = []

    def start(*words):
        child = pexpect.spawn(
            sys.executable,
            ["-m", "hkcli", "run", "-a", "demo", *words],
            cwd=str(folder),
            env={**environment, "TERM": "xterm"},
            dimensions=(30, 100),
            timeout=60,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def modes(child):
    return termios.tcgetattr(child.child_fd)


def test_a_terminal_here_is_a_terminal_there_of_the_same_size(terminal, dyno):
    child = terminal("tty -s && echo $COLUMNS x $LINES $TERM")
    child.expect_exact("100 x 30 xterm\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and "force_no_tty" not in dyno.wishes


def test_the_marker_is_not_seen_on_a_terminal_and_its_mode_comes_back(terminal):
    child = terminal("stty raw; printf out; exit 5")
    before = modes(child)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5 and b"heroku-command-exit-status" not in child.before and b"out" in child.before
    assert before[3] & termios.ECHO


def test_ctrl_c_reaches_the_remote_command(terminal):
    child = terminal("trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done")
    child.expect_exact("ready\r\n")
    child.send("\x03")
    child.expect_exact("caught")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 9


def test_a_command_that_ctrl_c_kills_ends_with_130(terminal):
    child = terminal("echo ready; sleep 60")
    child.expect_exact("ready\r\n")
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130 and b"was lost" not in child.before


def test_four_ctrl_c_within_a_second_let_go_of_a_command_that_ignores_them(terminal, dyno):
    child = terminal("trap '' INT; echo ready; sleep 60")
    child.expect_exact("ready\r\n")
    child.send("\x03\x03\x03\x03")
    child.expect_exact("Let go of run.1234")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert dyno.was_left.wait(30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminals_mode_comes_back_when_a_signal_ends_us(environment, folder, run_heroku, dyno, tmp_path, number):
    """A shell holds the terminal, so that its mode can be looked at when the client is gone."""
    command = f"{sys.executable} -m hkcli run -a demo 'echo ready; sleep 60'"
    look = "stty -a | tr ' ' '\\n' | grep -x -e -echo -e echo"
    script = f"set -m; {command} & echo $! > {tmp_path}/pid; fg > /dev/null; echo ended; {look}"
    child = pexpect.spawn(
        "bash", ["--norc", "-i", "-c", script], cwd=str(folder), env={**environment, "TERM": "xterm"}, timeout=60
    )
    try:
        child.expect_exact("ready\r\n")
        os.kill(int(Path(tmp_path, "pid").read_text()), number)
        child.expect_exact("ended")
        assert child.expect(["\n-echo\r\n", "\necho\r\n"]) == 1
    finally:
        child.close(force=True)


def test_in_the_background_it_does_not_stop_for_the_terminal(environment, folder, run_heroku, dyno):
    command = f"{sys.executable} -m hkcli run -a demo 'echo from there' & wait $!; echo status $?"
    child = pexpect.spawn(
        "bash",
        ["--norc", "-i", "-c", f"set -m; {command}"],
        cwd=str(folder),
        env={**environment, "TERM": "xterm"},
        timeout=60,
    )
    try:
        child.expect_exact("from there")
        child.expect_exact("status 0")
    finally:
        child.close(force=True)


def test_no_tty_can_be_asked_for_on_a_terminal(terminal, dyno):
    child = terminal("--no-tty", "tty -s || echo none")
    child.expect_exact("none\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and dyno.wishes["force_no_tty"] is True


def test_a_terminal_that_is_asked_for_in_a_pipe_has_its_line_ends_undone(run, dyno):
    result = run("--tty", "tty -s && echo yes")
    assert (result.returncode, result.stdout) == (0, b"yes\n")


def test_typing_arrives(terminal):
    child = terminal("read -p 'name? ' name; echo hello $name")
    child.expect_exact("name? ")
    child.sendline("ada")
    child.expect_exact("hello ada")
    child.expect(pexpect.EOF)
    with contextlib.suppress(pexpect.ExceptionPexpect):
        child.close()
    assert child.exitstatus == 0


def test_the_far_process_does_not_outlive_the_conversation(run, dyno):
    run("true")
    until(lambda: dyno.process is not None and dyno.process.poll() is not None)
