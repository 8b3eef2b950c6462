"""Faults on purpose, to see how scripts take them."""

from typing import Any

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.commands.backend_users import as_operator
from hkcli.cli.context import Run, command, json_option

SHORT_ID, UNLIMITED = 8, "until cleared"


def effect(fault: dict[str, Any]) -> str:
    """What happens to a request: `5.0 s late, status 503, 30% of them (seed 7)`."""
    parts = {
        "{delay_s} s late": fault["delay_s"],
        "status {status}": fault["status"],
        "cut off after {cut_lines} lines": fault["cut_lines"],
        "cut off after {cut_bytes} bytes": fault["cut_bytes"],
        "cut off after {cut_s} s": fault["cut_s"],
        "provisioning {provisioning}": fault["provisioning"],
        "{chance:.0%} of them (seed {seed})": fault["chance"],
    }
    return ", ".join(text.format(**fault) for text, value in parts.items() if value)


def times_left(fault: dict[str, Any]) -> str:
    return UNLIMITED if fault["times"] is None else str(fault["times"])


@command("backend:faults")
@json_option
def backend_faults(run: Run, as_json: bool) -> None:
    """List the faults that are on."""
    faults = as_operator(run).faults()
    if as_json:
        run.out.json(faults)
    else:
        rows = [
            (
                each["id"][:SHORT_ID],
                each["pattern"],
                effect(each),
                times_left(each),
                str(each["met"]),
            )
            for each in faults
        ]
        run.out.table(("id", "request", "effect", "times left", "met"), rows)


@command("backend:faults:add")
@click.argument("pattern")
@click.option(
    "--status",
    type=click.IntRange(400, 599),
    metavar="STATUS",
    help="answer with this status (429: as Heroku's rate limit)",
)
@click.option("--delay", type=click.FloatRange(0, 600), metavar="SECONDS", help="wait before anything else")
@click.option("--cut-lines", type=click.IntRange(1), metavar="N", help="break the answer off after N lines of a log")
@click.option("--cut-bytes", type=click.IntRange(1), metavar="N", help="break it off after N bytes")
@click.option("--cut-after", type=click.FloatRange(0, 600, min_open=True), metavar="SECONDS", help="break it off then")
@click.option(
    "--provisioning",
    type=click.Choice(["fails", "hangs"]),
    help="let an add-on be asked for, but not come to be; one that hangs does when the fault is cleared",
)
@click.option("--times", type=click.IntRange(1), metavar="N", help="so many requests; by default until it is cleared")
@click.option(
    "--chance", type=click.FloatRange(0, 1, min_open=True), metavar="P", help="of a request to meet it, 0 to 1"
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="with --chance: the same requests as last time")
@json_option
def backend_faults_add(
    run: Run,
    pattern: str,
    status: int | None,
    delay: float | None,
    cut_lines: int | None,
    cut_bytes: int | None,
    cut_after: float | None,
    provisioning: str | None,
    times: int | None,
    chance: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Let requests fail, be answered late, or break off.

    The pattern is 'METHOD /PATH', where * stands for anything. What is under /backend/ never fails.
    """
    wishes = {
        "pattern": pattern,
        "status": status,
        "delay_s": delay,
        "cut_lines": cut_lines,
        "cut_bytes": cut_bytes,
        "cut_s": cut_after,
        "provisioning": provisioning,
        "times": times,
        "chance": chance,
        "seed": seed,
    }
    with run.out.progress(f"Adding a fault for {pattern}") as step:
        fault = as_operator(run).add_fault(wishes)
        step.done(effect(fault))
    if as_json:
        run.out.json(fault)


@command("backend:faults:clear")
@click.argument("fault", required=False, metavar="[ID]")
@json_option
def backend_faults_clear(run: Run, fault: str | None, as_json: bool) -> None:
    """End every fault, or the one with this id."""
    api = as_operator(run)
    with run.out.progress("Clearing faults") as step:
        cleared = api.clear_faults() if fault is None else [api.clear_fault(id_of(fault, api.faults()))]
        step.done(str(len(cleared)))
    if as_json:
        run.out.json(cleared)


def id_of(beginning: str, faults: list[Any]) -> str:
    """Raises HerokuError when it is not the beginning of one id."""
    found = [str(each["id"]) for each in faults if each["id"].startswith(beginning)]
    if len(found) != 1:
        what = f"{len(found)} faults have" if found else "No fault has"
        raise HerokuError(f"{what} an id that begins with {beginning}.", next=("See them: heroku backend:faults",))
    return found[0]
