"""Apps of several users: who sees what, who may do what, and how an app changes hands."""

from collections.abc import Iterator

import pytest
import requests

from hkcli.backend import accounts
from hkcli.backend.store import Store
from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.fixture
def guest(api: Backend, app: str) -> Iterator[Backend]:
    """The same platform as another user sees it, whose email is `guest.credentials["email"]`."""
    store = Store(f"sqlite:///{api.home}/platform.sqlite3")
    with store.transaction() as session:
        user = accounts.create_user(session, f"{app}@example.com", "secret")
        _, token = accounts.authorize(session, user, "test")
    store.close()
    other = Guest(api.home, api.port, email=user.email)
    other.session.headers.update(api.session.headers)
    other.session.headers["Authorization"] = f"Bearer {token}"
    yield other
    other.session.close()


class Guest(Backend):
    def __init__(self, home: object, port: int, email: str) -> None:
        super().__init__(home, port)  # type: ignore[arg-type]
        self.email = email


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


def test_a_collaborator_pushes_to_the_app_and_others_cannot_even_fetch(
    guest: Guest, api: Backend, app: str, tmp_path: object
) -> None:
    def advertised() -> int:
        url = f"{api.url}/{app}.git/info/refs?service=git-receive-pack"
        token = guest.session.headers["Authorization"].split()[1]  # type: ignore[union-attr]
        return requests.get(url, auth=("", str(token)), timeout=30).status_code

    assert advertised() == 403
    api.ok("POST", f"/apps/{app}/collaborators", {"user": guest.email})
    assert advertised() == 200
