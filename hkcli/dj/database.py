"""Which database DATABASE_URL means, and an engine for it that stores times as Rails does."""

import re
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

BUSY_TIMEOUT_MS = 30_000
SHORTEST_NAP_S, LONGEST_NAP_S = 0.000_05, 0.01
SQLITE_SCHEMES = ("sqlite3", "sqlite", "sqlite+pysqlite")
POSTGRESQL_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
RAILS_OWN_SETTINGS = {"pool", "timeout", "reaping_frequency", "checkout_timeout", "prepared_statements", "encoding"}
READ_ONLY = {"hkcli_read_only": True}


class DatabaseError(Exception):
    """The database cannot be used as asked; the message is meant for the reader."""


def database_url(environ: Mapping[str, str]) -> sa.URL:
    """What DATABASE_URL in this environment means. Raises DatabaseError."""
    text = environ.get("DATABASE_URL", "").strip()
    if not text:
        raise DatabaseError("DATABASE_URL is not set. Set it, for example: DATABASE_URL=sqlite3:/path/to/app.sqlite3")
    return parse_url(text)


def parse_url(text: str) -> sa.URL:
    """Rails' forms (`sqlite3:/absolute`, `sqlite3:relative`, `postgres://`) and SQLAlchemy's own.

    Raises DatabaseError.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in (*SQLITE_SCHEMES, *POSTGRESQL_SCHEMES):
        raise DatabaseError(
            f"DATABASE_URL begins with {scheme.split('/')[0]!r}, which is not a database known here. "
            "Use sqlite3:/path/to/file or postgres://user:password@host/name"
        )
    if scheme in SQLITE_SCHEMES:
        return sa.URL.create("sqlite", database=_sqlite_path(scheme, rest))
    try:
        url = sa.make_url(f"postgresql+psycopg:{rest}")
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(
            "DATABASE_URL is not a PostgreSQL address. It should read postgres://user:password@host:5432/name"
        ) from None
    return url.difference_update_query(RAILS_OWN_SETTINGS & set(url.query))


def _sqlite_path(scheme: str, rest: str) -> str:
    """Three slashes are an absolute path to Rails (`sqlite3:`) and a relative one to SQLAlchemy (`sqlite:`)."""
    path = rest.partition("?")[0]
    if path.startswith("///"):
        path = path[2:] if scheme == "sqlite3" else path[3:]
    elif path.startswith("//"):
        raise DatabaseError("DATABASE_URL names a host, but SQLite is a file. Use sqlite3:/path/to/file")
    if not path:
        raise DatabaseError("DATABASE_URL names no file. Use sqlite3:/path/to/file")
    return re.sub(r"\A/{2,}", "/", path)


def connect(url: sa.URL, foreign_keys: bool = True) -> sa.Engine:
    """An engine whose transactions on SQLite take the write lock at once, so that none fails half-way as busy.

    `foreign_keys` False is for migrations: SQLite would delete the rows that refer to a table while it is copied.
    """
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, connect_args={"application_name": "delayed_job"})
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    if not foreign_keys:
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # sqlite3's own implicit transactions would commit before DDL; None leaves BEGIN and COMMIT to us.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("hkcli_no_transaction"):
        # Straight to the driver: this is done twice a job.
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        try:
            if options.get("hkcli_read_only"):
                driver.execute("BEGIN")
            else:
                _begin_immediate(driver)
        except sqlite3.Error as error:  # which SQLAlchemy, not asked, does not translate
            raise sa.exc.DBAPIError("BEGIN", None, error) from error


def _begin_immediate(connection: sqlite3.Connection) -> None:
    """Wait for the write lock in naps as short as a worker's transactions: SQLite's own begin at twenty times that."""
    ends_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    nap_s = SHORTEST_NAP_S
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                    raise
            time.sleep(nap_s * (0.5 + time.perf_counter_ns() % 1000 / 1000))  # not all at the same time
            nap_s = min(nap_s * 1.2, LONGEST_NAP_S)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


class RailsTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime; on SQLite the text Active Record writes, on PostgreSQL a timestamp without zone."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.DateTime(timezone=False))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return to_text(value) if dialect.name == "sqlite" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return from_text(value) if isinstance(value, str) else value.replace(tzinfo=UTC) if value else None


def to_text(time: datetime) -> str:
    """`2030-01-02 03:04:05.123456` in UTC; a whole second has no fraction, as Active Record writes it."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def from_text(text: str) -> datetime | None:
    """The time in a column, or None when something else was written there: a strange row must not stop a worker."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
