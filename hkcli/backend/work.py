"""One unit of work: a transaction, who asked for it, and what to do once it is committed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.orm import Session

from hkcli.backend.store import App, Store, User


class Log(Protocol):
    def write(self, app_id: str, source: str, dyno: str | None, text: str) -> None: ...


@dataclass
class Work:
    """Passed to every domain function that changes something. Nothing is logged or started before the commit."""

    session: Session
    user: User
    lines: list[tuple[str, str]] = field(default_factory=list)
    changed: bool = False
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    def say(self, app: App, text: str) -> None:
        """Write an event of the API to the app's log: `app[api]: TEXT by user E`."""
        self.lines.append((app.id, f"{text} by user {self.user.email}"))

    def note(self, app: App, text: str) -> None:
        """The same without the user: `app[api]: Build succeeded`."""
        self.lines.append((app.id, text))

    def reconcile(self) -> None:
        """What should run has changed."""
        self.changed = True

    def after(self, action: Callable[[], None]) -> None:
        """Do this once the transaction is committed."""
        self.afterwards.append(action)


def asked_by(user_id: str) -> Callable[[Session], User]:
    """For work that goes on after its request: who asked for it."""
    return lambda session: session.get_one(User, user_id)


@dataclass(frozen=True)
class Works:
    """Opens units of work, and does after the commit what they asked for."""

    store: Store
    log: Log
    wake: Callable[[], None]

    @contextmanager
    def begin(self, who: Callable[[Session], User]) -> Iterator[Work]:
        """`who` finds, in the transaction, whoever asks for the work."""
        with self.store.transaction() as session:
            work = Work(session, who(session))
            yield work
        for app_id, text in work.lines:
            self.log.write(app_id, "app", "api", text)
        for action in work.afterwards:
            action()
        if work.changed:
            self.wake()
