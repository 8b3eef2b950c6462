"""Keys: the SSH keys of a user."""

from pathlib import Path

import click

from hkcli.api.documents import Key
from hkcli.api.errors import HerokuError, NotFound, UsageError
from hkcli.cli.context import Run, command, json_option
from hkcli.cli.dispatch import nearest


@command("keys")
@click.option("-l", "--long", "whole", is_flag=True, help="whole keys")
@json_option
def keys(run: Run, whole: bool, as_json: bool) -> None:
    """List your SSH keys."""
    found = sorted(run.api.ssh_keys(), key=lambda each: (each["public_key"].split()[2:], each["fingerprint"]))
    if as_json:
        run.out.json(found)
        return
    if not found:
        run.out.talk("You have no SSH keys.")
        return
    if run.out.stdout.isatty():
        run.out.header(f"{found[0]['email']} keys")
    for each in found:
        run.out.line(each["public_key"].strip() if whole else shortened(each["public_key"]))


def shortened(public_key: str) -> str:
    """`ssh-ed25519 AAAAC3NzaC...4nQ0SGJhQz ada@laptop`."""
    kind, data, *comment = public_key.split(maxsplit=2) + ["", ""][: max(0, 2 - len(public_key.split()))]
    return " ".join([kind, f"{data[:10]}...{data[-10:]}", *comment]).strip()


@command("keys:add")
@click.argument("file", required=False)
@click.option("-y", "--yes", is_flag=True, help="don't ask")
@click.option("--quiet", is_flag=True, hidden=True, expose_value=False)
@json_option
def keys_add(run: Run, file: str | None, yes: bool, as_json: bool) -> None:
    """Add an SSH public key, by default the one in ~/.ssh."""
    path = run.folder / Path(file).expanduser() if file else only_key(run, yes)
    try:
        public_key = path.read_text()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).", next=("Make a key: ssh-keygen",)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a public key: it is no text.") from error
    if "PRIVATE KEY" in public_key:
        raise UsageError(f"{path} is a private key, which nobody else may see.", next=(f"Try: {path}.pub",))
    with run.out.progress(f"Uploading {path} SSH key"):
        key = run.api.add_key(public_key)
    if as_json:
        run.out.json(key)


def only_key(run: Run, yes: bool) -> Path:
    """The public key in ~/.ssh when there is just one, and it is meant. Raises HerokuError."""
    folder = Path(run.env.get("HOME") or Path.home()) / ".ssh"
    found = sorted(folder.glob("*.pub"))
    if not found:
        raise HerokuError(f"There is no public key in {folder}.", next=("Make one: ssh-keygen -t ed25519",))
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise UsageError(f"{folder} has several keys: {listed}.", next=(f"Name one: heroku keys:add {found[0]}",))
    if not yes:
        if not run.out.can_prompt:
            raise UsageError(f"Is it {found[0]}?", next=("Then add: --yes",))
        if run.out.ask(f"Upload {found[0]}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
            raise HerokuError("No key was uploaded.")
    return found[0]


@command("keys:remove")
@click.argument("key", metavar="COMMENT|FINGERPRINT")
@json_option
def keys_remove(run: Run, key: str, as_json: bool) -> None:
    """Remove an SSH key, named by its comment or fingerprint."""
    present = run.api.ssh_keys()
    meant = [each for each in present if key in names_of(each)]
    if not meant:
        near = nearest(key, [name for each in present for name in names_of(each)])
        error = HerokuError(
            f"You have no SSH key {key}.",
            next=(f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku keys",),
        )
        error.id = "not_found"
        raise error
    with run.out.progress(f"Removing {key} SSH key"):
        gone = [delete(run, each) for each in meant]
    if as_json:
        run.out.json(gone)


def names_of(key: Key) -> list[str]:
    comment = key["public_key"].split(maxsplit=2)[2:]
    return [name for name in (*comment, key.get("comment"), key["fingerprint"], key["id"]) if name]


def delete(run: Run, key: Key) -> Key:
    """The key that was removed; one that is gone already was removed by somebody else."""
    try:
        run.api.delete_key(key["id"])
    except NotFound:
        run.out.warn(f"{key['fingerprint']} was gone already.")
    return key


@command("keys:clear")
@json_option
def keys_clear(run: Run, as_json: bool) -> None:
    """Remove all your SSH keys."""
    with run.out.progress("Removing all SSH keys") as step:
        gone: list[Key] = []
        present = run.api.ssh_keys()
        for each in present:
            step.reached(len(gone), len(present))
            gone.append(delete(run, each))
    if as_json:
        run.out.json(gone)
