"""Faults on purpose: who meets them, how often, and that they end."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
import requests

from hkcli.api.client import PlatformAPI
from hkcli.api.logs import LogReader
from hkcli.backend.errors import InvalidParams
from hkcli.backend.faults import Cut, Fault, Faults
from tests.backends import Backend, wait_for


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
        Fault("* /account", status=500, chance=1.5),
        Fault("* /account", status=500, seed=7),
        Fault("* /account", status=500, cut=Cut(lines=3)),
        Fault("* /account", cut=Cut(bytes=0)),
        Fault("GET /apps/*/addons", provisioning="fails"),
        Fault("POST /apps/*/addons", provisioning="sleeps"),
    ],
)
def test_a_fault_that_means_nothing_is_refused(fault: Fault) -> None:
    with pytest.raises(InvalidParams):
        Faults().add(fault)


def test_a_chance_meets_the_same_requests_again_with_the_same_seed() -> None:
    def met(seed: int | None) -> list[bool]:
        faults = Faults()
        faults.add(Fault("* /account", status=500, chance=0.3, seed=seed))
        return [faults.strike("GET", "/account") is not None for _ in range(200)]

    assert met(7) == met(7) != met(8)
    assert 30 < sum(met(7)) < 90
    unseeded = Faults().add(Fault("* /account", status=500, chance=0.3))
    assert unseeded.seed is not None


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


def test_a_rate_limit_is_answered_as_heroku_does(api: Backend) -> None:
    api.ok("POST", "/backend/faults", {"pattern": "GET /apps", "status": 429, "times": 1})
    answer = api.call("GET", "/apps")
    assert (answer.status_code, answer.json()["id"]) == (429, "rate_limit")
    assert "rate-limits" in answer.json()["url"] and "reached the API rate limit" in answer.json()["message"]
    assert answer.headers["RateLimit-Remaining"] == "0" and answer.headers["Retry-After"] == "1"
    assert api.ok("GET", "/apps") is not None


def test_one_fault_is_ended_and_the_others_go_on(api: Backend) -> None:
    first, second = (api.ok("POST", "/backend/faults", {"pattern": f"GET /{path}", "status": 500}) for path in "ab")
    assert api.ok("DELETE", f"/backend/faults/{first['id']}")["pattern"] == "GET /a"
    assert [each["id"] for each in api.ok("GET", "/backend/faults")] == [second["id"]]
    assert api.call("DELETE", f"/backend/faults/{first['id']}").status_code == 404


CHANGES = 25


@pytest.fixture
def changing(api: Backend) -> Iterator[str]:
    """An app whose log grows by a release for each of `CHANGES` changes."""
    app = str(api.ok("POST", "/apps", {})["name"])
    changes = Thread(
        target=lambda: [api.ok("PATCH", f"/apps/{app}/config-vars", {"A": str(number)}) for number in range(CHANGES)]
    )
    changes.start()
    yield app
    changes.join()


def versions(lines: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"Release v(\d+) created", lines)]


EXPECTED = list(range(1, CHANGES + 3))


@pytest.mark.parametrize("cut", [{"cut_lines": 7}, {"cut_bytes": 900}, {"cut_s": 0.2}], ids=str)
def test_a_tail_that_is_cut_off_again_and_again_goes_on_without_gap_or_repeat(
    api: Backend, changing: str, cut: dict[str, float]
) -> None:
    api.ok("POST", "/backend/faults", {"pattern": "GET /logs/*", "times": 8, **cut})
    reader = LogReader(
        PlatformAPI(api.url, api.credentials["token"]), changing, {"tail": True, "lines": 1500}, sleep=lambda _: None
    )
    seen = b""
    for block in reader.blocks():
        seen += block
        if len(versions(seen)) >= len(EXPECTED):
            break
    assert versions(seen) == EXPECTED


def test_a_reader_of_server_sent_events_goes_on_behind_the_last_whole_one(api: Backend, changing: str) -> None:
    wait_for(lambda: len(versions(api.logs(changing).encode())) == len(EXPECTED), "all changes to be made")
    fault = api.ok("POST", "/backend/faults", {"pattern": "GET /logs/*", "cut_lines": 9, "times": 5})
    url = api.ok("POST", f"/apps/{changing}/log-sessions", {"lines": 1500})["logplex_url"]
    seen, last_id, connections = b"", "", 0
    while len(versions(seen)) < len(EXPECTED):
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            received, connections = b"", connections + 1
            with suppress(requests.exceptions.ChunkedEncodingError):
                for piece in answer.iter_content(None):
                    received += piece
        for event in received.split(b"\n\n")[:-1]:
            number, _, data = event.partition(b"\n")
            last_id, seen = number.removeprefix(b"id: ").decode(), seen + data + b"\n"
    assert versions(seen) == EXPECTED
    assert connections == 6 and fault["times"] == 5


def test_a_provider_fails_or_hangs_until_the_fault_is_cleared(api: Backend, tmp_path: Path) -> None:
    app = api.ok("POST", "/apps", {})["name"]
    (tmp_path / "Procfile").write_text("worker: sleep 600\n")
    api.push(tmp_path, app)
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 3}]})
    wish = {"pattern": "POST /apps/*/addons", "times": 1}
    api.ok("POST", "/backend/faults", {**wish, "provisioning": "fails"})
    failing = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})
    assert failing["state"] == "provisioning"
    log = api.wait_for_log(app, f"Detach DJ (@ref:{failing['name']})")
    assert f"Provisioning of {failing['name']} failed: a fault on purpose" in log
    assert api.ok("GET", f"/apps/{app}/addons") == [] == api.ok("GET", "/backend/faults")
    assert api.ok("GET", f"/apps/{app}/formation/worker")["quantity"] == 3

    hanging = api.ok("POST", "/backend/faults", {**wish, "provisioning": "hangs"})
    name = api.ok("POST", f"/apps/{app}/addons", {"plan": "dj"})["name"]
    (listed,) = api.ok("GET", "/backend/faults")
    assert (listed["id"], listed["times"]) == (hanging["id"], 0)
    assert api.ok("GET", f"/addons/{name}")["state"] == "provisioning"
    api.ok("DELETE", f"/backend/faults/{hanging['id']}")
    api.wait_for_log(app, f"@ref:{name} completed provisioning.")
    assert api.ok("GET", f"/addons/{name}")["state"] == "provisioned"
    assert api.ok("GET", f"/apps/{app}/formation/worker")["quantity"] == 1
    api.ok("DELETE", f"/apps/{app}")


def test_faults_are_made_by_whoever_runs_the_backend_alone(api: Backend) -> None:
    token = api.ok("POST", "/backend/users", {"email": "mallory@example.com"})["token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(
        f"{api.url}/backend/faults", json={"pattern": "* /*", "status": 500}, headers=headers, timeout=30
    )
    assert answer.status_code == 403
    api.ok("DELETE", "/backend/users/mallory@example.com")
