"""Maintenance mode: the app answers with a page that says so."""

from hkcli.cli.context import Run, app_command, json_option


@app_command("maintenance")
@json_option
def maintenance(run: Run, as_json: bool) -> None:
    """Show whether an app is in maintenance mode."""
    app = run.api.app(run.app)
    if as_json:
        run.out.json(app)
    else:
        run.out.line("on" if app["maintenance"] else "off")


@app_command("maintenance:on")
@json_option
def maintenance_on(run: Run, as_json: bool) -> None:
    """Put an app into maintenance mode."""
    switch(run, True, as_json)


@app_command("maintenance:off")
@json_option
def maintenance_off(run: Run, as_json: bool) -> None:
    """Take an app out of maintenance mode."""
    switch(run, False, as_json)


def switch(run: Run, is_on: bool, as_json: bool) -> None:
    with run.out.progress(f"{'Enabling' if is_on else 'Disabling'} maintenance mode for {run.app}"):
        app = run.api.update_app(run.app, {"maintenance": is_on})
    if as_json:
        run.out.json(app)
