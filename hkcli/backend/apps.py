"""Apps: made, found, renamed, destroyed."""

from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from hkcli.backend import catalog, names, releases
from hkcli.backend.errors import Forbidden, InvalidParams, NotFound
from hkcli.backend.home import Home
from hkcli.backend.store import App, Build, Collaborator, Slug, User
from hkcli.backend.work import Work


def create(work: Work, home: Home, *, name: str | None, region: str | None, stack: str | None) -> App:
    """A new app with its database and its first two releases, as on Heroku. Raises InvalidParams."""
    app = App(
        name=unused_name(work.session, name),
        owner=work.user,
        region=catalog.region(region or "us").name,
        stack=catalog.stack(stack or "heroku-24").name,
    )
    work.session.add(app)
    work.session.flush()
    app.config = {"DATABASE_URL": f"sqlite3:{home.database(app.id)}"}
    releases.create(work, app, "Initial release")
    releases.create(work, app, "Enable Logplex")
    return app


def unused_name(session: Session, wanted: str | None) -> str:
    """The wanted name if it is allowed and free, else an invented one. Raises InvalidParams."""
    name = names.new_app() if wanted is None else names.check_app(wanted)
    if session.scalars(select(App.id).where(App.name == name)).first():
        if wanted is None:
            return unused_name(session, None)
        raise InvalidParams(f"Name {name} is already taken")
    return name


def find(session: Session, user: User, identity: str) -> App:
    """The app of this name or id. Raises NotFound, or Forbidden when it is neither the user's nor shared with them."""
    app = session.scalars(select(App).where(or_(App.name == identity, App.id == identity))).one_or_none()
    if app is None:
        raise NotFound("Couldn't find that app.", "app")
    if app.owner_id != user.id and app.id not in set(session.scalars(_shared_with(user))):
        raise Forbidden(f"You do not have access to the app {app.name}.")
    return app


def check_owner(app: App, user: User) -> None:
    """Raises Forbidden."""
    if app.owner_id != user.id:
        raise Forbidden(f"Only the owner of {app.name}, {app.owner.email}, may do that.")


def accessible(session: Session, user: User) -> list[App]:
    """Apps that the user owns or works on."""
    return list(session.scalars(select(App).where(visible_to(user))))


def visible_to(user: User) -> ColumnElement[bool]:
    """The condition on App of being the user's own or shared with them."""
    return or_(App.owner_id == user.id, App.id.in_(_shared_with(user)))


def _shared_with(user: User) -> Select[Any]:
    return select(Collaborator.app_id).where(Collaborator.user_id == user.id)


def rename(work: Work, app: App, name: str) -> None:
    if name != app.name:
        app.name = unused_name(work.session, name)
        work.reconcile()


def destroy(work: Work, home: Home, app: App) -> None:
    """Forget the app and all that is its own; what it ran stops at the next reconciliation."""
    slug_ids = set(work.session.scalars(select(Slug.id).where(Slug.app_id == app.id)))
    build_ids = set(work.session.scalars(select(Build.id).where(Build.app_id == app.id)))
    work.session.delete(app)
    work.after(lambda: home.forget(app.id, slug_ids=slug_ids, build_ids=build_ids))
    work.reconcile()
