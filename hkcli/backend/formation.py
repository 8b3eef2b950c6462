"""The formation: how many dynos of each process type should run, and of what size."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import catalog, providers
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.store import Addon, App, Formation, Release
from hkcli.backend.work import Work

MAX_QUANTITY = 100
HIDDEN_TYPES = frozenset({"release"})
"""Types that a Procfile declares but that are never scaled."""


def follow(work: Work, app: App, release: Release) -> None:
    """Make the formation fit a new release: its slug's types, web 1 at the first deploy, what add-ons hold."""
    if release.slug is None:
        return
    types = [each for each in release.slug.process_types if each not in HIDDEN_TYPES]
    existing = {each.type: each for each in every(work.session, app)}
    for process_type in types:
        if process_type not in existing:
            quantity = 1 if process_type == "web" and not existing else 0
            work.session.add(Formation(app_id=app.id, type=process_type, quantity=quantity))
    for process_type, row in existing.items():
        if process_type not in types:
            work.session.delete(row)
    work.session.flush()
    if not existing and types:
        _say_scaled(work, app, every(work.session, app))
    hold(work, app)


def hold(work: Work, app: App) -> None:
    """Scale what add-ons hold to what their plans say, and say so."""
    rows = {each.type: each for each in every(work.session, app)}
    held = holds(work.session, app)
    changed = [each for each in held if each in rows and rows[each].quantity != held[each][0]]
    for process_type in changed:
        rows[process_type].quantity = held[process_type][0]
    if changed:
        _say_scaled(work, app, [rows[each] for each in changed])


def release_hold(work: Work, app: App, addon: Addon) -> None:
    """Scale down what an add-on that goes away had held."""
    held = providers.provider(addon.service).holds(addon.plan)
    rows = [each for each in every(work.session, app) if each.type in held]
    for row in rows:
        row.quantity = 0
    if rows:
        _say_scaled(work, app, rows)


def holds(session: Session, app: App) -> dict[str, tuple[int, Addon]]:
    """Quantities that add-ons keep fixed, by process type, and the add-on that does."""
    held = {}
    for addon in session.scalars(select(Addon).where(Addon.app_id == app.id, Addon.state == "provisioned")):
        for process_type, quantity in providers.provider(addon.service).holds(addon.plan).items():
            held[process_type] = (quantity, addon)
    return held


def every(session: Session, app: App) -> list[Formation]:
    """All rows of the app, by type; none before the first deploy."""
    return list(session.scalars(select(Formation).where(Formation.app_id == app.id).order_by(Formation.type)))


def find(session: Session, app: App, identity: str) -> Formation:
    for each in every(session, app):
        if identity in (each.type, each.id):
            return each
    raise NotFound(f"Couldn't find that process type ({identity}).", "formation")


def scale(work: Work, app: App, updates: list[Mapping[str, Any]]) -> list[Formation]:
    """Carry out quantities (`2`, `"2"`, `"+1"`, `"-1"`) and sizes, all or none. Raises InvalidParams, NotFound."""
    if not every(work.session, app):
        raise InvalidParams(f"App {app.name} has no process types yet. Deploy it first: git push heroku main")
    held = holds(work.session, app)
    changed = []
    for update in updates:
        row = find(work.session, app, str(update.get("type") or update.get("process") or ""))
        if update.get("quantity") is not None:
            row.quantity = _quantity(row, update["quantity"])
            if row.type in held and row.quantity != held[row.type][0]:
                raise InvalidParams(_held_message(app, row.type, *held[row.type]))
        if wanted := _size(update):
            row.size = catalog.size(wanted).name
        changed.append(row)
    if changed:
        _say_scaled(work, app, changed)
        work.reconcile()
    return changed


def _held_message(app: App, process_type: str, quantity: int, addon: Addon) -> str:
    return (
        f"{process_type} is held at {quantity} by the add-on {addon.name} ({addon.plan}). Change its plan "
        f"(heroku addons:plans {addon.service}) or remove it: heroku addons:remove {addon.service} --app {app.name}"
    )


def _quantity(row: Formation, wanted: object) -> int:
    word = str(wanted)
    if isinstance(wanted, bool) or not re.fullmatch(r"[+-]?[0-9]{1,9}", word):
        raise InvalidParams(f"Quantity {word!r} of {row.type} is not a number such as 2, +1 or -1.")
    quantity = int(word) + (row.quantity if word[0] in "+-" else 0)
    if not 0 <= quantity <= MAX_QUANTITY:
        raise InvalidParams(f"Cannot scale {row.type} to {quantity}: a process type has 0 to {MAX_QUANTITY} dynos.")
    return quantity


def _size(update: Mapping[str, Any]) -> str | None:
    wanted = update.get("size") or update.get("dyno_size")
    if isinstance(wanted, Mapping):
        wanted = wanted.get("name") or wanted.get("id")
    return str(wanted) if wanted else None


def _say_scaled(work: Work, app: App, rows: list[Formation]) -> None:
    work.say(app, "Scaled to " + " ".join(f"{row.type}@{row.quantity}:{row.size}" for row in rows))
