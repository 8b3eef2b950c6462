import pytest

from hkcli.api.errors import UsageError
from hkcli.cli.browser_login import site_of
from hkcli.cli.hosts import Host, host_at, host_named, parse_remote

HEROKU = Host("https://api.heroku.com", "https://git.heroku.com", "heroku.com")
LOCAL = host_at("http://localhost:5080")


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("heroku.com", HEROKU),
        (
            "staging.herokudev.com",
            Host(*(f"https://{p}.staging.herokudev.com" for p in ("api", "git")), "staging.herokudev.com"),
        ),
        ("http://localhost:5080", LOCAL),
        ("http://localhost:5080/", LOCAL),
        ("http://LOCALHOST:5080/x", LOCAL),
        ("https://heroku.example.org", Host(*["https://heroku.example.org"] * 2, "heroku.example.org")),
        ("http://[::1]:5080", Host("http://[::1]:5080", "http://[::1]:5080", "[::1]:5080")),
    ],
)
def test_heroku_host_names_a_platform(value, host):
    assert host_named(value) == host


@pytest.mark.parametrize(
    "value",
    ["localhost:5080", "example.com", "notheroku.com", "ftp://localhost", "http://", "http://a:b@c", "http://x:99999"],
)
def test_a_bad_heroku_host_is_refused_with_what_to_write(value):
    with pytest.raises(UsageError) as caught:
        host_named(value)
    assert value in caught.value.message
    assert any(
        line.startswith("For a backend on this machine: export HEROKU_HOST=http://") for line in caught.value.next
    )


def test_a_loopback_host_without_scheme_is_told_with_its_port():
    with pytest.raises(UsageError) as caught:
        host_named("localhost:7777")
    assert "HEROKU_HOST=http://localhost:7777" in caught.value.next[0]


def test_heroku_git_host_replaces_gits_hosts_alone():
    assert host_named("heroku.com", "git.example.com") == Host(
        "https://api.heroku.com", "https://git.example.com", "git.example.com"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://git.heroku.com/demo.git",
        "https://git.heroku.com/demo",
        "https://git.heroku.com/demo.git/",
        "https://heroku:secret@git.heroku.com/demo.git",
        "https://GIT.HEROKU.COM/demo.git",
        "git@heroku.com:demo.git",
        "git@heroku.com:/demo.git",
        "heroku.com:demo.git",
        "ssh://git@heroku.com/demo.git",
        "ssh://git@heroku.com:22/demo.git",
    ],
)
def test_every_form_of_herokus_remotes_means_its_app(url):
    assert parse_remote(url, HEROKU) == ("demo", HEROKU)


@pytest.mark.parametrize(
    "base", ["http://localhost:5080", "http://127.0.0.1:5080", "http://[::1]:5080", "https://localhost"]
)
def test_a_remote_on_this_machine_means_its_app_and_its_platform(base):
    assert parse_remote(f"{base}/demo.git", HEROKU) == ("demo", host_at(base))


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/demo.git",
        "git@github.com:demo.git",
        "https://git.heroku.com.evil.example/demo.git",
        "https://evil.example/git.heroku.com/demo.git",
        "http://git.heroku.com/demo.git",
        "https://git.heroku.com/team/demo.git",
        "git@heroku.com:team/demo.git",
        "http://localhost:3000/group/demo.git",
        "http://localhost:3000/demo",
        "http://localhost.evil.example/demo.git",
        "/srv/demo.git",
        "file:///srv/demo.git",
        "../demo",
        "http://[broken/demo.git",
        "",
    ],
)
def test_other_remotes_mean_no_app(url):
    assert parse_remote(url, HEROKU) is None


def test_the_remotes_of_another_platform_are_not_those_of_this_one():
    assert parse_remote("https://git.heroku.com/demo.git", LOCAL) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://localhost:1", "http://127.0.0.1:1", True),
        ("http://localhost:1", "http://localhost:2", False),
        ("http://localhost:1", "https://localhost:1", False),
        ("https://api.heroku.com", "http://localhost:1", False),
    ],
)
def test_a_token_belongs_to_one_port_of_this_machine_under_any_of_its_names(one, other, same):
    assert host_at(one).is_same(host_at(other)) is same


@pytest.mark.parametrize(
    ("host", "named", "site"),
    [
        ("heroku.com", None, "https://cli-auth.heroku.com"),
        ("heroku.com", "https://login.example.com", "https://login.example.com"),
        ("heroku.com", "http://localhost:5080", "https://cli-auth.heroku.com"),
        ("http://localhost:5080", None, "http://localhost:5080"),
        ("http://localhost:5080", "https://cli-auth.heroku.com", "http://localhost:5080"),
        ("https://platform.example.com", None, "https://platform.example.com"),
    ],
)
def test_a_login_by_the_browser_is_made_where_its_token_is_used(host, named, site):
    assert site_of(host_named(host), named) == site
