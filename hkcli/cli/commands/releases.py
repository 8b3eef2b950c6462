"""Releases: the numbered history of an app, and going back in it."""

from collections.abc import Iterator

import click

from hkcli.api.documents import Release
from hkcli.api.errors import ConnectionLost, HerokuError, NotFound
from hkcli.cli.commands.config import shell_option, show_for_shell
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.units import parse_time

RECENT = 15
LONGEST_SILENCE_S = 3600.0
"""A migration may say nothing for long."""
STATUS_WORDS = {
    "pending": "release command executing",
    "failed": "release command failed",
    "expired": "release expired",
}


@app_command("releases")
@click.option(
    "-n",
    "--num",
    "limit",
    type=click.IntRange(1, 1000),
    default=RECENT,
    metavar="COUNT",
    show_default=True,
    help="how many",
)
@json_option
def releases(run: Run, limit: int, as_json: bool) -> None:
    """List the releases of an app, the newest first."""
    found = run.api.releases(run.app, limit)
    if as_json:
        run.out.json(found)
        return
    if not found:
        run.out.talk(f"{run.app} has no releases.")
        return
    if run.out.stdout.isatty():
        current = next((f" - Current: v{each['version']}" for each in found if each["current"]), "")
        run.out.header(f"{run.app} Releases{current}")
    run.out.table(["v", "Description", "User", "Created at"], [row(each) for each in found])


def row(release: Release) -> list[str]:
    status = STATUS_WORDS.get(release["status"])
    description = f"{release['description']} {status}" if status else release["description"]
    created = f"{parse_time(release['created_at']):%Y/%m/%d %H:%M:%S %z}"
    return [f"v{release['version']}", description, release["user"]["email"], created]


@app_command("releases:info")
@click.argument("version", metavar="[VERSION]", required=False)
@shell_option
@json_option
def releases_info(run: Run, version: str | None, shell: bool, as_json: bool) -> None:
    """Show a release and the config vars it runs with."""
    release = named(run, version) if version else latest(run)
    number = str(release["version"])
    config_vars = run.api.release_config_vars(run.app, number)
    if as_json:
        run.out.json({**release, "config_vars": config_vars})
        return
    run.out.header(f"Release v{number}")
    run.out.pairs(
        {
            "By": release["user"]["email"],
            "Change": release["description"],
            "Status": release["status"],
            "When": release["created_at"],
        }
    )
    run.out.line()
    run.out.header(f"v{number} Config vars")
    if shell:
        show_for_shell(run, config_vars)
    else:
        run.out.pairs(dict(sorted(config_vars.items())))


def named(run: Run, version: str) -> Release:
    """The release that `v3`, `3` or an id means. Raises NotFound with the newest there is."""
    try:
        return run.api.release(run.app, version.removeprefix("v"))
    except NotFound as error:
        if error.resource != "app":
            error.next = (f"The newest is v{latest(run)['version']}. See them: heroku releases",)
        raise


def latest(run: Run) -> Release:
    release = run.api.latest_release(run.app)
    if release is None:
        raise HerokuError(f"{run.app} has no releases.")
    return release


@app_command("releases:output")
@click.argument("version", metavar="[VERSION]", required=False)
@json_option
def releases_output(run: Run, version: str | None, as_json: bool) -> None:
    """Show what the release command of a release printed."""
    release = named(run, version) if version else latest(run)
    if as_json:
        output = b"".join(output_of(run, release)).decode(errors="replace") if release["output_stream_url"] else None
        run.out.json({**release, "output": output})
    elif release["output_stream_url"]:
        show_output(run, release)
    else:
        run.out.warn(f"Release v{release['version']} has no release output available.")


def output_of(run: Run, release: Release) -> Iterator[bytes]:
    """What the release command prints, as it comes. Raises HerokuError."""
    from contextlib import closing

    from hkcli.api.logs import Cut, received

    response = run.api.transport.stream(release["output_stream_url"] or "", {"Accept": "*/*"}, LONGEST_SILENCE_S)
    with closing(response):
        if response.status_code == 404:
            raise HerokuError("The release command has not started yet.", next=("Try again in a few seconds.",))
        if not response.ok:
            raise HerokuError(f"The output was answered with HTTP status {response.status_code}.")
        try:
            yield from received(response)
        except Cut as error:
            again = f"heroku releases:output v{release['version']} --app {run.app}"
            raise ConnectionLost(f"The output broke off ({error}).", next=(f"See all of it: {again}",)) from error


def show_output(run: Run, release: Release) -> None:
    run.out.stdout.flush()
    for data in output_of(run, release):
        run.out.stdout.buffer.write(data)
        run.out.stdout.buffer.flush()


@app_command("releases:retry")
@json_option
def releases_retry(run: Run, as_json: bool) -> None:
    """Run the release command of the latest release again."""
    release = latest(run)
    slug = release["slug"]
    if slug is None or "release" not in run.api.process_types_of_slug(run.app, slug["id"]):
        raise HerokuError(
            f"{run.app} has no release command.", next=("Name one in the Procfile, as in: release: rake db:migrate",)
        )
    with run.out.progress(f"Retrying v{release['version']} on {run.app}") as step:
        description = f"Retry of v{release['version']}: {release['description']}"
        made = run.api.retry_release(run.app, slug["id"], description)
        step.done(f"v{made['version']}")
    if as_json:
        run.out.json(made)
    elif made["output_stream_url"]:
        run.out.talk("Running release command...")
        show_output(run, made)


@app_command("releases:rollback")
@click.argument("version", metavar="[VERSION]", required=False)
@json_option
def releases_rollback(run: Run, version: str | None, as_json: bool) -> None:
    """Go back to an earlier release, or the one before."""
    target = named(run, version) if version else previous(run)
    with run.out.progress(f"Rolling back {run.app} to v{target['version']}") as step:
        made = run.api.roll_back(run.app, target["id"])
        step.done(f"v{made['version']}")
    run.out.warn("Rollback affects code and config vars; it doesn't add or remove add-ons.")
    if as_json:
        run.out.json(made)


def previous(run: Run) -> Release:
    """The second newest release that can be gone back to; the newest is the one that runs."""
    eligible = [each for each in run.api.releases(run.app, RECENT) if each["eligible_for_rollback"]]
    if len(eligible) < 2:
        raise HerokuError(f"{run.app} has no earlier release to go back to.", next=("See them: heroku releases",))
    return eligible[1]
