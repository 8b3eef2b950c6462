"""Builds of uploaded sources, and the buildpacks they are built with."""

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import requests

from hkcli.backend import live_output
from hkcli.backend.buildpacks import contract
from hkcli.backend.repositories import Pusher
from tests.backend import runtime
from tests.backends import Backend, wait_for

WORKER = "worker: sh -c 'echo up $DYNO; while :; do sleep 1; done'\n"


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


@pytest.fixture
def app(api: Backend) -> str:
    return str(api.ok("POST", "/apps", {})["name"])


def archive(files: dict[str, str], top: str = "") -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(text.encode())
            member.mode = 0o755 if text.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return whole.getvalue()


def upload(api: Backend, content: bytes) -> str:
    blob = api.ok("POST", "/sources")["source_blob"]
    assert requests.put(blob["put_url"], data=content, headers={"Content-Type": ""}, timeout=30).status_code == 200
    assert requests.get(blob["get_url"], timeout=30).content == content
    return str(blob["get_url"])


def build(api: Backend, app: str, files: dict[str, str], **request: Any) -> dict[str, Any]:
    blob = {"url": upload(api, archive(files)), "version": "1234567890ab"}
    return dict(api.ok("POST", f"/apps/{app}/builds", {"source_blob": blob, **request}))


def output_of(made: dict[str, Any]) -> str:
    return requests.get(made["output_stream_url"], timeout=120).text


def ended(api: Backend, app: str, made: dict[str, Any]) -> dict[str, Any]:
    path = f"/apps/{app}/builds/{made['id']}"
    return dict(wait_for(lambda: now if (now := api.ok("GET", path))["status"] != "pending" else None, "the build"))


