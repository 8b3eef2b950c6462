"""Completion scripts for bash, zsh and fish, made from the command table: `python -m hkcli.cli.completion DIR`.

Names and flags are in the scripts; values are asked for with `heroku --complete KIND` (`hkcli/cli/values.py`).
"""

import sys
from pathlib import Path

from hkcli.cli.completed import every_command
from hkcli.cli.completion_shells import bash_script, fish_script, zsh_script


def scripts() -> dict[str, str]:
    """File name to contents."""
    commands = every_command()
    return {"heroku.bash": bash_script(commands), "_heroku": zsh_script(commands), "heroku.fish": fish_script(commands)}


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in scripts().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
