"""The overview that `heroku help` gives: topics, which are what command names begin with, by what they are for."""

from collections.abc import Iterator, Mapping

from hkcli.cli.summaries import SUMMARIES
from hkcli.cli.table import names

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Your account": ("login", "logout", "whoami", "auth", "authorizations", "keys"),
    "Apps": ("apps", "create", "info", "rename", "open", "destroy", "access", "domains", "maintenance", "features"),
    "Code": ("git", "buildpacks", "releases"),
    "What runs": ("ps", "run", "rake", "console", "logs", "drains", "config"),
    "Add-ons and data": ("addons", "dj", "pg"),
    "A platform on this machine": ("quickstart", "backend"),
    "More": ("api", "labs", "regions", "status", "commands", "help", "autocomplete", "version"),
}

HEADLESS: Mapping[str, str] = {
    "auth": "The token that is used.",
    "backend": "Start, stop, save and restore it; its users and faults.",
    "git": "Git remotes that lead to apps, and clones.",
    "pg": "PostgreSQL databases of an app.",
}
"""What the topics are about that are not commands themselves."""


def topic_of(name: str) -> str:
    return name.partition(":")[0]


def overview() -> Iterator[str]:
    """Every topic once, with how many more commands it has."""
    yield "Usage: heroku COMMAND [--app APP] [options]"
    listed = names(aliases=False)
    width = max(len(topic) for topics in SECTIONS.values() for topic in topics)
    for section, topics in SECTIONS.items():
        yield from ("", section)
        for topic in topics:
            more = sum(topic_of(name) == topic and name != topic for name in listed)
            summary = SUMMARIES.get(topic) or HEADLESS[topic]
            yield f"  {topic:<{width}}  {summary}{f' (+{more})' if more else ''}"
    yield from ("", "(+N): so many more commands, as addons:add. See them: heroku help addons")
    yield "How to use one: heroku help COMMAND. Every one of them: heroku commands"
