"""`heroku logs`: an app's log, as it was or as it comes."""

from collections.abc import Mapping

import click

from hkcli.api.logs import LogReader
from hkcli.cli.context import Run, app_command
from hkcli.cli.log_lines import Colours, as_json_lines

MOST_LINES = 1500


@app_command("logs", epilog="Examples: heroku logs -n 20 --dyno worker    heroku logs --tail")
@click.option("-n", "--num", type=click.IntRange(0, MOST_LINES), default=100, metavar="COUNT", help="how many lines")
@click.option("-t", "--tail", is_flag=True, help="go on as new lines come")
@click.option("-s", "--source", metavar="SOURCE", help="only app, or only heroku")
@click.option("-d", "--dyno", "--dyno-name", metavar="DYNO", help="only this dyno, as in worker.1, or type of dyno")
@click.option("-p", "--ps", "--process-type", "process_type", metavar="TYPE", help="only dynos of this type")
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
    as_json: bool,
    force_colors: bool,
    no_color: bool,
) -> None:
    """Show the log of an app."""
    if dyno and process_type:
        raise click.UsageError("--dyno and --ps exclude each other.")
    wishes = {"lines": num, "tail": tail, "source": source, "dyno": dyno or process_type}
    coloured = force_colors or (run.out.has_colour(run.out.stdout) and run.env.get("HEROKU_LOGS_COLOR") != "0")
    show_log(run, wishes, as_json=as_json, coloured=coloured and not no_color)


def show_log(run: Run, wishes: Mapping[str, object], *, as_json: bool = False, coloured: bool = False) -> None:
    """Write an app's log to stdout; blocks of lines pass as they come."""
    asked = {key: value for key, value in wishes.items() if value is not None}
    reader = LogReader(run.api, run.app, asked, tell=run.out.talk)
    stdout = run.out.stdout
    stdout.flush()
    change = as_json_lines if as_json else Colours().block if coloured else None
    for block in reader.blocks():
        stdout.buffer.write(change(block) if change else block)
        stdout.buffer.flush()
