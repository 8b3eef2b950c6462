"""Every error of Heroku's that can be had here: its status, its id, and what else clients read of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.backends import Backend

PASSWORD = "a password of theirs"


@pytest.fixture(scope="module")
def backend(shared_backend: Backend) -> Backend:
    return shared_backend


def error(
    backend: Backend, method: str, path: str, body: Any = None, **options: Any
) -> tuple[int, str, dict[str, Any]]:
    """Status, id and the rest of an answer that must be an error with a message."""
    answer = backend.call(method, path, body, **options)
    document = answer.json()
    assert document["message"] and answer.headers["Request-Id"]
    return answer.status_code, document.pop("id"), document


def user(backend: Backend, folder: Path, **wishes: Any) -> dict[str, Any]:
    email = f"{folder.name.replace('_', '-')}@example.com"
    return dict(backend.ok("POST", "/backend/users", {"email": email, "password": PASSWORD, **wishes}))


def test_who_is_nobody_is_unauthorized(backend: Backend) -> None:
    for token in ("", "Bearer wrong", "Basic bm9ib2R5Og=="):
        assert error(backend, "GET", "/apps", headers={"Authorization": token})[:2] == (401, "unauthorized")


def test_what_is_anothers_is_forbidden(backend: Backend, tmp_path: Path) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    stranger = {"Authorization": f"Bearer {user(backend, tmp_path)['token']}"}
    assert error(backend, "GET", f"/apps/{app}", headers=stranger)[:2] == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "resource", "message"),
    [
        ("/apps/none-such", "app", "Couldn't find that app."),
        ("/apps/{app}/addons/none", "add_on", "Couldn't find that add on."),
        ("/addons/none", "add_on", "Couldn't find that add on."),
        ("/addon-attachments/none", "add_on attachment", "Couldn't find that add on attachment."),
        ("/addon-services/none", "addon_service", None),
        ("/plans/none", "plan", None),
        ("/apps/{app}/builds/none", "build", None),
        ("/apps/{app}/collaborators/none", "collaborator", None),
        ("/apps/{app}/domains/none", "domain", None),
        ("/apps/{app}/dynos/none.1", "dyno", "Couldn't find that dyno."),
        ("/apps/{app}/features/none", "feature", None),
        ("/apps/{app}/formation/none", "formation", "Couldn't find that process type (none)."),
        ("/apps/{app}/log-drains/none", "drain", None),
        ("/apps/{app}/releases/99", "release", "Couldn't find that release."),
        ("/apps/{app}/slugs/none", "slug", None),
        ("/account/keys/none", "key", None),
        ("/oauth/authorizations/none", "authorization", "Couldn't find that authorization."),
        ("/pipelines/none", "pipeline", None),
        ("/regions/none", "region", None),
        ("/stacks/none", "stack", None),
    ],
)
def test_what_is_not_there_is_not_found_and_of_which_kind(
    backend: Backend, path: str, resource: str, message: str | None
) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    status, identity, rest = error(backend, "GET", path.format(app=app))
    assert (status, identity, rest["resource"]) == (404, "not_found", resource)
    assert message is None or rest["message"] == message


def test_a_session_that_is_none_is_what_a_logout_expects(backend: Backend) -> None:
    status, identity, rest = error(backend, "DELETE", "/oauth/sessions/~")
    assert (status, identity, rest["resource"]) == (404, "not_found", "session")


def test_what_cannot_be_done_as_asked_is_invalid(backend: Backend) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    taken = error(backend, "POST", "/apps", {"name": app})
    assert taken[:2] == (422, "invalid_params") and taken[2]["message"] == f"Name {app} is already taken"
    early = error(backend, "PATCH", f"/apps/{app}/formation", {"updates": [{"type": "web", "quantity": 1}]})
    assert early[:2] == (422, "invalid_params") and "Deploy it first" in early[2]["message"]
    unknown = error(backend, "POST", f"/apps/{app}/addons", {"plan": "none"})
    prefix = 'Couldn\'t find either the add-on service or the add-on plan of "none".'
    assert unknown[:2] == (422, "invalid_params") and unknown[2]["message"].startswith(prefix)


def test_what_takes_the_place_of_something_wants_to_be_confirmed(backend: Backend) -> None:
    app, other = (backend.ok("POST", "/apps", {})["name"] for _ in range(2))
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    wish = {"addon": addon, "app": other, "name": "SAME"}
    backend.ok("POST", "/addon-attachments", wish)
    status, identity, rest = error(backend, "POST", "/addon-attachments", wish)
    assert (status, identity, rest["app"]) == (423, "confirmation_required", {"name": other})
    assert backend.call("POST", "/addon-attachments", wish).headers["X-Confirmation-Required"] == other
    backend.ok("POST", "/addon-attachments", {**wish, "confirm": other})


def test_a_body_path_or_header_that_is_not_understood(backend: Backend) -> None:
    app = backend.ok("POST", "/apps", {})["name"]
    assert error(backend, "POST", "/apps", headers={"Content-Length": "1"}, data="{")[:2] == (400, "bad_request")
    assert error(backend, "GET", "/apps", headers={"Accept": "text/html"})[:2] == (406, "not_acceptable")
    ranged = {"Range": "version ..; max=0"}
    status, identity, _ = error(backend, "GET", f"/apps/{app}/releases", headers=ranged)
    assert (status, identity) == (416, "requested_range_not_satisfiable")
    assert error(backend, "GET", "/spaces/none")[:2] == (501, "not_implemented")


def test_a_login_with_a_password_may_take_a_second_factor(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = user(backend, tmp_path, two_factor_code="246810")
    own = {"Authorization": f"Bearer {made['token']}"}
    assert backend.ok("GET", "/account", headers=own)["two_factor_authentication"] is True
    monkeypatch.setattr(backend, "session", type(backend.session)())
    path, login = "/oauth/authorizations", {"auth": (made["email"], PASSWORD)}
    assert error(backend, "POST", path, {}, **login)[:2] == (403, "two_factor")
    wrong, right = ({"Heroku-Two-Factor-Code": code} for code in ("000000", "246810"))
    assert error(backend, "POST", path, {}, headers=wrong, **login)[:2] == (401, "invalid_two_factor_code")
    assert backend.ok("POST", path, {}, headers=right, **login)["access_token"]["token"]
    unknown = {"auth": (made["email"], "another password")}
    assert error(backend, "POST", path, {}, headers=right, **unknown)[:2] == (401, "unauthorized")
    backend.session.close()
