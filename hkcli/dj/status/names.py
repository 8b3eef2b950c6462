"""What to call a job by its handler, fast enough for thousands of rows: looked for, not parsed. Rows are untrusted."""

import re
from functools import lru_cache

HANDLER_CHARS = 2_000
"""How much of a handler is read to find the name."""
UNREADABLE = "(unreadable)"
NO_MESSAGE = "(no message was kept)"
VARYING = re.compile(r"\b(?:0x[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(?:\.\d+)*)\b", re.IGNORECASE)
"""What tells one failure from the next of its kind: numbers, addresses, UUIDs."""
TAG = re.compile(r"!ruby/\w+:(?P<name>[A-Za-z_]\w*(?:::\w+)*)")
JOB_CLASS = re.compile(r"^\s+job_class: ['\"]?(?P<name>[\w:]+)", re.MULTILINE)
METHOD = re.compile(r"^method(?:_name)?: :?['\"]?(?P<name>\w+[?!=]?)", re.MULTILINE)
TARGET_CLASS = re.compile(r"^object: (?:!ruby/class ['\"]?|['\"]?CLASS:)(?P<name>[\w:]+)", re.MULTILINE)
TARGET_RECORD = re.compile(r"^object: (?:!ruby/\w+:|['\"]?AR:)(?P<name>\w+(?:::\w+)*)", re.MULTILINE)


@lru_cache(maxsize=4_096)
def brief_name(handler: str) -> str:
    """`NewsletterJob`, `Mailer.deliver`, `User#wave`; of an ActiveJob its class. `(unreadable)` if nothing is found."""
    found = TAG.search(handler)
    if found is None:
        return UNREADABLE
    name = found["name"]
    if name == "Delayed::PerformableMethod" and (method := METHOD.search(handler)):
        if target := TARGET_CLASS.search(handler):
            return f"{target['name']}.{method['name']}"
        if target := TARGET_RECORD.search(handler):
            return f"{target['name']}#{method['name']}"
    if name.startswith("ActiveJob::") and (inner := JOB_CLASS.search(handler)):
        return inner["name"]
    return name


def first_line(error: str | None, most_chars: int = 160) -> str:
    """The line of an error that says what went wrong."""
    lines = (error or "").strip().splitlines()
    return lines[0].strip()[:most_chars] if lines else NO_MESSAGE


def shape_of(error: str) -> str:
    """What errors of one kind have in common."""
    return VARYING.sub("#", error)


def common_text(error: str) -> str:
    """The longest part that errors of this kind all have, for a search."""
    return max(VARYING.split(error), key=len).strip()
