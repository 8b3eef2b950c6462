"""The Add-on Partner API v3, Heroku's side of it: resources are made, changed and unmade by HTTP at the partner's.

Facts from Dev Center's "Add-on Partner API Reference". Requests may be sent again (the uuid tells the partner), go to
the address of the manifest alone, carry its password and no user's token, and follow no redirect."""

import asyncio
import json
import ssl
from http import HTTPStatus
from typing import Any

from hkcli.backend.addons.manifest import Manifest
from hkcli.backend.errors import InvalidParams, ServiceUnavailable

ANSWER_S = 25.0
MAX_ANSWER_BYTES = 256 * 1024
MAX_MESSAGE_CHARS = 2000


class Refused(InvalidParams):
    """The partner says no; nothing has changed there."""


class PartnerAPI:
    """`answer_s`: how long a partner may take for one request, from connecting to the last byte of its answer."""

    def __init__(self, trust: ssl.SSLContext, answer_s: float = ANSWER_S) -> None:
        self._trust, self._answer_s = trust, answer_s

    async def provision(self, manifest: Manifest, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status (202: it will say when) and answer. Raises Refused, ServiceUnavailable."""
        return await self._call(manifest, "POST", manifest.base_url, body)

    async def change_plan(self, manifest: Manifest, provider_id: str, plan: str) -> dict[str, Any]:
        """Raises Refused, ServiceUnavailable."""
        _, answer = await self._call(manifest, "PUT", self._resource(manifest, provider_id), {"plan": plan})
        return answer

    async def deprovision(self, manifest: Manifest, provider_id: str) -> None:
        """The partner has acknowledged, or knows of no such resource. Raises Refused, ServiceUnavailable."""
        try:
            await self._call(manifest, "DELETE", self._resource(manifest, provider_id), None)
        except Refused as refusal:
            if refusal.details["provider_status"] not in (404, 410):
                raise

    def _resource(self, manifest: Manifest, provider_id: str) -> str:
        import httpx

        return f"{manifest.base_url}/{httpx.URL(path=f'/{provider_id}').raw_path.decode()[1:].replace('/', '%2F')}"

    async def _call(
        self, manifest: Manifest, method: str, url: str, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        import httpx

        who = f"{manifest.service.human_name} ({method} {url})"
        try:
            async with asyncio.timeout(self._answer_s):
                status, raw = await self._exchange(manifest, method, url, body)
        except TimeoutError:
            raise ServiceUnavailable(f"{who} did not answer within {self._answer_s:g} s.") from None
        except httpx.ConnectError as error:
            raise ServiceUnavailable(f"{who} cannot be reached: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnavailable(f"{who} broke off: {error or type(error).__name__}") from None
        return status, read(who, status, raw)

    async def _exchange(
        self, manifest: Manifest, method: str, url: str, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        import httpx

        headers = {"Accept": "application/vnd.heroku-addons+json; version=3", "Accept-Encoding": "identity"}
        async with (
            httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=None) as client,
            client.stream(method, url, json=body, headers=headers, auth=(manifest.id, manifest.password)) as answer,
        ):
            raw = bytearray()
            async for piece in answer.aiter_raw():
                raw += piece
                if len(raw) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
            return answer.status_code, bytes(raw)


def read(who: str, status: int, raw: bytes) -> dict[str, Any]:
    """What a partner answered. Raises Refused, ServiceUnavailable."""
    try:
        found = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        found = None
    answer = found if isinstance(found, dict) else None
    if 200 <= status < 300:
        if answer is None:
            raise ServiceUnavailable(f"{who} answered with {status} and something that is no JSON object.")
        return answer
    said = str((answer or {}).get("message") or (answer or {}).get("error") or "")[:MAX_MESSAGE_CHARS]
    if status == HTTPStatus.UNAUTHORIZED:
        said = f"{who} does not accept the id and password of its manifest (401). {said}".rstrip()
    elif 300 <= status < 400:
        raise ServiceUnavailable(f"{who} answered with a redirect ({status}), which is not followed.")
    elif status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        raise ServiceUnavailable(f"{who} failed with status {status}. {said}".rstrip())
    raise Refused(said or f"{who} refused with status {status}.", provider_status=status)
