"""An add-on manifest: what the author of an add-on says of it to Heroku, in addon-manifest.json.

The format is that of Dev Center's "Add-on Manifest" and of the kensa tool; one that was made for Heroku is good here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hkcli.backend.addons.provider import Plan, Service
from hkcli.backend.errors import InvalidParams
from hkcli.backend.hosts import is_loopback

ID = re.compile(r"[a-z][a-z0-9-]{0,62}[a-z0-9]")
PLAN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
ENVIRONMENTS = ("test", "production")
NOT_HERE = {"log_input": "a token to write to the app's log is not handed out"}
"""What a manifest may require of Heroku that this backend does not give."""


@dataclass(frozen=True)
class Manifest:
    id: str
    service: Service
    config_vars: tuple[str, ...]
    """Full names, `ERRORBUCKET_URL`."""
    password: str
    sso_salt: str | None
    regions: tuple[str, ...]
    requires: tuple[str, ...]
    base_url: str
    """Where resources are made; one of them is at `base_url/ID`."""
    sso_url: str | None

    @property
    def prefix(self) -> str:
        """What the names of its config vars begin with: `ERRORBUCKET_`."""
        return f"{self.service.attachment}_"

    def own_name(self, variable: str) -> str:
        """A config var's name without the prefix. Raises InvalidParams."""
        if not variable.startswith(self.prefix):
            raise InvalidParams(f"Config var {variable} must begin with {self.prefix}")
        return variable.removeprefix(self.prefix)

    @property
    def wants_drain(self) -> bool:
        return "syslog_drain" in self.requires

    def serves(self, region: str) -> bool:
        return region in self.regions or "*" in self.regions


def parse(document: Mapping[str, Any], environment: str) -> Manifest:
    """The manifest, to be reached at its `test` or `production` addresses. Raises InvalidParams, naming the field."""
    if environment not in ENVIRONMENTS:
        raise InvalidParams(f"environment must be one of: {', '.join(ENVIRONMENTS)}")
    identity = _text(document, "id")
    if not ID.fullmatch(identity):
        raise _wrong("id", "lowercase letters, digits and dashes, such as errorbucket")
    api = document.get("api")
    if not isinstance(api, Mapping):
        raise _wrong("api", "an object")
    if str(api.get("version", "3")) != "3":
        raise _wrong("api.version", '"3": other versions of the Add-on Partner API are not spoken here')
    prefix = str(api.get("config_vars_prefix") or identity.upper().replace("-", "_"))
    requires = _words(api, "requires")
    base_url, sso_url = _addresses(api.get(environment), environment)
    return Manifest(
        id=identity,
        service=Service(
            name=identity,
            human_name=str(document.get("name") or identity),
            plans=_plans(identity, document.get("plans") or api.get("plans") or ["test"]),
            attachment=prefix,
            several="many_per_app" in requires,
        ),
        config_vars=_config_vars(api, prefix),
        password=_text(api, "password", "api."),
        sso_salt=str(api["sso_salt"]) if api.get("sso_salt") else None,
        regions=_words(api, "regions") or ("*",),
        requires=requires,
        base_url=base_url,
        sso_url=sso_url,
    )


def _addresses(given: object, environment: str) -> tuple[str, str | None]:
    """Base and SSO address; manifests of old have one address for both."""
    field = f"api.{environment}"
    if isinstance(given, str):
        return _url(f"{given.rstrip('/')}/heroku/resources", field), None
    if not isinstance(given, Mapping):
        raise _wrong(field, "an object with base_url and sso_url")
    sso = given.get("sso_url")
    return _url(given.get("base_url"), f"{field}.base_url").rstrip("/"), _url(sso, f"{field}.sso_url") if sso else None


def _url(value: object, field: str) -> str:
    expected = "a URL such as https://example.com/heroku/resources; http only to this machine, for it carries secrets"
    try:
        parts = urlsplit(str(value or ""))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(field, expected) from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    is_text = str(value).isprintable() and str(value).isascii()
    if not host or not is_safe or parts.username is not None or parts.fragment or not is_text:
        raise _wrong(field, expected)
    return str(value)


def _plans(identity: str, given: object) -> tuple[Plan, ...]:
    if not isinstance(given, list) or not given:
        raise _wrong("plans", "a list of names, or of objects with id, name and price")
    plans: list[Plan] = []
    for each in given:
        described = each if isinstance(each, Mapping) else {"id": each}
        name, cents = str(described.get("id") or ""), _cents(described.get("price", 0))
        if not PLAN.fullmatch(name) or cents is None:
            raise _wrong("plans", 'such as {"id": "basic", "name": "Basic", "price": 5}, the price in dollars a month')
        human_name = str(described.get("name") or name.capitalize())
        plans.append(Plan(f"{identity}:{name}", human_name, human_name, cents, default=not plans))
    if len({each.name for each in plans}) < len(plans):
        raise _wrong("plans", "of different names")
    return tuple(plans)


def _cents(price: object) -> int | None:
    try:
        cents = round(float(str(price)) * 100)
    except (ValueError, OverflowError):
        return None
    return cents if 0 <= cents < 10**9 else None


def _config_vars(api: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    if not VARIABLE.fullmatch(prefix):
        raise _wrong("api.config_vars_prefix", "uppercase letters, digits and underscores")
    names = _words(api, "config_vars")
    for name in names:
        if not VARIABLE.fullmatch(name) or not name.startswith(f"{prefix}_") or name == f"{prefix}_":
            raise _wrong("api.config_vars", f"uppercase names that begin with {prefix}_; {name} does not fit")
    return names


def _text(document: Mapping[str, Any], key: str, where: str = "") -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(f"{where}{key}", "a string that is not empty")
    return value


def _words(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(f"api.{key}", "a list of strings")
    return tuple(value)


def _wrong(field: str, expected: str) -> InvalidParams:
    return InvalidParams(f"The manifest's {field} must be {expected}.")