def write_buildpack(folder: Path, **scripts: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name, text in scripts.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\nset -e\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_an_uploaded_source_is_built_and_released(api: Backend, app: str) -> None:
    made = build(api, app, {"Procfile": WORKER})
    assert made["status"] == "pending" and made["source_blob"]["version"] == "1234567890ab"
    output = output_of(made)
    assert "app detected" in output and output.rstrip().endswith("Verifying deploy... done.")
    assert f"http://{app}.localhost:{api.port}/ deployed to Heroku" in output
    after = ended(api, app, made)
    release = api.ok("GET", f"/apps/{app}/releases/current")
    assert (after["status"], after["release"]["id"]) == ("succeeded", release["id"])
    assert (release["version"], release["description"]) == (3, "Deploy 12345678")


def test_the_only_folder_of_an_archive_is_taken_for_the_app(api: Backend, app: str) -> None:
    blob = {"url": upload(api, archive({"Procfile": WORKER}, top="app-1234/"))}
    made = api.ok("POST", f"/apps/{app}/builds", {"source_blob": blob})
    assert "Procfile declares types     -> worker" in output_of(made)


def test_output_streams_while_the_build_runs_and_a_build_can_be_cancelled(
    api: Backend, app: str, tmp_path: Path
) -> None:
    pack = write_buildpack(tmp_path / "pack", detect="echo Slow", compile="echo '-----> Waiting'; sleep 600")
    made = build(api, app, {"any": ""}, buildpacks=[{"url": str(pack)}])
    with requests.get(made["output_stream_url"], stream=True, timeout=60) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        assert any(line == "-----> Waiting" for line in lines)
        second = api.call("POST", f"/apps/{app}/builds", {"source_blob": made["source_blob"]})
        assert second.status_code == 409 and "under way" in second.json()["message"]
        api.ok("DELETE", f"/apps/{app}/builds/{made['id']}")
        assert " !     The build was cancelled." in list(lines)
    assert ended(api, app, made)["status"] == "failed"
    assert api.call("DELETE", f"/apps/{app}/builds/{made['id']}").status_code == 422
    assert "Build failed -- check your build output: http" in api.logs(app)


@pytest.mark.parametrize(
    ("content", "checksum", "reason"),
    [
        (b"no archive", None, "cannot be unpacked"),
        (archive({"../outside": "x"}), None, "lies outside the app"),
        (archive({"Procfile": WORKER}), "SHA256:" + "0" * 64, "The source has the checksum SHA256:"),
    ],
    ids=["no archive", "outside", "checksum"],
)
def test_a_bad_source_fails_with_its_reason(
    api: Backend, app: str, content: bytes, checksum: str | None, reason: str
) -> None:
    blob = {"url": upload(api, content), "checksum": checksum}
    made = api.ok("POST", f"/apps/{app}/builds", {"source_blob": blob})
    assert reason in output_of(made)
    assert ended(api, app, made)["status"] == "failed"


def test_a_right_checksum_is_accepted(api: Backend, app: str) -> None:
    content = archive({"Procfile": WORKER})
    blob = {"url": upload(api, content), "checksum": f"SHA256:{hashlib.sha256(content).hexdigest()}"}
    made = api.ok("POST", f"/apps/{app}/builds", {"source_blob": blob})
    assert "Verifying deploy... done." in output_of(made) and made["source_blob"]["checksum"] == blob["checksum"]


def test_only_sources_uploaded_here_are_fetched(api: Backend, app: str) -> None:
    for url in ("http://127.0.0.1:22/x.tgz", "file:///etc/passwd", f"{api.url}/sources-of/x"):
        refused = api.call("POST", f"/apps/{app}/builds", {"source_blob": {"url": url}})
        assert refused.status_code == 422 and "Only sources uploaded here" in refused.json()["message"]
    guessed = api.call("POST", f"/apps/{app}/builds", {"source_blob": {"url": f"{api.url}/sources/guess"}})
    assert guessed.status_code == 404
    assert requests.put(f"{api.url}/sources/guess", data=b"x", timeout=30).status_code == 404
    unused = api.ok("POST", f"/apps/{app}/sources")["source_blob"]["get_url"]
    assert api.call("POST", f"/apps/{app}/builds", {"source_blob": {"url": unused}}).status_code == 404


def test_outputs_are_read_by_their_address_alone(api: Backend, app: str) -> None:
    made = build(api, app, {"Procfile": WORKER})
    whole = output_of(made)
    wrong = made["output_stream_url"][:-1] + ("0" if made["output_stream_url"][-1] != "0" else "1")
    assert requests.get(wrong, timeout=30).status_code == 404
    events = requests.get(made["output_stream_url"], headers={"Accept": "text/event-stream"}, timeout=30).text
    middle = whole.index("-----> Launching...")
    rest = requests.get(
        made["output_stream_url"],
        headers={"Accept": "text/event-stream", "Last-Event-ID": str(middle)},
        timeout=30,
    ).text
    data = [line.removeprefix("data: ") for line in events.splitlines() if line.startswith("data: ")]
    assert "\n".join(data) == whole.rstrip("\n")
    assert rest.split("data: ", 1)[1].startswith("-----> Launching...") and f"id: {len(whole)}\n" in rest


def test_buildpacks_of_others_are_run_as_heroku_runs_them(api: Backend, app: str, tmp_path: Path) -> None:
    first = write_buildpack(
        tmp_path / "first",
        detect='test -f "$1/any" && echo First',
        compile='cd "$(dirname "$0")/.."; echo "export FROM_FIRST=exported" > export; echo "-----> First of $STACK"',
    )
    second = write_buildpack(
        tmp_path / "second",
        detect="echo Second",
        compile='echo "       $FROM_FIRST $(cat "$3/TOKEN") $(cat "$2/kept" 2>/dev/null)"; echo kept > "$2/kept"\n'
        'mkdir -p "$1/.profile.d"; echo "export ADDED=by-profile" > "$1/.profile.d/second.sh"',
        release="echo '---'; echo 'default_process_types:'; echo '  task: echo $ADDED'",
    )
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(second)], check=True)
    api.git(second, "add", "--all")
    api.git(second, "commit", "--quiet", "-m", "A buildpack")
    api.ok("PATCH", f"/apps/{app}/config-vars", {"TOKEN": "secret-token"})
    wanted = [{"buildpack": each} for each in (str(first), f"file://{second}#main")]
    api.ok("PUT", f"/apps/{app}/buildpack-installations", {"updates": wanted})
    output = output_of(build(api, app, {"any": ""}))
    assert "-----> First app detected\n-----> Second app detected\n" in output
    assert "-----> First of heroku-24\n" in output and "       exported secret-token \n" in output
    assert "Default types for buildpack -> task" in output
    assert "       exported secret-token kept\n" in output_of(build(api, app, {"any": ""}))
    api.ok("DELETE", f"/apps/{app}/build-cache")
    assert "       exported secret-token \n" in output_of(build(api, app, {"any": ""}))
    api.ok("POST", f"/apps/{app}/dynos", {"command": "task"})
    api.wait_for_log(app, "]: by-profile")


def test_a_buildpack_that_does_not_fit_or_fails_or_is_unknown_says_so(api: Backend, app: str, tmp_path: Path) -> None:
    unfit = write_buildpack(tmp_path / "unfit", detect="exit 1", compile="true")
    broken = write_buildpack(tmp_path / "broken", detect="echo Broken", compile="echo oh; exit 7")
    for wanted, reason in (
        (str(unfit), f"App not compatible with buildpack: {unfit}"),
        (str(broken), "Push rejected, failed to compile Broken app."),
        (str(tmp_path / "none"), f"there is no folder {tmp_path / 'none'}"),
        ("heroku/cobol", "Buildpack heroku/cobol is not known here."),
    ):
        assert reason in output_of(build(api, app, {"any": ""}, buildpacks=[{"url": wanted}]))


