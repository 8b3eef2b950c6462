"""Which buildpacks an app is to be built with, in order; none means that its files tell."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend.errors import InvalidParams
from hkcli.backend.store import App, Installation
from hkcli.backend.work import Work

OFFICIAL = "https://github.com/heroku/heroku-buildpack-"


def of_app(session: Session, app: App) -> list[Installation]:
    query = select(Installation).where(Installation.app_id == app.id).order_by(Installation.ordinal)
    return list(session.scalars(query))


def replace(work: Work, app: App, buildpacks: Sequence[object]) -> list[Installation]:
    """From the next build on, these. Raises InvalidParams for one that is named twice or not at all."""
    wanted = [normal(each) for each in buildpacks]
    if len(set(wanted)) != len(wanted):
        raise InvalidParams("A buildpack can be set only once per app.")
    for each in of_app(work.session, app):
        work.session.delete(each)
    work.session.flush()
    work.session.add_all(Installation(app_id=app.id, ordinal=at, buildpack=each) for at, each in enumerate(wanted))
    work.session.flush()
    return of_app(work.session, app)


def normal(buildpack: object) -> str:
    """As it is kept: `heroku/ruby` for every name of an official one, else the URL or name. Raises InvalidParams."""
    if not isinstance(buildpack, str):
        raise InvalidParams(f"Buildpack {buildpack!r} must be a string: a URL, or a name such as heroku/ruby.")
    short = buildpack.strip().removesuffix(".git").removeprefix(OFFICIAL).removeprefix("urn:buildpack:")
    if not short or any(each.isspace() for each in short):
        raise InvalidParams(f"Buildpack {buildpack!r} is neither a URL nor a name such as heroku/ruby.")
    if buildpack.strip().startswith(OFFICIAL):
        return f"heroku/{short}"
    return buildpack.strip() if urlsplit(buildpack.strip()).scheme in ("http", "https", "ssh", "git", "file") else short
