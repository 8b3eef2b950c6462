"""Users, their passwords and their tokens."""

import base64
import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from hkcli.backend.addons.provider import Plan
from hkcli.backend.errors import Forbidden, InvalidParams, NotFound, Unauthorized, VerificationNeeded
from hkcli.backend.store import App, Authorization, Collaborator, Key, Pipeline, SecondFactor, Transfer, User, now

EMAIL = re.compile(r"[^@\s:]+@[^@\s:]+")
SECOND_FACTOR = re.compile(r"[0-9A-Za-z]{4,12}")
REDACTED = "*" * 10
SCOPES = ("global", "identity", "read", "write", "read-protected", "write-protected")
CLOSED = "$"
"""In place of a password's hash, which it never equals: the account was closed, its name stands in releases."""


@dataclass(frozen=True)
class Credentials:
    """What an Authorization header carried: a token, or an email with a password."""

    token: str | None = None
    email: str = ""
    password: str = ""


def parse_authorization(header: str) -> Credentials:
    """Bearer TOKEN, Basic `:TOKEN`, `user:TOKEN` or `email:password`. Raises Unauthorized."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return Credentials(token=value.strip())
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            raise Unauthorized() from None
        return Credentials(token=secret or name, email=name, password=secret)
    raise Unauthorized()


def admit(session: Session, header: str, method: str, path: str) -> User:
    """The user whose token this is, if it may make such a request. Raises Unauthorized, Forbidden."""
    return admitted(session, header, method, path).user


def admitted(session: Session, header: str, method: str, path: str) -> Authorization:
    """The authorization whose token this is, if it covers such a request. Raises Unauthorized, Forbidden."""
    found = find_authorization(session, parse_authorization(header).token or "")
    if not any(permits(scope, method, path) for scope in found.scope):
        raise Forbidden(f"This token may not do that: its scope is {', '.join(found.scope)}.")
    return found


def permits(scope: str, method: str, path: str) -> bool:
    """Whether a scope allows a request, as Heroku describes scopes; `read` and `write` leave config vars out."""
    is_read = method in ("GET", "HEAD")
    is_config = any(word.startswith("config") for word in path.split("/")[3:])
    is_of_account = path.startswith(("/account", "/oauth", "/users"))
    match scope:
        case "global":
            return True
        case "identity":
            return is_read and path == "/account"
        case "read" | "read-protected":
            return is_read and (not is_config or scope == "read-protected")
        case "write" | "write-protected":
            return (is_read or not is_of_account) and (not is_config or scope == "write-protected")
    return False


def find_authorization(session: Session, token: str) -> Authorization:
    found = session.scalars(select(Authorization).where(Authorization.token_hash == hash_token(token))).one_or_none()
    if found is None or (found.expires_at and found.expires_at < now()):
        raise Unauthorized()
    return found


def log_in(session: Session, email: str, password: str) -> User:
    """The user with this password. Raises Unauthorized."""
    user = with_email(session, email)
    if not is_password(password, user.password_hash if user else None) or user is None:
        raise Unauthorized
    return user


def with_email(session: Session, email: str) -> User | None:
    return session.scalars(select(User).where(User.email == email)).one_or_none()


def is_password(password: str, stored: str | None) -> bool:
    """Whether this is the password; slow on purpose, and as slow when there is nobody (None) to compare with."""
    known = stored if stored not in (None, CLOSED) else hash_password("", salt=b"\0" * 16)
    assert known is not None
    matches = hmac.compare_digest(hash_password(password, salt=bytes.fromhex(known.partition("$")[0])), known)
    return matches and known == stored


def check_may_pay(user: User, plan: Plan) -> None:
    """Raises VerificationNeeded."""
    if plan.cents and not user.verified:
        raise VerificationNeeded(f"this add-on plan, {plan.name}")


def find_user(session: Session, identity: str) -> User:
    """A user by email or id. Raises InvalidParams."""
    found = session.scalars(select(User).where(or_(User.email == identity, User.id == identity))).one_or_none()
    if found is None or found.password_hash == CLOSED:
        raise InvalidParams(f"This backend has no user {identity}. Add them: heroku backend:users:add {identity}")
    return found


def set_second_factor(user: User, code: str) -> None:
    """Ask for this code, too, from now on. Raises InvalidParams."""
    if not SECOND_FACTOR.fullmatch(code):
        raise InvalidParams("A two-factor code has 4 to 12 digits or letters.")
    user.second_factor = SecondFactor(code_hash=hash_password(code, salt=secrets.token_bytes(16)))


def restore_user(session: Session, email: str, password: str) -> User:
    """The user of this email, made if there is none, with this password."""
    user = with_email(session, email)
    if user is None:
        return create_user(session, email, password)
    user.password_hash = hash_password(password, salt=secrets.token_bytes(16))
    return user


def create_user(session: Session, email: str, password: str) -> User:
    if not EMAIL.fullmatch(email):
        raise InvalidParams(f"{email!r} is not an email address.")
    user = session.scalars(select(User).where(User.email == email)).one_or_none() or User(email=email)
    if user.password_hash not in (None, CLOSED):
        raise InvalidParams(f"Email {email} is already taken")
    user.password_hash = hash_password(password, salt=secrets.token_bytes(16))
    session.add(user)
    session.flush()
    return user


def users(session: Session) -> list[User]:
    """All whose account is not closed, the operator first."""
    return list(session.scalars(select(User).where(User.password_hash != CLOSED).order_by(User.created_at)))


def check_operator(session: Session, user: User) -> None:
    """The first user is whoever runs the backend. Raises Forbidden for others."""
    if users(session)[0].id != user.id:
        raise Forbidden("Only the user who runs this backend may do that.")


def close(session: Session, user: User) -> None:
    """End an account: its tokens and its access. Raises InvalidParams while it owns something, or runs the backend."""
    if users(session)[0].id == user.id:
        raise InvalidParams(f"{user.email} runs this backend and cannot be removed.")
    owned = [*session.scalars(select(App.name).where(App.owner_id == user.id))]
    owned += session.scalars(select(Pipeline.name).where(Pipeline.owner_id == user.id))
    if owned:
        raise InvalidParams(f"{user.email} owns {', '.join(sorted(owned))}. Destroy or transfer that first.")
    for kind in (Authorization, Collaborator, Key):
        session.execute(delete(kind).where(kind.user_id == user.id))
    session.execute(delete(Transfer).where(or_(Transfer.owner_id == user.id, Transfer.recipient_id == user.id)))
    user.password_hash, user.name, user.second_factor = CLOSED, None, None
    session.flush()


def authorize(
    session: Session,
    user: User,
    description: str,
    *,
    scope: list[str] | None = None,
    expires_in_s: int | None = None,
    token: str | None = None,
) -> tuple[Authorization, str]:
    """A new authorization and its token, which is not to be had again; a new one, unless one is given."""
    token = token or new_token()
    authorization = Authorization(
        user=user,
        user_id=user.id,
        description=description,
        scope=scope or ["global"],
        token_hash=hash_token(token),
        token_hint=hint(token),
        expires_at=now() + timedelta(seconds=expires_in_s) if expires_in_s else None,
    )
    session.add(authorization)
    session.flush()
    return authorization, token


def regenerate(session: Session, authorization: Authorization) -> str:
    """A new token in place of the old one, which is good no longer."""
    token = new_token()
    authorization.token_id = str(uuid.uuid4())
    authorization.token_hash, authorization.token_hint = hash_token(token), hint(token)
    session.flush()
    return token


def new_token() -> str:
    return f"HRKU-{secrets.token_urlsafe(36)}"


def hint(token: str) -> str:
    """What lists show of a token: enough to tell it from others, as the official CLI does at logout."""
    return f"{token[:9]}{REDACTED}{token[-4:]}"


def authorizations(session: Session, user: User) -> list[Authorization]:
    return list(session.scalars(select(Authorization).where(Authorization.user_id == user.id)))


def authorization(session: Session, user: User, identity: str) -> Authorization:
    """One of the user's own; `~` is the oldest, the default one. Raises NotFound."""
    own = sorted(authorizations(session, user), key=lambda each: each.created_at)
    for each in own:
        if identity in (each.id, "~"):
            return each
    raise NotFound("Couldn't find that authorization.", "authorization")


def hash_password(password: str, *, salt: bytes) -> str:
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


def hash_token(token: str) -> str:
    """Tokens are long and random, so one fast hash keeps them as safe as a slow one would."""
    return hashlib.sha256(token.encode()).hexdigest()
