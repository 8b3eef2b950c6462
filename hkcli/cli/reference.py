"""What is made from the command table besides completions: `python -m hkcli.cli.reference DIR`, DIR a checkout."""

import sys
from pathlib import Path

from hkcli.cli.dispatch import load
from hkcli.cli.manual import manual
from hkcli.cli.table import names

SUMMARIES = '''"""The first sentence of each command's help. Made by `make docs`: help need not import every command."""

SUMMARIES = {{
{}}}
'''


def summaries() -> str:
    """The module that `heroku help` reads."""
    return SUMMARIES.format("".join(f'    "{name}": "{summary_of(name)}",\n' for name in names(aliases=False)))


def summary_of(name: str) -> str:
    return load(name).get_short_help_str(limit=200)


def files() -> dict[str, str]:
    """Path in the checkout to contents."""
    return {
        "hkcli/cli/summaries.py": summaries(),
        "hkcli/man/heroku.1": manual(),
        "hkcli/man/hkcli.1": ".so man1/heroku.1\n",
    }


def write(root: Path) -> None:
    for name, text in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
