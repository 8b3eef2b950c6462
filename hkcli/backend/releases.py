"""Releases: a numbered pair of slug and config for every change of either."""

import re
from collections.abc import Mapping

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from hkcli.backend import formation, names
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.store import Addon, App, Build, Release, Slug, now
from hkcli.backend.work import Work

COMMAND_TYPE = "release"
"""The process type that runs before a release takes over."""

VERSION = re.compile(r"v?[0-9]{1,9}")


def create(work: Work, app: App, description: str, *, slug: Slug | None = None, runs_command: bool = True) -> Release:
    """The next release, of `app.config` as it is now and of the slug given, or the one that runs, or is about to.

    It is pending when the slug has a command to run first, and when it follows a release that is pending."""
    before = latest(work.session, app)
    base = newest(work.session, app, "succeeded", "pending")
    slug = slug or (base.slug if base else None)
    has_command = slug is not None and COMMAND_TYPE in slug.process_types
    is_pending = has_command and (runs_command or (base is not None and base.status == "pending"))
    release = Release(
        app_id=app.id,
        user=work.user,
        version=before.version + 1 if before else 1,
        description=description,
        status="pending" if is_pending else "succeeded",
        has_output=is_pending,
        slug=slug,
        config=dict(app.config),
        plans=sorted(
            work.session.scalars(select(Addon.plan).where(Addon.app_id == app.id, Addon.state != "requested"))
        ),
    )
    work.session.add(release)
    work.session.flush()
    work.say(app, description)
    work.say(app, f"Release v{release.version} created")
    if not is_pending:
        app.released_at = now()
        formation.follow(work, app, release)
    work.reconcile()
    return release


def latest(session: Session, app: App) -> Release | None:
    query = select(Release).where(Release.app_id == app.id).order_by(Release.version.desc()).limit(1)
    return session.scalars(query).one_or_none()


def current(session: Session, app: App) -> Release | None:
    """The newest release that succeeded: what runs."""
    return newest(session, app, "succeeded")


def newest(session: Session, app: App, *statuses: str) -> Release | None:
    query = (
        select(Release)
        .where(Release.app_id == app.id, Release.status.in_(statuses))
        .order_by(Release.version.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def slug_sizes(session: Session, *conditions: ColumnElement[bool]) -> dict[str, int]:
    """Bytes of the slug that runs, by app id, for apps that have one; one question for all of them."""
    newest = (
        select(Release.app_id, func.max(Release.version).label("version"))
        .where(Release.status == "succeeded", *conditions)
        .group_by(Release.app_id)
        .subquery()
    )
    query = (
        select(Release.app_id, Slug.size_bytes)
        .join(newest, (Release.app_id == newest.c.app_id) & (Release.version == newest.c.version))
        .join(Slug, Release.slug_id == Slug.id)
    )
    return {app_id: size_bytes for app_id, size_bytes in session.execute(query)}


def of_build(session: Session, build: Build) -> Release | None:
    return session.get(Release, build.release_id) if build.release_id else None


def every(session: Session, app: App) -> list[Release]:
    return list(session.scalars(select(Release).where(Release.app_id == app.id)))


def find(session: Session, app: App, identity: str) -> Release:
    """A release by version (`7`, `v7`), id, or `current`. Raises NotFound."""
    if identity == "current":
        found = current(session, app)
    elif VERSION.fullmatch(identity):
        found = _one(session, app, Release.version == int(identity.removeprefix("v")))
    else:
        found = _one(session, app, Release.id == identity)
    if found is None:
        raise NotFound("Couldn't find that release.", "release")
    return found


def _one(session: Session, app: App, condition: object) -> Release | None:
    return session.scalars(select(Release).where(Release.app_id == app.id, condition)).one_or_none()  # type: ignore[arg-type]


def roll_back(work: Work, app: App, target: Release) -> Release:
    """A new release with the slug and config of an old one. Raises InvalidParams."""
    if target.slug is None:
        raise InvalidParams(f"v{target.version} has no slug, so it cannot be rolled back to. Choose a later release.")
    app.config = dict(target.config)
    return create(work, app, f"Rollback to v{target.version}", slug=target.slug)


def deploy(work: Work, app: App, slug_id: str, description: str | None) -> Release:
    """A new release of a slug that the app has. Raises NotFound."""
    slug = work.session.get(Slug, slug_id)
    if slug is None or slug.app_id != app.id:
        raise NotFound("Couldn't find that slug.", "slug")
    return create(work, app, description or f"Deploy {(slug.commit or slug.id)[:8]}", slug=slug)


def set_config(work: Work, app: App, changes: Mapping[str, str | None]) -> None:
    """Set config vars, remove those that are None; a release when that changes anything. Raises InvalidParams."""
    for name, value in changes.items():
        if not isinstance(value, str | None):
            raise InvalidParams(f"Config var {name} must be a string.")
        names.check_variable(name, value or "")
    updated = {**app.config, **{name: value for name, value in changes.items() if value is not None}}
    for name in changes:
        if changes[name] is None:
            updated.pop(name, None)
    if updated == app.config:
        return
    given = sorted(name for name in changes if updated.get(name) != app.config.get(name) and name in updated)
    removed = sorted(name for name in changes if name in app.config and name not in updated)
    app.config = updated
    words = [f"Set {', '.join(given)}"] * bool(given) + [f"Remove {', '.join(removed)}"] * bool(removed)
    create(work, app, f"{', '.join(words)} config vars")
