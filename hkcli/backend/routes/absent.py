"""Lists of what a platform on one machine truthfully has none of: bills, teams, spaces, webhooks."""

from hkcli.backend import marketplace
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import NotFound

OF_ACCOUNT = (
    "/account/credits",
    "/account/invoices",
    "/addon-region-capabilities",
    "/enterprise-accounts",
    "/oauth/clients",
    "/oauth/sessions",
    "/spaces",
    "/teams",
)
OF_APP = ("sni-endpoints", "telemetry-drains", "webhooks", "webhook-deliveries", "webhook-events")
OF_ADDON = ("webhooks", "webhook-deliveries", "webhook-events")


def none(call: Call) -> Answer:
    return []


def none_of_app(call: Call) -> Answer:
    call.app()
    return []


def none_of_addon(call: Call) -> Answer:
    marketplace.one(call.session, call.user, call.path("addon"))
    return []


def no_credit(call: Call) -> Answer:
    raise NotFound("Couldn't find that credit.", "credit")


def no_invoice(call: Call) -> Answer:
    raise NotFound("Couldn't find that invoice.", "invoice")


ROUTES = [
    *(route("GET", path, none) for path in OF_ACCOUNT),
    *(route("GET", f"/apps/{{app}}/{kind}", none_of_app) for kind in OF_APP),
    *(route("GET", f"/addons/{{addon}}/{kind}", none_of_addon) for kind in OF_ADDON),
    route("GET", "/account/credits/{id}", no_credit),
    route("GET", "/account/invoices/{id}", no_invoice),
]
