"""Apps of several users: who sees what, who may do what, and how an app changes hands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.fixture
def guest(api: Backend, app: str) -> Iterator[Backend]:
    """The same platform as another user sees it."""
    made = api.ok("POST", "/backend/users", {"email": f"{app}@example.com"})
    other = Guest(api.home, api.port, email=made["email"], password=made["password"])
    other.session.headers.update(api.session.headers)
    other.session.headers["Authorization"] = f"Bearer {made['token']}"
    yield other
    other.session.close()


class Guest(Backend):
    def __init__(self, home: Path, port: int, email: str, password: str) -> None:
        super().__init__(home, port)
        self.email, self.password = email, password


def status(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("id", "")


def test_an_app_of_somebody_else_is_out_of_sight(guest: Guest, api: Backend, app: str) -> None:
    addon = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    assert status(guest.call("GET", f"/apps/{app}")) == (403, "forbidden")
    assert status(guest.call("GET", f"/addons/{addon['name']}")) == (404, "not_found")
    assert guest.ok("GET", "/apps") == guest.ok("GET", "/addons") == guest.ok("GET", "/addon-attachments") == []


def test_a_collaborator_works_on_the_app_as_the_owner_does(guest: Guest, api: Backend, app: str) -> None:
    addon = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    added = api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email, "silent": True})
    assert (added["user"]["email"], added["role"]) == (guest.email, "collaborator")
    assert [each["name"] for each in guest.ok("GET", "/apps")] == [app]
    assert [each["id"] for each in guest.ok("GET", "/users/~/addons")] == [addon["id"]]
    assert guest.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1"})["A"] == "1"
    assert f"Set A config vars by user {guest.email}" in guest.logs(app)


def test_only_the_owner_destroys_renames_shares_and_gives_away(guest: Guest, api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    assert status(guest.call("DELETE", f"/apps/{app}")) == (403, "forbidden")
    assert status(guest.call("PATCH", f"/apps/{app}", {"name": f"{app}-x"})) == (403, "forbidden")
    someone = {"user": api.credentials["email"]}
    assert status(guest.call("POST", f"/apps/{app}/collaborators", someone)) == (403, "forbidden")
    offer = {"app": app, "recipient": guest.email}
    assert status(guest.call("POST", "/account/app-transfers", offer)) == (403, "forbidden")
    assert api.ok("GET", f"/apps/{app}")["owner"]["email"] == api.credentials["email"]


def test_the_owner_is_the_first_of_the_collaborators(guest: Guest, api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    listed = api.ok("GET", f"/apps/{app}/collaborators")
    assert [(each["user"]["email"], each["role"]) for each in listed] == [
        (api.credentials["email"], "owner"),
        (guest.email, "collaborator"),
    ]
    for each in listed:
        assert api.ok("GET", f"/apps/{app}/collaborators/{each['id']}") == each
        assert api.ok("GET", f"/apps/{app}/collaborators/{each['user']['email']}") == each


def test_a_removed_collaborator_is_locked_out(guest: Guest, api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    api.ok("DELETE", f"/apps/{app}/collaborators/{guest.email}")
    assert status(guest.call("GET", f"/apps/{app}")) == (403, "forbidden")


def test_a_collaborator_may_leave(guest: Guest, api: Backend, app: str) -> None:
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    guest.ok("DELETE", f"/apps/{app}/collaborators/{guest.email}")
    assert guest.ok("GET", "/apps") == []


def test_nobody_is_added_twice_and_nobody_unknown(guest: Guest, api: Backend, app: str) -> None:
    path = f"/apps/{app}/collaborators"
    api.ok("POST", path, {"user": guest.email})
    for user in (guest.email, api.credentials["email"], "nobody@example.com"):
        assert status(api.call("POST", path, {"user": user})) == (422, "invalid_params"), user
    assert "heroku backend:users:add nobody@example.com" in api.call("POST", path, {"user": "nobody@example.com"}).text
    assert len(api.ok("GET", path)) == 2


def test_an_accepted_transfer_changes_the_owner_and_keeps_the_former_one_in(
    guest: Guest, api: Backend, app: str
) -> None:
    offered = api.ok("POST", "/account/app-transfers", {"app": app, "recipient": guest.email})
    assert offered["state"] == "pending" and api.ok("GET", f"/apps/{app}")["owner"]["email"] != guest.email
    assert [each["id"] for each in guest.ok("GET", "/account/app-transfers")] == [offered["id"]]
    assert guest.ok("PATCH", f"/account/app-transfers/{app}", {"state": "accepted"})["state"] == "accepted"
    assert api.ok("GET", f"/apps/{app}")["owner"]["email"] == guest.email
    assert status(api.call("DELETE", f"/apps/{app}")) == (403, "forbidden")
    again = guest.call("PATCH", f"/account/app-transfers/{offered['id']}", {"state": "declined"})
    assert status(again) == (422, "invalid_params")


def test_a_transfer_is_answered_by_its_recipient_alone_and_withdrawn_by_its_owner(
    guest: Guest, api: Backend, app: str
) -> None:
    offered = api.ok("POST", "/account/app-transfers", {"app": app, "recipient": guest.email})
    path = f"/account/app-transfers/{offered['id']}"
    assert status(api.call("PATCH", path, {"state": "accepted"})) == (403, "forbidden")
    assert status(guest.call("PATCH", path, {"state": "pending"})) == (422, "invalid_params")
    assert status(guest.call("DELETE", path)) == (403, "forbidden")
    api.ok("DELETE", path)
    assert status(guest.call("GET", path)) == (404, "not_found")


def test_the_account_of_somebody_else_cannot_be_seen(guest: Guest, api: Backend) -> None:
    for path in ("", "/apps", "/addons", "/sms-number", "/preferences"):
        assert status(guest.call("GET", f"/users/{api.credentials['email']}{path}")) == (403, "forbidden"), path
        assert guest.call("GET", f"/users/{guest.email}{path}").ok, path


def test_a_collaborator_pushes_to_the_app_and_others_cannot_even_fetch(guest: Guest, api: Backend, app: str) -> None:
    def advertised() -> int:
        url = f"{api.url}/{app}.git/info/refs?service=git-receive-pack"
        token = guest.session.headers["Authorization"].split()[1]  # type: ignore[union-attr]
        return requests.get(url, auth=("", str(token)), timeout=30).status_code

    assert advertised() == 403
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    assert advertised() == 200


def test_users_are_added_listed_and_removed_by_whoever_runs_the_backend(guest: Guest, api: Backend) -> None:
    assert guest.email in [each["email"] for each in api.ok("GET", "/backend/users")]
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{guest.email}")):
        assert status(guest.call(method, f"/backend/users{path}", {"email": "a@b"})) == (403, "forbidden")
    api.ok("DELETE", f"/backend/users/{guest.email}")
    assert guest.email not in [each["email"] for each in api.ok("GET", "/backend/users")]
    assert status(guest.call("GET", "/account")) == (401, "unauthorized")


def test_a_removed_users_name_stays_in_releases_and_the_email_can_be_used_again(
    guest: Guest, api: Backend, app: str
) -> None:
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    guest.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1"})
    api.ok("DELETE", f"/backend/users/{guest.email}")
    assert guest.email in [each["user"]["email"] for each in api.ok("GET", f"/apps/{app}/releases")]
    assert len(api.ok("GET", f"/apps/{app}/collaborators")) == 1
    login = {"auth": (guest.email, guest.password), "json": {}, "timeout": 30}
    assert requests.post(f"{api.url}/oauth/authorizations", **login).status_code == 401  # type: ignore[arg-type]
    assert api.ok("POST", "/backend/users", {"email": guest.email, "password": "correct horse"})
    assert requests.post(f"{api.url}/oauth/authorizations", **login).status_code == 401  # type: ignore[arg-type]


def test_a_user_who_owns_apps_is_not_removed_nor_the_one_who_runs_the_backend(guest: Guest, api: Backend) -> None:
    name = guest.ok("POST", "/apps", {})["name"]
    answer = api.call("DELETE", f"/backend/users/{guest.email}")
    assert status(answer) == (422, "invalid_params") and name in answer.json()["message"]
    assert api.call("DELETE", f"/backend/users/{api.credentials['email']}").status_code == 422
    assert guest.ok("GET", "/account")


@pytest.mark.parametrize("body", [{}, {"email": "x"}, {"email": "a@b", "password": "short"}, {"email": 1}])
def test_a_user_without_a_proper_email_and_password_is_not_added(api: Backend, body: dict[str, object]) -> None:
    assert api.call("POST", "/backend/users", body).status_code in (400, 422)


def test_an_account_is_closed_with_its_password_alone(guest: Guest, api: Backend) -> None:
    assert status(guest.call("DELETE", "/account")) == (401, "unauthorized")
    wrong = {"Heroku-Password": "wrong"}
    assert status(guest.call("DELETE", f"/users/{guest.email}", headers=wrong)) == (401, "unauthorized")
    assert guest.ok("DELETE", "/account", headers={"Heroku-Password": guest.password})["email"] == guest.email
    assert status(guest.call("GET", "/account")) == (401, "unauthorized")
