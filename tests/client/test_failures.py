"""The one boundary: what a person reads, and the exit status, when something is wrong."""

import fcntl
import json
import socket
import stat
import subprocess
import sys

import pytest
import requests

from hkcli.api.transport import LONGEST_RETRY_AFTER_S, Patience
from tests.client.payloads import app, problem


def test_the_platforms_own_words_its_id_and_the_request_id_pass_through(heroku, platform):
    platform.on(
        "GET", "/account", status=403, reply=problem("suspended", "Your account is suspended.", url="https://x.y")
    )
    result = heroku("whoami")
    assert result.exit_code == 1
    assert "Error: Your account is suspended." in result.stderr
    assert "Error ID: suspended (request request-1)" in result.stderr and "See https://x.y" in result.stderr


def test_with_json_a_failure_is_one_json_object_on_stderr(heroku, platform):
    platform.on("GET", "/apps/demo/config-vars", status=403, reply=problem("forbidden", "No."))
    result = heroku("config", "--json", "-a", "demo")
    assert json.loads(result.stderr) == {
        "id": "forbidden",
        "message": "No.",
        "status": 403,
        "request_id": "request-1",
        "next": ["Who you are there: heroku whoami"],
        "warnings": [],
    }


def test_a_key_that_is_not_accepted_says_where_it_came_from(heroku, platform):
    platform.on("GET", "/account", status=401, reply=problem("unauthorized", "Invalid credentials provided."))
    result = heroku("whoami")
    assert result.exit_code == 1 and "does not accept HEROKU_API_KEY" in result.stderr
    assert "secret-token" not in result.stderr


def test_without_any_login_nothing_is_asked_of_the_platform(heroku, platform, environment):
    del environment["HEROKU_API_KEY"]
    result = heroku("apps")
    assert result.exit_code == 1
    assert "not logged in to http://localhost:5080" in result.stderr and "heroku backend:start" in result.stderr


def test_without_a_login_a_backend_that_runs_elsewhere_is_offered(heroku, environment, tmp_path):
    del environment["HEROKU_API_KEY"]
    environment["HKCLI_BACKEND_HOME"] = str(tmp_path)
    (tmp_path / "backend.json").write_text('{"api_url": "http://localhost:5081"}')
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = heroku("apps")
    assert result.exit_code == 1 and "not logged in to http://localhost:5080" in result.stderr
    assert 'your backend at http://localhost:5081: eval "$(heroku backend:env)"' in result.stderr


