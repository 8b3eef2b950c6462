"""The Procfile: process types and their commands."""

import re
from pathlib import Path

from hkcli.backend.errors import InvalidParams

LINE = re.compile(r"([A-Za-z0-9_-]{1,128}):[ \t]*(\S.*)")


def parse(text: str) -> dict[str, str]:
    """`type: command` lines, in order; blank lines and comments are skipped. Raises InvalidParams."""
    types = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match:
            raise InvalidParams(f"Procfile, line {number}: {line!r} is not `type: command`.")
        types[match[1]] = match[2]
    return types


def read(root: Path) -> dict[str, str]:
    """What the app in this folder declares; {} without a Procfile. Raises InvalidParams."""
    path = root / "Procfile"
    try:
        return parse(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    except UnicodeDecodeError:
        raise InvalidParams("The Procfile is not UTF-8 text.") from None
