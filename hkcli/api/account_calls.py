"""What belongs to a user and not to an app, and what the platform offers to all."""

from collections.abc import Mapping
from typing import cast

from hkcli.api.calls import Calls, document_of, segment
from hkcli.api.documents import Account, Authorization, Feature, Key, PlatformStatus, Region, Stack


class AccountCalls(Calls):
    def account(self) -> Account:
        """GET /account"""
        return cast(Account, self.get("/account"))

    def authorize(
        self, email: str, password: str, description: str, expires_in_s: int, code: str | None = None
    ) -> Authorization:
        """A new token for a user. Raises TwoFactorRequired. POST /oauth/authorizations"""
        body = {"description": description, "expires_in": expires_in_s, "scope": ["global"]}
        headers = {"Heroku-Two-Factor-Code": code} if code else {}
        response = self.request(
            "POST", "/oauth/authorizations", json=body, headers=headers, auth=(email.encode(), password.encode())
        )
        return cast(Authorization, document_of(response))

    def authorizations(self) -> list[Authorization]:
        """GET /oauth/authorizations"""
        return self.every("/oauth/authorizations")

    def authorization(self, authorization: str) -> Authorization:
        """GET /oauth/authorizations/{authorization}"""
        return cast(Authorization, self.get(f"/oauth/authorizations/{segment(authorization)}"))

    def create_authorization(self, wishes: Mapping[str, object]) -> Authorization:
        """`wishes`: description, expires_in (seconds), scope. POST /oauth/authorizations"""
        return cast(Authorization, self.call("POST", "/oauth/authorizations", json=dict(wishes)))

    def default_authorization(self) -> Authorization:
        """The one behind the account's API key. GET /oauth/authorizations/~"""
        return cast(Authorization, self.get("/oauth/authorizations/~"))

    def update_authorization(self, authorization: str, wishes: Mapping[str, object]) -> Authorization:
        """`wishes`: description, client. PATCH /oauth/authorizations/{authorization}"""
        path = f"/oauth/authorizations/{segment(authorization)}"
        return cast(Authorization, self.call("PATCH", path, json=dict(wishes)))

    def rotate_authorization(self, authorization: str) -> Authorization:
        """POST /oauth/authorizations/{authorization}/actions/regenerate-tokens"""
        path = f"/oauth/authorizations/{segment(authorization)}/actions/regenerate-tokens"
        return cast(Authorization, self.call("POST", path))

    def revoke(self, authorization: str) -> Authorization:
        """DELETE /oauth/authorizations/{authorization}"""
        return cast(Authorization, self.call("DELETE", f"/oauth/authorizations/{segment(authorization)}"))

    def ssh_keys(self) -> list[Key]:
        """SSH public keys. GET /account/keys"""
        return self.every("/account/keys")

    def add_key(self, public_key: str) -> Key:
        """POST /account/keys"""
        return cast(Key, self.call("POST", "/account/keys", json={"public_key": public_key}))

    def delete_key(self, key: str) -> Key:
        """DELETE /account/keys/{key}"""
        return cast(Key, self.call("DELETE", f"/account/keys/{segment(key)}"))

    def account_features(self) -> list[Feature]:
        """GET /account/features"""
        return self.every("/account/features")

    def account_feature(self, feature: str) -> Feature:
        """GET /account/features/{feature}"""
        return cast(Feature, self.get(f"/account/features/{segment(feature)}"))

    def switch_account_feature(self, feature: str, enabled: bool) -> Feature:
        """PATCH /account/features/{feature}"""
        return cast(Feature, self.call("PATCH", f"/account/features/{segment(feature)}", json={"enabled": enabled}))

    def regions(self) -> list[Region]:
        """GET /regions"""
        return self.every("/regions")

    def stacks(self) -> list[Stack]:
        """GET /stacks"""
        return self.every("/stacks")

    def current_status(self) -> PlatformStatus:
        """Of Heroku, from its status site, which is a host of its own. GET /api/v4/current-status"""
        return cast(PlatformStatus, self.get("/api/v4/current-status"))
