"""What an app is given besides code: people, domains, drains, features, buildpacks, attached add-ons."""

from collections.abc import Mapping, Sequence
from typing import cast

from hkcli.api.calls import Calls, segment
from hkcli.api.documents import Attachment, Buildpack, Collaborator, Domain, Drain, Feature


class FacilityCalls(Calls):
    def collaborators(self, app: str) -> list[Collaborator]:
        """GET /apps/{app}/collaborators"""
        return self.every(f"/apps/{segment(app)}/collaborators")

    def add_collaborator(self, app: str, email: str) -> Collaborator:
        """POST /apps/{app}/collaborators"""
        return cast(Collaborator, self.call("POST", f"/apps/{segment(app)}/collaborators", json={"user": email}))

    def add_team_collaborator(self, app: str, email: str, permissions: Sequence[str]) -> Collaborator:
        """POST /teams/apps/{app}/collaborators"""
        body = {"user": email, "permissions": list(permissions)}
        return cast(Collaborator, self.call("POST", f"/teams/apps/{segment(app)}/collaborators", json=body))

    def update_team_collaborator(self, app: str, email: str, permissions: Sequence[str]) -> Collaborator:
        """PATCH /teams/apps/{app}/collaborators/{email}"""
        path = f"/teams/apps/{segment(app)}/collaborators/{segment(email)}"
        return cast(Collaborator, self.call("PATCH", path, json={"permissions": list(permissions)}))

    def remove_collaborator(self, app: str, email: str) -> Collaborator:
        """DELETE /apps/{app}/collaborators/{email}"""
        path = f"/apps/{segment(app)}/collaborators/{segment(email)}"
        return cast(Collaborator, self.call("DELETE", path))

    def domains(self, app: str) -> list[Domain]:
        """GET /apps/{app}/domains"""
        return self.every(f"/apps/{segment(app)}/domains")

    def domain(self, app: str, hostname: str) -> Domain:
        """GET /apps/{app}/domains/{hostname}"""
        return cast(Domain, self.get(f"/apps/{segment(app)}/domains/{segment(hostname)}"))

    def add_domain(self, app: str, hostname: str, endpoint: str | None) -> Domain:
        """`endpoint` names the certificate. POST /apps/{app}/domains"""
        body = {"hostname": hostname, "sni_endpoint": endpoint}
        return cast(Domain, self.call("POST", f"/apps/{segment(app)}/domains", json=body))

    def remove_domain(self, app: str, hostname: str) -> Domain:
        """DELETE /apps/{app}/domains/{hostname}"""
        return cast(Domain, self.call("DELETE", f"/apps/{segment(app)}/domains/{segment(hostname)}"))

    def drains(self, app: str) -> list[Drain]:
        """GET /apps/{app}/log-drains"""
        return self.every(f"/apps/{segment(app)}/log-drains")

    def add_drain(self, app: str, url: str) -> Drain:
        """POST /apps/{app}/log-drains"""
        return cast(Drain, self.call("POST", f"/apps/{segment(app)}/log-drains", json={"url": url}))

    def remove_drain(self, app: str, drain: str) -> Drain:
        """`drain`: its id, token or URL. DELETE /apps/{app}/log-drains/{drain}"""
        return cast(Drain, self.call("DELETE", f"/apps/{segment(app)}/log-drains/{segment(drain)}"))

    def features(self, app: str) -> list[Feature]:
        """GET /apps/{app}/features"""
        return self.every(f"/apps/{segment(app)}/features")

    def feature(self, app: str, feature: str) -> Feature:
        """GET /apps/{app}/features/{feature}"""
        return cast(Feature, self.get(f"/apps/{segment(app)}/features/{segment(feature)}"))

    def switch_feature(self, app: str, feature: str, enabled: bool) -> Feature:
        """PATCH /apps/{app}/features/{feature}"""
        path = f"/apps/{segment(app)}/features/{segment(feature)}"
        return cast(Feature, self.call("PATCH", path, json={"enabled": enabled}))

    def buildpacks(self, app: str) -> list[Buildpack]:
        """GET /apps/{app}/buildpack-installations"""
        return cast(list[Buildpack], self.get(f"/apps/{segment(app)}/buildpack-installations"))

    def set_buildpacks(self, app: str, urls: Sequence[str]) -> list[Buildpack]:
        """All of them, in their order. PUT /apps/{app}/buildpack-installations"""
        body = {"updates": [{"buildpack": url} for url in urls]}
        return cast(list[Buildpack], self.call("PUT", f"/apps/{segment(app)}/buildpack-installations", json=body))

    def attach_addon(self, wishes: Mapping[str, object]) -> Attachment:
        """`wishes`: addon, app, name, confirm, namespace. Raises ConfirmationRequired. POST /addon-attachments"""
        return cast(Attachment, self.call("POST", "/addon-attachments", json=dict(wishes)))

    def attachment(self, app: str, name: str) -> Attachment:
        """GET /apps/{app}/addon-attachments/{name}"""
        return cast(Attachment, self.get(f"/apps/{segment(app)}/addon-attachments/{segment(name)}"))

    def detach_addon(self, attachment: str) -> Attachment:
        """DELETE /addon-attachments/{id}"""
        return cast(Attachment, self.call("DELETE", f"/addon-attachments/{segment(attachment)}"))
