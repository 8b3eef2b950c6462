"""What an app's log tells of its life, line by line, in Heroku's words (PROTOCOL 4.2)."""

import re
from pathlib import Path

from tests.backends import Backend, wait_for

LIFE = """
Initial release by user E
Release v1 created by user E
Enable Logplex by user E
Release v2 created by user E
Build started by user E
Deploy HEX by user E
Release v3 created by user E
Scaled to rake@0:Basic web@1:Basic worker@0:Basic by user E
Build succeeded
Scaled to worker@1:Standard-1X by user E
Scaled to worker@0:Standard-1X by user E
Set A, B config vars by user E
Release v4 created by user E
Remove A config vars by user E
Release v5 created by user E
Attach JOBS (@ref:ADDON) by user E
Release v6 created by user E
Scaled to worker@1:Standard-1X by user E
Scaled to worker@0:Standard-1X by user E
Detach JOBS (@ref:ADDON) by user E
Release v7 created by user E
Rollback to v3 by user E
Release v8 created by user E
"""
WORKER = """
Starting process with command `./work`
State changed from starting to up
Restarting
State changed from up to starting
Stopping all processes with SIGTERM
Process exited with status 143
Starting process with command `./work`
State changed from starting to up
Process exited with status 3
State changed from up to crashed
State changed from crashed to starting
Starting process with command `./work`
State changed from starting to up
State changed from up to down
Stopping all processes with SIGTERM
Process exited with status 143
"""
DETACHED = """
app[api]: Starting process with command `echo far; exit 7` by user E
heroku[RUN]: Starting process with command `echo far; exit 7`
heroku[RUN]: State changed from starting to up
app[RUN]: far
heroku[RUN]: Process exited with status 7
heroku[RUN]: State changed from up to complete
"""
VOLATILE = ((r"by user \S+", "by user E"), (r"Deploy [0-9a-f]{8}", "Deploy HEX"), (r"@ref:dj-[a-z]+-\d+", "@ref:ADDON"))


def lines(backend: Backend, app: str) -> list[str]:
    """The log without times and what differs from run to run."""
    found = []
    for line in backend.logs(app).splitlines():
        text = line.partition(" ")[2]
        for pattern, word in VOLATILE:
            text = re.sub(pattern, word, text)
        found.append(text)
    return found


def of_worker(backend: Backend, app: str) -> list[str]:
    mark = "heroku[worker.1]: "
    return [line.removeprefix(mark) for line in lines(backend, app) if line.startswith(mark)]


def test_the_log_tells_an_apps_life_as_heroku_tells_it(shared_backend: Backend, tmp_path: Path) -> None:
    backend = shared_backend
    app = backend.ok("POST", "/apps", {})["name"]
    (tmp_path / "Procfile").write_text("web: python3 -m http.server $PORT\nworker: ./work\n")
    fuse = tmp_path / "fuse"
    (tmp_path / "work").write_text(
        f"#!/bin/sh\ntrap 'exit 143' TERM\nwhile :; do\n  sleep 0.05\n"
        f"  if [ -e {fuse} ]; then rm {fuse}; exit 3; fi\ndone\n"
    )
    (tmp_path / "work").chmod(0o755)
    backend.push(tmp_path, app)
    update = {"type": "worker", "quantity": 1, "size": "standard-1x"}
    backend.ok("PATCH", f"/apps/{app}/formation", {"updates": [update]})

    def up(times: int) -> None:
        fact = "State changed from starting to up"
        wait_for(lambda: of_worker(backend, app).count(fact) == times, f"the worker to be up {times} times")

    up(1)
    backend.ok("DELETE", f"/apps/{app}/dynos/worker.1")
    up(2)
    fuse.touch()
    up(3)
    backend.ok("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": 0}]})
    wait_for(lambda: of_worker(backend, app) == WORKER.strip().splitlines(), f"the worker's life: {WORKER}")

    backend.ok("PATCH", f"/apps/{app}/config-vars", {"A": "1", "B": "2"})
    backend.ok("PATCH", f"/apps/{app}/config-vars", {"A": None})
    addon = backend.ok("POST", f"/apps/{app}/addons", {"plan": "dj", "attachment": {"name": "JOBS"}})["id"]
    backend.ok("DELETE", f"/apps/{app}/addons/{addon}")
    backend.ok("POST", f"/apps/{app}/releases", {"release": "3"})
    told = [line.removeprefix("app[api]: ") for line in lines(backend, app) if line.startswith("app[api]: ")]
    assert told == LIFE.strip().splitlines()

    run = backend.ok("POST", f"/apps/{app}/dynos", {"command": "echo far; exit 7"})["name"]
    backend.wait_for_log(app, f"heroku[{run}]: State changed from up to complete")
    wanted = DETACHED.replace("RUN", run).strip().splitlines()
    assert [line for line in lines(backend, app) if run in line or "echo far" in line] == wanted
