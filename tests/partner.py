"""The service of an add-on, as its author would write it for Heroku: a process of its own, told what to do by the plan.

    python -m tests.partner PORT FOLDER

What it was asked is in FOLDER/requests.jsonl, what it has in FOLDER/resources.json."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import requests

from tests.backends import wait_for

ID, PASSWORD, SALT = "echo-chamber", "s3cret-password", "s4lt"
PLANS = "basic large background doomed refused broken silent moved nonsense nameless shared".split()
LOCK = threading.Lock()


def manifest(port: int) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "Echo Chamber",
        "api": {
            "version": "3",
            "config_vars": ["ECHO_CHAMBER_URL", "ECHO_CHAMBER_SIZE"],
            "password": PASSWORD,
            "sso_salt": SALT,
            "regions": ["us"],
            "requires": ["many_per_app", "syslog_drain"],
            "production": {
                "base_url": "https://echo.example.com/heroku/resources",
                "sso_url": "https://echo.example.com/sso",
            },
            "test": {
                "base_url": f"http://localhost:{port}/heroku/resources",
                "sso_url": f"http://localhost:{port}/sso/login",
            },
        },
        "plans": [{"id": name, "price": 5 * place} for place, name in enumerate(PLANS)],
    }


@dataclass
class Partner:
    """The tests' hold on the process."""

    folder: Path
    port: int = 0
    process: "subprocess.Popen[str] | None" = None
    manifest: dict[str, Any] = field(default_factory=dict)

    def start(self) -> "Partner":
        words = [sys.executable, "-m", "tests.partner", str(self.port), str(self.folder)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.manifest = manifest(self.port)
        return self

    def stop(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def knows(self, client_secret: str) -> None:
        (self.folder / "client_secret").write_text(client_secret)

    def let_go(self) -> None:
        """Answer whoever asked for the plan `silent`."""
        (self.folder / "let_go").touch()

    @property
    def log(self) -> str:
        """What came to its drains."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    @property
    def asked(self) -> list[dict[str, Any]]:
        path = self.folder / "requests.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def resources(self) -> dict[str, Any]:
        path = self.folder / "resources.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def wait_for_requests(self, method: str, about: str = "", number: int = 1) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            asked = [each for each in self.asked if each["method"] == method and about in str(each)]
            return asked if len(asked) >= number else []

        return wait_for(found, f"{number} {method} {about} at the partner")  # type: ignore[no-any-return]


class Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/sso/login":
            self.log_in(dict(parse_qsl(raw.decode())))
            return
        if self.path.startswith("/logs/"):
            with LOCK, (self.folder / "log").open("ab") as file:
                file.write(raw)
            self.answer(204, None)
            return
        body = json.loads(raw)
        if not self.admitted(body):
            return
        if body["uuid"] in self.resources():
            self.answer(200, self.made(body["uuid"]))
            return
        match body["plan"]:
            case "refused":
                self.answer(422, {"message": "No echo for you on a Wednesday."})
            case "broken":
                self.answer(500, {})
            case "moved":
                self.answer(302, {}, Location=f"http://localhost:{self.server.server_address[1]}/elsewhere")
            case "nonsense":
                self.answer(200, {"id": body["uuid"], "config": {"PATH": "/tmp"}})
            case "nameless":
                self.answer(200, {"config": {}})
            case plan:
                self.keep(body["uuid"], plan)
                self.wait_to_be_let_go(plan)
                if plan in ("background", "doomed"):
                    self.answer(202, {"id": self.identity(body["uuid"]), "message": "The echo is on its way."})
                    threading.Thread(target=self.call_back, args=(body,), daemon=True).start()
                else:
                    self.answer(200, self.made(body["uuid"]))

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.admitted(body):
            if body["plan"] == "refused":
                self.answer(422, {"message": "It cannot shrink that far."})
                return
            self.wait_to_be_let_go(body["plan"])
            uuid = self.path.rpartition("/")[2].removeprefix("echo-")
            self.keep(uuid, body["plan"])
            self.answer(200, {**self.made(uuid), "message": f"You have {body['plan']} now."})

    def do_DELETE(self) -> None:
        if self.admitted(None):
            uuid = self.path.rpartition("/")[2].removeprefix("echo-")
            with LOCK:
                kept = self.resources()
                was_there = kept.pop(uuid, None)
                self.write(kept)
            self.answer(204 if was_there else 410, None)

    def wait_to_be_let_go(self, plan: str) -> None:
        while plan == "silent" and not (self.folder / "let_go").exists():
            time.sleep(0.02)

    def admitted(self, body: Any) -> bool:
        with LOCK, (self.folder / "requests.jsonl").open("a") as file:
            said = {"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)}
            file.write(json.dumps(said) + "\n")
        expected = base64.b64encode(f"{ID}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] == f"Basic {expected}":
            return True
        self.answer(401, {"message": "Who are you?"})
        return False

    def call_back(self, body: dict[str, Any]) -> None:
        """What an asynchronous partner does: token for the code, config, and done (or not)."""
        api, _, _ = body["callback_url"].partition("/addons/")
        words = {"grant_type": "authorization_code", "code": body["oauth_grant"]["code"]}
        secret = (self.folder / "client_secret").read_text()
        tokens = requests.post(f"{api}/oauth/token", data={**words, "client_secret": secret}, timeout=30).json()
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_secret": secret}
        token = requests.post(f"{api}/oauth/token", params=again, timeout=30).json()["access_token"]
        (self.folder / "token").write_text(token)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.heroku+json; version=3"}
        if body["plan"] == "background":
            config = [{"name": "ECHO_CHAMBER_URL", "value": f"echo://{body['uuid']}"}]
            answer = requests.patch(
                f"{body['callback_url']}/config", json={"config": config}, headers=headers, timeout=30
            )
            assert answer.json() == config, answer.text
        action = "provision" if body["plan"] == "background" else "deprovision"
        requests.post(f"{body['callback_url']}/actions/{action}", headers=headers, timeout=30).raise_for_status()

    def log_in(self, words: dict[str, str]) -> None:
        signed = ":".join((words["resource_id"], SALT, words["timestamp"]))
        is_good = hashlib.sha1(signed.encode()).hexdigest() == words["resource_token"]
        is_fresh = abs(time.time() - int(words["timestamp"])) < 300
        self.answer(200 if is_good and is_fresh else 403, words)

    def identity(self, uuid: str) -> str:
        return f"echo-{uuid}"

    def made(self, uuid: str) -> dict[str, Any]:
        config = {"ECHO_CHAMBER_URL": f"echo://{uuid}", "ECHO_CHAMBER_SIZE": self.resources()[uuid]}
        place = "shared" if self.resources()[uuid] == "shared" else uuid
        drain = f"http://localhost:{self.server.server_address[1]}/logs/{place}"
        return {"id": self.identity(uuid), "config": config, "message": "Echo, echo.", "log_drain_url": drain}

    def resources(self) -> dict[str, str]:
        path = self.folder / "resources.json"
        return json.loads(path.read_text()) if path.exists() else {}  # type: ignore[no-any-return]

    def keep(self, uuid: str, plan: str) -> None:
        with LOCK:
            self.write({**self.resources(), uuid: plan})

    def write(self, resources: dict[str, str]) -> None:
        partial = self.folder / "resources.partial"
        partial.write_text(json.dumps(resources))
        partial.replace(self.folder / "resources.json")

    def answer(self, status: int, document: Any, **headers: str) -> None:
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        return


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(server.server_address[1], flush=True)
    os.dup2(2, 1)
    server.serve_forever()
