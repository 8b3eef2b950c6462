"""Which app is meant, asked of real repositories with `releases`, which makes one request and names the app in it."""

from pathlib import Path

import pytest

from tests.client.conftest import git
from tests.client.payloads import problem, release

LOCAL = "http://localhost:5080"


@pytest.fixture
def repository(folder, environment):
    """A repository; without HEROKU_HOST, as in an app's folder, but with a login for the backend here."""
    git(folder, "init", "-q")
    del environment["HEROKU_HOST"], environment["HEROKU_API_KEY"]
    login(environment, "localhost:5080", "api.heroku.com")
    return folder


def login(environment, *machines):
    text = "".join(f"machine {machine} login ada@example.com password token-of-{machine}\n" for machine in machines)
    with Path(environment["HOME"], ".netrc").open("a") as file:
        file.write(text)


def expect(platform, app, host=LOCAL):
    return platform.on("GET", f"/apps/{app}/releases", reply=[release()], host=host)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost:5080/demo.git", LOCAL),
        ("https://git.heroku.com/demo.git", "https://api.heroku.com"),
        ("git@heroku.com:demo.git", "https://api.heroku.com"),
        ("ssh://git@heroku.com/demo.git", "https://api.heroku.com"),
    ],
)
def test_the_remote_says_which_app_and_which_platform(heroku, platform, repository, url, host):
    git(repository, "remote", "add", "heroku", url)
    asked = expect(platform, "demo", host)
    assert heroku("releases").exit_code == 0
    assert asked.asked[0].headers["Authorization"].startswith("Bearer token-of-")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_other_names_of_this_machine_find_the_same_login(heroku, platform, repository, host):
    git(repository, "remote", "add", "heroku", f"http://{host}:5080/demo.git")
    asked = expect(platform, "demo", f"http://{host}:5080")
    assert heroku("releases").exit_code == 0
    assert asked.asked[0].headers["Authorization"] == "Bearer token-of-localhost:5080"


def test_a_folder_below_knows_the_app(heroku, platform, repository, folder):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/demo.git")
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    expect(platform, "demo")
    assert heroku("releases", cwd=below).exit_code == 0


def test_a_worktree_knows_the_app(heroku, platform, repository, tmp_path):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/demo.git")
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    expect(platform, "demo")
    assert heroku("releases", cwd=tmp_path / "tree").exit_code == 0


def test_a_submodule_is_an_app_of_its_own(heroku, platform, repository, tmp_path):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/outer.git")
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "submodule", "--quiet", "add", str(inner), "part")
    git(repository / "part", "remote", "add", "heroku", f"{LOCAL}/part.git")
    expect(platform, "part")
    assert heroku("releases", cwd=repository / "part").exit_code == 0


def test_instead_of_is_honoured(heroku, platform, repository):
    git(repository, "config", "url.http://localhost:5080/.insteadOf", "mine:")
    git(repository, "remote", "add", "heroku", "mine:demo.git")
    expect(platform, "demo")
    assert heroku("releases").exit_code == 0


def test_where_a_remote_pushes_counts_more_than_where_it_fetches(heroku, platform, repository):
    git(repository, "config", "url.http://localhost:5080/.pushInsteadOf", "https://localhost:5080/")
    git(repository, "remote", "add", "heroku", "https://localhost:5080/demo.git")
    expect(platform, "demo")
    assert heroku("releases").exit_code == 0


def test_app_beats_remote_beats_variable_beats_git(heroku, platform, repository, environment):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/by-git.git")
    git(repository, "remote", "add", "staging", f"{LOCAL}/by-remote.git")
    expect(platform, "by-git")
    heroku("releases")
    environment["HEROKU_APP"] = "by-variable"
    expect(platform, "by-variable")
    heroku("releases")
    expect(platform, "by-remote")
    heroku("releases", "--remote", "staging")
    expect(platform, "by-flag")
    heroku("releases", "--remote", "staging", "--app", "by-flag")


def test_app_may_be_the_name_of_a_remote(heroku, platform, repository):
    git(repository, "remote", "add", "staging", f"{LOCAL}/demo-staging.git")
    expect(platform, "demo-staging")
    assert heroku("releases", "-a", "staging").exit_code == 0


