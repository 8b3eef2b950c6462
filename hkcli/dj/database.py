"""Which database DATABASE_URL means, and connections to it by its own driver: what a worker and an enqueuer import.

SQLAlchemy, of which a worker would use little and pay for all, is only behind engine.py. In SQL a value is `:name`; an
aware datetime is stored as Rails stores times.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Semaphore
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

SQLITE_SCHEMES = ("sqlite3", "sqlite", "sqlite+pysqlite")
POSTGRESQL_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
MOST_CONNECTIONS, TURN_S = 15, 30
"""So many threads of a process use a database at the same time; another waits so long for its turn."""
RAILS_OWN_SETTINGS = {"pool", "timeout", "reaping_frequency", "checkout_timeout", "prepared_statements", "encoding"}
SERVER = re.compile(
    r"//((?P<user>[^:/]*)(:(?P<password>[^@]*))?@)?(\[(?P<ipv6>[^/?]+)]|(?P<host>[^/:?]+))?(:(?P<port>\d*))?"
    r"(/(?P<database>[^?]*))?(\?(?P<options>.*))?\Z"
)

Values = Mapping[str, object]
NO_VALUES: Values = {}


class DatabaseError(Exception):
    """The database cannot be used as asked; the message is meant for the reader."""


class DriverError(DatabaseError):
    """A statement failed, or there is no connection; the message is the driver's, `__cause__` its own exception."""

    ruby_name = "ActiveRecord::StatementInvalid"

    def __init__(self, error: Exception) -> None:
        super().__init__(" ".join(str(error).split()))


@dataclass(frozen=True)
class Address:
    """A database. `name` is SQLite's file; all the rest is of PostgreSQL, and `options` are libpq's."""

    dialect: str
    name: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    prepares: bool = True
    """Whether statements may be prepared, which a pooler that shares sessions may not bear (`prepared_statements`)."""


def database_url(environ: Mapping[str, str]) -> Address:
    """What DATABASE_URL in this environment means. Raises DatabaseError."""
    text = environ.get("DATABASE_URL", "").strip()
    if not text:
        raise DatabaseError("DATABASE_URL is not set. Set it, for example: DATABASE_URL=sqlite3:/path/to/app.sqlite3")
    return parse_url(text)


def parse_url(text: str) -> Address:
    """Rails' forms (`sqlite3:/absolute`, `sqlite3:relative`, `postgres://`) and SQLAlchemy's own.

    Raises DatabaseError.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in (*SQLITE_SCHEMES, *POSTGRESQL_SCHEMES):
        raise DatabaseError(
            f"DATABASE_URL begins with {scheme.split('/')[0]!r}, which is not a database known here. "
            "Use sqlite3:/path/to/file or postgres://user:password@host/name"
        )
    return Address("sqlite", _sqlite_path(scheme, rest)) if scheme in SQLITE_SCHEMES else _server(rest)


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


def _server(rest: str) -> Address:
    if (found := SERVER.match(rest)) is None:
        raise DatabaseError(
            "DATABASE_URL is not a PostgreSQL address. It should read postgres://user:password@host:5432/name"
        )
    part = {name: unquote(text) for name, text in found.groupdict().items() if text}
    given = dict(parse_qsl(found["options"] or ""))
    return Address(
        "postgresql",
        part.get("database", ""),
        part.get("user"),
        part.get("password"),
        part.get("ipv6", part.get("host")),
        int(part["port"]) if "port" in part else None,
        {name: value for name, value in given.items() if name not in RAILS_OWN_SETTINGS},
        given.get("prepared_statements") != "false",
    )


class Connection(Protocol):
    """What every connection can do, SQLAlchemy's too (engine.py). A statement of its own is its own transaction."""

    def rows(self, sql: str, values: Values = NO_VALUES) -> Sequence[Sequence[Any]]:
        """All that the statement returns."""

    def change(self, sql: str, values: Values = NO_VALUES) -> int:
        """How many rows the statement changed."""

    def columns(self, table: str) -> Mapping[str, int | None]:
        """The table's columns, with the length of each that has one; none when there is no such table."""


class DriverConnection(Connection, Protocol):
    """A connection by the database's own driver, for one thread at a time. All raise DriverError."""

    def change_many(self, sql: str, rows: Sequence[Values]) -> None:
        """The statement, once for each row."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is done inside comes to pass as one. SQLite's write lock is taken at once, so none fails half-way."""

    def close(self) -> None: ...


class Database:
    """Connections to one database; those given back are kept for whoever asks next."""

    def __init__(self, dialect: str, connect: Callable[[], DriverConnection]) -> None:
        self.dialect = dialect
        self._connect = connect
        self._idle: list[DriverConnection] = []
        self._turns = Semaphore(MOST_CONNECTIONS)

    def take(self) -> DriverConnection:
        """For the caller alone, to keep or to close."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    @contextmanager
    def connection(self) -> Iterator[DriverConnection]:
        """For the caller alone, meanwhile. After trouble all are made anew: the database may have gone, and be back."""
        if not self._turns.acquire(timeout=TURN_S):
            raise DatabaseError(
                f"All {MOST_CONNECTIONS} connections of this process to the database were in use for {TURN_S} s. "
                "Enqueue from fewer threads at a time, or many jobs at once: enqueue_many"
            )
        try:
            connection = self.take()
            try:
                yield connection
            except BaseException:
                connection.close()
                self.close()
                raise
            self._idle.append(connection)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close what nobody uses."""
        with suppress(IndexError):  # the last may be taken meanwhile
            while True:
                self._idle.pop().close()


def open_database(address: Address) -> Database:
    """Connecting comes later, and raises DriverError."""
    if address.dialect == "sqlite":
        from hkcli.dj.sqlite import SQLiteConnection

        return Database("sqlite", lambda: SQLiteConnection(address.name))
    from hkcli.dj.postgresql import PostgreSQLConnection

    return Database("postgresql", lambda: PostgreSQLConnection(address))


def with_times(values: Values, stored: Callable[[datetime], object]) -> dict[str, object]:
    return {name: stored(value) if isinstance(value, datetime) else value for name, value in values.items()}


def zoneless(time: datetime) -> datetime:
    """As Rails' columns are: in UTC, without saying so."""
    return time.astimezone(UTC).replace(tzinfo=None)


def to_text(time: datetime) -> str:
    """`2030-01-02 03:04:05.123456` in UTC; a whole second has no fraction, as Active Record writes it."""
    return zoneless(time).isoformat(" ")


def from_text(value: object) -> datetime | None:
    """The time in a column, or None when something else was written there: a strange row must not stop a worker."""
    try:
        time = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
