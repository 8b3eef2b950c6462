"""Ours and Heroku's own CLI side by side on one backend: what one reads or does, the other reads or does."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.backends import Backend
from tests.client.conftest import Stream, execute
from tests.conformance.official import NODE, OfficialShell

DRIVER = Path(__file__).with_name("official.mjs")
Client = Callable[..., str]
"""Runs a command, which must succeed; what it printed on stdout."""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, program: Path, shared_backend: Backend) -> OfficialShell:
    shell = OfficialShell.open(tmp_path_factory.mktemp("person"))
    assert isinstance(shell, OfficialShell)
    shell.set_up(shared_backend, program)
    return shell


@pytest.fixture(scope="module")
def theirs(shell: OfficialShell, program: Path) -> Iterator[Client]:
    far, near = os.pipe()
    words = [str(NODE), "--no-deprecation", str(DRIVER), str(program.parent.parent / "heroku"), str(far)]
    process = subprocess.Popen(
        words,
        env=shell.environment,
        cwd=shell.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        pass_fds=[far],
    )
    os.close(far)

    def run(*words: str) -> str:
        assert process.stdout is not None
        os.write(near, json.dumps(words).encode() + b"\n")
        ended = json.loads(process.stdout.readline())
        assert ended["error"] is None, f"the official CLI on {words}: {ended}"
        return str(ended["stdout"])

    yield run
    os.close(near)
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def ours(shell: OfficialShell) -> Client:
    def run(*words: str) -> str:
        streams = [Stream() for _ in range(3)]
        status = execute(words, *streams, shell.environment, shell.folder)
        assert status == 0, f"ours on {words}: {streams[2].written.decode()}"
        return streams[1].written.decode()

    return run


def made(backend: Backend, folder: Path) -> str:
    """An app with something of everything."""
    name = str(backend.ok("POST", "/apps", {})["name"])
    (folder / "Procfile").write_text("worker: sleep 600\nclock: sleep 600\n")
    backend.push(folder, name)
    return name


@pytest.fixture(scope="module")
def furnished(shared_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> str:
    name = made(shared_backend, tmp_path_factory.mktemp("app"))
    email = f"{name}@example.com"
    shared_backend.ok("POST", "/backend/users", {"email": email})
    for method, path, body in (
        ("PATCH", "config-vars", {"B": "2 words", "A": "ü"}),
        ("POST", "addons", {"plan": "dj:trio", "name": f"{name}-dj"}),
        ("POST", "domains", {"hostname": f"www.{name}.example.com", "sni_endpoint": None}),
        ("POST", "log-drains", {"url": f"https://logs.example.com/{name}"}),
        ("POST", "collaborators", {"user": email}),
        ("PUT", "buildpack-installations", {"updates": [{"buildpack": "https://github.com/example/one.git"}]}),
        ("PATCH", "formation", {"updates": [{"type": "clock", "quantity": 2}]}),
    ):
        shared_backend.ok(method, f"/apps/{name}/{path}", body)
    shared_backend.wait_for_log(name, "heroku[clock.2]: State changed from starting to up")
    shared_backend.wait_for_log(name, "heroku[worker.3]: State changed from starting to up")
    return name


OF_AN_APP = (
    ("info",),
    ("addons",),
    ("config",),
    ("config:get", "A"),
    ("ps",),
    ("releases",),
    ("releases:info", "v4"),
    ("domains",),
    ("drains",),
    ("access",),
    ("features",),
    ("labs",),
    ("labs:info", "runtime-dyno-metadata"),
)
OF_THE_PLATFORM = (("apps",), ("addons", "--all"), ("addons:services",), ("addons:plans", "dj"), ("regions",))
OF_THE_ACCOUNT = (("authorizations",), ("keys",))


def covers(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where ours lacks what theirs has. Ours may tell more of a thing, and never of more things."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        wrong = [f"{where}/{key} is missing" for key in theirs if key not in ours]
        for key in theirs.keys() & ours.keys():
            wrong += covers(ours[key], theirs[key], f"{where}/{key}")
        return wrong
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = enumerate(zip(in_order(ours), in_order(theirs), strict=True))
        return [each for number, pair in pairs for each in covers(*pair, f"{where}/{number}")]
    return [] if lasting(ours) == lasting(theirs) else [f"{where}: {ours!r} is not {theirs!r}"]


def lasting(value: Any) -> Any:
    """Without the ticket of a link that opens once: by now it may be another."""
    return value.partition("/dashboard/open/")[:2] if isinstance(value, str) else value


def in_order(documents: list[Any]) -> list[Any]:
    """By id: each client has an order of its own."""
    return sorted(documents, key=lambda each: each["id"] if isinstance(each, dict) and "id" in each else "")


@pytest.mark.parametrize("words", [*OF_AN_APP, *OF_THE_PLATFORM, *OF_THE_ACCOUNT], ids=" ".join)
def test_what_one_reads_the_other_reads(words: tuple[str, ...], ours: Client, theirs: Client, furnished: str) -> None:
    typed = [word.format(app=furnished) for word in words] + (["--app", furnished] if words in OF_AN_APP else [])
    mine, their = (run(*typed, "--json") for run in (ours, theirs))
    assert covers(json.loads(mine), json.loads(their)) == []


@pytest.mark.parametrize("words", [("logs", "-n", "20"), ("config:get", "B"), ("config:get", "-s", "B")], ids=" ".join)
def test_what_is_made_for_pipes_is_the_same_to_the_byte(
    words: tuple[str, ...], ours: Client, theirs: Client, furnished: str
) -> None:
    assert ours(*words, "--app", furnished) == theirs(*words, "--app", furnished)


def test_both_open_the_same_page_of_an_addon(ours: Client, theirs: Client, furnished: str) -> None:
    words = ("addons:open", f"{furnished}-dj", "--show-url", "--app", furnished)
    assert ours(*words).strip() == theirs(*words).strip().split()[-1]


EFFECTS = (
    ("config:set", "A=1=2", "EMPTY=", "TEXT=two words"),
    ("config:unset", "EMPTY"),
    ("ps:scale", "worker=2", "clock=1"),
    ("ps:scale", "worker-1"),
    ("ps:type", "worker=standard-1x"),
    ("ps:restart", "--process-type", "clock"),
    ("ps:stop", "--dyno-name", "worker.1"),
    ("maintenance:on",),
    ("maintenance:off",),
    ("addons:create", "dj", "--name", "{app}-dj", "--as", "JOBS"),
    ("addons:upgrade", "{app}-dj", "dj:trio"),
    ("addons:rename", "{app}-dj", "{app}-dj2"),
    ("addons:detach", "JOBS"),
    ("addons:attach", "{app}-dj2", "--as", "WORK"),
    ("addons:destroy", "{app}-dj2", "--confirm", "{app}"),
    ("domains:add", "www.{app}.example.com"),
    ("domains:remove", "www.{app}.example.com"),
    ("drains:add", "https://logs.example.com/{app}"),
    ("drains:remove", "https://logs.example.com/{app}"),
    ("access:add", "{email}"),
    ("access:remove", "{email}"),
    ("buildpacks:set", "https://github.com/example/one.git"),
    ("buildpacks:add", "https://github.com/example/two.git"),
    ("buildpacks:add", "--index", "1", "https://github.com/example/three.git"),
    ("buildpacks:remove", "https://github.com/example/one.git"),
    ("buildpacks:clear",),
    ("labs:enable", "runtime-dyno-metadata"),
    ("labs:disable", "runtime-dyno-metadata"),
    ("apps:stacks:set", "heroku-22"),
    ("releases:rollback", "v3"),
    ("apps:rename", "{app}-new"),
)
NO_APP_FLAG = ("addons:rename",)
OUTCOMES = (
    *("addon-attachments", "addons", "buildpack-installations", "collaborators", "config-vars", "domains"),
    *("features", "formation", "log-drains", "releases"),
)
ARBITRARY = {
    *("id", "created_at", "updated_at", "released_at", "token", "etag", "output_stream_url", "provider_id", "cname"),
    *("slug_size", "repo_size", "expires_in"),
}
"""What differs between two apps that are alike."""


def state(backend: Backend, app: str, name: str) -> dict[str, Any]:
    """All that can be seen of an app from outside, its name taken out."""
    found = {"app": backend.ok("GET", f"/apps/{app}")}
    found |= {kind: backend.ok("GET", f"/apps/{app}/{kind}") for kind in OUTCOMES}
    names = {app: "APP", name: "APP"} | {
        r"/databases/[\w-]+": "FILE",
        r"/dashboard/open/[\w=-]+": "/dashboard/open/TICKET",
        r"dj-[a-z]+-\d+": "ADDON",
        r"Deploy [0-9a-f]+": "DEPLOY",
    }
    return dict(plain(found, names))


def plain(document: Any, names: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Without what is arbitrary, in an order that does not come from ids."""
    if isinstance(document, dict):
        return {key: plain(value, names) for key, value in document.items() if key not in ARBITRARY}
    if isinstance(document, list):
        return sorted((plain(each, names) for each in document), key=json.dumps)
    if isinstance(document, str):
        for pattern, word in names.items():
            document = re.sub(pattern, word, document)
    return document