def test_a_backend_that_is_not_running_is_named_with_how_to_start_it(heroku, environment, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        environment["HEROKU_HOST"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setattr("hkcli.cli.context.Run.api_with", real_api)
    result = heroku("apps")
    assert result.exit_code == 1
    assert f"Cannot reach {environment['HEROKU_HOST']} (connection refused)." in result.stderr
    assert "Is the backend running? Start it: heroku backend:start" in result.stderr


def real_api(run, token):
    from hkcli.api.client import PlatformAPI

    return PlatformAPI(run.host.api, token)


def test_an_answer_that_is_no_json_is_said_so(heroku, platform):
    platform.on("GET", "/account", reply=b"<html>", headers={"Content-Type": "text/html"})
    result = heroku("whoami")
    assert result.exit_code == 1 and "does not speak the Platform API" in result.stderr


def test_an_error_of_a_proxy_is_told_by_its_status(heroku, platform):
    platform.on("POST", "/apps", status=502, reply=b"<html>", headers={"Content-Type": "text/html"})
    result = heroku("create", "demo")
    assert "POST http://localhost:5080/apps was answered with HTTP status 502" in result.stderr


def test_a_warning_of_the_platform_is_shown_once_and_after_the_progress(heroku, platform):
    headers = {"X-Heroku-Warning": "warning: soon gone"}
    platform.on("PATCH", "/apps/demo/config-vars", reply={"A": "1"}, headers=headers)
    platform.on("GET", "/apps/demo/releases", reply=[{"version": 7}], headers=headers)
    result = heroku("config:set", "A=1", "-a", "demo")
    assert result.stderr == "Setting A and restarting demo... done, v7\n ›   Warning: soon gone\n"


def client(platform, waits):
    from hkcli.api.client import PlatformAPI

    return PlatformAPI("http://localhost:5080", "t", adapter=platform, sleep=waits.append)


def test_a_read_is_repeated_when_the_platform_is_busy_as_long_as_it_asks_for(platform):
    waits = []
    for _ in range(2):
        platform.on("GET", "/account", status=503, headers={"Retry-After": "2"}, reply={})
    platform.on("GET", "/account", reply={"email": "ada@example.com"})
    assert client(platform, waits).account()["email"] == "ada@example.com"
    assert waits == [2.0, 2.0]


def test_a_platform_that_stays_busy_is_believed_in_the_end(platform):
    from hkcli.api.errors import RateLimited

    waits = []
    for _ in range(3):
        platform.on("GET", "/account", status=429, reply=problem("rate_limit", "Too many."))
    with pytest.raises(RateLimited, match="Too many"):
        client(platform, waits).account()
    assert waits == list(Patience().retry_waits_s)


def test_nobody_waits_longer_than_a_person_would(platform):
    from hkcli.api.errors import RateLimited

    headers = {"Retry-After": str(LONGEST_RETRY_AFTER_S + 1)}
    platform.on("GET", "/account", status=429, headers=headers, reply=problem("rate_limit", "Too many."))
    with pytest.raises(RateLimited):
        client(platform, []).account()


def test_a_write_is_never_repeated(platform):
    from hkcli.api.errors import ApiError, Unreachable

    platform.on("POST", "/apps", status=503, reply=problem("down", "Down."))
    with pytest.raises(ApiError):
        client(platform, []).create_app({})
    platform.on("POST", "/apps", reply=requests.ConnectionError("reset"))
    with pytest.raises(Unreachable):
        client(platform, []).create_app({})


def test_a_read_that_was_cut_off_is_repeated(platform):
    platform.on("GET", "/account", reply=requests.ConnectionError("reset"))
    platform.on("GET", "/account", reply={"email": "a"})
    assert client(platform, []).account() == {"email": "a"}


def test_pages_are_followed_to_the_end_and_no_further(platform):
    first = platform.on("GET", "/users/~/apps", status=206, headers={"Next-Range": "id ]a..; max=1"}, reply=[app("a")])
    second = platform.on("GET", "/users/~/apps", status=200, headers={"Next-Range": "id ]b..; max=1"}, reply=[app("b")])
    assert [each["name"] for each in client(platform, []).apps()] == ["a", "b"]
    assert "Range" not in first.asked[0].headers
    assert second.asked[0].headers["Range"] == "id ]a..; max=1"


@pytest.mark.parametrize(("name", "path"), [("a/b", "a%2Fb"), ("...", "..."), ("a?b#c", "a%3Fb%23c")])
def test_a_name_stays_one_segment_of_the_path(platform, name, path):
    platform.on("GET", f"/apps/{path}", reply=app())
    client(platform, []).app(name)


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_that_leads_out_of_its_path_is_refused_before_any_request(heroku, platform, name):
    result = heroku("ps:restart", "--dyno-name", name or "..", "-a", "demo")
    assert result.exit_code == 2 and "can't be a name" in result.stderr


def test_a_netrc_entry_of_the_same_host_is_not_sent_in_place_of_the_token(platform, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine localhost login other password wrong\n")
    (tmp_path / ".netrc").chmod(stat.S_IRUSR)
    monkeypatch.setenv("HOME", str(tmp_path))
    asked = platform.on("GET", "/account", reply={"email": "a"})
    client(platform, []).account()
    assert asked.asked[0].headers["Authorization"] == "Bearer t"


def test_debug_shows_requests_but_no_secret(heroku, platform, environment):
    environment["HEROKU_DEBUG"] = "1"
    platform.on("PATCH", "/apps/demo/config-vars", reply={"PASSWORD": "hunter2"})
    platform.on("GET", "/apps/demo/releases", reply=[{"version": 7}])
    result = heroku("config:set", "PASSWORD=hunter2", "-a", "demo")
    assert "--> PATCH http://localhost:5080/apps/demo/config-vars {PASSWORD: [REDACTED]}" in result.stderr
    assert "request id request-1" in result.stderr
    assert "hunter2" not in result.stderr and "secret-token" not in result.stderr


def test_an_unknown_command_brings_the_nearest(heroku, platform):
    result = heroku("addon:add", "dj")
    assert result.exit_code == 2 and "Did you mean: addons:add" in result.stderr


def test_an_option_before_the_command_is_told_where_it_belongs(heroku, platform):
    result = heroku("--app", "demo", "logs")
    assert result.exit_code == 2 and "--app comes after the command" in result.stderr


def test_a_missing_argument_shows_the_usage(heroku, platform):
    result = heroku("addons:add", "-a", "demo")
    assert result.exit_code == 2 and "Usage: heroku addons:add [OPTIONS] SERVICE[:PLAN]" in result.stderr


def test_ctrl_c_ends_quietly_with_130(heroku, platform):
    platform.on("PATCH", "/apps/demo/formation", reply=KeyboardInterrupt())
    result = heroku("ps:scale", "worker=1", "-a", "demo")
    assert (result.exit_code, result.stderr) == (130, "Scaling dynos... interrupted\n")
    platform.on("PATCH", "/apps/demo/formation", reply=KeyboardInterrupt())
    assert heroku("ps:scale", "worker=1", "-a", "demo", terminal=True).stderr.endswith("interrupted\n")
    platform.on("GET", "/apps/demo/config-vars", reply=KeyboardInterrupt())
    assert heroku("config", "-a", "demo", terminal=True).stderr == "\n"


def test_a_fault_of_ours_is_one_line_without_a_traceback(heroku, platform):
    platform.on("GET", "/account", reply={"no": "email"})
    result = heroku("whoami")
    assert result.exit_code == 1
    assert "This should not happen: KeyError: 'email'" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_is_not_asked_for_this_machine(run_heroku, wire, environment, variable):
    environment[variable] = "http://127.0.0.1:9"
    wire.on("GET", "/account", {"email": "ada@example.com"})
    assert run_heroku("whoami").stdout == b"ada@example.com\n"


def test_a_host_that_does_not_exist_is_told_in_words(run_heroku, environment):
    environment["HEROKU_HOST"] = "http://nowhere.invalid"
    result = run_heroku("create", "demo")
    said = result.stderr.decode()
    assert result.returncode == 1 and "Cannot reach http://nowhere.invalid (" in said and "Check the network" in said
    assert not any(word in said for word in ("HTTPConnectionPool", "0x", "Errno"))


def test_https_where_http_is_spoken_is_told_as_that(run_heroku, wire, environment):
    environment["HEROKU_HOST"] = wire.url.replace("http:", "https:")
    said = run_heroku("whoami").stderr.decode()
    assert "it does not speak TLS" in said and "certificate" not in said


def test_closed_standard_streams_are_no_fault(environment, wire, folder):
    environment["HEROKU_HOST"] = wire.url
    wire.on("GET", "/account", {"email": "ada@example.com"})
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        line = f"{sys.executable} -m hkcli whoami {closing}"
        done = subprocess.run(["sh", "-c", line], env=environment, cwd=folder, capture_output=True, check=False)
        assert (done.returncode, b"Error" in done.stderr) == (0, False)
