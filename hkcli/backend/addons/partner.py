"""An add-on of a third party, as the marketplace sees it: known by its manifest, made by its own service."""

from collections.abc import Mapping
from typing import Any

from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.addons.provider import Gone, Provisioned, Service
from hkcli.backend.errors import InvalidParams
from hkcli.backend.store import App


class Partner:
    """A Provider."""

    SERVICE: Service

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.SERVICE = manifest, manifest.service

    def provision(self, app: App, plan: str, options: Mapping[str, Any]) -> Provisioned:
        if not self.manifest.serves(app.region):
            regions = ", ".join(self.manifest.regions)
            raise InvalidParams(f"{self.manifest.id} is not to be had in the region {app.region}, only in: {regions}.")
        return Provisioned(is_ready=False, is_agreed=False)

    def holds(self, plan: str) -> dict[str, int]:
        return {}

    def give_back(self, gone: Gone) -> list[str]:
        return []
