"""SSH public keys of the account. All clients make and delete them, though the published schema only lists them."""

from hkcli.backend import keys, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.store import Key


def document(record: Key) -> schemas.JSON:
    return {
        "comment": record.comment,
        **schemas.dates(record),
        "email": record.user.email,
        "fingerprint": record.fingerprint,
        "id": record.id,
        "public_key": record.public_key,
    }


def every(call: Call) -> Answer:
    return Collection([document(each) for each in keys.of_user(call.session, call.user)], ("id", "fingerprint"))


def info(call: Call) -> Answer:
    return document(keys.find(call.session, call.user, call.path("key")))


def create(call: Call) -> Answer:
    return document(keys.add(call.work, call.required("public_key")))


def delete(call: Call) -> Answer:
    record = keys.find(call.session, call.user, call.path("key"))
    call.session.delete(record)
    return document(record)


ROUTES = [
    route("GET", "/account/keys", every),
    route("POST", "/account/keys", create, status=201),
    route("GET", "/account/keys/{key}", info),
    route("DELETE", "/account/keys/{key}", delete),
]
