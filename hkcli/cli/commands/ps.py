"""Dynos: what runs, how many should, restart and stop."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from hkcli.api.documents import Dyno, Formation
from hkcli.api.errors import HerokuError, InvalidParams, NotFound
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest
from hkcli.cli.table import COMMANDS
from hkcli.cli.units import ago, parse_time

SCALE = re.compile(r"(?P<type>[\w-]+?)(?P<amount>[=+-]\d+)(?::(?P<size>[\w-]+))?")
RESIZE = re.compile(r"(?P<type>[\w-]+)=(?P<size>[A-Za-z][\w-]*)")
ONE_OFF_TYPES = ("run", "release", "scheduler")


@app_command("ps")
@click.argument("types", metavar="[TYPE...]", nargs=-1)
@click.option("--no-wrap", is_flag=True, hidden=True, expose_value=False)
@json_option
def ps(run: Run, types: tuple[str, ...], as_json: bool) -> None:
    """List the dynos of an app."""
    dynos = run.api.dynos(run.app)
    check_types(types, sorted({dyno["type"] for dyno in dynos}), run.app, "Running now")
    chosen = sorted((dyno for dyno in dynos if not types or dyno["type"] in types), key=place)
    if as_json:
        run.out.json(chosen)
        return
    if not chosen:
        run.out.talk(f"No dynos on {run.app}")
    now = datetime.now(UTC)
    for index, (title, members) in enumerate(groups(chosen).items()):
        if index:
            run.out.line()
        run.out.header(f"{title} ({len(members)})")
        for dyno in members:
            run.out.line(dyno_line(dyno, now))


def check_types(types: tuple[str, ...], known: list[str], app: str, listing: str = "Its process types") -> None:
    for each in types:
        if each not in known:
            near = nearest(each, known)
            hint = f"Did you mean: {', '.join(near)}?" if near else f"{listing}: {', '.join(known) or 'none'}"
            meant = (f"Or the command: heroku ps:{' '.join(types)}",) if f"ps:{each}" in COMMANDS else ()
            raise HerokuError(f"{app} has no {each} dynos.", next=(hint, *meant))


def place(dyno: Dyno) -> tuple[bool, str, int]:
    kind, _, number = dyno["name"].partition(".")
    return kind not in ONE_OFF_TYPES, kind, int(number) if number.isdigit() else 0


def groups(dynos: list[Dyno]) -> dict[str, list[Dyno]]:
    """Dynos under the titles that the list gives them: one for all one-offs, then one a type and command."""
    found: dict[str, list[Dyno]] = {}
    for dyno in dynos:
        if dyno["type"] in ONE_OFF_TYPES:
            title = f"{dyno['type']}: one-off processes"
        else:
            title = f"{dyno['type']} ({dyno['size']}): {dyno['command']}"
        found.setdefault(title, []).append(dyno)
    return found


def dyno_line(dyno: Dyno, now: datetime) -> str:
    since = parse_time(dyno["updated_at"])
    line = f"{dyno['name']}: {dyno['state']} {since:%Y/%m/%d %H:%M:%S %z} ({ago(since, now)})"
    if dyno["type"] in ONE_OFF_TYPES:
        line = line.replace(":", f" ({dyno['size']}):", 1) + f": {dyno['command']}"
    return line


@app_command("ps:scale")
@click.argument("words", metavar="[TYPE=QUANTITY...]", nargs=-1)
@json_option
def ps_scale(run: Run, words: tuple[str, ...], as_json: bool) -> None:
    """Show or change how many dynos of a type run."""
    updates = parse_updates(words)
    formation = in_order(scale(run, updates) if updates else run.api.formation(run.app))
    if as_json:
        run.out.json(formation)
    elif not updates:
        run.out.line(" ".join(f"{each['type']}={each['quantity']}:{each['size']}" for each in formation))


def scale(run: Run, updates: list[dict[str, str]]) -> list[Formation]:
    changed = [update["type"] for update in updates]
    try:
        with run.out.progress("Scaling dynos") as step:
            formation = run.api.scale(run.app, updates)
            now = [f"{f['type']} at {f['quantity']}:{f['size']}" for f in in_order(formation) if f["type"] in changed]
            step.done(f"now running {', '.join(now)}")
    except (NotFound, InvalidParams) as error:
        if getattr(error, "resource", None) != "app":
            error.next = near_types(run, changed) or quantity_hint(updates)
        raise
    return formation


def quantity_hint(updates: list[dict[str, str]]) -> tuple[str, ...]:
    """For `worker=x`, which can be meant as a size alone."""
    kind = next((each["type"] for each in updates if "quantity" not in each), None)
    return (f"How many: heroku ps:scale {kind}=2   With a size: {kind}=2:standard-2x",) if kind else ()


def near_types(run: Run, asked: list[str]) -> tuple[str, ...]:
    known = [each["type"] for each in run.api.formation(run.app)]
    unknown = [each for each in asked if each not in known]
    if not unknown or not known:
        return () if known else ("It has no process types yet. Deploy it first: git push heroku HEAD:main",)
    near = nearest(unknown[0], known)
    return (f"Did you mean: {', '.join(near)}?",) if near else (f"Its process types: {', '.join(known)}",)


def in_order(formation: list[Formation]) -> list[Formation]:
    return sorted(formation, key=lambda each: each["type"])


def parse_updates(words: tuple[str, ...]) -> list[dict[str, str]]:
    """`web=2`, `web+1`, `web=2:standard-2x`, `web=standard-2x` as the API's updates. Raises click.UsageError."""
    updates = []
    for word in words:
        if found := SCALE.fullmatch(word):
            update = {"type": found["type"], "quantity": found["amount"].removeprefix("=")}
            updates.append(update | ({"size": found["size"]} if found["size"] else {}))
        elif found := RESIZE.fullmatch(word):
            updates.append({"type": found["type"], "size": found["size"]})
        else:
            raise click.UsageError(f"{word!r} is not TYPE=QUANTITY. Try: heroku ps:scale worker=2")
    return updates


