"""Faults on purpose: who meets them, how often, and that they end."""

import time
from collections.abc import Iterator

import pytest
import requests

from hkcli.backend.errors import InvalidParams
from hkcli.backend.faults import Fault, Faults
from tests.backends import Backend


@pytest.fixture
def api(shared_backend: Backend) -> Iterator[Backend]:
    yield shared_backend
    shared_backend.ok("DELETE", "/backend/faults")


def test_a_fault_strikes_as_often_as_it_was_told_and_nobody_else() -> None:
    faults = Faults()
    fault = faults.add(Fault("POST /apps/*/addons", status=503, times=2))
    assert faults.strike("GET", "/apps/a/addons") is None and faults.strike("POST", "/apps") is None
    assert [faults.strike("POST", f"/apps/{name}/addons") for name in "abc"] == [fault, fault, None]
    assert faults.on == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/account", status=500),
        Fault("GET account", status=500),
        Fault("* /account"),
        Fault("* /account", status=200),
        Fault("* /account", delay_s=-1),
        Fault("* /account", status=500, times=0),
    ],
)
def test_a_fault_that_means_nothing_is_refused(fault: Fault) -> None:
    with pytest.raises(InvalidParams):
        Faults().add(fault)


def test_the_way_to_end_a_fault_never_fails(api: Backend) -> None:
    api.ok("POST", "/backend/faults", {"pattern": "* /*", "status": 500})
    assert api.call("GET", "/account").status_code == 500
    assert [each["pattern"] for each in api.ok("DELETE", "/backend/faults")] == ["* /*"]
    assert api.ok("GET", "/account")


def test_a_request_that_fails_on_purpose_does_nothing_and_says_why(api: Backend) -> None:
    before = len(api.ok("GET", "/apps"))
    api.ok("POST", "/backend/faults", {"pattern": "POST /apps", "status": 503, "times": 1})
    answer = api.call("POST", "/apps", {})
    assert (answer.status_code, answer.json()["id"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "1" and answer.headers["Request-Id"]
    assert len(api.ok("GET", "/apps")) == before
    assert api.call("POST", "/apps", {}).status_code == 201


def test_a_late_answer_is_late_and_right(api: Backend) -> None:
    api.ok("POST", "/backend/faults", {"pattern": "GET /account", "delay_s": 0.5, "times": 1})
    begin = time.monotonic()
    assert api.ok("GET", "/account")["email"] == api.credentials["email"]
    assert time.monotonic() - begin >= 0.5


def test_faults_are_made_by_whoever_runs_the_backend_alone(api: Backend) -> None:
    token = api.ok("POST", "/backend/users", {"email": "mallory@example.com"})["token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(
        f"{api.url}/backend/faults", json={"pattern": "* /*", "status": 500}, headers=headers, timeout=30
    )
    assert answer.status_code == 403
    api.ok("DELETE", "/backend/users/mallory@example.com")
