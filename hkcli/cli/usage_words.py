"""click's messages of wrong numbers, in words instead of its types and inequalities."""

import re

NUMBER = re.compile(r"is not a valid (integer|float)( range)?\.")
RANGE = re.compile(r"is not in the range (?:(?P<least>[^<\s]+)(?P<above><=?))?x(?P<sign>[<>]=?)(?P<bound>\S+)\.")


def in_words(message: str) -> str:
    """`'x' is not a valid integer range.` as `'x' is not a whole number.`, and what a range allows as words."""
    message = NUMBER.sub(lambda found: f"is not a {'whole ' if found[1] == 'integer' else ''}number.", message)
    return RANGE.sub(lambda found: f"is not {allowed(found)}.", message)


def allowed(found: "re.Match[str]") -> str:
    most = {"<": "less than {}", "<=": "{} or less", ">": "more than {}", ">=": "{} or more"}[found["sign"]]
    if found["least"] is None:
        return most.format(found["bound"])
    if (found["above"], found["sign"]) == ("<=", "<="):
        return f"from {found['least']} to {found['bound']}"
    least = "more than" if found["above"] == "<" else "at least"
    return f"{least} {found['least']} and {most.format(found['bound'])}"
