"""What HTTP promises: tags, versions, limits, and refusals instead of failures for bodies of the wrong kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hkcli.backend import routes
from hkcli.backend.endpoint import speaks_v3
from hkcli.backend.errors import RateLimited
from hkcli.backend.rate_limits import RateLimits
from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.mark.parametrize("path", ["/apps/{}", "/apps/{}/releases", "/account"])
def test_what_a_reader_has_already_is_not_sent_again(api: Backend, app: str, path: str) -> None:
    first = api.call("GET", path.format(app))
    again = api.call("GET", path.format(app), headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers.get("Next-Range") == first.headers.get("Next-Range")


def test_a_change_changes_the_tag(api: Backend, app: str) -> None:
    tag = api.call("GET", f"/apps/{app}").headers["ETag"]
    api.ok("PATCH", f"/apps/{app}", {"maintenance": True})
    answer = api.call("GET", f"/apps/{app}", headers={"If-None-Match": tag})
    assert answer.status_code == 200 and answer.headers["ETag"] != tag


def test_a_change_has_no_tag(api: Backend, app: str) -> None:
    assert "ETag" not in api.call("PATCH", f"/apps/{app}", {}, headers={"If-None-Match": "*"}).headers


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.heroku+json; version=3",
        "application/vnd.heroku+json;version=3.sdk",
        "Application/vnd.Heroku+JSON; version=edge",
        "text/html, application/json;q=0.5",
        "*/*",
        "",
    ],
)
def test_version_3_is_spoken_to_whoever_asks_for_it_or_for_any(accept: str) -> None:
    assert speaks_v3(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.heroku+json; version=2",
        "application/vnd.heroku+json; version=33",
        "application/vnd.heroku+json",
        "text/html",
    ],
)
def test_no_other_version_is_spoken(api: Backend, accept: str) -> None:
    assert not speaks_v3(accept)
    assert api.call("GET", "/account", headers={"Accept": accept}).status_code == 406


def test_a_limit_is_counted_for_each_user_and_fills_again() -> None:
    now = 0.0
    limits = RateLimits(per_hour=3600, clock=lambda: now)
    assert [limits.take("ada") for _ in range(3600)][-1] == 0
    with pytest.raises(RateLimited) as refused:
        limits.take("ada")
    assert refused.value.headers["Retry-After"] == "2"
    assert limits.take("grace") == 3599
    now = 10.0
    assert limits.remaining("ada") == 10 and limits.take("ada") == 9
    now = 100_000.0
    assert limits.remaining("ada") == 3600


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path / "home", options=("--stop-grace", "2", "--rate-limit", "3")).start()
    yield backend
    backend.stop()


def test_a_user_who_asks_too_often_is_told_when_to_come_back(limited: Backend) -> None:
    remaining = [limited.call("GET", "/account").headers["RateLimit-Remaining"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    refused = limited.call("GET", "/account")
    assert (refused.status_code, refused.json()["id"]) == (429, "rate_limit")
    assert refused.headers["RateLimit-Remaining"] == "0" and int(refused.headers["Retry-After"]) <= 1201
    assert limited.ok("GET", "/account/rate-limits") == {"remaining": 0}


def test_every_route_is_there_once() -> None:
    seen = [(each.path, method) for each in routes.every() for method in getattr(each, "methods", ()) or ()]  # type: ignore[attr-defined]
    assert len(seen) == len(set(seen))