def test_git_configuration_chooses_among_remotes(heroku, platform, repository):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/production.git")
    git(repository, "remote", "add", "staging", f"{LOCAL}/staging-app.git")
    git(repository, "config", "heroku.remote", "staging")
    expect(platform, "staging-app")
    assert heroku("releases").exit_code == 0


def test_two_remotes_of_one_app_are_no_question(heroku, platform, repository):
    git(repository, "remote", "add", "one", f"{LOCAL}/demo.git")
    git(repository, "remote", "add", "two", f"{LOCAL}/demo.git")
    expect(platform, "demo")
    assert heroku("releases").exit_code == 0


@pytest.mark.parametrize("command", ["releases", "addons", "labs"])
def test_several_apps_are_listed_with_the_flags_to_choose_by(heroku, platform, repository, command):
    git(repository, "remote", "add", "production", f"{LOCAL}/demo.git")
    git(repository, "remote", "add", "staging", f"{LOCAL}/demo-staging.git")
    result = heroku(command)
    assert result.exit_code == 2
    assert "two Heroku remotes: production (demo) and staging (demo-staging)." in result.stderr
    assert "Choose one: --remote production or --remote staging" in result.stderr


def test_an_unknown_remote_is_an_error_that_lists_the_known(heroku, platform, repository):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/demo.git")
    git(repository, "remote", "add", "origin", "https://example.com/x.git")
    missing = heroku("releases", "-r", "stagin")
    assert missing.exit_code == 2 and "no git remote stagin" in missing.stderr and "heroku (demo)" in missing.stderr
    assert "origin is not a Heroku remote" in heroku("releases", "-r", "origin").stderr


def test_no_heroku_remote_says_how_to_name_or_connect(heroku, platform, repository):
    git(repository, "remote", "add", "origin", "https://example.com/x.git")
    result = heroku("releases")
    assert result.exit_code == 2
    assert "Name it: --app APP" in result.stderr and "heroku git:remote --app APP" in result.stderr


def test_no_repository_is_said_so(heroku, platform, folder):
    result = heroku("releases")
    assert result.exit_code == 2 and "this folder is not in a git repository" in result.stderr


def test_a_heroku_remote_that_git_is_told_to_use_but_is_not_there(heroku, platform, repository):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/demo.git")
    git(repository, "config", "heroku.remote", "gone")
    result = heroku("releases")
    assert result.exit_code == 2 and "heroku.remote is gone" in result.stderr


def test_a_broken_repository_is_told_in_gits_words(heroku, platform, repository):
    (repository / ".git" / "config").write_text("[broken")
    result = heroku("releases")
    assert result.exit_code == 1 and "bad config" in result.stderr


def test_the_key_of_one_platform_is_not_sent_to_another(heroku, platform, folder, environment):
    git(folder, "init", "-q")
    git(folder, "remote", "add", "heroku", "http://localhost:6001/demo.git")
    del environment["HEROKU_HOST"]
    result = heroku("releases")
    assert result.exit_code == 1
    assert "not logged in to http://localhost:6001" in result.stderr
    assert "HEROKU_API_KEY was not sent there: it belongs to https://api.heroku.com" in result.stderr


def test_the_key_wins_over_the_login_of_its_own_platform(heroku, platform, folder, environment):
    login(environment, "localhost:5080")
    asked = expect(platform, "demo")
    heroku("releases", "-a", "demo")
    assert asked.asked[0].headers["Authorization"] == "Bearer secret-token"


def test_a_mistyped_app_brings_the_nearest_and_where_it_was_looked_for(heroku, platform):
    missing = problem("not_found", "Couldn't find that app.", resource="app")
    platform.on("GET", "/apps/dmeo/releases", status=404, reply=missing)
    platform.on("GET", "/users/~/apps", reply=[{"name": "demo"}, {"name": "other"}])
    result = heroku("releases", "-a", "dmeo")
    assert result.exit_code == 1
    assert "Looked for dmeo (from --app) on http://localhost:5080." in result.stderr
    assert "Did you mean: demo?" in result.stderr


def test_commands_about_no_app_ask_the_platform_of_the_folder(heroku, platform, repository):
    git(repository, "remote", "add", "heroku", f"{LOCAL}/demo.git")
    platform.on("GET", "/account", reply={"email": "ada@example.com"})
    assert heroku("whoami").stdout == "ada@example.com\n"
