"""The Platform API v3 as Python calls: one method a call, its docstring ends with method and path."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from hkcli import __version__
from hkcli.api.documents import (
    Account,
    Addon,
    AddonService,
    App,
    Attachment,
    Authorization,
    Dyno,
    Formation,
    LogSession,
    Plan,
    Release,
)
from hkcli.api.errors import UsageError, api_error

if TYPE_CHECKING:
    from requests import Response
    from requests.adapters import BaseAdapter

    from hkcli.api.transport import Transport

ACCEPT = "application/vnd.heroku+json; version=3"
USER_AGENT = f"hkcli/{__version__}"
EXPAND_PLAN = {"Accept-Expansion": "addon_service,plan"}
PROVISION_MESSAGE = {"Accept-Expansion": "plan", "X-Heroku-Legacy-Provider-Messages": "true"}
NEWEST_FIRST = "version ..; order=desc,max={}"


def ignore(text: str) -> None:
    pass


def segment(value: str) -> str:
    """A name as one segment of a path, from where it can't lead elsewhere. Raises UsageError."""
    if value in ("", ".", ".."):
        raise UsageError(f"{value!r} can't be a name.")
    return quote(value, safe="")


class PlatformAPI:
    """`base_url` has no slash at its end. `token` None sends no credentials, wherever they might be lying about.

    `is_hasty` waits seconds instead of a minute and never tries again: better no answer than a late one."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        adapter: "BaseAdapter | None" = None,
        warn: Callable[[str], None] = ignore,
        trace: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        is_hasty: bool = False,
    ) -> None:
        self.base_url = base_url
        self.token = token
        self._adapter = adapter
        self._warn = warn
        self._trace = trace
        self._sleep = sleep
        self._is_hasty = is_hasty

    @cached_property
    def transport(self) -> "Transport":
        from hkcli.api.transport import HASTY, Transport

        patience = HASTY if self._is_hasty else None
        return Transport(self.token, adapter=self._adapter, trace=self._trace, sleep=self._sleep, patience=patience)

    def request(
        self, method: str, path: str, *, json: object = None, headers: Mapping[str, str] | None = None, auth: Any = None
    ) -> "Response":
        """The successful answer to one request. Raises ApiError, Unreachable."""
        url = self.base_url + path
        sent = {"Accept": ACCEPT, "User-Agent": USER_AGENT, **(headers or {})}
        response = self.transport.request(method, url, json=json, headers=sent, auth=auth)
        for header in ("X-Heroku-Warning", "Warning-Message"):
            if text := response.headers.get(header):
                self._warn(text.removeprefix("warning:").strip())
        if not response.ok:
            raise api_error(response.status_code, document_of(response), request_id_of(response), f"{method} {url}")
        return response

    def call(self, method: str, path: str, *, json: object = None, headers: Mapping[str, str] | None = None) -> Any:
        response = self.request(method, path, json=json, headers=headers)
        if response.status_code == 204 or not response.content:
            return {}
        document = document_of(response)
        if document is None:
            what = f"{self.base_url} does not speak the Platform API: {method} {path} was not answered with JSON."
            raise api_error(response.status_code, {"id": "not_json", "message": what}, None, what)
        return document

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Any:
        return self.call("GET", path, headers=headers)

    def every(self, path: str, *, headers: Mapping[str, str] | None = None) -> list[Any]:
        return [item for page in self.pages(path, headers=headers) for item in page]

    def pages(self, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[list[Any]]:
        """Follow the ranges of a list to its end; a page is asked for when the one before is used up."""
        following = dict(headers or {})
        while True:
            response = self.request("GET", path, headers=following)
            yield document_of(response) or []
            next_range = response.headers.get("Next-Range")
            if response.status_code != 206 or not next_range or next_range == following.get("Range"):
                return
            following["Range"] = next_range

    # --- account

    def account(self) -> Account:
        """GET /account"""
        return cast(Account, self.get("/account"))

    def authorize(self, email: str, password: str, description: str, code: str | None = None) -> Authorization:
        """A new token for a user. Raises TwoFactorRequired. POST /oauth/authorizations"""
        body = {"description": description, "expires_in": 2592000, "scope": ["global"]}
        headers = {"Heroku-Two-Factor-Code": code} if code else {}
        response = self.request(
            "POST", "/oauth/authorizations", json=body, headers=headers, auth=(email.encode(), password.encode())
        )
        return cast(Authorization, document_of(response))

    def authorizations(self) -> list[Authorization]:
        """GET /oauth/authorizations"""
        return self.every("/oauth/authorizations")

    def default_authorization(self) -> Authorization:
        """The one behind the account's API key. GET /oauth/authorizations/~"""
        return cast(Authorization, self.get("/oauth/authorizations/~"))

    def revoke(self, authorization: str) -> None:
        """DELETE /oauth/authorizations/{authorization}"""
        self.call("DELETE", f"/oauth/authorizations/{segment(authorization)}")

    # --- apps

    def apps(self) -> list[App]:
        """Own apps and those shared with the user. GET /users/~/apps"""
        return self.every("/users/~/apps")

    def app(self, app: str) -> App:
        """GET /apps/{app}"""
        return cast(App, self.get(f"/apps/{segment(app)}"))

    def create_app(self, wishes: Mapping[str, str]) -> App:
        """`wishes`: name, region, stack, as far as they matter. POST /apps"""
        return cast(App, self.call("POST", "/apps", json=dict(wishes)))

    def update_app(self, app: str, changes: Mapping[str, object]) -> App:
        """PATCH /apps/{app}"""
        return cast(App, self.call("PATCH", f"/apps/{segment(app)}", json=dict(changes)))

    def delete_app(self, app: str) -> App:
        """DELETE /apps/{app}"""
        return cast(App, self.call("DELETE", f"/apps/{segment(app)}"))

    def collaborators(self, app: str) -> list[Any]:
        """GET /apps/{app}/collaborators"""
        return self.every(f"/apps/{segment(app)}/collaborators")

    # --- add-ons

    def addon_services(self) -> list[AddonService]:
        """GET /addon-services"""
        return self.every("/addon-services")

    def plans(self, service: str) -> list[Plan]:
        """GET /addon-services/{service}/plans"""
        return self.every(f"/addon-services/{segment(service)}/plans")

    def addons(self, app: str) -> list[Addon]:
        """Those that the app owns. GET /apps/{app}/addons"""
        return self.every(f"/apps/{segment(app)}/addons", headers=EXPAND_PLAN)

    def all_addons(self) -> list[Addon]:
        """GET /addons"""
        return self.every("/addons", headers=EXPAND_PLAN)

    def addon(self, app: str, addon: str) -> Addon:
        """GET /apps/{app}/addons/{addon}"""
        return cast(Addon, self.get(f"/apps/{segment(app)}/addons/{segment(addon)}", headers=EXPAND_PLAN))

    def create_addon(self, app: str, wishes: Mapping[str, object]) -> Addon:
        """`wishes`: plan, attachment, config, name, confirm. Raises ConfirmationRequired. POST /apps/{app}/addons"""
        return cast(
            Addon,
            self.call("POST", f"/apps/{segment(app)}/addons", json=dict(wishes), headers=PROVISION_MESSAGE),
        )

    def change_plan(self, app: str, addon: str, plan: str) -> Addon:
        """PATCH /apps/{app}/addons/{addon}"""
        path = f"/apps/{segment(app)}/addons/{segment(addon)}"
        return cast(Addon, self.call("PATCH", path, json={"plan": {"name": plan}}, headers=PROVISION_MESSAGE))

    def delete_addon(self, app: str, addon: str, *, force: bool = False) -> Addon:
        """DELETE /apps/{app}/addons/{addon}"""
        path = f"/apps/{segment(app)}/addons/{segment(addon)}"
        return cast(Addon, self.call("DELETE", path, json={"force": force}, headers={"Accept-Expansion": "plan"}))

    def resolve_addons(self, addon: str, app: str | None) -> list[Addon]:
        """All that an id, a name, an attachment's name or a service can mean. POST /actions/addons/resolve"""
        body = {"addon": addon, "app": app}
        return cast(list[Addon], self.call("POST", "/actions/addons/resolve", json=body, headers=EXPAND_PLAN))

    def attachments(self, app: str) -> list[Attachment]:
        """GET /apps/{app}/addon-attachments"""
        return self.every(f"/apps/{segment(app)}/addon-attachments")

    # --- config vars

    def config_vars(self, app: str) -> dict[str, str]:
        """GET /apps/{app}/config-vars"""
        return cast(dict[str, str], self.get(f"/apps/{segment(app)}/config-vars"))

    def update_config_vars(self, app: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Set config vars (None removes one); returns all that remain. PATCH /apps/{app}/config-vars"""
        return cast(dict[str, str], self.call("PATCH", f"/apps/{segment(app)}/config-vars", json=dict(changes)))

    # --- formation and dynos

    def formation(self, app: str) -> list[Formation]:
        """GET /apps/{app}/formation"""
        return self.every(f"/apps/{segment(app)}/formation")

    def scale(self, app: str, updates: Sequence[Mapping[str, object]]) -> list[Formation]:
        """`updates`: {type, quantity?, size?}; a quantity may be "+1". PATCH /apps/{app}/formation"""
        body = {"updates": [dict(update) for update in updates]}
        return cast(list[Formation], self.call("PATCH", f"/apps/{segment(app)}/formation", json=body))

    def dynos(self, app: str) -> list[Dyno]:
        """GET /apps/{app}/dynos"""
        return self.every(f"/apps/{segment(app)}/dynos")

    def create_dyno(self, app: str, wishes: Mapping[str, object]) -> Dyno:
        """Run a one-off: command, attach, env, size, type, force_no_tty. POST /apps/{app}/dynos"""
        return cast(Dyno, self.call("POST", f"/apps/{segment(app)}/dynos", json=dict(wishes)))

    def restart_all(self, app: str) -> None:
        """DELETE /apps/{app}/dynos"""
        self.call("DELETE", f"/apps/{segment(app)}/dynos")

    def restart_dyno(self, app: str, dyno: str) -> None:
        """DELETE /apps/{app}/dynos/{dyno}"""
        self.call("DELETE", f"/apps/{segment(app)}/dynos/{segment(dyno)}")

    def restart_type(self, app: str, process_type: str) -> None:
        """DELETE /apps/{app}/formations/{type}"""
        self.call("DELETE", f"/apps/{segment(app)}/formations/{segment(process_type)}")

    def stop_dyno(self, app: str, dyno: str) -> None:
        """POST /apps/{app}/dynos/{dyno}/actions/stop"""
        self.call("POST", f"/apps/{segment(app)}/dynos/{segment(dyno)}/actions/stop")

    def stop_type(self, app: str, process_type: str) -> None:
        """POST /apps/{app}/formations/{type}/actions/stop"""
        self.call("POST", f"/apps/{segment(app)}/formations/{segment(process_type)}/actions/stop")

    # --- releases

    def releases(self, app: str, limit: int) -> list[Release]:
        """The newest first. GET /apps/{app}/releases"""
        pages = self.pages(f"/apps/{segment(app)}/releases", headers={"Range": NEWEST_FIRST.format(limit)})
        return next(pages)[:limit]

    def latest_release(self, app: str) -> Release | None:
        """GET /apps/{app}/releases"""
        return next(iter(self.releases(app, 1)), None)

    def release(self, app: str, version: str) -> Release:
        """GET /apps/{app}/releases/{version}"""
        return cast(Release, self.get(f"/apps/{segment(app)}/releases/{segment(version)}"))

    def release_config_vars(self, app: str, version: str) -> dict[str, str]:
        """GET /apps/{app}/releases/{version}/config-vars"""
        return cast(dict[str, str], self.get(f"/apps/{segment(app)}/releases/{segment(version)}/config-vars"))

    def roll_back(self, app: str, release: str) -> Release:
        """A new release with slug and config of an old one. POST /apps/{app}/releases"""
        return cast(Release, self.call("POST", f"/apps/{segment(app)}/releases", json={"release": release}))

    # --- logs and trust

    def log_session(self, app: str, wishes: Mapping[str, object]) -> LogSession:
        """`wishes`: lines, tail, source, dyno. POST /apps/{app}/log-sessions"""
        return cast(LogSession, self.call("POST", f"/apps/{segment(app)}/log-sessions", json=dict(wishes)))

    def certificate_authority(self) -> str:
        """What a backend on this machine signs its certificates with, as PEM. GET /ca.pem"""
        return self.request("GET", "/ca.pem", headers={"Accept": "*/*"}).text

    # --- the backend's own

    def backend_users(self) -> list[Any]:
        """GET /backend/users"""
        return cast(list[Any], self.get("/backend/users"))

    def add_backend_user(self, email: str) -> dict[str, Any]:
        """The account, with its `password` and `token`. POST /backend/users"""
        return cast(dict[str, Any], self.call("POST", "/backend/users", json={"email": email}))

    def remove_backend_user(self, email: str) -> None:
        """DELETE /backend/users/{email}"""
        self.call("DELETE", f"/backend/users/{segment(email)}")

    def faults(self) -> list[Any]:
        """GET /backend/faults"""
        return cast(list[Any], self.get("/backend/faults"))

    def add_fault(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """POST /backend/faults"""
        return cast(dict[str, Any], self.call("POST", "/backend/faults", json=wishes))

    def clear_faults(self) -> list[Any]:
        """Those that were on. DELETE /backend/faults"""
        return cast(list[Any], self.call("DELETE", "/backend/faults"))


def document_of(response: "Response") -> Any:
    """The JSON of an answer, or None if it is none."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return None
    try:
        return response.json()
    except ValueError:
        return None


def request_id_of(response: "Response") -> str | None:
    return response.headers.get("Request-Id")
