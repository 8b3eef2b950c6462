"""One HTTP session: credentials, time-outs, retries where repeating is safe, and failures in our own words."""

import errno
import json as json_module
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from hkcli.api.authorities import SecureAdapter, trust
from hkcli.api.curl import PASSWORD, TOKEN, curl_command
from hkcli.api.errors import Unreachable

LONGEST_RETRY_AFTER_S = 20
SAFE_METHODS = ("GET", "HEAD")
QUOTED_URL = re.compile(r"[^/]*%3A%2F%2F[^/]*", re.IGNORECASE)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a connection, for an answer, and before each further try."""

    connect_s: float = 10.0
    read_s: float = 60.0
    retry_waits_s: tuple[float, ...] = (0.3, 1.2)


HASTY = Patience(connect_s=2.0, read_s=4.0, retry_waits_s=())
"""For who presses TAB."""


class Bearer(requests.auth.AuthBase):
    """The token, or nothing at all: having an `auth` keeps requests from sending what a netrc file holds instead."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Transport:
    def __init__(
        self,
        token: str | None,
        *,
        adapter: BaseAdapter | None = None,
        trace: Callable[[str], None] | None = None,
        as_curl: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._session = requests.Session()
        self._session.auth = Bearer(token)
        self._session.mount("http://", adapter or HTTPAdapter())
        if adapter:
            self._session.mount("https://", adapter)
        self._can_https = adapter is not None
        self._trace = trace
        self._as_curl = as_curl
        self._token = token
        self._sleep = sleep

    def request(
        self, method: str, url: str, *, json: object, headers: Mapping[str, str], auth: Any = None
    ) -> requests.Response:
        """The answer, whatever its status. Raises Unreachable."""
        waits = iter(self._patience.retry_waits_s)
        while True:
            try:
                response = self._send(method, url, json=json, headers=headers, auth=auth)
            except requests.RequestException as error:
                wait = next(waits, None) if may_repeat(method, url, error) else None
                if wait is None:
                    raise unreachable(url, error, self._patience) from error
            else:
                wait = retry_after_s(response, waits) if method in SAFE_METHODS else None
                if wait is None:
                    return response
            self._sleep(wait)

    def stream(self, url: str, headers: Mapping[str, str], read_timeout_s: float) -> requests.Response:
        """An open answer from a URL that carries its own permission: no token goes there. Raises Unreachable."""
        try:
            return self._send(
                "GET", url, headers=headers, auth=Bearer(None), stream=True, read_timeout_s=read_timeout_s
            )
        except requests.RequestException as error:
            raise unreachable(url, error, self._patience) from error

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json: object = None,
        auth: Any = None,
        stream: bool = False,
        read_timeout_s: float | None = None,
    ) -> requests.Response:
        started = time.monotonic()
        if not self._can_https and urlsplit(url).scheme == "https":
            self._session.mount("https://", SecureAdapter(trust(os.environ)))
            self._can_https = True
        proxies = {"http": "", "https": "", "no_proxy": "*"} if is_here(url) else None
        shown = host_alone(url) if stream else url
        if self._as_curl:
            self._show_curl(method, shown, headers, json, auth)
        else:
            self._show("-->", method, without_secrets(shown), json)
        response = self._session.request(
            method,
            url,
            data=None if json is None else json_module.dumps(json),
            headers={**headers, **({} if json is None else {"Content-Type": "application/json"})},
            auth=auth,
            stream=stream,
            proxies=proxies,
            timeout=(self._patience.connect_s, read_timeout_s or self._patience.read_s),
        )
        if self._as_curl:
            return response
        took_ms = (time.monotonic() - started) * 1000
        request_id = response.headers.get("Request-Id", "none")
        self._show("<--", str(response.status_code), f"in {took_ms:.0f} ms, request id {request_id}")
        return response

    def _show_curl(self, method: str, url: str, headers: Mapping[str, str], json: object, auth: Any) -> None:
        credentials = TOKEN if auth is None and self._token else PASSWORD if isinstance(auth, tuple) else None
        if self._trace:
            self._trace(curl_command(method, url, headers, json, credentials))

    def _show(self, arrow: str, word: str, text: str, body: object = None) -> None:
        if self._trace:
            keys = f" {redacted(body)}" if body is not None else ""
            self._trace(f"{arrow} {word} {text}{keys}")


