"""Logging in by a page in the web browser, where second factors and companies' single sign-on work.

A site of Heroku's own, or the backend itself, hands the token over: it is asked for two addresses, one for the browser
and one that answers when the person has logged in there. Source: `login.js` of Heroku's own CLI."""

from contextlib import closing
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

from hkcli.api.calls import document_of
from hkcli.api.errors import HerokuError
from hkcli.cli.browser import show_page
from hkcli.cli.context import Run
from hkcli.cli.hosts import Host, is_loopback

SITE = "https://cli-auth.heroku.com"
PATIENCE_S = 600.0


def token_from_browser(run: Run, browser: str | None) -> str:
    """The token that a login in the browser makes. Raises HerokuError."""
    site = run.api_at(site_of(run.host, run.env.get("HEROKU_LOGIN_HOST")))
    asked = site.call("POST", "/auth", json={"description": f"hkcli login from {gethostname()}"})
    show_page(run, site.base_url + asked["browser_url"], browser=browser)
    headers = {"Authorization": f"Bearer {asked['token']}", "Accept": "application/json"}
    with run.out.progress("Waiting for the login in the browser"):
        with closing(site.transport.stream(site.base_url + asked["cli_url"], headers, PATIENCE_S)) as response:
            answer: Any = document_of(response) or {}
        if not answer.get("access_token"):
            reason = answer.get("error") or f"HTTP status {response.status_code}"
            raise HerokuError(f"The login in the browser gave no token ({reason}).", next=("Try again: heroku login",))
    return str(answer["access_token"])


def site_of(host: Host, named: str | None) -> str:
    """Where a token for this platform is made: what is made on one machine is never sent to another.

    `named` is HEROKU_LOGIN_HOST, which may still be a backend's when Heroku is meant."""
    if not host.is_herokus:
        return host.api
    return named if named and not is_loopback(urlsplit(named).hostname) else SITE