@pytest.fixture(scope="module")
def twins(shared_backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two apps alike, one for each client."""
    return made(shared_backend, tmp_path_factory.mktemp("mine")), made(shared_backend, tmp_path_factory.mktemp("their"))


def test_what_one_does_the_other_does(
    ours: Client, theirs: Client, twins: tuple[str, str], shared_backend: Backend
) -> None:
    for name in twins:
        shared_backend.ok("POST", "/backend/users", {"email": f"{name}@example.com"})
    for words in EFFECTS:
        for run, name in zip((ours, theirs), twins, strict=True):
            typed = [word.format(app=name, email=f"{name}@example.com") for word in words]
            run(*typed, *([] if words[0] in NO_APP_FLAG else ["--app", name]))
        is_renamed = words[0] == "apps:rename"
        mine, their = (state(shared_backend, f"{name}-new" if is_renamed else name, name) for name in twins)
        for kind in mine:
            assert mine[kind] == their[kind], f"{kind} after {' '.join(words)}"
    for run, name in zip((ours, theirs), twins, strict=True):
        run("apps:destroy", "--app", f"{name}-new", "--confirm", f"{name}-new")
        assert shared_backend.call("GET", f"/apps/{name}-new").status_code == 404


def test_what_one_makes_of_an_account_the_other_makes(
    ours: Client, theirs: Client, shell: OfficialShell, shared_backend: Backend
) -> None:
    shell.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@laptop", "-f", "key")

    def account() -> Any:
        return plain({kind: shared_backend.ok("GET", kind) for kind in ("/account/keys", "/oauth/authorizations")})

    found = []
    for run in (ours, theirs):
        run("keys:add", "key.pub", "--yes")
        made = json.loads(run("authorizations:create", "-d", "from CI", "-s", "read", "-e", "600", "--json"))
        run("authorizations:update", made["id"], "-d", "again")
        found.append(account())
        run("keys:remove", "ada@laptop")
        run("authorizations:revoke", made["id"])
        found.append(account())
    assert found[:2] == found[2:]


@pytest.mark.parametrize("flags", [(), ("--region", "us"), ("--stack", "heroku-22"), ("--addons", "dj")], ids=" ".join)
def test_an_app_that_one_creates_is_like_the_others(
    flags: tuple[str, ...], ours: Client, theirs: Client, shared_backend: Backend
) -> None:
    found = []
    for run, name in ((ours, "ours"), (theirs, "theirs")):
        app = json.loads(run("create", "--no-remote", "--json", *flags))["name"]
        found.append(state(shared_backend, app, name))
    assert found[0] == found[1]
