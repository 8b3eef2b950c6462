"""Why the router cannot hand a request on, in Heroku's codes, and the pages that people see then."""

import html
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus


@dataclass(frozen=True)
class Kind:
    description: str
    status: int = 503
    level: str = "error"


class Code(Enum):
    """https://devcenter.heroku.com/articles/error-codes"""

    H10 = Kind("App crashed")
    H12 = Kind("Request timeout")
    H13 = Kind("Connection closed without response")
    H14 = Kind("No web processes running")
    H15 = Kind("Idle connection")
    H17 = Kind("Poorly formatted HTTP response")
    H18 = Kind("Server Request Interrupted")
    H20 = Kind("App boot timeout")
    H21 = Kind("Backend connection refused")
    H27 = Kind("Client Request Interrupted", 499, "warning")
    H80 = Kind("Maintenance mode", level="info")
    H81 = Kind("Blank app", 502)
    H99 = Kind("Platform error")


class Fault(Exception):
    """A request that no dyno answered, or not to the end."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value.description)
        self.code = code


PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: #fff; color: #3f3f44;
  font: 16px/1.5 system-ui, sans-serif }}
main {{ max-width: 34rem; padding: 2rem }}
h1 {{ font-weight: 500 }}
code {{ background: #f2f2f5; padding: .1em .3em }}
iframe {{ position: fixed; inset: 0; width: 100%; height: 100%; border: 0 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #1a1a1e; color: #d8d8de }} code {{ background: #2c2c33 }} }}
</style>
</head>
<body><main>{body}</main></body>
</html>
"""


def error_page(code: Code, app: str, config: dict[str, str]) -> bytes:
    """What is shown for a fault; an app's own page, given by config var, is framed as Heroku frames it."""
    own = config.get("MAINTENANCE_PAGE_URL" if code is Code.H80 else "ERROR_PAGE_URL")
    if own and own.startswith(("http://", "https://")):
        return page(app, f'<iframe src="{html.escape(own)}"></iframe>')
    if code is Code.H80:
        return page(
            "Offline for maintenance", "<p>This app is undergoing maintenance right now. Please check back later.</p>"
        )
    if code is Code.H81:
        return page(
            "Welcome to your new app!",
            f"<p>{html.escape(app)} has not been deployed yet. To deploy it:</p>"
            f"<p><code>heroku git:remote --app {html.escape(app)}</code><br><code>git push heroku main</code></p>",
        )
    return page(
        "Application error",
        "<p>An error occurred in the app, and this page could not be served. If it is your app, its log says why:</p>"
        f"<p><code>heroku logs --tail --app {html.escape(app)}</code></p><p>{code.name}: {code.value.description}</p>",
    )


def nothing_here(host: str) -> bytes:
    return page("There is nothing here, yet", f"<p>No app is reached at <code>{html.escape(host)}</code>.</p>")


def plain_page(status: int) -> bytes:
    return page(HTTPStatus(status).phrase, "<p>The router does not take this request.</p>")


def page(title: str, body: str) -> bytes:
    title = html.escape(title)
    return PAGE.format(title=title, body=f"<h1>{title}</h1>{body}").encode()
