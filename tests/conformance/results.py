"""RESULTS.md, which tells what clients that we did not write can do here: `python -m tests.conformance.results`"""

from collections.abc import Iterator
from pathlib import Path

from tests.conformance import official, test_heroku3, test_official_cli

DOCUMENT = Path(__file__).with_name("RESULTS.md")
CLIENTS = {
    f"Heroku's official CLI, npm `heroku` {official.VERSION}": test_official_cli,
    f"Python's `heroku3` {test_heroku3.VERSION}": test_heroku3,
}
HEAD = """# What other clients do on this backend

Every row is played by the tests named in it, in this folder, with the client as its makers publish it; CI runs them
all. Written from the tests' own marks by `python -m tests.conformance.results`.
"""


def document() -> str:
    return HEAD + "".join(f"\n## {client}\n\n{table(module)}" for client, module in CLIENTS.items())


def table(module: object) -> str:
    rows = sorted(played(module))
    commands: dict[str, list[str]] = {}
    for command, test in rows:
        commands.setdefault(command, []).append(test)
    head = "| command | works | played by |\n| --- | --- | --- |\n"
    works = [f"| `{name}` | yes | {'; '.join(tests)} |\n" for name, tests in commands.items()]
    faults: dict[str, str] = getattr(module, "FAULTS", {})
    return head + "".join(works) + "".join(f"| `{name}` | no | {why} |\n" for name, why in faults.items())


def played(module: object) -> Iterator[tuple[str, str]]:
    """Command and test, for every command that a test is marked to play."""
    for name, function in vars(module).items():
        for mark in getattr(function, "pytestmark", []) if callable(function) else []:
            if mark.name == "plays":
                yield from ((command, name.removeprefix("test_").replace("_", " ")) for command in mark.args)


if __name__ == "__main__":
    DOCUMENT.write_text(document())