def is_here(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK_NAMES


def host_alone(url: str) -> str:
    """A URL whose path is a permission, as a log session's, fit for showing."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/[REDACTED]"


def without_secrets(url: str) -> str:
    """A URL of the API fit for showing: no query, and no URL in its path, as a drain's with its password."""
    return QUOTED_URL.sub("[REDACTED]", url.partition("?")[0])


def redacted(body: object) -> str:
    """The shape of a body without its values: any of them can be a secret."""
    if isinstance(body, Mapping):
        return "{" + ", ".join(f"{key}: {redacted(value)}" for key, value in body.items()) + "}"
    if isinstance(body, list):
        return "[" + ", ".join(map(redacted, body)) + "]"
    return "[REDACTED]" if isinstance(body, str) else json_module.dumps(body)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all beneath it, as urllib3 packs them: cause, context, `reason` and arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def errno_of(error: BaseException) -> int | None:
    found = (one.errno for one in causes(error) if isinstance(one, OSError) and isinstance(one.errno, int))
    return next(found, None)


def may_repeat(method: str, url: str, error: requests.RequestException) -> bool:
    """Whether nothing can have happened yet, or would not matter; a refusal on this machine is final."""
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidURL):
        return False
    if isinstance(error, requests.Timeout):
        return False
    if errno_of(error) == errno.ECONNREFUSED:
        return not is_here(url)
    return isinstance(error, requests.ConnectionError) and method in SAFE_METHODS


def retry_after_s(response: requests.Response, waits: Iterator[float]) -> float | None:
    """How long to wait before asking again; None to take the answer as it is."""
    if response.status_code not in (429, 503):
        return None
    wait = next(waits, None)
    if wait is None:
        return None
    named = response.headers.get("Retry-After", "")
    if not named.isdigit():
        return wait
    return float(named) if int(named) <= LONGEST_RETRY_AFTER_S else None


def unreachable(url: str, error: requests.RequestException, patience: Patience) -> Unreachable:
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    number = errno_of(error)
    if number == errno.ECONNREFUSED and is_here(url):
        reason = "connection refused"
        hint = "Is the backend running? Start it: heroku backend:start"
        return Unreachable(f"Cannot reach {base} ({reason}).", next=(hint,))
    following: tuple[str, ...] = ("Check the network, and HTTPS_PROXY if there is a proxy.",)
    if isinstance(error, requests.exceptions.SSLError):
        reason, following = tls_reason(error)
    elif isinstance(error, requests.ConnectTimeout):
        reason = f"no connection within {patience.connect_s:.0f} seconds"
    elif isinstance(error, requests.ReadTimeout):
        reason = f"no answer within {patience.read_s:.0f} seconds; what was asked may have been done"
        following = ()
    elif number is not None and number > 0:
        reason = os.strerror(number).lower()
    else:
        reason = deepest(error)
    return Unreachable(f"Cannot reach {base} ({reason}).", next=following)


def tls_reason(error: requests.exceptions.SSLError) -> tuple[str, tuple[str, ...]]:
    """Why no secure connection came about, and what to do."""
    for one in causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            hint = "If a proxy or your own authority signs it: export REQUESTS_CA_BUNDLE=/path/to/ca.pem"
            return f"its certificate is not trusted: {one.verify_message}", (hint,)
    return "it does not speak TLS", ("Is the URL right? A backend on this machine is http, not https.",)


def deepest(error: BaseException) -> str:
    """The words nearest to the fault."""
    *_, last = causes(error)
    words = last.strerror if isinstance(last, OSError) else None
    return words.lower() if words else str(last) or type(last).__name__
