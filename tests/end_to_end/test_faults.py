import pytest

from tests.backends import Backend
from tests.end_to_end.shell import Shell
from tests.end_to_end.test_users import operator

pytestmark = pytest.mark.e2e
__all__ = ["operator"]


def test_a_client_meets_a_fault_and_gets_through_when_it_is_cleared(operator: Shell, shared_backend: Backend) -> None:
    operator.ok("heroku", "backend:faults", "add", "POST /apps", "--status", "422", "--times", "9")
    operator.ok("heroku", "backend:faults:add", "GET /logs/*", "--cut-lines", "3", "--chance", "0.5", "--seed", "7")
    first, second = operator.ok("heroku", "backend:faults", "list").out.splitlines()
    assert first.endswith("POST /apps\tstatus 422\t9\t0")
    assert second.endswith("cut off after 3 lines, 50% of them (seed 7)\tuntil cleared\t0")
    operator.ok("heroku", "backend:faults", "clear", second.split()[0])
    assert "No fault has an id" in operator("heroku", "backend:faults:clear", second.split()[0]).err
    token = shared_backend.credentials["token"]
    refused = operator("heroku", "create", "--no-remote", HEROKU_API_KEY=token)
    assert refused.status == 1 and "A fault on purpose: POST /apps" in refused.err
    assert "done, 1" in operator.ok("heroku", "backend:faults:clear").err
    operator.ok("heroku", "create", "--no-remote", HEROKU_API_KEY=token)
    assert operator("heroku", "backend:faults:add", "nonsense", "--status", "500").status == 1
