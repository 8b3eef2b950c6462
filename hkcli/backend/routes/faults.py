"""Faults that are on, for whoever runs the backend. Not part of Heroku's API."""

from hkcli.backend import accounts
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import BadRequest
from hkcli.backend.faults import Cut, Fault

NUMBERS: dict[str, type[int] | type[float]] = {
    "status": int,
    "delay_s": float,
    "times": int,
    "chance": float,
    "seed": int,
    "cut_lines": int,
    "cut_bytes": int,
    "cut_s": float,
}


def document(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.id,
        "pattern": fault.pattern,
        "status": fault.status,
        "delay_s": fault.delay_s,
        "times": None if fault.times is None else fault.times - fault.met,
        "chance": fault.chance,
        "seed": fault.seed,
        "cut_lines": fault.cut.lines,
        "cut_bytes": fault.cut.bytes,
        "cut_s": fault.cut.seconds,
        "provisioning": fault.provisioning,
        "met": fault.met,
    }


def every(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [document(each) for each in call.platform.faults.on]


def create(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    number = {name: given(call, name, kind) for name, kind in NUMBERS.items()}
    fault = Fault(
        call.required("pattern"),
        status=whole(number["status"]),
        delay_s=number["delay_s"] or 0,
        times=whole(number["times"]),
        chance=number["chance"],
        seed=whole(number["seed"]),
        cut=Cut(whole(number["cut_lines"]), whole(number["cut_bytes"]), number["cut_s"]),
        provisioning=call.text("provisioning"),
    )
    return document(call.platform.faults.add(fault))


def given(call: Call, name: str, kind: type[int] | type[float]) -> float | None:
    """A number of the body, None when it is absent. Raises BadRequest."""
    value = call.body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise BadRequest(f"{name} must be a {'whole number' if kind is int else 'number'}.")
    return value


def whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def clear(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [document(each) for each in call.platform.faults.clear()]


def delete(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return document(call.platform.faults.remove(call.path("fault")))


ROUTES = [
    route("GET", "/backend/faults", every, cost=0),
    route("POST", "/backend/faults", create, status=201, cost=0),
    route("DELETE", "/backend/faults", clear, cost=0),
    route("DELETE", "/backend/faults/{fault}", delete, cost=0),
]
