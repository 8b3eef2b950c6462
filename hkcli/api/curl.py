"""A request as the curl command that repeats it, without the secrets that curl takes from the environment."""

import json
import shlex
from collections.abc import Mapping

TOKEN = '-H "Authorization: Bearer $HEROKU_API_KEY"'
PASSWORD = '-u "$HEROKU_EMAIL:$HEROKU_PASSWORD"'


def curl_command(method: str, url: str, headers: Mapping[str, str], body: object, credentials: str | None) -> str:
    """One line for a shell. `credentials` is TOKEN, PASSWORD or None; a body is shown as it is."""
    words = ["curl", "-sS", *([] if method == "GET" else ["-X", method])]
    shown = [shlex.join(words), *([credentials] if credentials else [])]
    for name, value in headers.items():
        shown.append(f"-H {shlex.quote(f'{name}: {value}')}")
    if body is not None:
        shown.append(f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}")
    return " ".join([*shown, shlex.quote(url)])
