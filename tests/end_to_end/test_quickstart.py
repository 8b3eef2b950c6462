"""The tour, as a person plays it."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.backends import wait_for
from tests.end_to_end.shell import Shell

pytestmark = pytest.mark.e2e

COMMANDS = [
    "git init --quiet -b master",
    "git add .",
    "git commit --quiet -m 'A newsletter'",
    "heroku create fleeting-mist",
    "git push heroku master",
    "heroku rake db:migrate",
    "heroku addons:add dj",
    "heroku logs",
    "heroku run bin/newsletter 'Hello from 2009' ada@example.org",
    "heroku logs --dyno worker",
    "heroku run bin/newsletter Later ada@example.org --in 3600",
    "heroku run bin/newsletter 'Later still' ada@example.org --in 3600",
    "heroku run bin/jobs",
    "heroku rake jobs:clear",
    "heroku run bin/jobs",
    "heroku addons:remove dj --confirm fleeting-mist",
    "heroku ps",
]


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([*process.cmdline(), process.environ().get("HOME", "")]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_the_whole_quick_start_happens_and_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    played = shell.ok("heroku", "quickstart", TMPDIR=str(place))
    shown = re.findall(r"^\$ (.*)$", played.out, re.MULTILINE)
    assert [each for each in shown if not each.startswith(("heroku backend:", "export "))] == COMMANDS
    for text in (
        "remote: -----> Delayed Job (embedded) app detected",
        "CreateDelayedJobs: migrated",
        "Sent 'Hello from 2009' to ada@example.org",
        "2 jobs on the queue",
        "0 jobs on the queue",
    ):
        assert text in played.out, played.out
    started = re.search(r"app\[worker\.1\]: \*\*\* Starting job worker host:railgun\.\d+ pid:(\d+)", played.out)
    assert started and f"The worker's process {started[1]} is gone." in played.out
    assert list(place.iterdir()) == []
    wait_for(lambda: processes_in(place) == [], "every process to end")
    assert {each.name for each in shell.home.iterdir()} <= {".gitconfig"}


@pytest.mark.parametrize("step", [b"heroku backend:start", b"git push heroku master"], ids=["early", "late"])
def test_a_tour_that_is_interrupted_cleans_up(shell: Shell, tmp_path: Path, step: bytes) -> None:
    place = tmp_path / "place"
    place.mkdir()
    tour = subprocess.Popen(
        ["heroku", "quickstart"],
        cwd=shell.folder,
        env={**shell.environment, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert tour.stdout is not None
    for line in tour.stdout:
        if step in line:
            break
    os.killpg(tour.pid, signal.SIGINT)
    tour.stdout.read()
    assert tour.wait(60) == 130
    tour.stdout.close()
    wait_for(lambda: processes_in(place) == [], "every process to end")
    assert list(place.iterdir()) == []


def test_a_tour_that_is_kept_says_how_to_go_on_and_to_end(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    played = shell.ok("heroku", "quickstart", "--keep", TMPDIR=str(place)).out
    going_on = played.partition("To go on:\n")[2]
    script, _, ending = going_on.partition("To end it: ")
    assert "cd " in script and "heroku addons:add dj" in script
    exports = "\n".join(line for line in script.splitlines() if "export" in line)
    assert "Created dj-" in shell.ok("bash", "-e", "-c", script).out
    shell.ok("bash", "-e", "-c", f"{exports}\n{ending}")
    assert list(place.iterdir()) == []
    wait_for(lambda: processes_in(place) == [], "every process to end")


def test_the_tour_stops_at_the_first_wrong_outcome(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    programs = tmp_path / "broken"
    programs.mkdir()
    git = programs / "git"
    git.write_text(
        '#!/bin/sh\n[ "$1" = push ] && { echo "no route to nowhere"; exit 7; }\n'
        'PATH=${PATH#*:}; PATH=${PATH#*:}; exec git "$@"\n'
    )
    git.chmod(0o755)
    played = shell("heroku", "quickstart", TMPDIR=str(place), PATH=f"{programs}:{shell.environment['PATH']}")
    assert played.status == 1
    assert "no route to nowhere" in played.out and "rake db:migrate" not in played.out
    assert "`git push heroku master` ended with status 7" in played.err
    assert list(place.iterdir()) == []
    wait_for(lambda: processes_in(place) == [], "every process to end")
