"""Collections by the piece: the `Range` request header, `Next-Range`, and what lies between.

Range: version ..; max=15, order=desc        Range: ]0f3a...; max=200        Range: name a..m
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hkcli.backend.errors import RangeNotSatisfiable

GRAMMAR = re.compile(
    r"\s*(?P<field>[a-z_]+(?=\s))?\s*(?P<after>\])?(?P<first>[^\s;,\[\]]*?)\.\.(?P<last>[^\s;,\[\]]*)(?P<before>\[)?"
    r"(?P<options>[\s;,].*|)"
)
OPTION = re.compile(r"([a-z]+)\s*=\s*([^\s;,]+)")
DEFAULT_MAX, LIMIT = 200, 1000


@dataclass(frozen=True)
class Range:
    """What part of a collection is asked for; the bounds are texts, empty when open."""

    field: str = "id"
    first: str = ""
    last: str = ""
    after_first: bool = False
    before_last: bool = False
    max: int = DEFAULT_MAX
    descending: bool = False


def parse(header: str | None, sortable: Sequence[str]) -> Range:
    """The header's meaning; a field that cannot be sorted by means the first that can. Raises RangeNotSatisfiable."""
    if not header or not header.strip():
        return Range(field=sortable[0])
    match = GRAMMAR.fullmatch(header)
    options = dict(OPTION.findall(match["options"])) if match else {}
    size = options.get("max", str(DEFAULT_MAX))
    if match is None or not re.fullmatch("[0-9]{1,4}", size) or not 1 <= int(size) <= LIMIT:
        raise RangeNotSatisfiable(f"Invalid range {header!r}. Try: id ..; max=200, order=asc (max is 1 to {LIMIT})")
    return Range(
        field=match["field"] if match["field"] in sortable else sortable[0],
        first=match["first"],
        last=match["last"],
        after_first=bool(match["after"]),
        before_last=bool(match["before"]),
        max=int(size),
        descending=options.get("order") == "desc",
    )


def cut(documents: Sequence[dict[str, Any]], wanted: Range) -> tuple[list[dict[str, Any]], str | None]:
    """The documents of this range in its order, and the `Next-Range` when there are more.

    A page is longer than `max` where it would end between equal values: the next one begins after a value.
    """
    ordered = sorted(documents, key=lambda each: _key(each[wanted.field]), reverse=wanted.descending)
    chosen = [each for each in ordered if _within(each[wanted.field], wanted)]
    page = chosen[: wanted.max]
    page += itertools.takewhile(lambda each: each[wanted.field] == page[-1][wanted.field], chosen[wanted.max :])
    if len(chosen) == len(page):
        return page, None
    order = ", order=desc" if wanted.descending else ""
    return page, f"{wanted.field} ]{page[-1][wanted.field]}..{wanted.last}; max={wanted.max}{order}"


def _key(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _within(value: Any, wanted: Range) -> bool:
    """Whether a value lies in the range; `]x..` in descending order goes on below x."""
    key, first, last = _key(value), wanted.first, wanted.last
    if wanted.descending and wanted.after_first:
        return bool(key < _bound(first, value)) and (not last or bool(key >= _bound(last, value)))
    if first and (key < _bound(first, value) or (wanted.after_first and key == _bound(first, value))):
        return False
    return not last or bool(key < _bound(last, value)) or (not wanted.before_last and key == _bound(last, value))


def _bound(text: str, like: Any) -> Any:
    """The bound as a value of the same kind. Raises RangeNotSatisfiable."""
    if not isinstance(like, int):
        return text
    try:
        return int(text)
    except ValueError:
        raise RangeNotSatisfiable(f"{text!r} is not a number.") from None
