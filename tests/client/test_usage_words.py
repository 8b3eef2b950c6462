import click
import pytest

from hkcli.cli.usage_words import in_words

RANGES = {
    "integer": (click.IntRange(1, 9), "x", "'x' is not a whole number."),
    "float": (click.FloatRange(0), "x", "'x' is not a number."),
    "any integer": (click.INT, "1.5", "'1.5' is not a whole number."),
    "between": (click.IntRange(1, 1000), "5000", "5000 is not from 1 to 1000."),
    "at least": (click.FloatRange(0.2), "0", "0.0 is not 0.2 or more."),
    "more than": (click.FloatRange(0, min_open=True), "0", "0.0 is not more than 0."),
    "at most": (click.IntRange(max=5), "6", "6 is not 5 or less."),
    "half open": (click.FloatRange(0, 600, min_open=True), "0", "0.0 is not more than 0 and 600 or less."),
}


@pytest.mark.parametrize(("kind", "typed", "told"), RANGES.values(), ids=RANGES)
def test_a_wrong_number_is_told_in_words(kind, typed, told):
    with pytest.raises(click.BadParameter) as raised:
        kind.convert(typed, None, None)
    assert in_words(raised.value.message) == told


def test_other_messages_stay_as_they_are():
    assert in_words("'A' is not KEY=VALUE.") == "'A' is not KEY=VALUE."


def test_a_command_tells_it_so(heroku, platform):
    assert "'abc' is not a whole number." in heroku("logs", "-n", "abc", "-a", "demo").stderr
