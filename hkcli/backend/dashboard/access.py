"""Who may see a dashboard: whoever opens a link that the API gave them; then, for some hours, the browser that did.

The link carries a ticket that works once, for minutes, and only in the run of the backend that made it. It is exchanged
for a cookie, so that what stays in a browser's history opens nothing. The cookie outlives a restart; each request asks
the store whether its user may still see the app.
"""

import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from hkcli.backend import apps, sso
from hkcli.backend.errors import Forbidden, NotFound
from hkcli.backend.platform import Platform
from hkcli.backend.store import Addon, User

STAY_S = 12 * 60 * 60
COOKIE = "hkcli_dashboard"
SERVICES = ("dj",)
"""Add-ons that have a dashboard here."""


@dataclass(frozen=True)
class Visitor:
    """A browser that was let in, to the dashboard of one add-on."""

    user: str
    """The email."""
    addon_id: str
    app_id: str
    app: str
    csrf: str
    """What a form must send back with a change."""


def web_url(platform: Platform, user: User, addon: Addon) -> str | None:
    """The address that opens the add-on's dashboard for this user, ours or its partner's; None when it has none."""
    if addon.service in SERVICES:
        return f"{platform.urls.api}/dashboard/open/{platform.links.ticket(user.id, addon.id)}"
    if sso.is_offered(addon.service):
        return f"{platform.urls.api}/sso/{platform.partner_links.ticket(user.id, addon.id)}"
    return None


def let_in(platform: Platform, request: Request, response: Response, user_id: str, addon_id: str) -> None:
    """Give the browser its cookie, for this add-on's pages alone."""
    words = {"user": user_id, "addon": addon_id, "csrf": secrets.token_urlsafe(24)}
    response.set_cookie(
        COOKIE,
        platform.seal.close("dashboard", words),
        max_age=STAY_S,
        path=f"/dashboard/{addon_id}/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def visitor(request: Request) -> Visitor:
    """Who asks. Raises Forbidden, without a word on what there is."""
    platform: Platform = request.app.state.platform
    try:
        words = platform.seal.open("dashboard", request.cookies.get(COOKIE, ""), max_age_s=STAY_S)
        if words["addon"] != request.path_params["addon"]:
            raise NotFound("Not this one.", "session")
        with platform.store.transaction() as session:
            return still_welcome(session, words["user"], words["addon"], words["csrf"])
    except (NotFound, Forbidden):
        raise Forbidden("This page opens by a link only.") from None


def still_welcome(session: Session, user_id: str, addon_id: str, csrf: str) -> Visitor:
    """Raises NotFound, Forbidden."""
    user, addon = session.get(User, user_id), session.get(Addon, addon_id)
    if user is None or addon is None:
        raise NotFound("It is gone.", "session")
    app = apps.find(session, user, addon.app_id)
    return Visitor(user.email, addon.id, app.id, app.name, csrf)


def check_change(request: Request, who: Visitor, sent: str) -> None:
    """A change must come from our own form. Raises Forbidden.

    SameSite alone does not see to that: pages of other ports on localhost are of the same site."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Forbidden("This change was not asked for by its own page.")
    if not hmac.compare_digest(sent.encode(), who.csrf.encode()):
        raise Forbidden("This form is too old. Go back, load the page again, and repeat it.")
