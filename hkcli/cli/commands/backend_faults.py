"""Faults on purpose, to see how scripts take them."""

from typing import Any

import click

from hkcli.cli.commands.backend_users import as_operator
from hkcli.cli.context import Run, command, json_option


def effect(fault: dict[str, Any]) -> str:
    parts = [f"status {fault['status']}"] * bool(fault["status"]) + [f"{fault['delay_s']} s late"] * bool(
        fault["delay_s"]
    )
    return ", ".join(parts)


@command("backend:faults")
@json_option
def backend_faults(run: Run, as_json: bool) -> None:
    """List the faults that are on."""
    faults = as_operator(run).faults()
    if as_json:
        run.out.json(faults)
    else:
        rows = [(each["pattern"], effect(each), str(each["times"] or "until cleared")) for each in faults]
        run.out.table(("request", "effect", "times"), rows)


@command("backend:faults:add")
@click.argument("pattern")
@click.option("--status", type=click.IntRange(400, 599), help="answer with this status, and do nothing else")
@click.option("--delay", type=click.FloatRange(0, 600), metavar="SECONDS", help="wait before anything else")
@click.option("--times", type=click.IntRange(1), metavar="N", help="so many requests; by default until it is cleared")
@json_option
def backend_faults_add(
    run: Run, pattern: str, status: int | None, delay: float | None, times: int | None, as_json: bool
) -> None:
    """Let requests fail, or be answered late.

    The pattern is 'METHOD /PATH', where * stands for anything.
    """
    with run.out.progress(f"Adding a fault for {pattern}"):
        fault = as_operator(run).add_fault({"pattern": pattern, "status": status, "delay_s": delay, "times": times})
    if as_json:
        run.out.json(fault)


@command("backend:faults:clear")
@json_option
def backend_faults_clear(run: Run, as_json: bool) -> None:
    """End every fault."""
    with run.out.progress("Clearing faults") as step:
        cleared = as_operator(run).clear_faults()
        step.done(str(len(cleared)))
    if as_json:
        run.out.json(cleared)
