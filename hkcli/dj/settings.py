"""What the environment asks of a worker."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from hkcli.dj.claiming import MAX_RUN_TIME, Limits

NO = {"", "0", "false", "no", "off"}
WORKER_NAME = re.compile(r"(?:.* )?host:(?P<host>\S+) pid:(?P<pid>\d+)\Z")
"""How the gem and we name a worker, its `name_prefix` before it; an app may name its own otherwise."""


class BadSetting(Exception):
    """A variable holds what cannot be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """`grace_s`: how long a job may go on after TERM before it is put back, to stay under the platform's 30 s."""

    worker_name: str
    limits: Limits = field(default_factory=Limits)
    max_attempts: int = 25
    sleep_delay_s: float = 5
    grace_s: float = 25
    destroy_failed_jobs: bool = True
    quiet: bool = False
    exit_on_complete: bool = False


def worker_name(environ: Mapping[str, str]) -> str:
    """`host:railgun.4682 pid:25794`: HOSTNAME is the dyno's name, which the machine's own does not tell."""
    return f"host:{environ.get('HOSTNAME') or socket.gethostname()} pid:{os.getpid()}"


def settings_from(environ: Mapping[str, str], exit_on_complete: bool = False) -> Settings:
    """The gem's variables, and DJ_... for what a Rails app sets in an initializer. Empty is unset.

    Raises BadSetting.
    """
    queues = environ.get("QUEUES") or environ.get("QUEUE") or ""
    return Settings(
        worker_name=worker_name(environ),
        limits=Limits(
            min_priority=_integer(environ, "MIN_PRIORITY"),
            max_priority=_integer(environ, "MAX_PRIORITY"),
            queues=tuple(name.strip() for name in queues.split(",") if name.strip()),
            max_run_time=timedelta(seconds=_seconds(environ, "DJ_MAX_RUN_TIME", MAX_RUN_TIME.total_seconds())),
        ),
        max_attempts=_integer(environ, "DJ_MAX_ATTEMPTS") or Settings.max_attempts,
        sleep_delay_s=_seconds(environ, "SLEEP_DELAY", Settings.sleep_delay_s),
        grace_s=_seconds(environ, "DJ_GRACE", Settings.grace_s),
        destroy_failed_jobs=environ.get("DJ_DESTROY_FAILED_JOBS", "true").lower() not in NO,
        quiet=environ.get("QUIET", "").lower() not in NO,
        exit_on_complete=exit_on_complete,
    )


def _integer(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadSetting(f"{name} is {text!r}. It must be a whole number, for example {name}=5") from None


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 10**9:
        raise BadSetting(f"{name} is {text!r}. It must be a number of seconds, for example {name}=5")
    return seconds
