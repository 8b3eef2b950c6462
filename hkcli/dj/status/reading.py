"""Engines for operators: those for looking cannot write, give up soon, and use TLS as Heroku's databases want it.

Figures are read in short transactions, so that a screen left open never holds a snapshot or a lock.
"""

import ipaddress
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from hkcli.dj.database import DatabaseError, parse_url
from hkcli.dj.engine import READ_ONLY, url_of

STATEMENT_TIMEOUT_MS = 3_000
WRITE_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_S = 5
NETWORK = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
"""When libpq takes a network for dead, on which a statement's own limit comes to nothing; milliseconds, seconds."""
MYSQL_SCHEMES = ("mysql", "mysql2", "mysql+pymysql")


def reading_engine(database_url: str) -> sa.Engine:
    """For the DATABASE_URL of an app, whichever form. Raises DatabaseError; connecting comes later."""
    url = address(database_url)
    if url.get_backend_name() == "sqlite":
        return sqlite_engine(Path(url.database or ""))
    if url.get_backend_name() == "mysql":
        engine = mysql_engine(url, STATEMENT_TIMEOUT_MS)
        sa.event.listen(engine, "connect", read_only_mysql)
        return engine
    engine = sa.create_engine(with_tls(url), pool_size=1, pool_pre_ping=True, connect_args=postgresql_arguments())
    sa.event.listen(engine, "connect", read_only_postgresql)
    return engine


def writing_engine(database_url: str) -> sa.Engine:
    """For what an operator does to jobs. The database must be there: none is made. Raises DatabaseError."""
    url = address(database_url)
    if url.get_backend_name() == "sqlite":
        check_file(Path(url.database or ""))
        return sqlite_engine(Path(url.database or ""), writes=True)
    if url.get_backend_name() == "mysql":
        return mysql_engine(url, WRITE_TIMEOUT_MS)
    engine = sa.create_engine(with_tls(url), pool_size=1, connect_args=postgresql_arguments())
    sa.event.listen(engine, "connect", patient_postgresql)
    return engine


def can_be_there(database_url: str) -> bool:
    """False for what is no database known here, and for a file that does not exist."""
    try:
        url = address(database_url)
    except DatabaseError:
        return False
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def address(database_url: str) -> sa.URL:
    """As `parse_url`, and MySQL where its driver is installed. Raises DatabaseError."""
    scheme, _, rest = database_url.strip().partition(":")
    if scheme not in MYSQL_SCHEMES:
        return url_of(parse_url(database_url.strip()))
    try:
        import pymysql  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        raise DatabaseError(
            "The app's database is MySQL, whose driver is not installed. Install it: pip install pymysql"
        ) from None
    return sa.make_url(f"mysql+pymysql:{rest}").difference_update_query({"reconnect", "pool", "encoding", "timeout"})


def with_tls(url: sa.URL) -> sa.URL:
    """A database elsewhere is spoken to over TLS; an address that says how itself is left alone."""
    if is_here(url.host) or "sslmode" in url.query:
        return url
    return url.update_query_dict({"sslmode": "require"})


def is_here(host: str | None) -> bool:
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def postgresql_arguments() -> dict[str, Any]:
    ours = {"application_name": "heroku dj", "connect_timeout": CONNECT_TIMEOUT_S, "prepare_threshold": None}
    return ours | NETWORK


def read_only_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
    connection.commit()


def mysql_engine(url: sa.URL, timeout_ms: int) -> sa.Engine:
    """Over TLS to a database elsewhere. The driver would go on without where the server has none; we do not."""
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": timeout_ms / 1000}
    if is_here(url.host):
        return sa.create_engine(url, pool_size=1, connect_args=arguments)
    engine = sa.create_engine(url, pool_size=1, connect_args={**arguments, "ssl": {"check_hostname": False}})
    sa.event.listen(engine, "connect", refuse_plain_mysql)
    return engine


def refuse_plain_mysql(connection: Any, _record: object) -> None:
    """Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        if not (row := cursor.fetchone()) or not row[1]:
            raise DatabaseError("The database does not speak TLS, and is on another machine. It was not asked anything")


def patient_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {WRITE_TIMEOUT_MS}")
    connection.commit()


def read_only_mysql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def check_file(path: Path) -> None:
    if not path.is_file():
        raise DatabaseError(
            "The app's SQLite database is not here: its first migration makes it (heroku rake db:migrate), and it "
            f"can be looked at only on the machine that it is on. Its file would be {path}"
        )


def file_of(path: Path) -> tuple[int, int] | None:
    """Which file this is: one that was taken away or replaced lives on for those who have it open."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def sqlite_engine(path: Path, writes: bool = False) -> sa.Engine:
    """A file that is used as its own programs leave it: nothing is made, and its journal mode stays as it is."""
    timeout_ms = WRITE_TIMEOUT_MS if writes else STATEMENT_TIMEOUT_MS

    def open_file() -> sqlite3.Connection:
        check_file(path)
        address = f"file:{quote(str(path.resolve()))}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, timeout=timeout_ms / 1000, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        return connection

    def remember(_connection: object, record: Any) -> None:
        record.info["file"] = file_of(path)

    def check(_connection: object, record: Any, _proxy: object) -> None:
        if record.info["file"] != file_of(path):
            raise sa.exc.DisconnectionError

    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    engine = sa.create_engine("sqlite://", creator=open_file, poolclass=sa.pool.QueuePool, pool_size=1, max_overflow=2)
    sa.event.listen(engine, "connect", remember)
    sa.event.listen(engine, "checkout", check)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def reading(engine: sa.Engine) -> sa.Connection:
    """A connection for one look; close it soon."""
    return engine.connect().execution_options(**READ_ONLY)
