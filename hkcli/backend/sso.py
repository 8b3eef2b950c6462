"""Single sign-on to the dashboards of third parties' add-ons, as Dev Center's "Add-on Single Sign-on" has it.

The signed parameters are made when a browser comes for them, since partners take only fresh ones."""

import base64
import hashlib
import json
import time

from sqlalchemy.orm import Session

from hkcli.backend import accounts, marketplace, providers
from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.errors import NotFound
from hkcli.backend.store import Addon, PartnerResource, User


def is_offered(service: str) -> bool:
    """Whether an add-on of this service has a dashboard of its partner's."""
    manifest = providers.manifest(service)
    return manifest is not None and manifest.sso_url is not None and manifest.sso_salt is not None


def visitor(session: Session, user_id: str, addon_id: str) -> tuple[Manifest, Addon, User]:
    """Who opened a link, and to what. Raises NotFound, Forbidden when it is not for this user any more."""
    user = session.get(User, user_id)
    if user is None or user.password_hash == accounts.CLOSED:
        raise NotFound("Couldn't find that user.", "user")
    addon = marketplace.one(session, user, addon_id)
    manifest = providers.manifest(addon.service)
    if manifest is None or not is_offered(addon.service):
        raise NotFound(f"{addon.name} has no dashboard.", "sso")
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
