"""`help`, `commands` and `version`: what this program can do, read from the table and the commands' docstrings."""

from collections.abc import Iterator
from typing import Any

import click

from hkcli.cli.context import Run, command, json_option
from hkcli.cli.dispatch import load, unknown_command
from hkcli.cli.summaries import SUMMARIES
from hkcli.cli.table import COMMANDS, also_known_as, names, resolve
from hkcli.cli.topics import HEADLESS, overview, topic_of
from hkcli.cli.version import version_text


@command("help")
@click.argument("topic", required=False)
@json_option
def help_(run: Run, topic: str | None, as_json: bool) -> None:
    """Show the topics, the commands of one, or how to use one."""
    if as_json:
        run.out.json(describe(topic))
        return
    if topic is None:
        for line in overview():
            run.out.line(line)
        return
    members = of_topic(topic)
    if topic in COMMANDS:
        run.out.line(help_text(topic))
    elif not members:
        raise unknown_command(topic)
    others = [name for name in members if name != resolve(topic)] if topic in COMMANDS else members
    if others:
        run.out.line(f"\nMore of {topic_of(topic)}:" if topic in COMMANDS else f"{HEADLESS[topic]}\n\nCommands:")
        list_commands(run, others)
    if topic not in COMMANDS:
        run.out.line("\nHow to use one: heroku help COMMAND")


def describe(topic: str | None) -> list[dict[str, Any]]:
    """The descriptions of all commands, or of a topic's. Raises click.UsageError."""
    if topic is None:
        return [description(name) for name in names(aliases=False)]
    chosen = dict.fromkeys([*([resolve(topic)] if topic in COMMANDS else []), *of_topic(topic)])
    if not chosen:
        raise unknown_command(topic)
    return [description(name) for name in chosen]


@command("commands")
@json_option
def commands(run: Run, as_json: bool) -> None:
    """List every command; as JSON with all its words."""
    if as_json:
        run.out.json(describe(None))
    else:
        list_commands(run, names(aliases=False))


@command("version")
@json_option
def version(run: Run, as_json: bool) -> None:
    """Show the version of this program."""
    if as_json:
        program, *runtime = version_text().split()
        name, _, number = program.partition("/")
        run.out.json({"name": name, "version": number, "runtime": " ".join(runtime)})
    else:
        run.out.line(version_text())


def of_topic(topic: str) -> list[str]:
    return [name for name in names(aliases=False) if topic_of(name) == topic]


def list_commands(run: Run, listed: list[str]) -> None:
    width = max(map(len, listed))
    room = run.out.width - width - 4 if run.out.stdout.isatty() else 200
    for name in listed:
        run.out.line(f"  {name:<{width}}  {shortened(SUMMARIES[name], room)}")


def shortened(text: str, room: int) -> str:
    """A sentence cut between words where there is no room for all of it."""
    return text if len(text) <= room else f"{text[: max(room - 3, 0)].rpartition(' ')[0]}..."


def help_text(name: str) -> str:
    """What `heroku NAME --help` prints."""
    found = load(name)
    return found.get_help(click.Context(found, info_name=f"heroku {resolve(name)}", **found.context_settings))


def description(name: str) -> dict[str, Any]:
    from hkcli.cli.examples import EXAMPLES

    found = load(name)
    return {
        "command": name,
        "aliases": also_known_as(name),
        "summary": found.get_short_help_str(limit=200),
        "arguments": list(arguments_of(found)),
        "options": list(options_of(found)),
        "examples": list(EXAMPLES.get(name, ())),
    }


def arguments_of(found: click.Command) -> Iterator[dict[str, Any]]:
    for parameter in found.params:
        if isinstance(parameter, click.Argument):
            yield {
                "name": parameter.make_metavar(click.Context(found)),
                "required": parameter.required,
                "many": parameter.nargs == -1,
            }


def options_of(found: click.Command) -> Iterator[dict[str, Any]]:
    for parameter in found.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield {
                "flags": [*parameter.opts, *parameter.secondary_opts],
                "value": None if parameter.is_flag else parameter.make_metavar(click.Context(found)),
                "many": parameter.multiple,
                "help": parameter.help or "",
            }
