"""Buildpacks: what turns an app's code into a slug."""

import re

import click

from hkcli.api.documents import Buildpack
from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest

REGISTRY = "https://buildpack-registry.s3.amazonaws.com/buildpacks/{}.tgz"
"""Where Heroku's registry keeps the buildpack of a name."""
NAME = re.compile(r"[a-z0-9][\w-]*/[a-z0-9][\w-]*")
REGISTERED = re.compile(re.escape(REGISTRY).replace(r"\{\}", r"([\w-]+/[\w-]+)"))
index_option = click.option("-i", "--index", type=click.IntRange(1), metavar="PLACE", help="place in the order, from 1")


@app_command("buildpacks")
@json_option
def buildpacks(run: Run, as_json: bool) -> None:
    """List the buildpacks of an app, in the order they run."""
    found = run.api.buildpacks(run.app)
    if as_json:
        run.out.json(found)
    elif not found:
        run.out.talk(f"{run.app} has no buildpacks set; the platform finds out which one fits.")
    else:
        for number, each in enumerate(found, 1):
            run.out.line(f"{number}. {name_of(url_of(each))}" if run.out.stdout.isatty() else name_of(url_of(each)))


def url_of(each: Buildpack) -> str:
    return each["buildpack"]["url"].removeprefix("urn:buildpack:")


def name_of(url: str) -> str:
    """The registry's name of a buildpack, or its URL if it has none."""
    found = REGISTERED.fullmatch(url)
    return found[1] if found else url


def url_meant(word: str) -> str:
    """A URL, or the one that a registry name stands for. Raises click.UsageError."""
    if "://" in word:
        return word
    if not NAME.fullmatch(word):
        raise click.UsageError(f"{word!r} is neither a URL nor NAMESPACE/NAME, as in heroku/ruby.")
    return REGISTRY.format(word)


@app_command("buildpacks:add")
@click.argument("buildpack")
@index_option
@json_option
def buildpacks_add(run: Run, buildpack: str, index: int | None, as_json: bool) -> None:
    """Add a buildpack, at the end or at a place in the order."""
    url, present = url_meant(buildpack), [url_of(each) for each in run.api.buildpacks(run.app)]
    refuse_twice(buildpack, url, present)
    place = len(present) if index is None else min(index - 1, len(present))
    put(run, [*present[:place], url, *present[place:]], "added", as_json)


@app_command("buildpacks:set")
@click.argument("buildpack")
@index_option
@json_option
def buildpacks_set(run: Run, buildpack: str, index: int | None, as_json: bool) -> None:
    """Set the first buildpack, or that at a place in order."""
    url, present = url_meant(buildpack), [url_of(each) for each in run.api.buildpacks(run.app)]
    refuse_twice(buildpack, url, present)
    place = min((index or 1) - 1, len(present))
    put(run, [*present[:place], url, *present[place + 1 :]], "set", as_json)


def refuse_twice(word: str, url: str, present: list[str]) -> None:
    if url in present or word in present:
        raise HerokuError(
            f"The buildpack {word} is already set on your app.", next=("See their order: heroku buildpacks",)
        )


@app_command("buildpacks:remove")
@click.argument("buildpack", required=False)
@index_option
@json_option
def buildpacks_remove(run: Run, buildpack: str | None, index: int | None, as_json: bool) -> None:
    """Remove a buildpack, named or by its place in the order."""
    if (buildpack is None) == (index is None):
        raise click.UsageError("Name a buildpack, or give its place with --index.")
    present = [url_of(each) for each in run.api.buildpacks(run.app)]
    place = index - 1 if index else place_of(buildpack or "", present)
    if place >= len(present):
        count = f"{len(present)} buildpack{'s' * (len(present) != 1)}"
        raise HerokuError(f"{run.app} has {count}. Nothing was removed.", next=("See them: heroku buildpacks",))
    put(run, [*present[:place], *present[place + 1 :]], "removed", as_json)


def place_of(word: str, present: list[str]) -> int:
    for place, url in enumerate(present):
        if word in (url, name_of(url)):
            return place
    near = nearest(word, [name_of(url) for url in present])
    hint = f"Did you mean: {', '.join(near)}?" if near else "See them: heroku buildpacks"
    raise HerokuError(f"The buildpack {word} is not set. Nothing was removed.", next=(hint,))


@app_command("buildpacks:clear")
@json_option
def buildpacks_clear(run: Run, as_json: bool) -> None:
    """Remove all buildpacks; the platform finds what fits."""
    put(run, [], "cleared", as_json)


def put(run: Run, urls: list[str], action: str, as_json: bool) -> None:
    found = run.api.set_buildpacks(run.app, urls)
    if as_json:
        run.out.json(found)
        return
    subject = "Buildpacks" if action == "cleared" else "Buildpack"
    if not found:
        run.out.talk(f"{subject} {action}. Next release on {run.app} will detect buildpacks normally.")
        return
    run.out.talk(f"{subject} {action}. Next release on {run.app} will use:")
    for number, each in enumerate(found, 1):
        run.out.talk(f"  {number}. {name_of(url_of(each))}")
    run.out.talk("Make it by a push: git push heroku HEAD:main")
