"""The package's table of links, made from the published schema: `python -m tests.conformance.links`"""

import json

from hkcli.backend.links import TABLE
from tests.conformance import schema


def table() -> str:
    """One line a call. Of links that share method and path, the titles are joined."""
    titles: dict[str, list[str]] = {}
    for link in schema.links():
        call = f"{link.method} {schema.template(link.href)}"
        titles.setdefault(call, []).append(f"{link.resource}: {link.title}")
    return json.dumps({call: " / ".join(found) for call, found in sorted(titles.items())}, indent=0) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table())