dyno_option = click.option("-d", "--dyno-name", "dyno", metavar="DYNO", help="one dyno, as in worker.1")
type_option = click.option("-p", "--process-type", "process_type", metavar="TYPE", help="all dynos of a type")


@app_command("ps:restart")
@click.argument("target", metavar="[DYNO|TYPE]", required=False)
@dyno_option
@type_option
@json_option
def ps_restart(run: Run, target: str | None, dyno: str | None, process_type: str | None, as_json: bool) -> None:
    """Restart a dyno, all of a type, or all."""
    act(run, "restart", one_target(target, dyno, process_type), as_json)


@app_command("ps:stop")
@click.argument("target", metavar="[DYNO|TYPE]", required=False)
@dyno_option
@type_option
@json_option
def ps_stop(run: Run, target: str | None, dyno: str | None, process_type: str | None, as_json: bool) -> None:
    """Stop a dyno, or all of a type; they start again."""
    meant = one_target(target, dyno, process_type)
    if meant.name is None:
        raise click.UsageError("Name a dyno or a type, as in: heroku ps:stop worker.1")
    act(run, "stop", meant, as_json)


def act(run: Run, verb: str, meant: "Target", as_json: bool) -> None:
    """Restart or stop; as JSON it is told what that was done to."""
    name = meant.name
    doing = {"restart": "Restarting", "stop": "Stopping"}[verb]
    try:
        if name is None:
            with run.out.progress(f"{doing} all dynos on {run.app}"):
                run.api.restart_all(run.app)
        elif meant.is_type:
            with run.out.progress(f"{doing} all {name} dynos on {run.app}"):
                (run.api.restart_type if verb == "restart" else run.api.stop_type)(run.app, name)
        else:
            with run.out.progress(f"{doing} dyno {name} on {run.app}"):
                (run.api.restart_dyno if verb == "restart" else run.api.stop_dyno)(run.app, name)
    except NotFound as error:
        if error.resource != "app":
            error.next = near_dynos(run, name or "", meant.is_type)
        raise
    if as_json:
        run.out.json({"app": run.app, "dyno": None if meant.is_type else name, "type": name if meant.is_type else None})


def near_dynos(run: Run, name: str, is_type: bool) -> tuple[str, ...]:
    known = sorted({dyno["type"] if is_type else dyno["name"] for dyno in run.api.dynos(run.app)})
    near = nearest(name, known)
    return (f"Did you mean: {', '.join(near)}?",) if near else (f"Running now: {', '.join(known) or 'nothing'}",)


@dataclass(frozen=True)
class Target:
    """A dyno or a process type; None means all."""

    name: str | None
    is_type: bool = False


def one_target(target: str | None, dyno: str | None, process_type: str | None) -> Target:
    """What is meant by an argument or a flag. Raises click.UsageError."""
    given = [word for word in (target, dyno, process_type) if word]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are two targets. Name one.")
    if not given:
        return Target(None)
    return Target(given[0], process_type is not None or (dyno is None and "." not in given[0]))
