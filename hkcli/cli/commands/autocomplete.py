"""`autocomplete`: the completion of the running shell, put where the shell looks for it."""

from pathlib import Path

import click

from hkcli.api.errors import UsageError
from hkcli.cli.context import Run, command, json_option

SHELLS = ("bash", "zsh", "fish")


@command("autocomplete")
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.option("-r", "--refresh-cache", is_flag=True, expose_value=False, hidden=True)
@json_option
def autocomplete(run: Run, shell: str | None, as_json: bool) -> None:
    """Install completion for your shell: bash, zsh or fish."""
    from hkcli.cli.completion import scripts

    name = shell or running_shell(run)
    found = scripts()
    text = found[{"bash": "heroku.bash", "zsh": "_heroku", "fish": "heroku.fish"}[name]]
    paths = places(run, name)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    remaining = what_remains(name, paths[0])
    if as_json:
        run.out.json({"shell": name, "files": [str(path) for path in paths], "next": remaining})
        return
    for path in paths:
        run.out.talk(f"Wrote {path}")
    for line in remaining:
        run.out.talk(line)
    run.out.talk(f"It works in every new {name}.")


def running_shell(run: Run) -> str:
    name = Path(run.env.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(
            f"{name or 'Your shell'} has no completion here.", next=("Name one: heroku autocomplete bash",)
        )
    return name


def places(run: Run, shell: str) -> list[Path]:
    """The files that the shell reads for `heroku` and for `hkcli`."""
    home = Path(run.env.get("HOME") or Path.home())
    data = Path(run.env.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "bash":
        folder = data / "bash-completion" / "completions"
        return [folder / "heroku", folder / "hkcli"]
    if shell == "zsh":
        return [data / "zsh" / "site-functions" / "_heroku"]
    config = Path(run.env.get("XDG_CONFIG_HOME") or home / ".config")
    return [config / "fish" / "completions" / f"{program}.fish" for program in ("heroku", "hkcli")]


def what_remains(shell: str, path: Path) -> list[str]:
    """What is left to do by hand: no file of the user's own is touched."""
    if shell == "zsh":
        return [f"In ~/.zshrc, above compinit, there must stand: fpath=({path.parent} $fpath)"]
    if shell == "bash":
        return [f"Without the package bash-completion, ~/.bashrc needs the line: source {path}"]
    return []
