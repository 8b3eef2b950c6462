"""Web dynos of real apps, reached by their host name on the backend's own port."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.backends import Backend, wait_for

SERVER = """\
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        body = f"{os.environ['DYNO']} {os.environ.get('GREETING')} {self.headers['X-Forwarded-Proto']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Procfile").write_text("web: python server.py\n")
    (tmp_path / "server.py").write_text(SERVER)
    return tmp_path


def get(api: Backend, host: str, path: str = "/", **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{api.port}{path}", headers={"Host": host, **headers}, timeout=60)


def visit(api: Backend, app: str, path: str = "/") -> requests.Response:
    return get(api, f"{app}.localhost:{api.port}", path)


def test_a_pushed_web_app_is_reached_at_its_address(api: Backend, app: str, folder: Path) -> None:
    address = api.ok("GET", f"/apps/{app}")["web_url"]
    assert address == f"http://{app}.localhost:{api.port}/"
    welcome = visit(api, app)
    assert welcome.status_code == 502 and "has not been deployed yet" in welcome.text
    assert f"{address} deployed to Heroku" in api.push(folder, app)
    answer = visit(api, app, "/some?x=1")
    assert (answer.status_code, answer.text) == (200, "web.1 None http")
    logs = api.wait_for_log(app, 'method=GET path="/some?x=1"')
    assert re.search(
        rf'heroku\[router\]: at=info method=GET path="/some\?x=1" host={app}\.localhost:{api.port}'
        r" request_id=[0-9a-f-]{36}"
        r' fwd="127\.0\.0\.1" dyno=web\.1 connect=\d+ms service=\d+ms status=200 bytes=15 protocol=http\n',
        logs,
    )
    assert 'code=H81 desc="Blank app"' in logs


def test_requests_wait_while_dynos_restart(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    assert visit(api, app).text == "web.1 None http"
    api.ok("PATCH", f"/apps/{app}/config-vars", {"GREETING": "hello"})

    def of_new_release() -> str:
        with suppress(requests.exceptions.ChunkedEncodingError):  # the old dyno ended in the middle of its answer
            if "hello" in (text := visit(api, app).text):
                return text
        return ""

    assert wait_for(of_new_release, "the new release") == "web.1 hello http"
    ended_with_the_old_dyno = {"H13", "H18"}
    assert set(re.findall(r"at=error code=(H\d+)", api.logs(app))) <= ended_with_the_old_dyno


def test_maintenance_and_scale_decide_at_once(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    assert visit(api, app).ok
    api.ok("PATCH", f"/apps/{app}", {"maintenance": True})
    offline = visit(api, app)
    assert offline.status_code == 503 and "Offline for maintenance" in offline.text
    api.ok("PATCH", f"/apps/{app}", {"maintenance": False})
    assert visit(api, app).ok
    api.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "web", "quantity": 0}]})
    assert visit(api, app).status_code == 503
    assert "code=H14" in api.wait_for_log(app, "H14")


def test_a_request_that_kills_its_dyno_is_h13_and_a_crashed_app_h10(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    assert visit(api, app).ok
    died = visit(api, app, "/crash")
    assert died.status_code == 503 and "H13" in died.text
    (folder / "Procfile").write_text("web: exit 1\n")
    api.push(folder, app)
    crashed = visit(api, app)
    assert crashed.status_code == 503 and "H10: App crashed" in crashed.text


def test_an_apps_host_never_leads_to_the_api_nor_the_apis_to_an_app(api: Backend, app: str, folder: Path) -> None:
    token = {"Authorization": f"Bearer {api.credentials['token']}"}
    api.push(folder, app)
    assert get(api, f"{app}.localhost", "/account", **token).text == "web.1 None http"
    assert get(api, "no-such-app.localhost", "/account", **token).status_code == 404
    assert get(api, "localhost", "/account", **token).json()["email"] == api.credentials["email"]
    assert get(api, f"localhost.{app}.example", "/account", **token).status_code == 403
    with requests.Session() as kept:
        first = kept.get(f"{api.url}/account", headers=token, timeout=30)
        second = kept.get(f"{api.url}/account", headers={**token, "Host": f"{app}.localhost"}, timeout=30)
    assert (first.status_code, second.status_code) == (200, 403)


def test_an_apps_own_domains_lead_to_it_and_a_wildcard_to_what_is_below(api: Backend, app: str, folder: Path) -> None:
    api.push(folder, app)
    own, below = f"www.{app}.example", f"*.{app}.example.com"
    assert get(api, own).status_code == 403
    for hostname in (own, below):
        api.ok("POST", f"/apps/{app}/domains", {"hostname": hostname, "sni_endpoint": None})
    assert get(api, f"{own.upper()}:80").text == "web.1 None http"
    assert get(api, f"a.{app}.example.com").text == "web.1 None http"
    assert get(api, f"{app}.example.com").status_code == 403
    api.ok("DELETE", f"/apps/{app}/domains/{own}")
    assert get(api, own).status_code == 403
