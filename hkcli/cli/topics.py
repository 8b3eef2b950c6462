"""The overview that `heroku help` gives: topics, which are what command names begin with, by what they are for."""

from collections.abc import Mapping

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
