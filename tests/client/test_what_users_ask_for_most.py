"""The ten things that people who use Heroku's own CLI today ask for most; each is a test, and seen from outside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends import Backend
from tests.client.conftest import git
from tests.client.dyno import certificate
from tests.client.payloads import addon
from tests.client.test_logs import event, gone, stream, text
from tests.client.test_networks import Account, Proxy, served

WITHIN_S = 60
HEROKU = [sys.executable, "-m", "hkcli"]


@pytest.fixture(scope="module")
def app(shared_backend: Backend, tmp_path_factory) -> str:
    """An app that has code, so that one-offs run."""
    name = str(shared_backend.ok("POST", "/apps", {})["name"])
    folder = tmp_path_factory.mktemp("app")
    (folder / "Procfile").write_text("worker: sleep 600\n")
    shared_backend.push(folder, name)
    return name


@pytest.fixture
def logged_in(shared_backend: Backend, environment, app) -> dict[str, str]:
    return environment | {
        "HEROKU_HOST": shared_backend.url,
        "HEROKU_API_KEY": shared_backend.credentials["token"],
        "HEROKU_APP": app,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def done(words, env, folder, **more) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(words, env=env, cwd=folder, capture_output=True, timeout=WITHIN_S, check=False, **more)


def test_1_run_ends_with_the_remote_commands_exit_status_without_being_asked_to(logged_in, folder):
    ended = done([*HEROKU, "run", "exit 7"], logged_in, folder, stdin=subprocess.DEVNULL)
    assert (ended.returncode, ended.stdout) == (7, b"")
    assert done([*HEROKU, "run", "--", "false"], logged_in, folder, stdin=subprocess.DEVNULL).returncode == 1


def test_2_arguments_arrive_byte_for_byte(logged_in, folder):
    words = ["a b", "it's", 'say "hi"', "$HOME", "", "*", "back\\slash", "ü", "--app", "-x", "; exit 9", "new\nline"]
    show = "import sys; sys.stdout.write(ascii(sys.argv[1:]))"
    ended = done([*HEROKU, "run", "python3", "-c", show, *words], logged_in, folder, stdin=subprocess.DEVNULL)
    assert ended.stdout.decode() == ascii(words), ended.stderr


def test_3_without_a_terminal_it_neither_hangs_nor_eats_the_stdin_of_its_script(logged_in, folder):
    reader, writer = os.pipe()
    try:
        silent = done([*HEROKU, "run", "echo done"], logged_in, folder, stdin=reader)
        assert (silent.returncode, silent.stdout) == (0, b"done\n")
    finally:
        os.close(reader)
        os.close(writer)
    loop = 'while read -r name; do heroku run --no-stdin "echo for $name"; done'
    ended = done(["bash", "-c", loop], logged_in, folder, input=b"ada\nbob\n")
    assert ended.stdout == b"for ada\nfor bob\n", ended.stderr
    data = bytes(range(256)) * 40
    assert done([*HEROKU, "run", "--no-tty", "cat"], logged_in, folder, input=data).stdout == data


def test_4_a_tail_has_no_gap_and_repeats_nothing_whatever_happens_to_its_connections(run_heroku, wire):
    paths = ("/stream/1", "/stream/2")
    sessions = [{"id": "s", "logplex_url": f"{wire.url}{path}"} for path in paths]
    wire.on("POST", "/apps/demo/log-sessions", *sessions, gone)
    cut_in_the_middle = event(3, 4)[:-20]
    wire.on("GET", paths[0], stream(event(1, 2), cut_in_the_middle, ends=False), stream(event(3, 4), ends=False), gone)
    wire.on("GET", paths[1], stream(event(1, 2, 3, 4), event(5)), gone)
    ended = run_heroku("logs", "--tail", "--app", "demo")
    assert ended.stdout.decode() == text(1, 2, 3, 4, 5)
    assert ended.returncode == 1 and b"Gone." in ended.stderr, "the app was destroyed: no more lines can come"


def test_5_every_command_that_has_data_or_effects_prints_json(run_heroku):
    described = json.loads(run_heroku("commands", "--json").stdout)
    without = {
        each["command"] for each in described if not any("--json" in option["flags"] for option in each["options"])
    }
    streams = {"run", "rake", "console", "pg:psql", "quickstart"}
    assert without == streams | {"api", "git:credentials"}, "whose output is another program's, or JSON always"


def test_6_without_a_network_it_fails_within_seconds_and_in_words(run_heroku, environment):
    environment |= {"HEROKU_HOST": "https://api.network-is-gone.invalid", "RES_OPTIONS": "timeout:1 attempts:1"}
    ended = run_heroku("apps", timeout_s=30)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"Cannot reach https://api.network-is-gone.invalid (" in ended.stderr
    assert b"Check the network" in ended.stderr and b"Traceback" not in ended.stderr


def test_7_a_corporate_proxy_and_its_own_authority_are_no_obstacle(run_heroku, environment, tmp_path):
    name = "api.company.example"
    pem, authority = certificate(tmp_path, name)
    (tmp_path / "ca.pem").write_text(authority)
    password = "ada:sesame"
    with (
        served(Account, pem=pem) as platform,
        served(Proxy, target=platform.server_address, password=password) as proxy,
    ):
        environment |= {
            "HEROKU_HOST": f"https://{name}",
            "HTTPS_PROXY": f"http://{password}@127.0.0.1:{proxy.server_address[1]}",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
        }
        assert run_heroku("whoami").stdout == b"ada@example.com\n"


def test_8_where_two_apps_could_be_meant_none_is_touched_and_the_choice_is_shown(run_heroku, wire, folder):
    git(folder, "init", "-q")
    for remote in ("staging", "production"):
        git(folder, "remote", "add", remote, f"{wire.url}/example-{remote}.git")
    ended = run_heroku("maintenance:on")
    assert ended.returncode == 2 and wire.seen == []
    assert b"staging (example-staging)" in ended.stderr and b"--remote production" in ended.stderr
    wire.on("PATCH", "/apps/example-staging", {"name": "example-staging", "maintenance": True})
    assert run_heroku("maintenance:on", "--app", "staging").returncode == 0, "a remote's name is a name for the app"


def test_9_an_addon_that_fails_is_told_as_failed_with_its_state_and_the_status_says_so(heroku, platform, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    platform.on("POST", "/apps/demo/addons", reply=addon("db-1", state="provisioning"), status=202)
    platform.on("GET", "/apps/demo/addons/db-1-id", reply=addon("db-1", state="provisioning"))
    platform.on("GET", "/apps/demo/addons/db-1-id", reply=addon("db-1", state="deprovisioned"))
    failed = heroku("addons:create", "dj", "--wait", "-a", "demo", terminal=True)
    assert failed.exit_code == 1 and "The add-on db-1 was not provisioned." in failed.stderr
    assert "0:00:00" in failed.stderr, "the time so far, on a terminal"
    platform.on("POST", "/apps/demo/addons", reply=addon("db-1", state="provisioning"), status=202)
    pending = heroku("addons:create", "dj", "-a", "demo")
    assert pending.exit_code == 0 and "is being created in the background" in pending.stdout, "not yet: no more is said"


SPY = """
import sys
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn", "os.exec"):
        with open({path!r}, "a") as file:
            file.write(f"{{event}} {{arguments!r}}\\n")
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & 3 and not arguments[0].startswith("/dev/"):
        with open({path!r}, "a") as file:
            file.write(f"write {{arguments[0]}}\\n")
sys.addaudithook(lambda event, arguments: note(event, arguments) if {path!r} not in map(str, arguments) else None)
"""


def test_10_nobody_is_told_anything_and_nothing_updates_itself(run_heroku, wire, environment, tmp_path):
    record = tmp_path / "record"
    (tmp_path / "sitecustomize.py").write_text(SPY.format(path=str(record)))
    environment |= {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    wire.on("GET", "/users/~/apps", [])
    wire.on("GET", "/account", {"email": "ada@example.com"})
    for words in (("apps",), ("help",), ("version",), ("no-such-command",)):
        run_heroku(*words)
    seen = record.read_text().splitlines()
    port = wire.server.server_address[1]
    elsewhere = [line for line in seen if f"'localhost', {port}" not in line and f", {port}" not in line]
    assert any(line.startswith("socket.connect") for line in seen), "the spy sees"
    assert elsewhere == []
    assert list(Path(environment["HOME"]).iterdir()) == []
