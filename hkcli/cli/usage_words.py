"""click's messages of wrong numbers and words, and the limits that its help tells, in words."""

import re

NUMBER = re.compile(r"is not a valid (integer|float)( range)?\.")
SPAN = r"(?:(?P<least>[^<\[\s]+)(?P<above><=?))?x(?P<sign>[<>]=?)(?P<bound>[^\s;\]]+)"
RANGE = re.compile(rf"is not in the range {SPAN}\.")
LIMITS = re.compile(rf"(?P<before>[\[ ]){SPAN}(?=[\];])")
SUPERFLUOUS = re.compile(r"Got unexpected extra arguments? \((.*)\)")


def in_words(message: str) -> str:
    """`'x' is not a valid integer range.` as `'x' is not a whole number.`, and what a range allows as words."""
    message = SUPERFLUOUS.sub(r"Too much was given: \1", message)
    message = NUMBER.sub(lambda found: f"is not a {'whole ' if found[1] == 'integer' else ''}number.", message)
    return RANGE.sub(lambda found: f"is not {allowed(found)}.", message)


def limits_in_words(help_text: str) -> str:
    """`how many  [default: 15; 1<=x<=1000]` as `how many  [default: 15; from 1 to 1000]`."""
    return LIMITS.sub(lambda found: f"{found['before']}{allowed(found)}", help_text)


def allowed(found: "re.Match[str]") -> str:
    most = {"<": "less than {}", "<=": "{} or less", ">": "more than {}", ">=": "{} or more"}[found["sign"]]
    if found["least"] is None:
        return most.format(found["bound"])
    if (found["above"], found["sign"]) == ("<=", "<="):
        return f"from {found['least']} to {found['bound']}"
    least = "more than" if found["above"] == "<" else "at least"
    return f"{least} {found['least']} and {most.format(found['bound'])}"
