"""A Heroku of your own: the backend on this machine, started, stopped and described."""

import shlex
import signal
import subprocess

import click

from hkcli.api.errors import HerokuError, NotConfirmed
from hkcli.cli.context import Run, command, json_option
from hkcli.cli.local_backend import LocalBackend
from hkcli.cli.netrc import store

CONFIRMATION = "reset"


@command("backend:start")
@click.option("-d", "--detach", is_flag=True, help="run it in the background")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), metavar="PORT", help="port of the API; 0 for any that is free"
)
@click.option("--host", metavar="ADDRESS", help="listen on this address instead of 127.0.0.1")
@click.option("--store", "store_url", metavar="URL", help="SQLAlchemy URL of the store, instead of SQLite")
@click.option(
    "--postgres",
    metavar="URL",
    help="superuser on a PostgreSQL server for heroku-postgresql, kept for later starts; own: the backend's own again",
)
@click.option("--rate-limit", type=click.IntRange(1), metavar="N", help="requests an hour of each user; more get a 429")
@json_option
def backend_start(
    run: Run,
    detach: bool,
    port: int | None,
    host: str | None,
    store_url: str | None,
    postgres: str | None,
    rate_limit: int | None,
    as_json: bool,
) -> None:
    """Start the backend, and log you in to it.

    Without --port it takes the one that it had last, else 5080 or the next that is free. In the foreground it runs
    until Ctrl-C.
    """
    backend = LocalBackend.of(run.env)
    options = {
        "--port": port,
        "--host": host,
        "--store": store_url,
        "--postgres": postgres,
        "--rate-limit": rate_limit,
    }
    words = [word for flag, value in options.items() if value is not None for word in (flag, str(value))]
    with run.out.progress("Starting the backend") as step:
        process = backend.start(words)
        state, owner = backend.running(), backend.credentials()
        step.done(f"process {process.pid}")
    url = state["api_url"]
    store(run.netrc, url.partition("://")[2], owner["email"], owner["token"])
    if as_json:
        run.out.json({"running": True, "home": str(backend.home), **state})
        run.out.stdout.flush()
    else:
        run.out.pairs({"API": url, "Git": f"{url}/APP.git", "Data": backend.home, "Log": backend.log})
    run.out.talk(f"Logged in as {owner['email']}; the token is in {run.netrc}.")
    run.out.talk(f"In this shell: export HEROKU_HOST={url}")
    run.out.talk("For other clients: heroku backend:env    To end it: heroku backend:stop")
    if not detach:
        run.exit_status = wait_for(process)


def wait_for(process: "subprocess.Popen[bytes]") -> int:
    """Stay until the backend ends; a signal to us is handed on, and it ends in order, a second one at once."""

    def hand_on(number: int, _: object) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, hand_on)
    try:
        return abs(process.wait())
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, hand_on)
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


@command("backend:stop")
@json_option
def backend_stop(run: Run, as_json: bool) -> None:
    """Stop the backend and every dyno; all data stays."""
    backend = LocalBackend.of(run.env)
    with run.out.progress("Stopping the backend") as step:
        was_running = backend.stop()
        if not was_running:
            step.ends("it was not running")
    if as_json:
        run.out.json({"was_running": was_running, "home": str(backend.home)})


@command("backend:status")
@json_option
def backend_status(run: Run, as_json: bool) -> None:
    """Say whether the backend runs, and where.

    The exit status is 1 when it does not."""
    backend = LocalBackend.of(run.env)
    state = backend.state()
    if as_json:
        run.out.json({"running": state is not None, "home": str(backend.home), **(state or {})})
    elif state is None:
        raise HerokuError(f"No backend runs on {backend.home}.", next=("Start it: heroku backend:start",))
    else:
        run.out.pairs(
            {
                "API": state["api_url"],
                "Git": f"{state['api_url']}/APP.git",
                "Data": backend.home,
                "Process": state["pid"],
                "Since": state["started_at"],
            }
        )
    run.exit_status = 0 if state else 1


@command("backend:env")
@click.option("--shell", type=click.Choice(["sh", "fish"]), help="whose syntax; by default that of $SHELL")
@json_option
def backend_env(run: Run, shell: str | None, as_json: bool) -> None:
    """Print what other clients need to use the backend.

    The official CLI, git, node, Go and Python programs read these environment variables."""
    exports = LocalBackend.of(run.env).exports()
    if as_json:
        run.out.json(exports)
        return
    is_fish = (shell or run.env.get("SHELL", "").rpartition("/")[2]) == "fish"
    for name, value in exports.items():
        run.out.line(f"set -gx {name} {quoted_for_fish(value)};" if is_fish else f"export {name}={shlex.quote(value)}")


def quoted_for_fish(value: str) -> str:
    """In single quotes, where fish knows two escapes."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@command("backend:reset")
@click.option("-c", "--confirm", metavar=CONFIRMATION, help=f"the word {CONFIRMATION}, instead of being asked for it")
@json_option
def backend_reset(run: Run, confirm: str | None, as_json: bool) -> None:
    """Stop the backend and remove all that it holds.

    Apps, releases, add-ons, logs, and databases, also those on the server of --postgres. Snapshots stay, and can be
    restored."""
    backend = LocalBackend.of(run.env)
    run.out.warn(f"This removes every app, database and log of the backend on {backend.home}.")
    if confirm is None and run.out.can_prompt and not as_json:
        confirm = run.out.ask(f"Type {CONFIRMATION} to go on: ").strip()
    if confirm != CONFIRMATION:
        raise NotConfirmed("Not confirmed. Nothing was changed.", next=(f"Add: --confirm {CONFIRMATION}",))
    with run.out.progress("Resetting the backend"):
        backend.stop()
        left = backend.clear()
    if left:
        run.out.warn(left)
    if as_json:
        run.out.json({"home": str(backend.home)})
