"""The wire shapes: our records as the documents of Heroku's Platform API v3, with every key of the published schema."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hkcli.backend import catalog, providers
from hkcli.backend.addons.provider import Plan, Service
from hkcli.backend.dynos import Dyno
from hkcli.backend.store import Addon, App, Attachment, Authorization, Build, Formation, Release, Slug, User

JSON = dict[str, Any]


@dataclass(frozen=True)
class Urls:
    """Where this platform is reached, without a trailing slash: `http://localhost:5080`."""

    api: str
    secret: bytes = b""

    def git(self, app: App) -> str:
        return f"{self.api}/{app.name}.git"

    def web(self, app: App) -> str:
        scheme, _, host = self.api.partition("://")
        port = host.rpartition(":")[2]
        return f"{scheme}://{app.name}.localhost:{port}/"

    def output(self, record: Build | Release) -> str:
        """Where a build's or release command's output is; whoever knows the address may read it, as on Heroku."""
        kind = record.__tablename__
        return f"{self.api}/outputs/{kind}/{record.id}/{self.proof(kind, record.id)}"

    def proof(self, *words: str) -> str:
        """What only we can say of these words."""
        return hmac.new(self.secret, "/".join(words).encode(), "sha256").hexdigest()


def timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def optional(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


def dates(record: Any) -> JSON:
    return {"created_at": timestamp(record.created_at), "updated_at": timestamp(record.updated_at)}


FIXED_DATES = {"created_at": timestamp(catalog.EPOCH), "updated_at": timestamp(catalog.EPOCH)}


def ref(record: Any) -> JSON:
    return {"id": record.id, "name": record.name}


def fixed_ref(kind: str, name: str) -> JSON:
    return {"id": catalog.fixed_id(kind, name), "name": name}


def user_ref(user: User) -> JSON:
    return {"id": user.id, "email": user.email}


def account(user: User) -> JSON:
    return {
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        **dates(user),
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "email": user.email,
        "federated": False,
        "id": user.id,
        "identity_provider": None,
        "last_login": None,
        "name": user.name,
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": user.second_factor is not None,
        "verified": user.verified,
    }


def authorization(record: Authorization, token: str | None = None) -> JSON:
    """The token itself is shown once, when it is made; later only what names it."""
    left_s = round((record.expires_at - record.created_at).total_seconds()) if record.expires_at else None
    return {
        "access_token": {"expires_in": left_s, "id": record.token_id, "token": token or record.token_hint},
        "client": None,
        **dates(record),
        "description": record.description,
        "grant": None,
        "id": record.id,
        "refresh_token": None,
        "scope": record.scope,
        "session": None,
        "user": {**user_ref(record.user), "full_name": record.user.name},
    }


def app(record: App, urls: Urls, slug_size_bytes: int | None = None) -> JSON:
    stack = fixed_ref("stack", record.stack)
    return {
        "acm": False,
        "archived_at": None,
        "build_stack": stack,
        "buildpack_provided_description": None,
        **dates(record),
        "generation": fixed_ref("generation", "cedar"),
        "git_url": urls.git(record),
        "id": record.id,
        "internal_routing": None,
        "maintenance": record.maintenance,
        "name": record.name,
        "organization": None,
        "owner": user_ref(record.owner),
        "region": fixed_ref("region", record.region),
        "released_at": optional(record.released_at),
        "repo_size": None,
        "slug_size": slug_size_bytes,
        "space": None,
        "stack": stack,
        "team": None,
        "web_url": urls.web(record),
    }


def formation(record: Formation, owner: App, command: str) -> JSON:
    return {
        "app": ref(owner),
        "command": command,
        **dates(record),
        "dyno_size": fixed_ref("size", record.size),
        "id": record.id,
        "quantity": record.quantity,
        "size": record.size,
        "type": record.type,
    }


def dyno(record: Dyno) -> JSON:
    spec = record.spec
    return {
        "app": {"id": spec.app_id, "name": spec.app_name},
        "attach_url": record.attach_url,
        "command": spec.shown_command,
        **dates(record),
        "id": record.id,
        "name": spec.name,
        "release": {"id": spec.release_id, "version": spec.release_version},
        "size": spec.size,
        "state": record.state.value,
        "type": spec.type,
    }


def release(record: Release, owner: App, urls: Urls, current: Release | None) -> JSON:
    return {
        "addon_plan_names": record.plans,
        "app": ref(owner),
        "artifacts": [{"type": "slug", "id": record.slug_id}] if record.slug_id else [],
        **dates(record),
        "current": current is not None and current.id == record.id,
        "description": record.description,
        "eligible_for_rollback": record.slug_id is not None and record.status == "succeeded",
        "id": record.id,
        "output_stream_url": urls.output(record) if record.has_output else None,
        "slug": {"id": record.slug_id} if record.slug_id else None,
        "status": record.status,
        "user": user_ref(record.user),
        "version": record.version,
    }


def slug(record: Slug, owner: App, blob_url: str) -> JSON:
    return {
        "blob": {"method": "GET", "url": blob_url},
        "buildpack_provided_description": record.buildpack,
        "checksum": record.checksum,
        "commit": record.commit,
        "commit_description": None,
        **dates(record),
        "deleted_at": None,
        "id": record.id,
        "process_types": record.process_types,
        "size": record.size_bytes,
        "stack": fixed_ref("stack", owner.stack),
    }


def build(record: Build, owner: App, urls: Urls) -> JSON:
    return {
        "app": {"id": owner.id},
        "buildpacks": [{"name": each, "url": each} for each in record.buildpacks] or None,
        **dates(record),
        "generation": "cedar",
        "id": record.id,
        "output_stream_url": urls.output(record),
        "release": {"id": record.release_id} if record.release_id else None,
        "slug": {"id": record.slug_id} if record.slug_id else None,
        "source_blob": {
            "checksum": record.checksum,
            "url": record.source_url or urls.git(owner),
            "version": record.version,
            "version_description": record.version_description,
        },
        "stack": owner.stack,
        "status": record.status,
        "user": user_ref(record.user),
    }


def service(each: Service) -> JSON:
    return {
        "cli_plugin_name": None,
        **FIXED_DATES,
        "human_name": each.human_name,
        "id": catalog.fixed_id("service", each.name),
        "name": each.name,
        "state": "ga",
        "supported_generations": [fixed_ref("generation", "cedar")],
        "supports_multiple_installations": each.several,
        "supports_sharing": True,
    }


def price(each: Plan) -> JSON:
    return {"cents": each.cents, "contract": False, "metered": False, "unit": "month"}


def plan(each: Plan, of: Service) -> JSON:
    return {
        "addon_service": fixed_ref("service", of.name),
        "compliance": None,
        **FIXED_DATES,
        "default": each.default,
        "description": each.description,
        "human_name": each.human_name,
        "id": catalog.fixed_id("plan", each.name),
        "installable_inside_private_network": False,
        "installable_outside_private_network": True,
        "name": each.name,
        "price": price(each),
        "space_default": False,
        "state": "ga",
        "visible": True,
    }


def addon(
    record: Addon,
    config_vars: list[str],
    *,
    provider_id: str,
    web_url: str | None = None,
    message: str | None = None,
    expanded: Collection[str] = (),
) -> JSON:
    """`expanded`: which of `addon_service` and `plan` are whole, and not references."""
    of, chosen = providers.plan(record.plan)
    document = {
        "actions": [],
        "addon_service": service(of) if "addon_service" in expanded else fixed_ref("service", of.name),
        "app": ref(record.app),
        "billed_price": {"cents": chosen.cents, "contract": False, "unit": "month"},
        "billing_entity": {**ref(record.app), "type": "app"},
        "config_vars": config_vars,
        **dates(record),
        "id": record.id,
        "name": record.name,
        "plan": plan(chosen, of) if "plan" in expanded else fixed_ref("plan", chosen.name),
        "provider_id": provider_id,
        "state": "provisioning" if record.state == "requested" else record.state,
        "web_url": web_url,
    }
    return {**document, "provision_message": message} if message else document


def attachment(record: Attachment, web_url: str | None, included: Mapping[str, Any] | None = None) -> JSON:
    return {
        "addon": {**ref(record.addon), "app": ref(record.addon.app)},
        "app": ref(record.app),
        **dates(record),
        "id": record.id,
        "log_input_url": None,
        "name": record.name,
        "namespace": None,
        "web_url": web_url,
        **(included or {}),
    }


def region(each: catalog.Region) -> JSON:
    return {
        "country": each.country,
        **FIXED_DATES,
        "description": each.description,
        "id": catalog.fixed_id("region", each.name),
        "locale": each.locale,
        "name": each.name,
        "private_capable": False,
        "provider": {"name": "amazon-web-services", "region": each.provider_region},
    }


def stack(each: catalog.Stack) -> JSON:
    return {
        **FIXED_DATES,
        "default": each.default,
        "id": catalog.fixed_id("stack", each.name),
        "name": each.name,
        "state": "public",
    }


def dyno_size(each: catalog.DynoSize) -> JSON:
    return {
        "architecture": "amd64",
        "compute": each.compute,
        "cost": {"cents": 0, "unit": "month"},
        "dedicated": each.dedicated,
        "generation": fixed_ref("generation", "cedar"),
        "id": catalog.fixed_id("size", each.name),
        "memory": each.memory_gb,
        "name": each.name,
        "precise_dyno_units": float(each.dyno_units),
        "private_space_only": False,
    }