def test_a_build_that_prints_lines_without_end_is_shown_as_far_as_it_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contract, "MOST_BYTES", 200_000)
    program, said = "print('x' * 25_000 + '\\r\\nsecond', flush=True); print('y\\n' * 200_000)", []

    async def body() -> int:
        return await contract.run([sys.executable, "-c", program], Path("/"), {}, said.append)

    assert runtime.run(body()) == 0
    assert said[:4] == ["x" * 10_000, "x" * 10_000, "x" * 5_000, "second"]
    assert said[-1] == live_output.NOT_KEPT and sum(map(len, said)) <= 200_000 and said.count(said[-1]) == 1


def test_whoever_pushes_and_does_not_read_is_waited_for_and_nothing_is_piled_up(tmp_path: Path) -> None:
    async def body() -> None:
        read, write = os.pipe()
        pipe = os.fdopen(write, "wb", buffering=0)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        pusher = Pusher(asyncio.StreamWriter(transport, protocol, None, loop))
        showing = asyncio.create_task(pusher.show(b"x" * (1 << 20)))
        await asyncio.wait([showing], timeout=0.05)
        assert not showing.done()
        os.close(read)
        await showing
        await pusher.tell("to nobody any more")
        transport.close()

    runtime.run(body())


def test_a_fault_of_the_backend_itself_is_told_to_whoever_pushes(api: Backend, app: str, tmp_path: Path) -> None:
    pack = write_buildpack(tmp_path / "pack", detect="echo Mine", compile="true")
    api.ok("PUT", f"/apps/{app}/buildpack-installations", {"updates": [{"buildpack": str(pack)}]})
    (api.home / "caches" / api.ok("GET", f"/apps/{app}")["id"]).write_text("where a folder should be")
    (tmp_path / "source").mkdir()
    said = api.push(tmp_path / "source", app, check=False)
    assert "Something went wrong in the backend itself (" in said and "[remote rejected]" in said
    assert [each["status"] for each in api.ok("GET", f"/apps/{app}/builds")] == ["failed"]


def test_a_python_app_gets_its_requirements_once(api: Backend, app: str, tmp_path: Path) -> None:
    package = tmp_path / "greeting"
    package.mkdir()
    (package / "greeting_of_test.py").write_text("def main():\n    print('hello from a package')\n")
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "greeting-of-test"\nversion = "1"\n'
        '[project.scripts]\ngreet = "greeting_of_test:main"\n'
        '[tool.setuptools]\npy-modules = ["greeting_of_test"]\n'
    )
    files = {"Procfile": "task: greet\n", "requirements.txt": f"{package}\n"}
    first = output_of(build(api, app, files))
    assert "-----> Python app detected" in first and "-----> Installing requirements with pip" in first
    assert "Verifying deploy... done." in first
    assert "Using the packages of the last build" in output_of(build(api, app, files))
    api.ok("POST", f"/apps/{app}/dynos", {"command": "task"})
    api.wait_for_log(app, "]: hello from a package")
    broken = output_of(build(api, app, {**files, "requirements.txt": "/no/such/package\n"}))
    assert "Fix requirements.txt and push again." in broken
    api.ok("POST", f"/apps/{app}/dynos", {"command": "python -c 'import greeting_of_test; print(40 + 2)'"})
    api.wait_for_log(app, "]: 42")


@pytest.mark.skipif(shutil.which("bundle") is None, reason="there is no bundler on this machine")
def test_a_ruby_app_runs_its_own_rake_through_bundler(api: Backend, app: str) -> None:
    files = {
        "Gemfile": "source 'https://rubygems.org'\ngem 'rake'\n",
        "Rakefile": "task(:hello) { puts \"hello #{ENV['RACK_ENV']} by #{Gem.loaded_specs.keys.join(' ')}\" }\n",
        "Procfile": "release: bundle exec rake hello\n",
    }
    output = output_of(build(api, app, files))
    assert "-----> Ruby app detected" in output and "The machine's gems satisfy the Gemfile" in output
    assert "Default types for buildpack -> rake, worker" in output
    logs = api.wait_for_log(app, "hello production by ")
    assert "app[release." in logs
    wait_for(lambda: api.ok("GET", f"/apps/{app}/releases/current")["version"] == 3, "the release")
    api.ok("POST", f"/apps/{app}/dynos", {"command": "rake hello", "type": "rake"})
    assert "app[rake." in wait_for(
        lambda: text if (text := api.logs(app)).count("hello production") == 2 else "", "rake"
    )
