"""`ps:type` and `ps:wait`: how large dynos are, and when all of them run the newest release."""

import click

from hkcli.api.documents import Dyno, Formation
from hkcli.api.errors import HerokuError
from hkcli.cli.commands.ps import RESIZE, check_types, in_order, scale
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.output import Step

POLL_S = 10.0


@app_command("ps:type")
@click.argument("words", metavar="[SIZE|TYPE=SIZE...]", nargs=-1)
@json_option
def ps_type(run: Run, words: tuple[str, ...], as_json: bool) -> None:
    """Show the sizes of dynos, or change them."""
    formation = run.api.formation(run.app)
    if words:
        updates = size_updates(words, formation, run.app)
        changed = {each["type"]: each for each in scale(run, updates)}
        formation = [changed.get(each["type"], each) for each in formation]
    formation = in_order(formation)
    if as_json:
        run.out.json(formation)
        return
    if not formation:
        raise HerokuError(
            f"No process types on {run.app}.", next=("Deploy it with a Procfile first: git push heroku HEAD:main",)
        )
    run.out.table(["Type", "Size", "Qty"], [[each["type"], each["size"], str(each["quantity"])] for each in formation])


def size_updates(words: tuple[str, ...], formation: list[Formation], app: str) -> list[dict[str, str]]:
    """One size for all types, or TYPE=SIZE words, as the API's updates. Raises click.UsageError, HerokuError."""
    if len(words) == 1 and "=" not in words[0]:
        return [{"type": each["type"], "size": words[0]} for each in formation]
    updates = []
    for word in words:
        found = RESIZE.fullmatch(word)
        if not found:
            raise click.UsageError(f"{word!r} is not TYPE=SIZE. Try: heroku ps:type worker=basic")
        updates.append({"type": found["type"], "size": found["size"]})
    check_types(tuple(update["type"] for update in updates), [each["type"] for each in formation], app)
    return updates


@app_command("ps:wait")
@click.option("-t", "--type", "process_type", metavar="TYPE", help="only dynos of this type")
@click.option(
    "-w",
    "--wait-interval",
    "interval_s",
    type=click.FloatRange(1),
    default=POLL_S,
    metavar="SECONDS",
    show_default=True,
    help="between looks",
)
@click.option("-R", "--with-run", is_flag=True, help="one-off dynos too")
@json_option
def ps_wait(run: Run, process_type: str | None, interval_s: float, with_run: bool, as_json: bool) -> None:
    """Wait until all dynos run the latest release."""
    if process_type and with_run:
        raise click.UsageError("--type and --with-run exclude each other.")
    release = run.api.latest_release(run.app)
    if release is None:
        raise HerokuError(f"{run.app} has no releases.")
    if process_type:
        check_types((process_type,), [each["type"] for each in run.api.formation(run.app)], run.app)
    with run.out.progress(f"Waiting for every dyno to be running v{release['version']}") as step:
        dynos = wait(run, release["version"], process_type, with_run, interval_s, step)
        step.done(f"{len(dynos)} / {len(dynos)}")
    if as_json:
        run.out.json(dynos)


def wait(run: Run, version: int, process_type: str | None, with_run: bool, interval_s: float, step: Step) -> list[Dyno]:
    import time

    while True:
        dynos = [each for each in run.api.dynos(run.app) if counts(each, process_type, with_run)]
        ready = sum(each["state"] == "up" and each["release"]["version"] >= version for each in dynos)
        if ready == len(dynos):
            return dynos
        step.reached(ready, len(dynos))
        time.sleep(interval_s)


def counts(dyno: Dyno, process_type: str | None, with_run: bool) -> bool:
    if process_type:
        return dyno["type"] == process_type
    return dyno["type"] != "release" and (with_run or dyno["type"] != "run")
