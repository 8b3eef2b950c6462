"""GET /account and what else speaks of the user alone."""

import base64

from hkcli.backend import accounts, schemas
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import BadRequest, InvalidParams


def info(call: Call) -> Answer:
    return schemas.account(call.user)


def info_by_user(call: Call) -> Answer:
    call.own_account()
    return info(call)


def update(call: Call) -> Answer:
    """The name can be changed; the rest of an account is fixed here, and asking for what it is already is no error."""
    current = schemas.account(call.user)
    for key in ("allow_tracking", "beta", "country_of_residence"):
        if key in call.body and call.body[key] != current[key]:
            raise InvalidParams(f"{key} cannot be changed on this backend.")
    if "name" in call.body:
        call.user.name = call.text("name")
    call.session.flush()
    return info(call)


def update_by_user(call: Call) -> Answer:
    call.own_account()
    return update(call)


def delete(call: Call) -> Answer:
    """Close the account; the header `Heroku-Password` must hold its password, base64 in `Heroku-Password-Base64`."""
    headers = call.request.headers
    given = headers.get("heroku-password") or decoded(headers.get("heroku-password-base64", ""))
    accounts.log_in(call.session, call.user.email, given)
    accounts.close(call.session, call.user)
    return info(call)


def decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise BadRequest("Heroku-Password-Base64 is not base64.") from None


def delete_by_user(call: Call) -> Answer:
    call.own_account()
    return delete(call)


def delinquency(call: Call) -> Answer:
    return {"scheduled_suspension_time": None, "scheduled_deletion_time": None}


def sms_number(call: Call) -> Answer:
    call.own_account()
    return {"sms_number": None}


PREFERENCES = (
    "timezone default-organization dismissed-github-banner dismissed-getting-started dismissed-org-access-controls "
    "dismissed-org-wizard-notification dismissed-pipelines-banner dismissed-pipelines-github-banner "
    "dismissed-pipelines-github-banners dismissed-sms-banner"
).split()


def preferences(call: Call) -> Answer:
    call.own_account()
    return dict.fromkeys(PREFERENCES)


def rate_limits(call: Call) -> Answer:
    return {"remaining": call.platform.rate_limits.remaining(call.user.id)}


ROUTES = [
    route("GET", "/account", info, from_store=True),
    route("PATCH", "/account", update),
    route("DELETE", "/account", delete),
    route("GET", "/account/delinquency", delinquency),
    route("GET", "/account/rate-limits", rate_limits, cost=0),
    route("GET", "/users/{user}", info_by_user),
    route("PATCH", "/users/{user}", update_by_user),
    route("DELETE", "/users/{user}", delete_by_user),
    route("GET", "/users/{user}/sms-number", sms_number),
    route("GET", "/users/{user}/preferences", preferences),
]
