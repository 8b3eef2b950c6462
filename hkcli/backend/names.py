"""Names: which are allowed, and where new ones come from."""

import random
import re

from hkcli.backend.errors import InvalidParams

APP = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")
CONFIG_VAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PROCESS_TYPE = re.compile(r"[A-Za-z0-9_-]{1,128}")
ATTACHMENT = re.compile(r"[A-Z][A-Z0-9_]*")
ADDON = re.compile(r"[a-z][a-z0-9-]{1,126}[a-z0-9]")
RESERVED_APPS = frozenset({"api", "git", "localhost", "www"})

ADJECTIVES = (
    "aged ancient autumn billowing bitter black blue bold broad calm cold cool crimson damp dark dawn deep fading "
    "fleeting flat floating fragrant frosty gentle green hidden icy lingering little lively long misty morning muddy "
    "nameless old patient plain polished proud purple quiet rapid red restless rough round shy silent small snowy "
    "solitary sparkling spring square still summer sweet tall tight twilight wandering weathered white wild winter"
).split()
NOUNS = (
    "art band bar base bird block boat bread breeze brook bush cake cell cherry cloud credit darkness dawn dew disk "
    "dream dust feather field fire firefly flower fog forest frog frost glade glitter grass hall hat haze heart hill "
    "king lab lake leaf limit math meadow mist mode moon morning mountain mouse mud night paper pine poetry pond "
    "queen rain recipe resonance rice river salad scene sea shadow shape silence sky smoke snow snowflake sound star "
    "sun sunset surf term thunder tooth tree truth union unit violet voice water waterfall wave wildflower wind wood"
).split()


def new_app() -> str:
    return f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}-{random.randrange(10_000, 100_000)}"


def new_addon(service: str) -> str:
    """As in `dj-round-12345`."""
    return f"{service.removeprefix('heroku-')}-{random.choice(ADJECTIVES)}-{random.randrange(10_000, 100_000)}"


def check_app(name: object) -> str:
    if not isinstance(name, str) or not APP.fullmatch(name):
        raise InvalidParams(
            "Name must start with a letter, end with a letter or digit and can only contain lowercase letters, digits, "
            "and dashes; it is 3 to 30 characters long."
        )
    if name in RESERVED_APPS:
        raise InvalidParams(f"Name {name} is already taken")
    return name


def check_variable(name: str, value: str) -> None:
    """Whether a process can be given this variable. Raises InvalidParams."""
    if not CONFIG_VAR.fullmatch(name):
        raise InvalidParams(
            f"Config var name {name!r} is not allowed: use letters, digits and underscores, not a digit first."
        )
    if "\0" in value:
        raise InvalidParams(f"Config var {name} holds a NUL byte, which no process can be given.")


def check_process_type(name: str) -> str:
    if not PROCESS_TYPE.fullmatch(name):
        raise InvalidParams(f"Process type {name!r} is not allowed: use letters, digits, dashes and underscores.")
    return name


def check_attachment(name: str) -> str:
    if not ATTACHMENT.fullmatch(name.upper()):
        raise InvalidParams(f"Attachment name {name!r} is not allowed: use letters, digits and underscores.")
    return name.upper()


def check_addon(name: str) -> str:
    if not ADDON.fullmatch(name):
        raise InvalidParams(f"Add-on name {name!r} is not allowed: use lowercase letters, digits and dashes.")
    return name
