"""Dynos: listed, restarted, stopped; one-offs run."""

import random
from typing import TypeGuard

from hkcli.backend import catalog, desired, names, releases, schemas
from hkcli.backend.dynos import Dyno, DynoSpec
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.engines.local import Terminal
from hkcli.backend.errors import BadRequest, InvalidParams, NotFound
from hkcli.backend.one_offs import TIME_TO_LIVE_S
from hkcli.backend.rendezvous import HOLD_S
from hkcli.backend.store import App

MAX_COMMAND_CHARS = 100_000
MAX_SIZE = 9_999


def every(call: Call) -> Answer:
    dynos = call.platform.supervisor.dynos(call.app().id)
    return Collection([schemas.dyno(each) for each in dynos], ("name", "id", "created_at", "updated_at"))


def found(call: Call, app: App) -> Dyno:
    for each in call.platform.supervisor.dynos(app.id):
        if call.path("dyno") in (each.spec.name, each.id):
            return each
    raise NotFound("Couldn't find that dyno.", "dyno")


def info(call: Call) -> Answer:
    return schemas.dyno(found(call, call.app()))


def run(call: Call) -> Answer:
    app, command = call.app(), call.required("command")
    if len(command) > MAX_COMMAND_CHARS or "\0" in command:
        raise BadRequest(f"command must be at most {MAX_COMMAND_CHARS} characters, without NUL.")
    release = releases.current(call.session, app)
    if release is None or release.slug is None:
        raise InvalidParams(f"{app.name} has no code to run yet. Deploy it first: git push heroku main")
    spec = desired.one_off(
        app,
        release,
        unused_name(call, app),
        command,
        call.platform.home,
        environment=environment(call),
        size=catalog.size(call.text("size") or "Basic").name,
    )
    attach, without_terminal = call.flag("attach") or False, call.flag("force_no_tty") or False
    ours = call.request.headers.get("user-agent", "").startswith("hkcli/")
    dyno = call.platform.supervisor.run_one_off(
        spec,
        attach=attach,
        terminal=terminal_of(spec) if attach and not without_terminal else None,
        user=call.user.email,
        time_to_live_s=min(call.number("time_to_live") or TIME_TO_LIVE_S, TIME_TO_LIVE_S),
        hold_s=0 if ours else HOLD_S,
    )
    return schemas.dyno(dyno)


def unused_name(call: Call, app: App) -> str:
    process_type = names.check_process_type(call.text("type") or "run")
    taken = {each.spec.name for each in call.platform.supervisor.dynos(app.id)}
    while (name := f"{process_type}.{random.randrange(1000, 10_000)}") in taken:
        continue
    return name


def environment(call: Call) -> dict[str, str]:
    """What the client adds to the config vars; clients send numbers as well as texts. Raises InvalidParams."""
    given = {name: value for name, value in call.mapping("env").items() if value is not None}
    if odd := [name for name, value in given.items() if not isinstance(value, str | int | float)]:
        raise BadRequest(f"env must be an object of strings; {odd[0]} is none.")
    given = {name: str(value) for name, value in given.items()}
    for name, value in given.items():
        names.check_variable(name, value)
    return given


def terminal_of(spec: DynoSpec) -> Terminal:
    def number(name: str, otherwise: int) -> int:
        word = spec.env.get(name, "")
        return int(word) if word.isascii() and word.isdigit() and is_size(int(word)) else otherwise

    return Terminal(columns=number("COLUMNS", 80), lines=number("LINES", 24), term=spec.env.get("TERM", "xterm"))


def resize(call: Call) -> Answer:
    """Not part of Heroku's API, where the size of a terminal is what it was at the start."""
    dyno = found(call, call.app())
    columns, lines = (call.body.get(key) for key in ("columns", "lines"))
    if not (is_size(columns) and is_size(lines)):
        raise BadRequest(f"columns and lines must be numbers from 1 to {MAX_SIZE}.")
    if not call.platform.supervisor.resize(dyno, columns, lines):
        raise InvalidParams(f"{dyno.spec.name} has no terminal.")
    return {}


def is_size(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_SIZE


def restart_all(call: Call) -> Answer:
    call.platform.supervisor.restart(call.app().id, None)
    return {}


def restart_one(call: Call) -> Answer:
    app = call.app()
    call.platform.supervisor.restart(app.id, one_or_type(call, app))
    return {}


def restart_type(call: Call) -> Answer:
    app = call.app()
    call.platform.supervisor.restart(app.id, known_type(call, app))
    return {}


def stop_one(call: Call) -> Answer:
    app = call.app()
    call.platform.supervisor.stop(app.id, one_or_type(call, app))
    return {}


def one_or_type(call: Call, app: App) -> str:
    """What the path names as a dyno; as on Heroku, `worker` means all of them."""
    types = {each.spec.type for each in call.platform.supervisor.dynos(app.id)}
    return call.path("dyno") if call.path("dyno") in types else found(call, app).spec.name


def stop_type(call: Call) -> Answer:
    app = call.app()
    call.platform.supervisor.stop(app.id, known_type(call, app))
    return {}


def known_type(call: Call, app: App) -> str:
    process_type = call.path("type")
    if process_type not in {each.spec.type for each in call.platform.supervisor.dynos(app.id)}:
        raise NotFound(f"Couldn't find that process type ({process_type}).", "formation")
    return process_type


ROUTES = [
    route("GET", "/apps/{app}/dynos", every),
    route("POST", "/apps/{app}/dynos", run, status=201),
    route("DELETE", "/apps/{app}/dynos", restart_all, status=202),
    route("GET", "/apps/{app}/dynos/{dyno}", info),
    route("DELETE", "/apps/{app}/dynos/{dyno}", restart_one, status=202),
    route("POST", "/apps/{app}/dynos/{dyno}/actions/stop", stop_one, status=202),
    route("PUT", "/backend/apps/{app}/dynos/{dyno}/terminal", resize, status=202),
    route("DELETE", "/apps/{app}/formations/{type}", restart_type, status=202),
    route("POST", "/apps/{app}/formations/{type}/actions/stop", stop_type, status=202),
]
