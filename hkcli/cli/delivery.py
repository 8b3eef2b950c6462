"""The last of a run: what stdout does not take."""

import os
import sys


def show(text: str) -> None:
    """To stdout at once."""
    try:
        print(text, flush=True)
    except OSError as error:
        sys.exit(undelivered(error))


def undelivered(error: OSError) -> int:
    """The exit status when stdout takes no more: a reader that has gone away is no failure, a full disk is one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(error, BrokenPipeError):
        return 0
    print(f" >   Error: The output cannot be written: {error.strerror}.", file=sys.stderr)
    return 1
