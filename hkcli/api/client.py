"""The Platform API v3 as Python calls: one method a call, its docstring ends with method and path."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hkcli.api.account_calls import AccountCalls
from hkcli.api.calls import segment
from hkcli.api.documents import (
    Addon,
    AddonService,
    App,
    Attachment,
    Dyno,
    Formation,
    LogSession,
    Plan,
    Release,
)
from hkcli.api.errors import NotFound
from hkcli.api.facility_calls import FacilityCalls

EXPAND_PLAN = {"Accept-Expansion": "addon_service,plan"}
PROVISION_MESSAGE = {"Accept-Expansion": "plan", "X-Heroku-Legacy-Provider-Messages": "true"}
NEWEST_FIRST = "version ..; order=desc,max={}"


class PlatformAPI(AccountCalls, FacilityCalls):
    """Apps, add-ons, config vars, dynos, releases and logs; the rest comes with the classes it is made of."""

    # --- apps

    def apps(self) -> list[App]:
        """Own apps and those shared with the user. GET /users/~/apps"""
        return self.every("/users/~/apps")

    def all_apps(self) -> list[App]:
        """Those of the user's teams as well. GET /apps"""
        return self.every("/apps")

    def team_apps(self, team: str) -> list[App]:
        """GET /teams/{team}/apps"""
        return self.every(f"/teams/{segment(team)}/apps")

    def team_of_space(self, space: str) -> str:
        """The name of the team that a private space belongs to. GET /spaces/{space}"""
        return str(self.get(f"/spaces/{segment(space)}")["team"]["name"])

    def app(self, app: str) -> App:
        """GET /apps/{app}"""
        return cast(App, self.get(f"/apps/{segment(app)}"))

    def pipeline_coupling(self, app: str) -> dict[str, Any] | None:
        """The pipeline that an app is in, and as what. GET /apps/{app}/pipeline-couplings"""
        try:
            return cast(dict[str, Any], self.get(f"/apps/{segment(app)}/pipeline-couplings"))
        except NotFound:
            return None

    def create_app(self, wishes: Mapping[str, str]) -> App:
        """`wishes`: name, region, stack, team, space, as far as they matter. POST /apps, POST /teams/apps"""
        path = "/teams/apps" if "team" in wishes or "space" in wishes else "/apps"
        return cast(App, self.call("POST", path, json=dict(wishes)))

    def update_app(self, app: str, changes: Mapping[str, object]) -> App:
        """PATCH /apps/{app}"""
        return cast(App, self.call("PATCH", f"/apps/{segment(app)}", json=dict(changes)))

    def delete_app(self, app: str) -> App:
        """DELETE /apps/{app}"""
        return cast(App, self.call("DELETE", f"/apps/{segment(app)}"))

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

    def rename_addon(self, app: str, addon: str, name: str) -> Addon:
        """PATCH /apps/{app}/addons/{addon}"""
        path = f"/apps/{segment(app)}/addons/{segment(addon)}"
        return cast(Addon, self.call("PATCH", path, json={"name": name}))

    def addon_anywhere(self, addon: str) -> Addon:
        """By its global name. GET /addons/{addon}"""
        return cast(Addon, self.get(f"/addons/{segment(addon)}", headers=EXPAND_PLAN))

    def delete_addon(self, app: str, addon: str, *, force: bool = False) -> Addon:
        """DELETE /apps/{app}/addons/{addon}"""
        path = f"/apps/{segment(app)}/addons/{segment(addon)}"
        return cast(Addon, self.call("DELETE", path, json={"force": force}, headers={"Accept-Expansion": "plan"}))

    def resolve_addons(self, addon: str, app: str | None) -> list[Addon]:
        """All that an id, a name, an attachment's name or a service can mean. POST /actions/addons/resolve"""
        body = {"addon": addon, "app": app}
        return cast(list[Addon], self.call("POST", "/actions/addons/resolve", json=body, headers=EXPAND_PLAN))

    def all_attachments(self) -> list[Attachment]:
        """Those of all apps of the user. GET /addon-attachments"""
        return self.every("/addon-attachments")

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

    def process_types_of_slug(self, app: str, slug: str) -> dict[str, str]:
        """Process type to command, the release command among them. GET /apps/{app}/slugs/{slug}"""
        return dict(self.get(f"/apps/{segment(app)}/slugs/{segment(slug)}")["process_types"])

    def create_dyno(self, app: str, wishes: Mapping[str, object]) -> Dyno:
        """Run a one-off: command, attach, env, size, type, force_no_tty. POST /apps/{app}/dynos"""
        return cast(Dyno, self.call("POST", f"/apps/{segment(app)}/dynos", json=dict(wishes)))

    def resize_terminal(self, app: str, dyno: str, columns: int, lines: int) -> None:
        """Of an attached one-off, on a backend of ours alone. PUT /backend/apps/{app}/dynos/{dyno}/terminal"""
        path = f"/backend/apps/{segment(app)}/dynos/{segment(dyno)}/terminal"
        self.call("PUT", path, json={"columns": columns, "lines": lines})

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

    def retry_release(self, app: str, slug: str, description: str) -> Release:
        """A new release of the same slug. POST /apps/{app}/releases"""
        body = {"slug": slug, "description": description}
        return cast(Release, self.call("POST", f"/apps/{segment(app)}/releases", json=body))

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

    def add_backend_user(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """`wishes`: email, two_factor_code, verified; the account with `password` and `token`. POST /backend/users"""
        return cast(dict[str, Any], self.call("POST", "/backend/users", json=dict(wishes)))

    def remove_backend_user(self, email: str) -> None:
        """DELETE /backend/users/{email}"""
        self.call("DELETE", f"/backend/users/{segment(email)}")

    def partner_services(self) -> list[Any]:
        """Add-ons that were added by a manifest. GET /backend/addons"""
        return cast(list[Any], self.get("/backend/addons"))

    def add_partner_service(self, manifest: Mapping[str, object], environment: str) -> dict[str, Any]:
        """`environment`: whether its test or its production addresses are used. POST /backend/addons"""
        body = {"manifest": dict(manifest), "environment": environment}
        return cast(dict[str, Any], self.call("POST", "/backend/addons", json=body))

    def remove_partner_service(self, name: str, *, force: bool) -> dict[str, Any]:
        """DELETE /backend/addons/{name}"""
        return cast(dict[str, Any], self.call("DELETE", f"/backend/addons/{segment(name)}", json={"force": force}))

    def faults(self) -> list[Any]:
        """GET /backend/faults"""
        return cast(list[Any], self.get("/backend/faults"))

    def add_fault(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """POST /backend/faults"""
        return cast(dict[str, Any], self.call("POST", "/backend/faults", json=wishes))

    def clear_faults(self) -> list[Any]:
        """Those that were on. DELETE /backend/faults"""
        return cast(list[Any], self.call("DELETE", "/backend/faults"))

    def clear_fault(self, fault: str) -> dict[str, Any]:
        """`fault`: its id. DELETE /backend/faults/{fault}"""
        return cast(dict[str, Any], self.call("DELETE", f"/backend/faults/{segment(fault)}"))

    def snapshots(self) -> list[Any]:
        """GET /backend/snapshots"""
        return cast(list[Any], self.get("/backend/snapshots"))

    def save_snapshot(self, name: str) -> dict[str, Any]:
        """POST /backend/snapshots"""
        return cast(dict[str, Any], self.call("POST", "/backend/snapshots", json={"name": name}))

    def restore_snapshot(self, name: str) -> dict[str, Any]:
        """POST /backend/snapshots/{name}/actions/restore"""
        return cast(dict[str, Any], self.call("POST", f"/backend/snapshots/{segment(name)}/actions/restore"))

    def remove_snapshot(self, name: str) -> dict[str, Any]:
        """DELETE /backend/snapshots/{name}"""
        return cast(dict[str, Any], self.call("DELETE", f"/backend/snapshots/{segment(name)}"))
