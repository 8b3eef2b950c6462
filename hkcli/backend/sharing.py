"""Apps shared with other users, and given away."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hkcli.backend import accounts, apps
from hkcli.backend.errors import Forbidden, InvalidParams, NotFound
from hkcli.backend.store import App, Collaborator, Transfer, User
from hkcli.backend.work import Work

STATES = ("accepted", "declined")


def collaborators(session: Session, app: App) -> list[Collaborator]:
    return list(session.scalars(select(Collaborator).where(Collaborator.app_id == app.id)))


def collaborator(session: Session, app: App, identity: str) -> Collaborator:
    """One by id, or by the user's email or id. Raises NotFound."""
    for each in collaborators(session, app):
        if identity in (each.id, each.user.email, each.user_id):
            return each
    raise NotFound("Couldn't find that user.", "collaborator")


def share(work: Work, app: App, identity: str) -> Collaborator:
    """Let a user work on the app. Raises Forbidden, InvalidParams."""
    apps.check_owner(app, work.user)
    user = accounts.find_user(work.session, identity)
    if user.id == app.owner_id or user.id in {each.user_id for each in collaborators(work.session, app)}:
        raise InvalidParams("User is already a collaborator on app.")
    return _let_in(work, app, user)


def _let_in(work: Work, app: App, user: User) -> Collaborator:
    added = Collaborator(app_id=app.id, user=user)
    work.session.add(added)
    work.session.flush()
    work.say(app, f"Add {user.email} as collaborator")
    return added


def unshare(work: Work, app: App, collaborator: Collaborator) -> None:
    """Take a user's access; everyone may give up their own. Raises Forbidden."""
    if collaborator.user_id != work.user.id:
        apps.check_owner(app, work.user)
    work.session.delete(collaborator)
    work.say(app, f"Remove {collaborator.user.email} as collaborator")


def transfers(session: Session, user: User) -> list[Transfer]:
    """What the user offered, or was offered."""
    query = select(Transfer).where(or_(Transfer.owner_id == user.id, Transfer.recipient_id == user.id))
    return list(session.scalars(query))


def transfer(session: Session, user: User, identity: str) -> Transfer:
    """One by its id or its app's name; of several for an app the newest. Raises NotFound."""
    for each in sorted(transfers(session, user), key=lambda each: each.created_at, reverse=True):
        if identity in (each.id, each.app.name):
            return each
    raise NotFound("Couldn't find that app transfer.", "app_transfer")


def offer(work: Work, app: App, identity: str) -> Transfer:
    """Offer the app to another user. Raises Forbidden, InvalidParams."""
    apps.check_owner(app, work.user)
    recipient = accounts.find_user(work.session, identity)
    if recipient.id == app.owner_id:
        raise InvalidParams(f"{recipient.email} is the owner of {app.name} already.")
    if any(each.app_id == app.id and each.state == "pending" for each in transfers(work.session, work.user)):
        raise InvalidParams(f"{app.name} is already being transferred.")
    offered = Transfer(app=app, owner=work.user, recipient=recipient)
    work.session.add(offered)
    work.session.flush()
    return offered


def answer(work: Work, transfer: Transfer, state: str) -> None:
    """Accept or decline; the app changes hands, and its former owner stays a collaborator. Raises InvalidParams."""
    if state not in STATES:
        raise InvalidParams(f"state must be one of: {', '.join(STATES)}")
    if transfer.recipient_id != work.user.id:
        raise Forbidden(f"Only {transfer.recipient.email} may answer this transfer.")
    _check_pending(transfer)
    transfer.state = state
    if state == "accepted":
        app = transfer.app
        for each in collaborators(work.session, app):
            if each.user_id == work.user.id:
                work.session.delete(each)
        app.owner = transfer.recipient
        _let_in(work, app, transfer.owner)
        work.say(app, f"Transfer from {transfer.owner.email}")


def withdraw(work: Work, transfer: Transfer) -> None:
    """Raises InvalidParams when it was answered."""
    if transfer.owner_id != work.user.id:
        raise Forbidden(f"Only {transfer.owner.email} may withdraw this transfer.")
    _check_pending(transfer)
    work.session.delete(transfer)


def _check_pending(transfer: Transfer) -> None:
    if transfer.state != "pending":
        raise InvalidParams(f"This transfer was {transfer.state} already.")
