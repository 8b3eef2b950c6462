"""Values that a shell completes; asked for with `heroku --complete KIND`."""

from collections.abc import Sequence

from hkcli.cli.context import Run


def complete(run: Run, words: Sequence[str]) -> None:
    return
