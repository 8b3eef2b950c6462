"""SQLAlchemy's way to the same databases, for migrations and the status screens."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from hkcli.dj.database import NO_VALUES, Address, Values, from_text, to_text, zoneless
from hkcli.dj.sqlite import BUSY_TIMEOUT_MS, begin_immediate, prepare

READ_ONLY = {"hkcli_read_only": True}


def url_of(address: Address) -> sa.URL:
    if address.dialect == "sqlite":
        return sa.URL.create("sqlite", database=address.name)
    return sa.URL.create(
        "postgresql+psycopg",
        address.user,
        address.password,
        address.host,
        address.port,
        address.name,
        address.options,
    )


def connect(address: Address, foreign_keys: bool = True) -> sa.Engine:
    """An engine whose transactions on SQLite take the write lock at once, so that none fails half-way as busy.

    `foreign_keys` False is for migrations: SQLite would delete the rows that refer to a table while it is copied.
    """
    if address.dialect != "sqlite":
        unprepared = {} if address.prepares else {"prepare_threshold": None}
        return sa.create_engine(url_of(address), connect_args={"application_name": "delayed_job", **unprepared})
    engine = sa.create_engine(url_of(address), connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    sa.event.listen(engine, "connect", lambda connection, _: prepare(connection))
    sa.event.listen(engine, "begin", _begin_sqlite)
    if not foreign_keys:
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = OFF"))
    return engine


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("hkcli_no_transaction"):
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        if options.get("hkcli_read_only"):
            driver.execute("BEGIN")
        else:
            begin_immediate(driver)
    except sqlite3.Error as error:  # which SQLAlchemy, not asked, does not translate
        raise sa.exc.DBAPIError("BEGIN", None, error) from error


class RailsTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime; on SQLite the text Active Record writes, on PostgreSQL a timestamp without zone."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.DateTime(timezone=False))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return to_text(value) if dialect.name == "sqlite" else zoneless(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return from_text(value) if isinstance(value, str) else value.replace(tzinfo=UTC) if value else None


def times(*names: str) -> list[sa.BindParameter[Any]]:
    """Parameters that are stored as Rails stores times."""
    return [sa.bindparam(name, type_=RailsTime()) for name in names]


class EngineConnection:
    """A database.Connection of an engine, each statement on a connection of its pool. Raises SQLAlchemy's errors."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def rows(self, sql: str, values: Values = NO_VALUES) -> Sequence[sa.Row[Any]]:
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            return connection.execute(_bound(sql, values), values).all()

    def change(self, sql: str, values: Values = NO_VALUES) -> int:
        with self._engine.begin() as connection:
            return connection.execute(_bound(sql, values), values).rowcount

    def columns(self, table: str) -> Mapping[str, int | None]:
        inspector = sa.inspect(self._engine)
        if not inspector.has_table(table):
            return {}
        return {column["name"]: getattr(column["type"], "length", None) for column in inspector.get_columns(table)}


def _bound(sql: str, values: Values) -> sa.TextClause:
    return sa.text(sql).bindparams(*times(*(name for name, value in values.items() if isinstance(value, datetime))))
