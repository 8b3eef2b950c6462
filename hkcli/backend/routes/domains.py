"""Domains: the app's own host name on this backend, and those that were added."""

from urllib.parse import urlsplit

from hkcli.backend import catalog, domains, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.store import App, Domain


def document(call: Call, app: App, record: Domain | None) -> schemas.JSON:
    """Of a domain that was added; None is the one that every app has."""
    own = urlsplit(call.platform.urls.web(app)).hostname
    return {
        "acm_status": None,
        "acm_status_reason": None,
        "app": schemas.ref(app),
        "cname": own if record else None,
        **schemas.dates(record or app),
        "hostname": record.hostname if record else own,
        "id": record.id if record else catalog.fixed_id("domain", app.id),
        "kind": "custom" if record else "heroku",
        "sni_endpoint": None,
        "status": "succeeded" if record else "none",
    }


def every(call: Call) -> Answer:
    app = call.app()
    records = [None, *domains.of_app(call.session, app)]
    return Collection([document(call, app, each) for each in records], ("id", "hostname", "created_at", "updated_at"))


def info(call: Call) -> Answer:
    app = call.app()
    own = document(call, app, None)
    if call.path("domain") in (own["id"], own["hostname"]):
        return own
    return document(call, app, domains.find(call.session, app, call.path("domain")))


def create(call: Call) -> Answer:
    app = call.app()
    check_endpoint(call)
    return document(call, app, domains.add(call.work, app, call.required("hostname")))


def update(call: Call) -> Answer:
    check_endpoint(call)
    return info(call)


def check_endpoint(call: Call) -> None:
    if call.text("sni_endpoint"):
        raise NotFound("Couldn't find that SNI endpoint.", "sni_endpoint")


def delete(call: Call) -> Answer:
    app = call.app()
    if call.path("domain") == document(call, app, None)["hostname"]:
        raise InvalidParams(f"{call.path('domain')} is the app's own and cannot be removed.")
    record = domains.find(call.session, app, call.path("domain"))
    domains.remove(call.work, app, record)
    return document(call, app, record)


ROUTES = [
    route("GET", "/apps/{app}/domains", every),
    route("POST", "/apps/{app}/domains", create, status=201),
    route("GET", "/apps/{app}/domains/{domain}", info),
    route("PATCH", "/apps/{app}/domains/{domain}", update),
    route("DELETE", "/apps/{app}/domains/{domain}", delete),
]
