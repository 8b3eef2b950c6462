"""Buildpacks: which ones an app is built with."""

from collections.abc import Sequence

from hkcli.backend.buildpacks.contract import BuildFailed, Buildpack, Output, Source, environment
from hkcli.backend.buildpacks.delayed_job import EmbeddedDelayedJob
from hkcli.backend.buildpacks.external import External
from hkcli.backend.buildpacks.python import Python
from hkcli.backend.buildpacks.ruby import Ruby

__all__ = ["BuildFailed", "Buildpack", "Output", "Source", "choose", "environment"]

BUILDPACKS: tuple[Buildpack, ...] = (Ruby(), Python(), EmbeddedDelayedJob())
"""In the order in which they are asked."""

BY_NAME: dict[str, Buildpack] = {
    "heroku/ruby": BUILDPACKS[0],
    "heroku/python": BUILDPACKS[1],
    "hkcli/delayed-job": BUILDPACKS[2],
}


async def choose(source: Source, wanted: Sequence[str], out: Output) -> list[Buildpack]:
    """Those that were set, all of which have to fit, or the first that does. Raises BuildFailed."""
    if not wanted:
        found = await detect(source)
        out(f"-----> {found.name} app detected")
        return [found]
    chosen = External.series(wanted, BY_NAME)
    for name, each in zip(wanted, chosen, strict=True):
        if not await each.detect(source):
            raise BuildFailed(f"App not compatible with buildpack: {name}")
        out(f"-----> {each.name} app detected")
    return chosen


async def detect(source: Source) -> Buildpack:
    for each in BUILDPACKS:
        if await each.detect(source):
            return each
    raise BuildFailed(
        "No default language could be detected for this app.\n"
        "It needs a Procfile, a Gemfile, a Rakefile, a requirements.txt, or Delayed Job's own folders: db/migrate,"
        " app/jobs."
    )
