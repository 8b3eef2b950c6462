"""SQLite as everything here uses it: how a connection is set up, and how one waits for the write lock."""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hkcli.dj.database import NO_VALUES, DriverError, Values, to_text, with_times

BUSY_TIMEOUT_MS = 30_000
SHORTEST_NAP_S, LONGEST_NAP_S = 0.000_05, 0.01
READS = ("SELECT", "PRAGMA")


def prepare(connection: sqlite3.Connection) -> None:
    # sqlite3's own implicit transactions would commit before DDL; None leaves BEGIN and COMMIT to us.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def begin_immediate(connection: sqlite3.Connection) -> None:
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


class SQLiteConnection:
    """A database.DriverConnection. Any thread may use it, one at a time."""

    def __init__(self, path: str) -> None:
        with _said():
            self._driver = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
            prepare(self._driver)

    def rows(self, sql: str, values: Values = NO_VALUES) -> list[tuple[Any, ...]]:
        if self._may_run(sql):
            with _said():
                return self._driver.execute(sql, with_times(values, to_text)).fetchall()
        with self.transaction():
            return self.rows(sql, values)

    def change(self, sql: str, values: Values = NO_VALUES) -> int:
        if self._may_run(sql):
            with _said():
                return self._driver.execute(sql, with_times(values, to_text)).rowcount
        with self.transaction():
            return self.change(sql, values)

    def change_many(self, sql: str, rows: Sequence[Values]) -> None:
        with self.transaction(), _said():
            self._driver.executemany(sql, (with_times(row, to_text) for row in rows))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _said():
            begin_immediate(self._driver)
        try:
            yield
        except BaseException:
            with _said():
                self._driver.rollback()
            raise
        with _said():
            self._driver.commit()

    def columns(self, table: str) -> dict[str, int | None]:
        sql = "SELECT name, type FROM pragma_table_info(:table)"
        return {name: _length(declared) for name, declared in self.rows(sql, {"table": table})}

    def close(self) -> None:
        self._driver.close()

    def _may_run(self, sql: str) -> bool:
        """What writes needs the write lock before."""
        return self._driver.in_transaction or sql.startswith(READS)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DriverError(error) from error


def _length(declared: str) -> int | None:
    """255 of `varchar(255)`."""
    found = re.search(r"(?:char|text)\s*\((\d+)\)", declared, re.IGNORECASE)
    return int(found[1]) if found else None
