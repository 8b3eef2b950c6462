"""HEROKU_DEBUG: each request is shown, and no secret is, whatever it looks like and wherever it goes."""

import json
import shlex
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from hkcli.api.client import PlatformAPI
from tests.client.conftest import Platform, Stub, response

letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
secrets = st.text(letters, min_size=8).map(lambda each: f"s3{each}")
"""Beginning as no other text here does."""


class Willing(Platform):
    """Answers whatever is asked."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        document: object = [] if (request.path_url or "").endswith("vars") else {"access_token": None}
        return response(Stub("", "", None, 200, document, {}), request)


def traced(token: str = "t", *, as_curl: bool = False) -> tuple[PlatformAPI, list[str]]:
    shown: list[str] = []
    api = PlatformAPI("https://api.example", token, adapter=Willing(), trace=shown.append, as_curl=as_curl)
    return api, shown


def leaks(secret: str, shown: list[str]) -> bool:
    text = "\n".join(shown)
    forms = (secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1])
    return any(form in text for form in forms)


@given(secrets)
def test_a_secret_is_never_shown_wherever_it_goes(secret):
    api, shown = traced(secret.encode("ascii", "ignore").decode())
    api.update_config_vars("demo", {"KEY": secret, "GONE": None})
    api.authorize(secret, secret, "description", 60, code="123456")
    api.create_addon("demo", {"plan": {"name": "dj"}, "config": {"password": secret, "more": [secret, {"k": secret}]}})
    api.add_drain("demo", f"https://user:{secret}@logs.example.com/?key={secret}")
    api.remove_drain("demo", f"https://user:{secret}@logs.example.com/?key={secret}")
    api.call("GET", f"/apps?token={quote(secret)}")
    api.transport.stream(f"https://logs.example/streams/{quote(secret, safe='')}?s={quote(secret)}", {}, 1)
    assert len(shown) == 14, "each request, and each answer"
    assert not leaks(secret, shown), shown


@given(secrets.map(lambda each: quote(each)))
def test_curl_commands_show_no_token_no_password_and_no_permission_that_is_a_url(secret):
    api, shown = traced(secret, as_curl=True)
    api.account()
    api.authorize("ada@example.com", secret, "description", 60)
    api.transport.stream(f"https://logs.example/streams/{secret}", {}, 1)
    assert not leaks(secret, shown), shown
    assert "$HEROKU_API_KEY" in shown[0] and "$HEROKU_PASSWORD" in shown[1]


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none() | st.lists(st.text())))
def test_a_curl_command_holds_the_body_as_one_word_for_any_shell(body):
    api, shown = traced(as_curl=True)
    api.call("POST", "/apps", json=body)
    words = shlex.split(shown[0])
    assert json.loads(words[words.index("-d") + 1]) == body and words[-1] == "https://api.example/apps"


@pytest.mark.parametrize("variable", ["1", "true"])
def test_what_is_shown_is_the_method_the_url_the_status_the_time_and_the_request_id(
    heroku, platform, environment, variable
):
    environment["HEROKU_DEBUG"] = variable
    platform.on("GET", "/apps/demo/config-vars", reply={"A": "1"})
    lines = heroku("config", "-a", "demo", "--json").stderr.splitlines()
    assert lines[0] == "--> GET http://localhost:5080/apps/demo/config-vars"
    assert lines[1].startswith("<-- 200 in ") and lines[1].endswith(" ms, request id request-1")
