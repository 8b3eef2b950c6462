"""Features of an app, and the experiments of `labs`, which may be an account's as well."""

from collections.abc import Iterable, Sequence

import click

from hkcli.api.documents import Feature
from hkcli.api.errors import NotFound
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest

SETTLED = "general"
"""The state of what `features` lists; `labs` lists the others."""


@app_command("features")
@json_option
def features(run: Run, as_json: bool) -> None:
    """List the features of an app."""
    found = in_order(each for each in run.api.features(run.app) if each["state"] == SETTLED)
    if as_json:
        run.out.json(found)
    else:
        show(run, f"App Features {run.app}", found)


def in_order(found: Iterable[Feature]) -> list[Feature]:
    return sorted(found, key=lambda each: each["name"])


def show(run: Run, title: str, found: Sequence[Feature]) -> None:
    if not run.out.stdout.isatty():
        run.out.table([], [[mark(each), each["name"], each["description"]] for each in found])
        return
    run.out.header(title)
    if found:
        run.out.table(["", "Name", "Description"], [[mark(each), each["name"], each["description"]] for each in found])
    else:
        run.out.talk("There are none.")


def mark(feature: Feature) -> str:
    return "[+]" if feature["enabled"] else "[ ]"


@app_command("features:info")
@click.argument("feature")
@json_option
def features_info(run: Run, feature: str, as_json: bool) -> None:
    """Show what a feature of an app is."""
    show_one(run, of_app(run, feature), as_json)


def of_app(run: Run, name: str, listing: str = "heroku features") -> Feature:
    try:
        return run.api.feature(run.app, name)
    except NotFound as error:
        if error.resource != "app":
            error.next = hint(name, run.api.features(run.app), listing)
        raise


def hint(name: str, known: Iterable[Feature], listing: str) -> tuple[str, ...]:
    near = nearest(name, [each["name"] for each in known])
    return (f"Did you mean: {', '.join(near)}?",) if near else (f"See them: {listing}",)


def show_one(run: Run, feature: Feature, as_json: bool) -> None:
    if as_json:
        run.out.json(feature)
        return
    run.out.header(feature["name"])
    run.out.pairs(
        {
            "Description": feature["description"],
            "Docs": feature["doc_url"],
            "Enabled": str(feature["enabled"]).lower(),
        }
    )


@app_command("features:enable")
@click.argument("feature")
@json_option
def features_enable(run: Run, feature: str, as_json: bool) -> None:
    """Switch a feature of an app on."""
    switch(run, of_app(run, feature), True, True, as_json)


@app_command("features:disable")
@click.argument("feature")
@json_option
def features_disable(run: Run, feature: str, as_json: bool) -> None:
    """Switch a feature of an app off."""
    switch(run, of_app(run, feature), True, False, as_json)


def switch(run: Run, feature: Feature, is_of_app: bool, enabled: bool, as_json: bool) -> None:
    name = feature["name"]
    where = run.app if is_of_app else "your account"
    with run.out.progress(f"{'Enabling' if enabled else 'Disabling'} {name} for {where}"):
        if is_of_app:
            changed = run.api.switch_feature(run.app, name, enabled)
        else:
            changed = run.api.switch_account_feature(name, enabled)
    if as_json:
        run.out.json(changed)


# --- labs


@app_command("labs")
@json_option
def labs(run: Run, as_json: bool) -> None:
    """List experimental features, of your account and an app."""
    has_app = run.names_an_app()
    mine = in_order(each for each in run.api.account_features() if each["state"] != SETTLED)
    of_the_app = in_order(each for each in run.api.features(run.app) if each["state"] != SETTLED) if has_app else None
    if as_json:
        run.out.json({"app": of_the_app, "user": mine})
        return
    show(run, "User Features", mine)
    if of_the_app is not None:
        if run.out.stdout.isatty():
            run.out.line()
        show(run, f"App Features {run.app}", of_the_app)


@app_command("labs:info")
@click.argument("feature")
@json_option
def labs_info(run: Run, feature: str, as_json: bool) -> None:
    """Show what an experimental feature is."""
    show_one(run, anywhere(run, feature)[0], as_json)


def anywhere(run: Run, name: str) -> tuple[Feature, bool]:
    """The feature of the account, else of the app, and whether it is the app's. Raises ApiError."""
    has_app = run.names_an_app()
    try:
        return run.api.account_feature(name), False
    except NotFound as error:
        if not has_app:
            error.next = (*hint(name, run.api.account_features(), "heroku labs"), "Of an app: --app APP")
            raise
    return of_app(run, name, "heroku labs"), True


@app_command("labs:enable")
@click.argument("feature")
@json_option
def labs_enable(run: Run, feature: str, as_json: bool) -> None:
    """Switch an experimental feature on."""
    switch(run, *anywhere(run, feature), True, as_json)


@app_command("labs:disable")
@click.argument("feature")
@click.option("-c", "--confirm", metavar="APP", expose_value=False, help="accepted, and not needed")
@json_option
def labs_disable(run: Run, feature: str, as_json: bool) -> None:
    """Switch an experimental feature off."""
    switch(run, *anywhere(run, feature), False, as_json)
