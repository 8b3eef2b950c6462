"""`heroku logs`: an app's log, as it was or as it comes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import click
from click.core import ParameterSource

from hkcli.api.logs import LogReader
from hkcli.cli.commands.ps import ONE_OFF_TYPES
from hkcli.cli.context import Run, app_command
from hkcli.cli.dispatch import nearest
from hkcli.cli.log_lines import Colours, Ending, as_json_lines, lines_since

MOST_LINES = 1500
AGO = re.compile(r"(\d+)([smhd])")
SOURCES = ("app", "heroku")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app_command("logs")
@click.option(
    "-n",
    "--num",
    type=click.IntRange(0, MOST_LINES),
    default=100,
    metavar="COUNT",
    show_default=True,
    help="how many lines",
)
@click.option("-t", "--tail", is_flag=True, help="go on as new lines come")
@click.option("-s", "--source", metavar="SOURCE", help="only app, or only heroku")
@click.option("-d", "--dyno", "--dyno-name", metavar="DYNO", help="only this dyno, as in worker.1, or type of dyno")
@click.option("-p", "--ps", "--process-type", "process_type", metavar="TYPE", help="only dynos of this type")
@click.option("--since", metavar="WHEN", help="only lines since then: 10m, 2h, 3d, or 2026-11-23T18:40")
@click.option("-j", "--json", "as_json", is_flag=True, help="each line as a JSON object")
@click.option("--force-colors", is_flag=True, help="colours also in a pipe")
@click.option("--no-color", is_flag=True, help="no colours")
def logs(
    run: Run,
    num: int,
    tail: bool,
    source: str | None,
    dyno: str | None,
    process_type: str | None,
    since: str | None,
    as_json: bool,
    force_colors: bool,
    no_color: bool,
) -> None:
    """Show the log of an app."""
    if source not in (None, *SOURCES):
        run.out.warn(f"Nothing comes from a source {source}. Sources: {', '.join(SOURCES)}")
    if dyno and process_type:
        raise click.UsageError("--dyno and --ps exclude each other.")
    first = parse_since(since, datetime.now(UTC)) if since else None
    if first and click.get_current_context().get_parameter_source("num") is ParameterSource.DEFAULT:
        num = MOST_LINES
    wishes = {"lines": num, "tail": tail, "source": source, "dyno": dyno or process_type}
    coloured = (force_colors or wants_colour(run)) and not no_color
    show_log(run, wishes, as_json=as_json, coloured=coloured, since=first)


def wants_colour(run: Run) -> bool:
    return run.out.has_colour(run.out.stdout) and run.env.get("HEROKU_LOGS_COLOR") != "0"


def parse_since(text: str, now: datetime) -> datetime:
    """`90s`, `10m`, `2h` and `3d` ago, or a time as ISO 8601 has it, in UTC. Raises click.UsageError."""
    if found := AGO.fullmatch(text):
        return now - timedelta(seconds=int(found[1]) * UNITS_S[found[2]])
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--since {text!r} is neither like 10m, 2h or 3d, nor like 2026-11-23T18:40.") from None
    return then.replace(tzinfo=UTC) if then.tzinfo is None else then.astimezone(UTC)


def show_log(
    run: Run,
    wishes: Mapping[str, object],
    *,
    as_json: bool = False,
    coloured: bool = False,
    since: datetime | None = None,
    ending: Ending | None = None,
) -> None:
    """Write an app's log to stdout; blocks of lines pass as they come, up to the ending of a dyno if one is given."""
    asked = {key: value for key, value in wishes.items() if value is not None}
    reader = LogReader(run.api, run.app, asked, tell=run.out.talk)
    stdout = run.out.stdout
    stdout.flush()
    change = as_json_lines if as_json else Colours().block if coloured else None
    blocks = lines_since(reader.blocks(), since) if since else reader.blocks()
    blocks = ending.of(blocks) if ending else blocks
    is_empty = True
    for block in blocks:
        is_empty = False
        stdout.buffer.write(change(block) if change else block)
        stdout.buffer.flush()
    if is_empty and (wanted := asked.get("dyno")):
        explain_silence(run, str(wanted))


def explain_silence(run: Run, wanted: str) -> None:
    """A dyno or type that may be mistyped: say so, with the nearest there are."""
    types = [each["type"] for each in run.api.formation(run.app)]
    if wanted.partition(".")[0] not in (*types, *ONE_OFF_TYPES):
        near = nearest(wanted.partition(".")[0], types)
        hint = f"Did you mean: {', '.join(near)}?" if near else f"Process types: {', '.join(types) or 'none yet'}"
        run.out.warn(f"The log of {run.app} has no line of {wanted}, and it has no such process type. {hint}")
