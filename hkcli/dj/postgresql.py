"""PostgreSQL by psycopg. Each statement that stands alone is one trip to the server."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.string import StrDumper

from hkcli.dj.database import NO_VALUES, Address, DriverError, Values, with_times, zoneless

COLUMNS_SQL = """
SELECT attname, CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4 THEN atttypmod - 4 END
FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


class PostgreSQLConnection:
    """A database.DriverConnection. Any thread may use it, one at a time."""

    def __init__(self, address: Address) -> None:
        where: dict[str, Any] = {
            "user": address.user,
            "password": address.password,
            "host": address.host,
            "port": address.port,
            "dbname": address.name,
            **address.options,
            "application_name": "delayed_job",
        }
        with _said():
            self._driver = psycopg.connect(make_conninfo(**where), autocommit=True)
        if not address.prepares:
            self._driver.prepare_threshold = None
        # Text is text: where a value is used twice, the server does not guess from one use what it is in the other.
        self._driver.adapters.register_dumper(str, StrDumper)

    def rows(self, sql: str, values: Values = NO_VALUES) -> list[tuple[Any, ...]]:
        with _said():
            return self._driver.execute(_in_psycopg(sql), with_times(values, zoneless)).fetchall()

    def change(self, sql: str, values: Values = NO_VALUES) -> int:
        with _said():
            return self._driver.execute(_in_psycopg(sql), with_times(values, zoneless)).rowcount

    def change_many(self, sql: str, rows: Sequence[Values]) -> None:
        with self.transaction(), _said(), self._driver.cursor() as cursor:
            cursor.executemany(_in_psycopg(sql), (with_times(row, zoneless) for row in rows))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _said(), self._driver.transaction():
            yield

    def columns(self, table: str) -> dict[str, int | None]:
        with _said():
            return dict(self._driver.execute(COLUMNS_SQL, [table]).fetchall())

    def close(self) -> None:
        self._driver.close()


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise DriverError(error) from error


@cache
def _in_psycopg(sql: str) -> str:
    """`:name` as `%(name)s`."""
    return re.sub(r":([a-z]\w*)", r"%(\1)s", sql)
