"""Git and apps: remotes, clones, and the password that git asks for."""

import subprocess
from urllib.parse import urlsplit

import click

from hkcli.api.errors import HerokuError, UsageError
from hkcli.cli.commands.apps import connect
from hkcli.cli.context import Run, app_command, command, json_option
from hkcli.cli.git_remote import set_credential_helper, this_program
from hkcli.cli.hosts import Host, host_at, is_loopback


@app_command("git:remote")
@json_option
def git_remote(run: Run, as_json: bool) -> None:
    """Make a git remote lead to an app; --remote names it."""
    name = run.remote_flag or "heroku"
    run.remote_flag = None
    app = run.api.app(run.app)["name"]
    if not connect(run, app, name, keep=False):
        raise UsageError("This folder is not in a git repository.", next=("Make it one: git init",))
    if as_json:
        run.out.json({"app": app, "remote": name, "url": run.host.git_url(app)})
    else:
        run.out.line(f"set git remote {name} to {run.host.git_url(app)}")


@app_command("git:clone")
@click.argument("directory", required=False)
@json_option
def git_clone(run: Run, directory: str | None, as_json: bool) -> None:
    """Clone an app's repository; --remote names the remote."""
    remote = run.remote_flag or "heroku"
    run.remote_flag = None
    app = run.api.app(run.app)["name"]
    url, target = run.host.git_url(app), directory or app
    helper = f"credential.{run.host.git}.helper"
    words = ["git", "-c", f"{helper}=", "-c", f"{helper}=!{this_program()} git:credentials"]
    status = subprocess.run([*words, "clone", "-o", remote, "--", url, target], cwd=run.folder, check=False).returncode
    if status:
        raise HerokuError(f"git clone ended with status {status}.")
    set_credential_helper(run.folder / target, {}, run.host)
    if as_json:
        run.out.json({"app": app, "remote": remote, "url": url, "folder": str(run.folder / target)})


@command("git:credentials")
@click.argument("action")
def git_credentials(run: Run, action: str) -> None:
    """Answer git's question for a password; for git alone."""
    if action != "get":
        return
    asked = parse_question(run.out.stdin.read())
    host = platform_of(asked, run.default_host)
    token = run.token_for(host) if host else None
    if token:
        for key in ("protocol", "host"):
            run.out.line(f"{key}={asked[key]}")
        run.out.line("username=heroku")
        run.out.line(f"password={token}")


def parse_question(text: str) -> dict[str, str]:
    """git's `key=value` lines, to the first blank one."""
    lines = text.partition("\n\n")[0].splitlines()
    return {key: value for key, equals, value in (line.partition("=") for line in lines) if equals}


def platform_of(asked: dict[str, str], default: Host) -> Host | None:
    """The platform whose password git wants: the one HEROKU_HOST names, or one on this machine; no other."""
    protocol, name = asked.get("protocol", ""), asked.get("host", "")
    url = f"{protocol}://{name}"
    if url == default.git:
        return default
    if protocol in ("http", "https") and is_loopback(urlsplit(url).hostname):
        return host_at(url)
    return None
