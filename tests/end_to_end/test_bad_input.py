"""What goes wrong for people: a clear message, the right status, and nothing changed."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.backends import Backend, wait_for
from tests.end_to_end.shell import Result, Shell

pytestmark = pytest.mark.e2e


def says(result: Result, *texts: str, status: int = 1) -> None:
    assert result.status == status, result
    for text in texts:
        assert text in result.err, result
    assert "Traceback" not in result.err + result.out, result


def test_outside_a_repository_an_app_must_be_named(person: Shell) -> None:
    says(person("heroku", "ps"), "not in a git repository", "--app APP", status=2)


def test_a_repository_without_a_heroku_remote_says_how_to_connect_it(person: Shell) -> None:
    person.ok("git", "init", "--quiet")
    person.ok("git", "remote", "add", "origin", "https://example.com/x.git")
    says(person("heroku", "ps"), "heroku git:remote --app APP", status=2)


def test_several_remotes_are_listed_with_the_flag_to_add(person: Shell, app: str) -> None:
    url = person.ok("git", "remote", "get-url", "heroku").out.strip()
    person.ok("git", "remote", "rename", "heroku", "production")
    person.ok("git", "remote", "add", "staging", url.replace(app, f"{app}-b"))
    says(person("heroku", "ps"), f"production ({app})", f"staging ({app}-b)", "--remote staging", status=2)
    assert person("heroku", "ps", "--remote", "production").status == 0
    person.ok("git", "config", "heroku.remote", "production")
    assert person("heroku", "ps").status == 0


def test_an_app_that_does_not_exist_names_the_nearest(person: Shell, app: str) -> None:
    says(person("heroku", "ps", "--app", f"{app}x"), "Couldn't find that app.", app)


def test_an_unknown_addon_or_plan_names_the_nearest(person: Shell, app: str) -> None:
    says(person("heroku", "addons:add", "dj:singel"), "dj:single")
    assert "dj" not in person.ok("heroku", "addons").out.split()


def test_an_addon_that_is_there_or_is_not_says_so(person: Shell, app: str) -> None:
    says(person("heroku", "addons:remove", "dj", "--confirm", app), "add")
    person.ok("heroku", "addons:add", "dj")
    says(person("heroku", "addons:add", "dj"), f"{app} has dj already")


def test_removing_an_addon_in_a_script_wants_a_confirmation_and_says_which_app(person: Shell, app: str) -> None:
    person.ok("heroku", "addons:add", "dj")
    says(person("heroku", "addons:remove", "dj"), f"--confirm {app}", "from the git remote heroku")
    says(person("heroku", "addons:remove", "dj", "--confirm", "other"), "other")
    assert "dj-" in person.ok("heroku", "addons").out


def test_rake_before_the_first_push_says_to_push(person: Shell, app: str) -> None:
    says(person("heroku", "rake", "db:migrate"), "git push heroku")


def test_an_unknown_task_fails_as_rake_words_it(person: Shell, deployed: str) -> None:
    failed = person("heroku", "rake", "no:such:task")
    assert failed.status == 1
    assert (
        "Don't know how to build task 'no:such:task' (See the list of available tasks with `rake --tasks`)"
        in failed.out
    )


def test_a_migration_that_fails_half_way_leaves_the_schema_as_it_was(person: Shell, deployed: str) -> None:
    migration = person.folder / "db" / "migrate" / "20090301000000_two_tables.rb"
    migration.write_text(
        "class TwoTables < ActiveRecord::Migration[6.1]\n"
        "  def change\n    create_table :first_table\n    create_table :delayed_jobs\n  end\nend\n"
    )
    person.ok("git", "add", ".")
    person.ok("git", "commit", "--quiet", "-m", "Two tables")
    person.ok("git", "push", "heroku", "master")
    failed = person("heroku", "rake", "db:migrate")
    assert failed.status == 1 and "already exists" in failed.out, failed
    assert "Current version: 20090204000000" in person.ok("heroku", "rake", "db:version").out
    migration.write_text(migration.read_text().replace("create_table :delayed_jobs", "things.each { |x| add x }"))
    person.ok("git", "commit", "--quiet", "-am", "Ruby in a migration")
    person.ok("git", "push", "heroku", "master")
    refused = person("heroku", "rake", "db:migrate")
    assert refused.status == 1 and "20090301000000_two_tables.rb" in refused.out and "4" in refused.out, refused
    migration.write_text(
        "class TwoTables < ActiveRecord::Migration[6.1]\n  def change\n    create_table :first_table\n  end\nend\n"
    )
    person.ok("git", "commit", "--quiet", "-am", "One table")
    person.ok("git", "push", "heroku", "master")
    person.ok("heroku", "rake", "db:migrate")


def test_a_backend_that_does_not_run_is_named_with_the_command_that_starts_it(shell: Shell) -> None:
    shell.ok("git", "init", "--quiet")
    shell.ok("git", "remote", "add", "heroku", "http://localhost:9/mist.git")
    (shell.home / ".netrc").write_text("machine localhost:9 login x password y\n")
    says(shell("heroku", "ps"), "Cannot reach http://localhost:9", "heroku backend:start")


def test_without_a_token_one_is_told_where_to_get_it(shell: Shell, shared_backend: Backend) -> None:
    says(shell("heroku", "apps", HEROKU_HOST=shared_backend.url), "not logged in", "heroku backend:start")


def test_a_wrong_token_is_told_apart_from_none(shell: Shell, shared_backend: Backend) -> None:
    says(shell("heroku", "apps", HEROKU_HOST=shared_backend.url, HEROKU_API_KEY="wrong"), "HEROKU_API_KEY")


def test_a_token_is_not_sent_to_a_host_that_it_does_not_belong_to(shell: Shell, shared_backend: Backend) -> None:
    shell.ok("git", "init", "--quiet")
    shell.ok("git", "remote", "add", "heroku", f"{shared_backend.url}/mist.git")
    result = shell("heroku", "ps", HEROKU_API_KEY=shared_backend.credentials["token"])
    says(result, "not logged in", "HEROKU_API_KEY was not sent")


def test_ctrl_c_in_a_remote_command_reaches_it(person: Shell, deployed: str) -> None:
    words = ["run", "trap 'echo caught it; exit 9' INT; echo ready; while true; do sleep 0.1; done"]
    child = pexpect.spawn("heroku", words, cwd=str(person.folder), env=person.environment, encoding="utf-8", timeout=30)
    child.expect("ready\r\n")
    child.sendintr()
    child.expect("caught it")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 9


def test_a_client_that_is_killed_ends_its_remote_command(person: Shell, deployed: str, shared_backend: Backend) -> None:
    with subprocess.Popen(
        ["heroku", "run", "echo pid $$; exec sleep 1000"],
        cwd=person.folder,
        env=person.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        assert client.stdout is not None
        found = re.search(rb"pid (\d+)", client.stdout.readline())
        assert found
        client.kill()
    remote = Path(f"/proc/{int(found[1])}")
    wait_for(lambda: not remote.exists(), "the remote command to end", 20)
    shared_backend.wait_for_log(deployed, "Client connection closed. Sending SIGHUP to all processes")


def test_a_push_that_is_interrupted_leaves_the_app_as_it_was_or_deployed(person: Shell, app: str) -> None:
    push = subprocess.Popen(
        ["git", "push", "heroku", "master"],
        cwd=person.folder,
        env=person.environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert push.stderr is not None
    for line in push.stderr:
        if b"Building source" in line:
            break
    os.killpg(push.pid, signal.SIGINT)
    push.stderr.read()
    push.stderr.close()
    assert push.wait(30) != 0
    again = person.ok("git", "push", "heroku", "master")
    assert "Everything up-to-date" in again.err or "Released v" in again.err


def test_lines_of_any_kind_arrive_in_the_log_whole(person: Shell, deployed: str, shared_backend: Backend) -> None:
    lines = r"echo 'grüße ☃ 😀'; printf '\377\376 bytes\n'; head -c 25000 /dev/zero | tr '\0' x; echo; echo end"
    shared_backend.ok("POST", f"/apps/{deployed}/dynos", {"command": lines})
    shared_backend.wait_for_log(deployed, ": end\n")
    logs = person.ok("heroku", "logs", "-n", "1500", "--source", "app").out
    assert "grüße ☃ 😀" in logs and "�� bytes" in logs
    assert sum(line.count("x") for line in logs.splitlines() if re.search(r"\]: x+$", line)) == 25000


def test_a_worker_that_floods_stops_nobody(person: Shell, deployed: str, shared_backend: Backend) -> None:
    shared_backend.ok("POST", f"/apps/{deployed}/dynos", {"command": "exec yes flood", "type": "flood"})
    shared_backend.wait_for_log(deployed, ": flood\n")
    person.ok("heroku", "apps")
    result = person.ok("heroku", "logs", "-n", "5", "--source", "app")
    assert result.out.count(": flood") == 5
    shared_backend.ok("POST", f"/apps/{deployed}/formations/flood/actions/stop")
    wait_for(lambda: shared_backend.ok("GET", f"/apps/{deployed}/dynos") == [], "the flood to end", 45)


def test_pipes_and_statuses_go_through(person: Shell, deployed: str) -> None:
    assert person("heroku", "run", "exit 3").status == 3
    assert person.ok("heroku", "run", "--no-tty", "cat", stdin="a\nb\n").out == "a\nb\n"
    assert person.ok("heroku", "run", "printf", "%s|", "a b", "c'd", '"e"', "$HOME").out == 'a b|c\'d|"e"|$HOME|'
    head = person("bash", "-c", "heroku logs | head -n 1")
    assert head.out.count("\n") == 1 and head.err == ""


def test_host_and_app_are_found_from_a_subfolder_and_a_worktree(person: Shell, deployed: str) -> None:
    assert person.ok("heroku", "ps", folder=person.folder / "app" / "jobs").status == 0
    person.ok("git", "worktree", "add", "--quiet", "../tree")
    assert "Deploy" in person.ok("heroku", "releases", folder=person.folder.parent / "tree").out
