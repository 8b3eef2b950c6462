"""Third parties' add-ons: added and removed by whoever runs the backend, and the doors that their services use."""

import json
import secrets
from html import escape
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hkcli.backend import accounts, partners, providers, schemas, sso
from hkcli.backend.addons.manifest import NOT_HERE, Manifest
from hkcli.backend.endpoint import Answer, Call, json_response, open_route, read_raw, route
from hkcli.backend.errors import BadRequest, InvalidParams, NotFound, PlatformError
from hkcli.backend.platform import Platform
from hkcli.backend.routes.dashboard import is_only_a_look, link_has_ended, message

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<form method="post" action="{action}">{fields}<noscript><button>Open {title}</button></noscript></form>
<script nonce="{nonce}">document.forms[0].submit()</script>
</html>
"""


def document(call: Call, manifest: Manifest) -> schemas.JSON:
    """Without password and salt; `client_secret` is what its service exchanges codes with, at `token_url`."""
    return {
        "name": manifest.id,
        "human_name": manifest.service.human_name,
        "base_url": manifest.base_url,
        "sso_url": manifest.sso_url,
        "plans": [each.name for each in manifest.service.plans],
        "config_vars": list(manifest.config_vars),
        "addons": len(partners.of_service(call.session, manifest.id)),
        "to_deprovision": call.platform.provisioning.owed(manifest.id),
        "client_secret": partners.client_secret(call.platform.urls, manifest.id),
        "api_url": call.platform.urls.api,
        "token_url": f"{call.platform.urls.api}/oauth/token",
        "warnings": [f"requires {each}: {NOT_HERE[each]}" for each in manifest.requires if each in NOT_HERE],
    }


def every(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    return [document(call, each.manifest) for each in providers.PARTNERS.values()]


def create(call: Call) -> Answer:
    """Body: `manifest`, and `environment`, whose addresses are used."""
    accounts.check_operator(call.session, call.user)
    manifest = partners.register(call.work, call.mapping("manifest"), call.text("environment") or "test")
    return document(call, manifest)


def delete(call: Call) -> Answer:
    accounts.check_operator(call.session, call.user)
    name, provisioning = call.path("name"), call.platform.provisioning
    owed = provisioning.owed(name)
    if owed and call.flag("force") is not True:
        raise InvalidParams(
            f"The service of {name} has not acknowledged yet that {owed} of its add-ons are gone; it is asked again "
            "and again. Start it, or do without: --force"
        )
    manifest = partners.unregister(call.work, name)
    call.work.after(lambda: provisioning.forget(name))
    return document(call, manifest)


async def token(request: Request) -> Response:
    """OAuth 2's token endpoint, for partners: parameters in the address, a form or a JSON object."""
    platform: Platform = request.app.state.platform
    raw = (await read_raw(request)).decode(errors="replace")
    words = dict(request.query_params)
    if "json" in request.headers.get("content-type", ""):
        try:
            words |= {str(name): str(value) for name, value in dict(json.loads(raw or "{}")).items()}
        except (ValueError, TypeError, RecursionError):
            raise BadRequest("The request body is not a JSON object.") from None
    else:
        words |= dict(parse_qsl(raw))
    with platform.store.transaction() as session:
        answer = partners.exchange(session, platform.seal, platform.urls, words)
    return json_response(answer, 200, {"Cache-Control": "no-store"})


async def dashboard(request: Request) -> Response:
    """A page that posts the signed parameters to the partner at once; the link to it works once."""
    platform: Platform = request.app.state.platform
    if is_only_a_look(request):
        return Response(status_code=503, headers={"Cache-Control": "no-store"})
    try:
        user_id, addon_id = platform.partner_links.take(request.path_params["ticket"])
    except NotFound:
        return link_has_ended("heroku addons:open ADDON")
    try:
        with platform.store.transaction() as session:
            manifest, addon, user = sso.visitor(session, user_id, addon_id)
            parameters = sso.parameters(session, manifest, addon, user)
    except PlatformError as error:
        return message("That did not work", error.message, error.status)
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parameters.items()
    )
    nonce, target = secrets.token_urlsafe(16), urlsplit(manifest.sso_url or "")
    page = PAGE.format(
        title=escape(manifest.service.human_name), action=escape(manifest.sso_url or ""), fields=fields, nonce=nonce
    )
    policy = f"default-src 'none'; script-src 'nonce-{nonce}'; form-action {target.scheme}://{target.netloc}"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, headers=headers)


ROUTES = [
    route("GET", "/backend/addons", every),
    route("POST", "/backend/addons", create, status=201),
    route("DELETE", "/backend/addons/{name}", delete),
    open_route("POST", "/oauth/token", token),
    open_route("GET", "/sso/{ticket}", dashboard),
]
