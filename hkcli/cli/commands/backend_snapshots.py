"""Snapshots of the backend on this machine: all that it holds, kept under a name and brought back."""

from typing import Any

import click

from hkcli.cli.commands.backend_users import as_operator
from hkcli.cli.context import Run, command, json_option
from hkcli.cli.local_backend import LocalBackend
from hkcli.cli.units import size_text


def carry_out(run: Run, action: str, *names: str) -> Any:
    """By the backend when it runs, else on its data directory. Raises HerokuError."""
    backend = LocalBackend.of(run.env)
    if not backend.is_running:
        return backend.snapshot_at_rest(action, *names)
    api = as_operator(run)
    acts: dict[str, Any] = {
        "list": api.snapshots,
        "save": api.save_snapshot,
        "restore": api.restore_snapshot,
        "remove": api.remove_snapshot,
    }
    return acts[action](*names)


def summary(snapshot: dict[str, Any]) -> str:
    apps = len(snapshot["apps"])
    return f"{apps} app{'s' * (apps != 1)}, {size_text(snapshot['size_bytes'])}"


@command("backend:snapshot")
@json_option
def backend_snapshot(run: Run, as_json: bool) -> None:
    """List the snapshots of the backend."""
    snapshots = carry_out(run, "list")
    if as_json:
        run.out.json(snapshots)
    else:
        rows = [(each["name"], each["created_at"], summary(each), each["version"]) for each in snapshots]
        run.out.table(("name", "saved", "holds", "version"), rows)


@command("backend:snapshot:save")
@click.argument("name")
@json_option
def backend_snapshot_save(run: Run, name: str, as_json: bool) -> None:
    """Keep all that the backend holds, under a name.

    A snapshot of the same name is replaced. Kept are apps, releases, config, users, repositories, slugs, logs, and
    databases, of SQLite and of heroku-postgresql; dynos go on meanwhile. What a third party's add-on holds is at its
    provider, and could not be brought back: while there is one, nothing is saved.
    """
    with run.out.progress(f"Saving snapshot {name}") as step:
        snapshot = carry_out(run, "save", name)
        step.done(summary(snapshot))
    if as_json:
        run.out.json(snapshot)


@command("backend:snapshot:restore")
@click.argument("name")
@json_option
def backend_snapshot_restore(run: Run, name: str, as_json: bool) -> None:
    """Bring a snapshot back, in place of what is there.

    All of it or nothing is restored, databases at the URLs that they had. A backend that runs goes on at the same
    address, with your token: dynos of now end, those of the snapshot start, faults are cleared. Add-ons that are not
    in the snapshot are deprovisioned.
    """
    with run.out.progress(f"Restoring snapshot {name}") as step:
        snapshot = carry_out(run, "restore", name)
        step.done(summary(snapshot))
    if as_json:
        run.out.json(snapshot)


@command("backend:snapshot:remove")
@click.argument("name")
@json_option
def backend_snapshot_remove(run: Run, name: str, as_json: bool) -> None:
    """Remove a snapshot."""
    with run.out.progress(f"Removing snapshot {name}"):
        snapshot = carry_out(run, "remove", name)
    if as_json:
        run.out.json(snapshot)
