"""What third parties' services are asked for: resources made, changed and unmade by the Add-on Partner API."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hkcli.backend import catalog, drains, marketplace, names, providers
from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.addons.partner_api import PartnerAPI, Refused
from hkcli.backend.errors import InvalidParams, ServiceUnavailable
from hkcli.backend.home import write_private
from hkcli.backend.provisioning import NothingMade
from hkcli.backend.store import Addon, LogDrain, PartnerResource, Store, now
from hkcli.backend.tickets import Seal
from hkcli.backend.work import Works, asked_by

GRANT = timedelta(minutes=5)
"""How long the code of a provision request is good for."""
PURPOSE = "partner-grant"
"""What that code is sealed for."""


class Declined(NothingMade, InvalidParams):
    """The partner's refusal, for whoever asked for the add-on."""


@dataclass(frozen=True)
class PartnerResources:
    """The Maker for every third party's add-ons."""

    store: Store
    notes: Path
    """Provisioning's; ours hold what the partner calls the resource, which a restored store may not know."""
    api: PartnerAPI
    seal: Seal
    platform_url: str
    works: Works

    def require(self) -> None:
        return None

    async def make(self, addon_id: str) -> dict[str, str] | None:
        with self.store.transaction() as session:
            addon, resource = session.get(Addon, addon_id), session.get(PartnerResource, addon_id)
            if addon is None or resource is None:
                raise NothingMade("it was removed")
            if addon.state == "provisioning":
                return None
            manifest, body = self._manifest(addon.service), self._request(addon, resource)
        try:
            status, answer = await self.api.provision(manifest, body)
        except Refused as refusal:
            with self.store.transaction() as session:
                session.delete(session.get_one(PartnerResource, addon_id))
            raise Declined(refusal.message) from None
        if not isinstance(answer.get("id"), str | int) or answer["id"] == "":
            raise ServiceUnavailable(f"{manifest.id} answered with {status}, but without the id of the resource.")
        config = config_of(manifest, answer)
        self._keep(addon_id, answer)
        if status != 202:
            return config
        with self.works.begin(asked_by(addon.app.owner_id)) as work:
            if found := work.session.get(Addon, addon_id):
                found.config = config
                marketplace.accept(work, found)
        return None

    async def unmake(self, addon_id: str) -> None:
        for note in self.notes.glob(f"*.{addon_id}"):
            if manifest := providers.manifest(note.name.partition(".")[0]):
                await self.api.deprovision(manifest, note.read_text() or addon_id)
        with self.store.transaction() as session:
            if resource := session.get(PartnerResource, addon_id):
                session.delete(resource)

    async def change_plan(self, addon_id: str, service: str, plan: str) -> tuple[dict[str, str] | None, str | None]:
        """Config that the partner gave, None for none, and its message. Raises Refused, ServiceUnavailable."""
        with self.store.transaction() as session:
            provider_id = session.get_one(PartnerResource, addon_id).provider_id
        manifest = self._manifest(service)
        answer = await self.api.change_plan(manifest, provider_id or addon_id, plan.partition(":")[2])
        message = answer.get("message")
        return config_of(manifest, answer) if answer.get("config") else None, str(message) if message else None

    def _manifest(self, service: str) -> Manifest:
        manifest = providers.manifest(service)
        if manifest is None:
            raise ServiceUnavailable(f"The manifest of {service} is not here any more.")
        return manifest

    def _request(self, addon: Addon, resource: PartnerResource) -> dict[str, Any]:
        expires_at = (now() + GRANT).isoformat(timespec="seconds")
        code = self.seal.close(PURPOSE, {"addon": addon.id})
        region = catalog.region(addon.app.region)
        body = {
            "callback_url": f"{self.platform_url}/addons/{addon.id}",
            "name": addon.name,
            "oauth_grant": {"code": code, "expires_at": expires_at, "type": "authorization_code"},
            "options": resource.options,
            "plan": addon.plan.partition(":")[2],
            "region": f"amazon-web-services::{region.provider_region}",
            "uuid": addon.id,
        }
        return {**body, "log_drain_token": resource.log_drain_token} if resource.log_drain_token else body

    def _keep(self, addon_id: str, answer: dict[str, Any]) -> None:
        """What the partner calls the resource, what it has to say, and where it wants the app's log.

        Raises InvalidParams, ServiceUnavailable when its log drain cannot be."""
        with self.store.transaction() as session:
            resource, addon = session.get(PartnerResource, addon_id), session.get(Addon, addon_id)
            if resource is None:
                return
            resource.provider_id = str(answer["id"])
            write_private(self.notes / f"{resource.service}.{addon_id}", resource.provider_id.encode())
            resource.message = str(answer["message"]) if answer.get("message") else None
            url = answer.get("log_drain_url")
            if isinstance(url, str) and addon and resource.log_drain_token and not resource.log_drain_id:
                drains.check_url(url)
                if url in {each.url for each in drains.of_app(session, addon.app)}:
                    raise ServiceUnavailable(f"{addon.service} wants a log drain that {addon.app.name} has already.")
                drain = LogDrain(app_id=addon.app_id, url=url, token=resource.log_drain_token)
                session.add(drain)
                session.flush()
                resource.log_drain_id = drain.id


def config_of(manifest: Manifest, answer: dict[str, Any]) -> dict[str, str]:
    """What a partner's answer says of config, by names without the prefix. Raises ServiceUnavailable: its fault."""
    given, config = answer.get("config") or {}, {}
    if not isinstance(given, dict):
        raise ServiceUnavailable(f"{manifest.id} answered with a config that is no object.")
    for name, value in given.items():
        if manifest.config_vars and name not in manifest.config_vars:
            known = ", ".join(manifest.config_vars)
            raise ServiceUnavailable(f"{manifest.id} answered with {name}, which its manifest does not list ({known}).")
        if not name.startswith(manifest.prefix) or not isinstance(value, str):
            raise ServiceUnavailable(f"{manifest.id} answered with {name}, which is no string under {manifest.prefix}.")
        names.check_variable(name, value)
        config[name.removeprefix(manifest.prefix)] = value
    return config
