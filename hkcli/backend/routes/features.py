"""Features of apps; an account has none here."""

from hkcli.backend import catalog, features, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import BadRequest, NotFound
from hkcli.backend.features import Offer
from hkcli.backend.store import App


def document(app: App, offer: Offer) -> schemas.JSON:
    return {
        **schemas.FIXED_DATES,
        "description": offer.description,
        "display_name": offer.display_name,
        "doc_url": f"https://devcenter.heroku.com/articles/{offer.name}",
        "enabled": features.is_on(app, offer),
        "feedback_email": "",
        "id": catalog.fixed_id("app-feature", offer.name),
        "name": offer.name,
        "state": offer.state,
    }


def of_app(call: Call) -> Answer:
    app = call.app()
    return Collection([document(app, each) for each in features.OF_APPS])


def info(call: Call) -> Answer:
    return document(call.app(), features.of_apps(call.path("feature")))


def update(call: Call) -> Answer:
    app, offer, enabled = call.app(), features.of_apps(call.path("feature")), call.flag("enabled")
    if enabled is None:
        raise BadRequest("enabled is required.")
    features.switch(call.work, app, offer, enabled)
    return document(app, offer)


def of_account(call: Call) -> Answer:
    return []


def not_of_account(call: Call) -> Answer:
    raise NotFound("Couldn't find that feature.", "feature")


ROUTES = [
    route("GET", "/apps/{app}/features", of_app),
    route("GET", "/apps/{app}/features/{feature}", info),
    route("PATCH", "/apps/{app}/features/{feature}", update),
    route("GET", "/account/features", of_account),
    route("GET", "/account/features/{feature}", not_of_account),
    route("PATCH", "/account/features/{feature}", not_of_account),
]
