"""Requests to the Platform API: headers, errors as exceptions, pages. What can be asked for is in `client.py`."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hkcli import __version__
from hkcli.api.errors import UsageError, api_error

if TYPE_CHECKING:
    from requests import Response
    from requests.adapters import BaseAdapter

    from hkcli.api.transport import Transport

ACCEPT = "application/vnd.heroku+json; version=3"
USER_AGENT = f"hkcli/{__version__}"


def ignore(text: str) -> None:
    pass


def segment(value: str) -> str:
    """A name as one segment of a path, from where it can't lead elsewhere. Raises UsageError."""
    if value in ("", ".", ".."):
        raise UsageError(f"{value!r} can't be a name.")
    return quote(value, safe="")


class Calls:
    """`base_url` has no slash at its end. `token` None sends no credentials, wherever they might be lying about.

    `is_hasty` waits seconds instead of a minute and never tries again: better no answer than a late one.
    `trace` is told of each request, with `as_curl` as the command that repeats it."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        adapter: "BaseAdapter | None" = None,
        warn: Callable[[str], None] = ignore,
        trace: Callable[[str], None] | None = None,
        as_curl: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        is_hasty: bool = False,
    ) -> None:
        self.base_url = base_url
        self.token = token
        self._adapter = adapter
        self._warn = warn
        self._trace = trace
        self._as_curl = as_curl
        self._sleep = sleep
        self._is_hasty = is_hasty

    @cached_property
    def transport(self) -> "Transport":
        from hkcli.api.transport import HASTY, Transport

        patience = HASTY if self._is_hasty else None
        return Transport(
            self.token,
            adapter=self._adapter,
            trace=self._trace,
            as_curl=self._as_curl,
            sleep=self._sleep,
            patience=patience,
        )

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
