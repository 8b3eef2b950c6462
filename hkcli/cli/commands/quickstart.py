"""The tour."""

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, command
from hkcli.cli.local_backend import require_installed


@command("quickstart")
@click.option("--keep", is_flag=True, help="leave the backend and the app running, and say how to go on")
def quickstart(run: Run, keep: bool) -> None:
    """Play the Delayed Job quick start, for real.

    It has a backend of its own, and removes everything afterwards."""
    require_installed()
    from hkcli.quickstart.tour import TourFailed, tour

    try:
        tour(keep=keep)
    except TourFailed as error:
        raise HerokuError(f"The tour stopped. {error}") from error
