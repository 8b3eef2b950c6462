"""Releases: the numbered history of an app, and going back in it."""

import click

from hkcli.api.documents import Release
from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.units import parse_time

RECENT = 15
STATUS_WORDS = {
    "pending": "release command executing",
    "failed": "release command failed",
    "expired": "release expired",
}


@app_command("releases")
@click.option("-n", "--num", "limit", type=click.IntRange(1, 1000), default=RECENT, metavar="COUNT", help="how many")
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
@json_option
def releases_info(run: Run, version: str | None, as_json: bool) -> None:
    """Show a release and the config vars it runs with."""
    release = run.api.release(run.app, version.removeprefix("v")) if version else latest(run)
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
    run.out.pairs(dict(sorted(config_vars.items())))


def latest(run: Run) -> Release:
    release = run.api.latest_release(run.app)
    if release is None:
        raise HerokuError(f"{run.app} has no releases.")
    return release


@app_command("releases:rollback")
@click.argument("version", metavar="[VERSION]", required=False)
@json_option
def releases_rollback(run: Run, version: str | None, as_json: bool) -> None:
    """Go back to an earlier release, by default the last one before this."""
    target = run.api.release(run.app, version.removeprefix("v")) if version else previous(run)
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
