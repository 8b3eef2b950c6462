"""Faults that are on, for whoever runs the backend. Not part of Heroku's API."""

from hkcli.backend import accounts
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import BadRequest
from hkcli.backend.faults import Fault


def document(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.id,
        "pattern": fault.pattern,
        "status": fault.status,
        "delay_s": fault.delay_s,
        "times": fault.times,
    }


def every(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [document(each) for each in call.platform.faults.on]


def create(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    status, times, delay_s = (call.body.get(key) for key in ("status", "times", "delay_s"))
    if not (
        isinstance(status, int | None) and isinstance(times, int | None) and isinstance(delay_s, int | float | None)
    ):
        raise BadRequest("status, times and delay_s must be numbers.")
    return document(call.platform.faults.add(Fault(call.required("pattern"), status, delay_s or 0, times)))


def clear(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [document(each) for each in call.platform.faults.clear()]


ROUTES = [
    route("GET", "/backend/faults", every, cost=0),
    route("POST", "/backend/faults", create, status=201, cost=0),
    route("DELETE", "/backend/faults", clear, cost=0),
]
