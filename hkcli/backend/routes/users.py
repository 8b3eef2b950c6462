"""Users of this backend, for whoever runs it. Not part of Heroku's API, where people sign up."""

import secrets

from hkcli.backend import accounts, schemas
from hkcli.backend.endpoint import Answer, Call, route
from hkcli.backend.errors import InvalidParams

SHORTEST_PASSWORD = 8


def every(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [schemas.account(each) for each in accounts.users(call.session)]


def create(call: Call) -> Answer:
    """The new account, with its password (one is invented when none is given) and a token, shown once.

    `two_factor_code`: what a login takes besides the password; `verified`: whether they may have what costs money."""
    accounts.check_operator(call.session, call.user)
    password = call.text("password") or secrets.token_urlsafe(12)
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidParams(f"password must have {SHORTEST_PASSWORD} characters or more.")
    user = accounts.create_user(call.session, call.required("email"), password)
    user.verified = call.flag("verified") is not False
    if code := call.text("two_factor_code"):
        accounts.set_second_factor(user, code)
    _, token = accounts.authorize(call.session, user, "Made with the account")
    return {**schemas.account(user), "password": password, "token": token}


def delete(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    user = accounts.find_user(call.session, call.path("user"))
    accounts.close(call.session, user)
    return schemas.account(user)


ROUTES = [
    route("GET", "/backend/users", every),
    route("POST", "/backend/users", create, status=201),
    route("DELETE", "/backend/users/{user}", delete),
]
