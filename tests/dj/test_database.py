from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.dj.database import Address, DatabaseError, database_url, from_text, parse_url, to_text
from hkcli.dj.engine import url_of


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite3:/var/app.db", "/var/app.db"),
        ("sqlite3:///var/app.db", "/var/app.db"),
        ("sqlite3:db/app.db", "db/app.db"),
        ("sqlite3:/var/app.db?pool=5", "/var/app.db"),
        ("sqlite:///db/app.db", "db/app.db"),
        ("sqlite:////var/app.db", "/var/app.db"),
    ],
)
def test_three_slashes_are_absolute_to_rails_and_relative_to_sqlalchemy(text: str, path: str) -> None:
    assert parse_url(text) == Address("sqlite", path)
    assert url_of(parse_url(text)).database == path


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_the_same_and_what_only_rails_knows_is_left_out(scheme: str) -> None:
    found = parse_url(f"{scheme}://me:p%40ss@db.example:5433/shop?sslmode=require&pool=5")
    assert found == Address("postgresql", "shop", "me", "p@ss", "db.example", 5433, {"sslmode": "require"})
    assert url_of(found).render_as_string(hide_password=False) == (
        "postgresql+psycopg://me:p%40ss@db.example:5433/shop?sslmode=require"
    )


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("postgres:///shop", None, "shop"),
        ("postgres://[::1]/shop", "::1", "shop"),
        ("postgres://%2Fvar%2Frun/my%20shop", "/var/run", "my shop"),
        ("postgres://me@db.example", "db.example", ""),
    ],
)
def test_what_an_address_leaves_out_is_left_to_the_library(text: str, host: str | None, name: str) -> None:
    found = parse_url(text)
    assert (found.host, found.name, found.port, found.password) == (host, name, None, None)


@pytest.mark.parametrize(
    ("words", "prepares"), [("?prepared_statements=false", False), ("?prepared_statements=true", True), ("", True)]
)
def test_whether_statements_are_prepared_is_said_as_to_rails(words: str, prepares: bool) -> None:
    found = parse_url(f"postgres://db.example/shop{words}")
    assert (found.prepares, found.options) == (prepares, {})


@pytest.mark.parametrize(
    "text", ["mysql2://u:secret@h/d", "postgres://u:secret@h:port/d", "sqlite3:", "sqlite3://h/x", "x"]
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_the_password(text: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        parse_url(text)
    assert "Use" in str(refused.value) or "should read" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_address_says_which_variable_to_set() -> None:
    with pytest.raises(DatabaseError, match="DATABASE_URL is not set"):
        database_url({})


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2030, 1, 2, 3, 4, 5, 123456, UTC), "2030-01-02 03:04:05.123456"),
        (datetime(2030, 1, 2, 3, 4, 5, 100000, UTC), "2030-01-02 03:04:05.100000"),
        (datetime(2030, 1, 2, 3, 4, 5, 0, UTC), "2030-01-02 03:04:05"),
        (datetime(2030, 1, 1, 22, 4, 5, 0, timezone(timedelta(hours=-5))), "2030-01-02 03:04:05"),
    ],
)
def test_times_are_written_as_active_record_writes_them(time: datetime, text: str) -> None:
    assert to_text(time) == text


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_written_times_sort_as_the_times_do_and_come_back(one: datetime, other: datetime) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)
    assert from_text(to_text(one)) == one


def test_a_time_written_by_something_else_does_not_raise() -> None:
    assert from_text("2030-01-02T03:04:05Z") == datetime(2030, 1, 2, 3, 4, 5, 0, UTC)
    assert from_text("yesterday") is None
