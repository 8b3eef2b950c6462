"""What the platform remembers: SQLAlchemy models, and the one way to a transaction.

SQLite (WAL) by default, any SQLAlchemy URL by option. Everything that must be true after `kill -9` is here; the
constraints keep the promises (one version per app and number, one formation per type, one name per app).
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from hkcli.backend.errors import Restarting

SCHEMA_VERSION = 3

READING = ("SELECT", "PRAGMA")
CHANGED = "hkcli.changed"
"""Marks a connection whose transaction has done more than read."""


class StoreError(Exception):
    """The store cannot be opened; the message says why and what to do."""


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; SQLite has no zones, so they are stored naive."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


def now() -> datetime:
    return datetime.now(UTC)


def new_drain_token() -> str:
    return f"d.{uuid.uuid4()}"


class Record(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, dict[str, str]: JSON, list[str]: JSON, datetime: UTCDateTime}  # noqa: RUF012

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Schema(Record):
    """One row: the version of the tables."""

    __tablename__ = "schema"
    version: Mapped[int]


class User(Record):
    __tablename__ = "users"
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(255), default=None)
    verified: Mapped[bool] = mapped_column(default=True)
    """Whether they may have what costs something; on Heroku, whether there is a credit card."""
    second_factor: Mapped["SecondFactor | None"] = relationship(cascade="all, delete-orphan")


class SecondFactor(Record):
    """What a user has to give besides the password to log in: a code, always the same one."""

    __tablename__ = "second_factors"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    code_hash: Mapped[str] = mapped_column(String(255))


class Authorization(Record):
    """A token of a user. Only its SHA-256 is kept, and the few characters that name it in lists."""

    __tablename__ = "authorizations"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    description: Mapped[str] = mapped_column(Text)
    scope: Mapped[list[str]]
    token_id: Mapped[str] = mapped_column(String(36), default=lambda: str(uuid.uuid4()))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    token_hint: Mapped[str] = mapped_column(String(40))
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    user: Mapped[User] = relationship(lazy="joined")


class App(Record):
    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(String(30), unique=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    region: Mapped[str] = mapped_column(String(40), default="us")
    stack: Mapped[str] = mapped_column(String(40), default="heroku-24")
    maintenance: Mapped[bool] = mapped_column(default=False)
    config: Mapped[dict[str, str]] = mapped_column(default=dict)
    """Config vars, add-ons' own included. Replaced whole at each change: JSON is not tracked in place."""
    released_at: Mapped[datetime | None] = mapped_column(default=None)
    owner: Mapped[User] = relationship(lazy="joined")
    features: Mapped[list["Feature"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Slug(Record):
    __tablename__ = "slugs"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    process_types: Mapped[dict[str, str]]
    commit: Mapped[str | None] = mapped_column(String(64), default=None)
    buildpack: Mapped[str | None] = mapped_column(String(255), default=None)
    size_bytes: Mapped[int] = mapped_column(default=0)
    checksum: Mapped[str] = mapped_column(String(80))


class Build(Record):
    __tablename__ = "builds"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str] = mapped_column(String(12), default="pending")
    version: Mapped[str | None] = mapped_column(String(255), default=None)
    version_description: Mapped[str | None] = mapped_column(Text, default=None)
    buildpacks: Mapped[list[str]] = mapped_column(default=list)
    """Those that the request named."""
    source_url: Mapped[str | None] = mapped_column(Text, default=None)
    """Of an uploaded source; a push has none."""
    checksum: Mapped[str | None] = mapped_column(String(80), default=None)
    slug_id: Mapped[str | None] = mapped_column(ForeignKey("slugs.id"), default=None)
    release_id: Mapped[str | None] = mapped_column(ForeignKey("releases.id"), default=None)
    user: Mapped[User] = relationship(lazy="joined")


class Release(Record):
    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("app_id", "version"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    version: Mapped[int]
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(12), default="succeeded")
    slug_id: Mapped[str | None] = mapped_column(ForeignKey("slugs.id"), default=None)
    config: Mapped[dict[str, str]]
    plans: Mapped[list[str]] = mapped_column(default=list)
    has_output: Mapped[bool] = mapped_column(default=False)
    """Whether a command was to run before it took over."""
    slug: Mapped[Slug | None] = relationship(lazy="joined")
    user: Mapped[User] = relationship(lazy="joined")


class Formation(Record):
    __tablename__ = "formations"
    __table_args__ = (UniqueConstraint("app_id", "type"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    type: Mapped[str] = mapped_column(String(128))
    quantity: Mapped[int] = mapped_column(default=0)
    size: Mapped[str] = mapped_column(String(40), default="Basic")


class Addon(Record):
    __tablename__ = "addons"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    service: Mapped[str] = mapped_column(String(64))
    plan: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16), default="provisioned")
    """`requested` (its provider has not agreed yet), `provisioning`, `provisioned`, `deprovisioned`."""
    config: Mapped[dict[str, str]] = mapped_column(default=dict)
    """What the provider gave, by the variable's name without the attachment's prefix (`URL`)."""
    replaced: Mapped[dict[str, str]] = mapped_column(default=dict)
    """Config vars of its app that its own took the place of; they come back when it goes."""
    app: Mapped[App] = relationship(lazy="joined")


class PartnerService(Record):
    """A third party's add-on, as its manifest describes it; the manifest holds the password that we are known by."""

    __tablename__ = "partner_services"
    name: Mapped[str] = mapped_column(String(64), unique=True)
    manifest: Mapped[dict[str, Any]]
    environment: Mapped[str] = mapped_column(String(12))


class PartnerResource(Record):
    """An add-on at its partner's, with the add-on's id. It outlives the add-on until the partner knows of that."""

    __tablename__ = "partner_resources"
    service: Mapped[str] = mapped_column(String(64), index=True)
    options: Mapped[dict[str, Any]]
    provider_id: Mapped[str | None] = mapped_column(Text, default=None)
    """What the partner calls it; None before it has answered."""
    message: Mapped[str | None] = mapped_column(Text, default=None)
    log_drain_id: Mapped[str | None] = mapped_column(String(36), default=None)
    log_drain_token: Mapped[str | None] = mapped_column(String(40), default=None)
    access_hash: Mapped[str | None] = mapped_column(String(64), unique=True, default=None)
    """Of the token that the partner calls us with, good until `access_expires_at`."""
    refresh_hash: Mapped[str | None] = mapped_column(String(64), unique=True, default=None)
    access_expires_at: Mapped[datetime | None] = mapped_column(default=None)


class Attachment(Record):
    __tablename__ = "attachments"
    __table_args__ = (UniqueConstraint("app_id", "name"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    addon_id: Mapped[str] = mapped_column(ForeignKey("addons.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128))
    app: Mapped[App] = relationship(lazy="joined")
    addon: Mapped[Addon] = relationship(lazy="joined")

    @property
    def config_vars(self) -> list[str]:
        return sorted(f"{self.name}_{key}" for key in self.addon.config)


class Collaborator(Record):
    """A user besides the owner who may work on an app."""

    __tablename__ = "collaborators"
    __table_args__ = (UniqueConstraint("app_id", "user_id"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship(lazy="joined")


class Transfer(Record):
    """An app offered to another user."""

    __tablename__ = "transfers"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    recipient_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    app: Mapped[App] = relationship(lazy="joined")
    owner: Mapped[User] = relationship(lazy="joined", foreign_keys=[owner_id])
    recipient: Mapped[User] = relationship(lazy="joined", foreign_keys=[recipient_id])


class Domain(Record):
    """A host name of one's own; an app's `NAME.localhost` needs no row."""

    __tablename__ = "domains"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    hostname: Mapped[str] = mapped_column(String(253), unique=True)


class LogDrain(Record):
    __tablename__ = "log_drains"
    __table_args__ = (UniqueConstraint("app_id", "url"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    token: Mapped[str] = mapped_column(String(40), unique=True, default=new_drain_token)


class Key(Record):
    """An SSH public key of an account."""

    __tablename__ = "keys"
    __table_args__ = (UniqueConstraint("user_id", "fingerprint"),)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    public_key: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(47))
    comment: Mapped[str] = mapped_column(String(255))
    user: Mapped[User] = relationship(lazy="joined")


class Feature(Record):
    """A feature that an app has switched on."""

    __tablename__ = "features"
    __table_args__ = (UniqueConstraint("app_id", "name"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))


class Installation(Record):
    """A buildpack that an app is to be built with, at its place in the order, from 0."""

    __tablename__ = "buildpack_installations"
    __table_args__ = (UniqueConstraint("app_id", "ordinal"),)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int]
    buildpack: Mapped[str] = mapped_column(String(2000))
    """A URL, or a name such as `heroku/ruby`."""


class Pipeline(Record):
    __tablename__ = "pipelines"
    name: Mapped[str] = mapped_column(String(30), unique=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)


class Coupling(Record):
    """An app's place in a pipeline; it has at most one."""

    __tablename__ = "pipeline_couplings"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), unique=True)
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), index=True)
    stage: Mapped[str] = mapped_column(String(16))
    app: Mapped[App] = relationship(lazy="joined")
    pipeline: Mapped[Pipeline] = relationship(lazy="joined")


class Promotion(Record):
    """What one app runs, released by others of its pipeline. `targets`: app id to the id of the release made."""

    __tablename__ = "pipeline_promotions"
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), index=True)
    source_app_id: Mapped[str] = mapped_column(String(36))
    source_release_id: Mapped[str] = mapped_column(String(36))
    targets: Mapped[dict[str, str]]


class Store:
    """The database, opened. One process, one thread: transactions are short and serial by construction."""

    def __init__(self, url: str) -> None:
        try:
            self.engine = open_engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(f"The store {url} cannot be opened: {error}. Try: sqlite:////path/to/file") from error
        self._is_closed = False
        self.changes = 0
        """How many transactions have changed something; what was read is true as long as this stays the same."""
        event.listen(self.engine, "before_cursor_execute", _note_changes)
        event.listen(self.engine, "commit", self._committed)
        event.listen(self.engine, "rollback", lambda connection: connection.info.pop(CHANGED, None))
        try:
            Record.metadata.create_all(self.engine)
            with self.transaction() as session:
                found = session.query(Schema).one_or_none() or Schema(version=SCHEMA_VERSION)
                session.add(found)
        except SQLAlchemyError as error:
            raise StoreError(f"The store cannot be opened: {error.__cause__ or error}") from error
        if found.version != SCHEMA_VERSION:
            raise StoreError(
                f"The store was written by another version of the backend (schema {found.version}, this one reads "
                f"{SCHEMA_VERSION}). Start over with: heroku backend:reset"
            )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that is committed at the end of the block, or rolled back when it raises. Raises Restarting."""
        self.check_open()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def check_open(self) -> None:
        """Raises Restarting."""
        if self._is_closed:
            raise Restarting

    def _committed(self, connection: Connection) -> None:
        self.changes += connection.info.pop(CHANGED, 0)

    def identity(self) -> str:
        """What tells this store from every other."""
        with self.transaction() as session:
            return session.scalars(select(Schema.id)).one()

    def known(self) -> dict[str, set[str]]:
        """The ids of all that has files of its own: `app_ids`, `slug_ids`, `build_ids`."""
        with self.transaction() as session:
            kinds: dict[str, type[Record]] = {"app_ids": App, "slug_ids": Slug, "build_ids": Build}
            return {name: set(session.scalars(select(kind.id))) for name, kind in kinds.items()}

    def close(self) -> None:
        """For good: a file of the same name may belong to another state afterwards."""
        self._is_closed = True
        self.engine.dispose()


def _note_changes(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    if not statement.startswith(READING):
        connection.info[CHANGED] = 1


def open_engine(url: str) -> Engine:
    engine = create_engine(url, json_serializer=lambda value: json.dumps(value, ensure_ascii=False))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")
