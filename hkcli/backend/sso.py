"""Single sign-on to the dashboards of third parties' add-ons, as Dev Center's "Add-on Single Sign-on" has it.

The signed parameters are made when a browser comes for them, since partners take only fresh ones."""

import base64
import hashlib
import hmac
import json
import time

from sqlalchemy.orm import Session

from hkcli.backend import accounts, marketplace, providers
from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.errors import NotFound
from hkcli.backend.schemas import Urls
from hkcli.backend.store import Addon, PartnerResource, User


def page(urls: Urls, addon: Addon, user: User) -> str | None:
    """Where this user's browser is logged in to the add-on's dashboard; whoever has the address may go there."""
    manifest = providers.manifest(addon.service)
    if manifest is None or manifest.sso_url is None or manifest.sso_salt is None:
        return None
    return f"{urls.api}/sso/{addon.id}/{user.id}/{urls.proof('sso', addon.id, user.id)}"


def visitor(session: Session, urls: Urls, addon_id: str, user_id: str, proof: str) -> tuple[Manifest, Addon, User]:
    """Whom such an address was made for, and to what. Raises NotFound."""
    user = session.get(User, user_id)
    is_ours = hmac.compare_digest(urls.proof("sso", addon_id, user_id).encode(), proof.encode())
    if not is_ours or user is None or user.password_hash == accounts.CLOSED:
        raise NotFound("Couldn't find that page.", "sso")
    addon = marketplace.one(session, user, addon_id)
    manifest = providers.manifest(addon.service)
    if manifest is None or manifest.sso_url is None:
        raise NotFound("Couldn't find that page.", "sso")
    return manifest, addon, user


def parameters(session: Session, manifest: Manifest, addon: Addon, user: User) -> dict[str, str]:
    """What the browser posts. `resource_token` is v3's, `token` the one of v1, which has the partner's own id in it."""
    resource = session.get(PartnerResource, addon.id)
    provider_id = (resource.provider_id if resource else None) or addon.id
    moment, salt = str(int(time.time())), manifest.sso_salt or ""
    scoped = ":".join((addon.id, salt, moment, user.id, user.email))
    return {
        "app": addon.app.name,
        "context_app": addon.app.name,
        "email": user.email,
        "id": provider_id,
        "nav-data": navigation(session, addon),
        "resource_id": addon.id,
        "resource_token": sha1(addon.id, salt, moment),
        "timestamp": moment,
        "token": sha1(provider_id, salt, moment),
        "user_id": user.id,
        "user_scoped_resource_token": hashlib.sha256(scoped.encode()).hexdigest(),
    }


def sha1(*words: str) -> str:
    return hashlib.sha1(":".join(words).encode()).hexdigest()


def navigation(session: Session, addon: Addon) -> str:
    """What Heroku's header on the partner's page is drawn from."""
    shown = [(each, providers.service(each.service)) for each in marketplace.of_app(session, addon.app)]
    document = {
        "addon": providers.service(addon.service).human_name,
        "appname": addon.app.name,
        "addons": [
            {"slug": service.name, "name": service.human_name, "current": each.id == addon.id}
            for each, service in shown
        ],
    }
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
