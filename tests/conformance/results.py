"""What clients that we did not write can do here, told in RESULTS.md, and in short in the README; written from the
tests' own marks: `python -m tests.conformance.results`"""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conformance import official, schema, test_heroku3, test_official_cli
from tests.conformance.test_links import is_served

DOCUMENT = Path(__file__).with_name("RESULTS.md")
README = Path(__file__).parent.parent.parent / "README.md"
MARKED = re.compile("(?<=<!-- results -->\n).*?(?=<!-- /results -->)", re.DOTALL)
CLIENTS = {
    f"Heroku's official CLI, npm `heroku` {official.VERSION}": test_official_cli,
    f"Python's `heroku3` {test_heroku3.VERSION}": test_heroku3,
}
HEAD = """# What other clients do on this backend

Every row is played by the tests named in it, in this folder, with the client as its makers publish it; CI runs them
all. Written from the tests' own marks by `python -m tests.conformance.results`.
"""


def document() -> str:
    return HEAD + "".join(f"\n## {client}\n\n{table(module)}" for client, module in CLIENTS.items()) + links()


def table(module: object) -> str:
    rows = sorted(played(module))
    commands: dict[str, list[str]] = {}
    for command, test in rows:
        commands.setdefault(command, []).append(test)
    head = "| command | works | played by |\n| --- | --- | --- |\n"
    works = [f"| `{name}` | yes | {'; '.join(tests)} |\n" for name, tests in commands.items()]
    return head + "".join(works) + "".join(f"| `{name}` | no | {why} |\n" for name, why in faults(module).items())


def played(module: object) -> Iterator[tuple[str, str]]:
    """Command and test, for every command that a test is marked to play."""
    for name, function in vars(module).items():
        for mark in getattr(function, "pytestmark", []) if callable(function) else []:
            if mark.name == "plays":
                yield from ((command, name.removeprefix("test_").replace("_", " ")) for command in mark.args)


def faults(module: object) -> dict[str, str]:
    found: dict[str, str] = getattr(module, "FAULTS", {})
    return found


def links() -> str:
    """Which calls of the published schema there are."""
    served = sorted({f"{each.method} {schema.template(each.href)}" for each in schema.links() if is_served(each)})
    rows = "".join(f"    {call}\n" for call in served)
    number = sum(map(is_served, schema.links()))
    return (
        f"\n## Links of the published schema\n\n{number} of {len(schema.links())} are served, and played by "
        f"`test_schema.py`; every other one is refused by its name, with status 501.\n\n{rows}"
    )


def short() -> str:
    """For each client a row of what works, by topic, and one for each reason why something does not."""
    head = "| client | commands | work |\n| --- | --- | --- |\n"
    return head + "".join(row for client, module in CLIENTS.items() for row in rows_of(client, module))


def rows_of(client: str, module: object) -> Iterator[str]:
    topics: dict[str, list[str]] = {}
    for command in sorted({command for command, _ in played(module)}):
        topics.setdefault(re.split("[:.]", command)[0], []).append(command)
    works = [
        " ".join(f"`{each}`" for each in [commands[0], *rest(topic, commands)]) for topic, commands in topics.items()
    ]
    yield f"| {client} | {' · '.join(works)} | yes |\n"
    reasons: dict[str, list[str]] = {}
    for command, why in faults(module).items():
        reasons.setdefault(why, []).append(command)
    yield from (
        f"| | {' '.join(f'`{each}`' for each in commands)} | no: {why} |\n" for why, commands in reasons.items()
    )


def rest(topic: str, commands: list[str]) -> list[str]:
    return [each.removeprefix(topic) for each in commands[1:]]


def readme() -> str:
    return MARKED.sub(lambda _: short(), README.read_text())


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    README.write_text(readme())
