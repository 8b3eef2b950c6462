import subprocess
from pathlib import Path

import pytest

from hkcli.cli.git_remote import this_program
from hkcli.cli.netrc import lookup
from tests.client.conftest import HOST, git
from tests.client.payloads import app, problem


@pytest.fixture
def logged_out(environment):
    del environment["HEROKU_API_KEY"]
    return Path(environment["HOME"], ".netrc")


def authorization(token, id="a1"):
    return {"id": id, "description": "x", "access_token": {"id": "t", "token": token}, "user": {"email": "e"}}


def test_login_with_a_token_from_stdin_stores_it_for_this_host_alone(heroku, platform, logged_out):
    asked = platform.on("GET", "/account", reply={"email": "ada@example.com"})
    result = heroku("login", "--token", stdin="HRKU-1\n")
    assert asked.asked[0].headers["Authorization"] == "Bearer HRKU-1"
    assert result.exit_code == 0 and "Logged in as ada@example.com" in result.stderr
    assert logged_out.read_text() == "machine localhost:5080\n  login ada@example.com\n  password HRKU-1\n"


def test_login_on_heroku_stores_the_token_for_api_and_git(heroku, platform, logged_out, environment):
    del environment["HEROKU_HOST"]
    platform.on("GET", "/account", reply={"email": "a@b"}, host="https://api.heroku.com")
    heroku("login", "--token", stdin="HRKU-1\n")
    assert lookup(logged_out, "api.heroku.com") == lookup(logged_out, "git.heroku.com") == ("a@b", "HRKU-1")


def test_a_token_that_is_not_valid_is_not_stored(heroku, platform, logged_out):
    platform.on("GET", "/account", status=401, reply=problem("unauthorized", "Invalid credentials provided."))
    assert heroku("login", "--token", stdin="bad\n").exit_code == 1
    assert not logged_out.exists()


def test_login_with_password_and_second_factor(heroku, platform, logged_out, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "pässword")
    platform.on("POST", "/oauth/authorizations", status=403, reply=problem("two_factor", "A code is needed."))
    second = platform.on("POST", "/oauth/authorizations", reply=authorization("HRKU-2"), status=201)
    result = heroku("login", stdin="ada@example.com\n123456\n", terminal=True)
    assert result.exit_code == 0 and lookup(logged_out, "localhost:5080") == ("ada@example.com", "HRKU-2")
    assert second.asked[0].headers["Heroku-Two-Factor-Code"] == "123456"
    assert second.asked[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (401, problem("unauthorized", "Invalid credentials provided."), "Email, password or code is wrong. Try again."),
        (403, problem("device_trust_required", "Not from here."), "heroku login --token"),
    ],
)
def test_a_login_that_is_refused_says_what_is_wrong_with_it(
    heroku, platform, logged_out, monkeypatch, status, document, said
):
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "wrong")
    platform.on("POST", "/oauth/authorizations", status=status, reply=document)
    result = heroku("login", stdin="ada@example.com\n", terminal=True)
    assert result.exit_code == 1 and said in " ".join(result.stderr.split()) and "backend:start" not in result.stderr


@pytest.fixture
def on_heroku(environment, logged_out, monkeypatch):
    """Not logged in to Heroku itself, at a terminal where a browser can be started."""
    del environment["HEROKU_HOST"]
    opened = []

    class Browser:
        def __init__(self, name=None):
            self.name = name

        def open(self, url):
            opened.append((self.name, url))
            return True

    monkeypatch.setattr("webbrowser.get", Browser)
    monkeypatch.setattr("webbrowser.open", Browser().open)
    return opened


SITE = "https://cli-auth.heroku.com"
ASKED = {"browser_url": "/auth/browser/1", "cli_url": "/auth/cli/1", "token": "t1"}


@pytest.mark.parametrize(
    ("words", "typed", "browser"), [((), "\n", None), (("--browser", "firefox"), "", "firefox")], ids=["enter", "named"]
)
def test_login_by_the_browser_waits_for_the_token_of_its_page(
    heroku, platform, logged_out, on_heroku, words, typed, browser
):
    platform.on("POST", "/auth", reply=ASKED, host=SITE, status=201)
    waiting = platform.on("GET", "/auth/cli/1", reply={"access_token": "HRKU-3"}, host=SITE)
    account = platform.on("GET", "/account", reply={"email": "ada@example.com"}, host="https://api.heroku.com")
    result = heroku("login", *words, stdin=typed, terminal=True)
    assert result.exit_code == 0 and on_heroku == [(browser, f"{SITE}/auth/browser/1")], result.stderr
    assert waiting.asked[0].headers["Authorization"] == "Bearer t1"
    assert account.asked[0].headers["Authorization"] == "Bearer HRKU-3"
    assert lookup(logged_out, "git.heroku.com") == ("ada@example.com", "HRKU-3")


def test_a_login_that_was_refused_in_the_browser_is_told_and_nothing_is_stored(heroku, platform, logged_out, on_heroku):
    platform.on("POST", "/auth", reply=ASKED, host=SITE)
    platform.on("GET", "/auth/cli/1", status=403, reply={"error": "Access denied"}, host=SITE)
    result = heroku("login", stdin="\n", terminal=True)
    assert result.exit_code == 1 and "gave no token (Access denied)" in result.stderr and not logged_out.exists()


