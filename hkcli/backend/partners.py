"""Third parties' add-ons: registered by their manifests, and what their services may ask of us."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hkcli.backend import accounts, providers
from hkcli.backend.addons import partner_resources
from hkcli.backend.addons.manifest import Manifest, parse
from hkcli.backend.addons.partner import Partner
from hkcli.backend.errors import Forbidden, InvalidParams, NotFound, Unauthorized
from hkcli.backend.schemas import Urls
from hkcli.backend.store import Addon, PartnerResource, PartnerService, Store, new_drain_token, now
from hkcli.backend.tickets import Seal
from hkcli.backend.work import Work

ACCESS = timedelta(hours=8)
"""How long a partner's token is good for before it has to be refreshed."""


def load(store: Store) -> None:
    """Put what the store knows on the shelves."""
    with store.transaction() as session:
        rows = list(session.scalars(select(PartnerService)))
    providers.PARTNERS.clear()
    providers.PARTNERS.update({each.name: Partner(parse(each.manifest, each.environment)) for each in rows})


def register(work: Work, document: dict[str, Any], environment: str) -> Manifest:
    """Put an add-on on the shelves, or renew what is said of it. Raises InvalidParams."""
    manifest = parse(document, environment)
    if manifest.id in providers.OWN:
        raise InvalidParams(f"The manifest's id must be another one: this backend makes {manifest.id} itself.")
    plans = {each.name for each in manifest.service.plans}
    if gone := sorted({each.plan for each in of_service(work.session, manifest.id)} - plans):
        raise InvalidParams(f"The manifest's plans must have {', '.join(gone)}: there are add-ons on them.")
    row = find(work.session, manifest.id) or PartnerService(name=manifest.id)
    row.manifest, row.environment = dict(document), environment
    work.session.add(row)
    work.session.flush()
    work.after(lambda: providers.PARTNERS.update({manifest.id: Partner(manifest)}))
    return manifest


def unregister(work: Work, name: str) -> Manifest:
    """Raises NotFound, InvalidParams while there are add-ons of it."""
    row, manifest = find(work.session, name), providers.manifest(name)
    if row is None or manifest is None:
        known = ", ".join(providers.PARTNERS) or "none"
        raise NotFound(f"No add-on {name} was added by a manifest. There are: {known}", "addon_service")
    if existing := [f"{each.name} on {each.app.name}" for each in of_service(work.session, name)]:
        raise InvalidParams(f"There are add-ons of {name}: {', '.join(existing)}. Remove those first.")
    work.session.delete(row)
    work.session.execute(delete(PartnerResource).where(PartnerResource.service == name))
    work.after(lambda: providers.PARTNERS.__delitem__(name))
    return manifest


def find(session: Session, name: str) -> PartnerService | None:
    return session.scalars(select(PartnerService).where(PartnerService.name == name)).one_or_none()


def of_service(session: Session, name: str) -> Sequence[Addon]:
    return session.scalars(select(Addon).where(Addon.service == name)).all()


def ask(work: Work, addon: Addon, options: dict[str, Any]) -> None:
    """Write down what the partner is to be asked for."""
    resource = PartnerResource(id=addon.id, service=addon.service, options=options)
    manifest = providers.manifest(addon.service)
    if manifest and manifest.wants_drain:
        resource.log_drain_token = new_drain_token()
    work.session.add(resource)
    work.session.flush()


def client_secret(urls: Urls, service: str) -> str:
    """What a partner proves with that it is the one which its manifest names; always the same."""
    return urls.proof("partner-client", service)


def exchange(session: Session, seal: Seal, urls: Urls, words: Mapping[str, str]) -> dict[str, Any]:
    """Tokens for the code of a provision request, or for a refresh token. Raises Unauthorized, InvalidParams."""
    resource = _granted(session, seal, words)
    addon = session.get(Addon, resource.id) if resource else None
    if resource is None or addon is None:
        raise Unauthorized("That code or token is not good, or not good any more.")
    if not hmac.compare_digest(words.get("client_secret", "").encode(), client_secret(urls, resource.service).encode()):
        raise Unauthorized(f"That is not the client secret of {resource.service}. See: heroku backend:addons --json")
    is_refresh = words["grant_type"] == "refresh_token"
    access, refresh = accounts.new_token(), words["refresh_token"] if is_refresh else accounts.new_token()
    resource.access_hash, resource.access_expires_at = accounts.hash_token(access), now() + ACCESS
    resource.refresh_hash = accounts.hash_token(refresh)
    return {
        "access_token": access,
        "expires_in": int(ACCESS.total_seconds()),
        "refresh_token": refresh,
        "session_nonce": None,
        "token_type": "Bearer",
        "user_id": addon.app.owner_id,
    }


def _granted(session: Session, seal: Seal, words: Mapping[str, str]) -> PartnerResource | None:
    match words.get("grant_type"):
        case "authorization_code":
            max_age_s = int(partner_resources.GRANT.total_seconds())
            try:
                ticket = seal.open(partner_resources.PURPOSE, words.get("code", ""), max_age_s=max_age_s)
            except NotFound:
                return None
            return session.get(PartnerResource, str(ticket["addon"]))
        case "refresh_token":
            known = accounts.hash_token(words.get("refresh_token", ""))
            return session.scalars(select(PartnerResource).where(PartnerResource.refresh_hash == known)).one_or_none()
    raise InvalidParams("grant_type must be one of: authorization_code, refresh_token")


def speaking(session: Session, token: str) -> Addon | None:
    """The add-on whose partner this token was given to."""
    query = select(PartnerResource).where(PartnerResource.access_hash == accounts.hash_token(token))
    resource = session.scalars(query).one_or_none()
    if resource is None or resource.access_expires_at is None or resource.access_expires_at < now():
        return None
    return session.get(Addon, resource.id)


def admit(session: Session, token: str, method: str, path: str) -> Addon | None:
    """The add-on whose partner makes this request; None when the token is no partner's. Raises Forbidden."""
    addon = speaking(session, token)
    if addon is None:
        return None
    place = path.rstrip("/").split("/")[1:]
    is_own = len(place) > 1 and place[0] == "addons" and place[1] in (addon.id, addon.name)
    is_of_app = (
        method == "GET"
        and place[0] == "apps"
        and len(place) in (2, 3)
        and place[1] in (addon.app_id, addon.app.name)
        and place[2:] in ([], ["collaborators"], ["addons"])
    )
    if not is_own and not is_of_app:
        raise Forbidden(f"The token of the add-on {addon.name} is for /addons/{addon.id} and what it is part of.")
    return addon
