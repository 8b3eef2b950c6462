"""Values that a shell completes, one a line: `heroku --complete KIND WORDS...`, WORDS being what is typed so far.

They come from the API and are kept for a minute in the user's cache directory. Whatever goes wrong, nothing is said.
"""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run

FRESH_S, FRESH_TASKS_S = 60.0, 600.0
TASK = re.compile(r"^rake (\S+)", re.MULTILINE)
KNOWN_TASKS = (
    *("db:migrate", "db:migrate:status", "db:rollback", "db:version"),
    *("jobs:check", "jobs:clear", "jobs:work", "jobs:workoff"),
)
"""Offered where asking would start a dyno that somebody pays for."""


def complete(run: Run, words: Sequence[str]) -> None:
    kind, *typed = words or ("",)
    if kind not in SOURCES and kind != "remote":
        return
    take_flags(run, typed or [""])
    run.is_hasty = kind != "rake-task"
    run.needs_app = kind not in ("app", "plan", "region", "remote", "service", "stack")
    with suppress(HerokuError, OSError):
        for value in values(run, kind, typed[-1] if typed else ""):
            run.out.line(value)


def take_flags(run: Run, words: Sequence[str]) -> None:
    """Find --app and --remote among words that are not finished yet."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        value = value if equals else following
        if flag in ("-a", "--app") and value:
            run.app_flag = value
        elif flag in ("-r", "--remote") and value:
            run.remote_flag = value


def values(run: Run, kind: str, current: str) -> list[str]:
    """All values of a kind. Raises HerokuError."""
    if kind == "remote":
        return [remote.name for remote in run.remotes.heroku]
    if kind == "plan" and ":" in current:
        service = current.partition(":")[0]
        return kept(run, f"plans of {service}", lambda: [plan["name"] for plan in run.api.plans(service)])
    source = SOURCES[kind]
    about = run.app if run.needs_app else ""
    fresh_s = FRESH_TASKS_S if kind == "rake-task" else FRESH_S
    return kept(run, f"{kind} {about}", lambda: sorted(set(source(run))), fresh_s)


def addon_names(run: Run) -> list[str]:
    return [name for addon in run.api.addons(run.app) for name in (addon["name"], addon["addon_service"]["name"])]


def dyno_names(run: Run) -> list[str]:
    return [name for dyno in run.api.dynos(run.app) for name in (dyno["name"], dyno["type"])]


def process_types(run: Run) -> list[str]:
    return [each["type"] for each in run.api.formation(run.app)]


def rake_tasks(run: Run) -> list[str]:
    """The tasks as the app's own rake lists them, if that costs nothing; else those that most apps have."""
    if not run.host.is_loopback:
        return list(KNOWN_TASKS)
    from hkcli.api.relay import Relay
    from hkcli.api.rendezvous import join

    authority = run.api.certificate_authority()
    dyno = run.api.create_dyno(run.app, {"command": "rake -T", "attach": True, "force_no_tty": True})
    secure, beginning = join(dyno["attach_url"] or "", run.env, authority)
    printed = [beginning]
    with secure:
        Relay(secure, None, printed.append, is_raw=False).run()
    return TASK.findall(b"".join(printed).decode(errors="replace")) or list(KNOWN_TASKS)


SOURCES: Mapping[str, Callable[[Run], list[str]]] = {
    "app": lambda run: [app["name"] for app in run.api.apps()],
    "addon": addon_names,
    "attachment": lambda run: [each["name"] for each in run.api.attachments(run.app)],
    "collaborator": lambda run: [each["user"]["email"] for each in run.api.collaborators(run.app)],
    "config-assignment": lambda run: [f"{key}=" for key in run.api.config_vars(run.app)],
    "config-key": lambda run: list(run.api.config_vars(run.app)),
    "domain": lambda run: [each["hostname"] for each in run.api.domains(run.app) if each["kind"] == "custom"],
    "drain": lambda run: [each["url"] for each in run.api.drains(run.app)],
    "dyno": dyno_names,
    "feature": lambda run: [each["name"] for each in run.api.features(run.app)],
    "plan": lambda run: [service["name"] for service in run.api.addon_services()],
    "process-quantity": lambda run: [f"{each}=" for each in process_types(run)],
    "process-type": process_types,
    "rake-task": rake_tasks,
    "region": lambda run: [each["name"] for each in run.api.regions()],
    "service": lambda run: [service["name"] for service in run.api.addon_services()],
    "stack": lambda run: [each["name"] for each in run.api.stacks()],
}


def kept(run: Run, what: str, look: Callable[[], list[str]], fresh_s: float = FRESH_S) -> list[str]:
    """What was found less than a minute ago by the same user on the same platform, else found now."""
    token = run.token_for(run.host) or ""
    key = hashlib.sha256(f"{run.host.api}\n{token}\n{what}".encode()).hexdigest()[:32]
    path = cache_folder(run.env) / f"{key}.json"
    with suppress(OSError, ValueError):
        if time.time() - path.stat().st_mtime < fresh_s:
            return [str(value) for value in json.loads(path.read_text())]
    found = look()
    with suppress(OSError):
        keep(path, found)
    return found


def keep(path: Path, found: list[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        json.dump(found, file)
    Path(temporary).replace(path)


def cache_folder(env: Mapping[str, str]) -> Path:
    base = env.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(env.get("HOME") or Path.home()) / ".cache") / "hkcli" / "completion"
