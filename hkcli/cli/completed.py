"""Commands as a shell has to know them to complete their names, flags and values."""

from dataclasses import dataclass

import click

from hkcli.cli.dispatch import load
from hkcli.cli.table import names, resolve

FILE = "file"
"""The kind of value that the shell knows by itself."""
ARGUMENTS = {
    "access:remove": "collaborator",
    "access:update": "collaborator",
    "addons:add": "plan",
    "addons:attach": "addon",
    "addons:detach": "attachment",
    "addons:docs": "service",
    "addons:info": "addon",
    "addons:open": "addon",
    "addons:plans": "service",
    "addons:remove": "addon",
    "addons:rename": "addon",
    "addons:upgrade": "plan",
    "addons:wait": "addon",
    "apps:stacks:set": "stack",
    "backend:addons:add": FILE,
    "config:edit": "config-key",
    "config:get": "config-key",
    "config:set": "config-assignment",
    "config:unset": "config-key",
    "destroy": "app",
    "domains:info": "domain",
    "domains:remove": "domain",
    "domains:wait": "domain",
    "drains:remove": "drain",
    "features:disable": "feature",
    "features:enable": "feature",
    "features:info": "feature",
    "git:clone": FILE,
    "help": "command",
    "info": "app",
    "keys:add": FILE,
    "labs:disable": "feature",
    "labs:enable": "feature",
    "labs:info": "feature",
    "ps": "process-type",
    "ps:restart": "dyno",
    "ps:scale": "process-quantity",
    "ps:stop": "dyno",
    "ps:type": "process-quantity",
    "rake": "rake-task",
    "run": "process-type",
    "run:detached": "process-type",
}
"""What kind of value a command's words are."""
OPTIONS = {
    "--app": "app",
    "--confirm": "app",
    "--dyno": "dyno",
    "--dyno-name": "dyno",
    "--file": FILE,
    "--input": FILE,
    "--process-type": "process-type",
    "--ps": "process-type",
    "--region": "region",
    "--remote": "remote",
    "--stack": "stack",
    "--type": "process-type",
}
CHOICES = {"--source": ("app", "heroku")}


@dataclass(frozen=True)
class Flag:
    long: str
    short: str | None
    takes_value: bool
    kind: str | None
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Completed:
    """One command as a shell has to know it."""

    name: str
    summary: str
    flags: tuple[Flag, ...]
    kind: str | None
    has_remote_words: bool
    """After its first word, the rest is another program's."""


def every_command() -> list[Completed]:
    return [completed(name) for name in names()]


def completed(name: str) -> Completed:
    found = load(name)
    flags = [flag for parameter in found.params if isinstance(parameter, click.Option) for flag in flags_of(parameter)]
    return Completed(
        name=name,
        summary=found.get_short_help_str(limit=200).rstrip("."),
        flags=(*sorted(flags, key=lambda flag: flag.long), Flag("--help", "-h", False, None, (), "tell how to use it")),
        kind=ARGUMENTS.get(resolve(name)),
        has_remote_words=found.context_settings.get("allow_interspersed_args") is False,
    )


def flags_of(option: click.Option) -> list[Flag]:
    """The long flags of an option; its short one goes with the first."""
    if option.hidden:
        return []
    words = [*option.opts, *option.secondary_opts]
    long = [word for word in words if word.startswith("--")]
    short: list[str | None] = [word for word in words if not word.startswith("--")]
    takes_value = not option.is_flag
    choices = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
    return [
        Flag(
            long=word,
            short=short[0] if short and index == 0 else None,
            takes_value=takes_value,
            kind=OPTIONS.get(word) if takes_value else None,
            choices=tuple(map(str, choices)) or CHOICES.get(word, ()),
            help=option.help or "",
        )
        for index, word in enumerate(long)
    ]
