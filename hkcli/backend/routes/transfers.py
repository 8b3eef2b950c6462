"""Apps offered to other users."""

from hkcli.backend import apps, schemas, sharing
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.store import Transfer


def document(record: Transfer) -> schemas.JSON:
    return {
        "app": schemas.ref(record.app),
        **schemas.dates(record),
        "id": record.id,
        "owner": schemas.user_ref(record.owner),
        "recipient": schemas.user_ref(record.recipient),
        "state": record.state,
    }


def found(call: Call) -> Transfer:
    return sharing.transfer(call.session, call.user, call.path("transfer"))


def every(call: Call) -> Answer:
    return Collection([document(each) for each in sharing.transfers(call.session, call.user)], ("id", "created_at"))


def info(call: Call) -> Answer:
    return document(found(call))


def create(call: Call) -> Answer:
    call.flag("silent")  # nobody is written to, in any case
    app = apps.find(call.session, call.user, call.required("app"))
    return document(sharing.offer(call.work, app, call.required("recipient")))


def update(call: Call) -> Answer:
    transfer = found(call)
    sharing.answer(call.work, transfer, call.required("state"))
    return document(transfer)


def delete(call: Call) -> Answer:
    transfer = found(call)
    sharing.withdraw(call.work, transfer)
    return document(transfer)


ROUTES = [
    route("GET", "/account/app-transfers", every),
    route("POST", "/account/app-transfers", create, status=201),
    route("GET", "/account/app-transfers/{transfer}", info),
    route("PATCH", "/account/app-transfers/{transfer}", update),
    route("DELETE", "/account/app-transfers/{transfer}", delete),
]