def test_login_without_a_terminal_says_how_to_give_a_token(heroku, platform, logged_out):
    result = heroku("login")
    assert result.exit_code == 1 and "heroku login --token" in result.stderr


def test_login_while_a_key_is_set_would_not_be_used_and_is_refused(heroku, platform):
    result = heroku("login")
    assert result.exit_code == 1 and "unset HEROKU_API_KEY" in result.stderr


def test_logout_makes_the_token_invalid_and_forgets_it(heroku, platform, logged_out):
    logged_out.write_text("machine localhost:5080 login a password HRKU-abcdef\nmachine other password x\n")
    masked = authorization("HRKU-a**********f", "mine")
    platform.on("GET", "/oauth/authorizations", reply=[authorization("HRKU-zzz", "foreign"), masked])
    platform.on("GET", "/oauth/authorizations/~", status=404, reply=problem("not_found", "None."))
    platform.on("DELETE", "/oauth/authorizations/mine", reply=masked)
    assert heroku("logout").exit_code == 0
    assert logged_out.read_text() == "machine other password x\n"


def test_logout_leaves_the_accounts_key_valid(heroku, platform, logged_out):
    logged_out.write_text("machine localhost:5080 login a password HRKU-1\n")
    platform.on("GET", "/oauth/authorizations", reply=[authorization("HRKU-1", "default")])
    platform.on("GET", "/oauth/authorizations/~", reply=authorization("HRKU-1", "default"))
    assert heroku("logout").exit_code == 0


def test_whoami_warns_of_a_key_that_wins(heroku, platform):
    platform.on("GET", "/account", reply={"email": "ada@example.com"})
    result = heroku("whoami")
    assert result.stdout == "ada@example.com\n" and "HEROKU_API_KEY is set" in result.stderr


def test_auth_token_prints_the_token_alone(heroku, platform):
    assert heroku("auth:token").stdout == "secret-token\n"


def test_git_remote_points_a_remote_at_the_app(heroku, platform, folder):
    git(folder, "init", "-q")
    git(folder, "remote", "add", "heroku", "https://example.com/old.git")
    platform.on("GET", "/apps/demo", reply=app())
    result = heroku("git:remote", "-a", "demo")
    assert result.stdout == "set git remote heroku to http://localhost:5080/demo.git\n"
    assert git(folder, "remote", "get-url", "heroku") == "http://localhost:5080/demo.git"


def test_git_remote_takes_the_remotes_name_from_remote(heroku, platform, folder):
    git(folder, "init", "-q")
    platform.on("GET", "/apps/demo", reply=app())
    heroku("git:remote", "-a", "demo", "-r", "staging")
    assert git(folder, "remote") == "staging"


def test_git_remote_twice_leaves_one_helper(heroku, platform, folder):
    git(folder, "init", "-q")
    for _ in range(2):
        platform.on("GET", "/apps/demo", reply=app())
        heroku("git:remote", "-a", "demo")
    helpers = git(folder, "config", "--get-all", "credential.http://localhost:5080.helper")
    assert helpers.count("git:credentials") == 1


def test_git_remote_outside_a_repository_says_so(heroku, platform):
    platform.on("GET", "/apps/demo", reply=app())
    result = heroku("git:remote", "-a", "demo")
    assert result.exit_code == 2 and "not in a git repository" in result.stderr


def question(protocol, host):
    return f"protocol={protocol}\nhost={host}\nwwwauth[]=Basic\n\n"


@pytest.mark.parametrize(("protocol", "host"), [("http", "localhost:5080"), ("http", "127.0.0.1:5080")])
def test_git_gets_the_password_of_the_platform(heroku, platform, protocol, host):
    answer = heroku("git:credentials", "get", stdin=question(protocol, host)).stdout
    assert answer == f"protocol={protocol}\nhost={host}\nusername=heroku\npassword=secret-token\n"


@pytest.mark.parametrize(
    ("protocol", "host"),
    [
        ("http", "localhost:6000"),
        ("https", "localhost:5080"),
        ("https", "github.com"),
        ("http", "git.heroku.com"),
        ("https", "git.heroku.com"),
        ("https", "localhost.evil.example"),
        ("", ""),
    ],
)
def test_git_gets_nothing_for_other_hosts(heroku, platform, protocol, host):
    assert heroku("git:credentials", "get", stdin=question(protocol, host)).stdout == ""


@pytest.mark.parametrize("action", ["store", "erase"])
def test_git_storing_and_erasing_are_not_our_business(heroku, platform, action):
    result = heroku("git:credentials", action, stdin=question("http", "localhost:5080"))
    assert (result.exit_code, result.stdout) == (0, "")


def test_git_itself_gets_the_password_without_heroku_on_path(heroku, platform, folder, environment):
    git(folder, "init", "-q")
    platform.on("GET", "/apps/demo", reply=app())
    heroku("git:remote", "-a", "demo")
    env = {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "HEROKU_HOST": HOST}
    filled = subprocess.run(
        ["git", "credential", "fill"],
        input="protocol=http\nhost=localhost:5080\n\n",
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "password=secret-token\n" in filled.stdout


def test_this_program_starts_this_installation():
    line = f"{this_program()} version"
    done = subprocess.run(["/bin/sh", "-c", line], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hkcli/")
