"""Every migration of the corpus, up and down again, by us and by Active Record: the same schema, the same lines."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.report import Report
from tests.dj.conftest import App
from tests.dj.corpus import Case, cases
from tests.dj.real import Real


@pytest.fixture(scope="session")
def two_databases(postgresql_server: str) -> list[str]:
    """Two of PostgreSQL, for all cases in turn: emptying one is much faster than making one."""
    engine = connect(parse_url(postgresql_server + "postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("corpus_ours", "corpus_theirs"):
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return [postgresql_server + name for name in ("corpus_ours", "corpus_theirs")]


@pytest.fixture
def apps(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[App]]:
    """The same app twice, with an empty database each: one for us, one for Ruby."""
    folders = [tmp_path / "ours", tmp_path / "theirs"]
    for folder in folders:
        folder.mkdir()
    if case.database == "sqlite":
        urls = [f"sqlite3:{folder}/app.sqlite3" for folder in folders]
    else:
        urls = request.getfixturevalue("two_databases")
    apps = [App(folder, url) for folder, url in zip(folders, urls, strict=True)]
    for app in apps:
        app.engine = connect(parse_url(app.database_url), foreign_keys=False)
    for app in apps:
        if case.database == "postgresql":
            app.execute("DROP SCHEMA public CASCADE")
            app.execute("CREATE SCHEMA public")
    yield apps
    for app in apps:
        app.engine.dispose()


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_the_schema_and_the_lines_are_those_of_active_record(case: Case, apps: list[App], real: Real) -> None:
    ours, theirs = apps
    for app in apps:
        app.migration("20090204000000_case", case.text)
    for direction in ("up", "down"):
        printed = real.ask(
            "migrate", url=theirs.database_url, folder=str(theirs.root / "db/migrate"), direction=direction
        )
        assert comparable(run(ours, direction)) == comparable(printed)
        assert schema(ours, bigint="integer" if case.copied else "bigint") == schema(theirs)


def test_the_corpus_has_at_least_sixty_migrations() -> None:
    assert len({case.name for case in cases()}) >= 60


def run(app: App, direction: str) -> str:
    lines: list[str] = []
    migrator = Migrator(app.engine, app.root, Report(lines.append))
    if direction == "up":
        migrator.migrate()
    else:
        migrator.rollback(1)
    return "".join(line + "\n" for line in lines)


def comparable(text: str) -> str:
    """Without how long it took and where a block stands in memory."""
    text = re.sub(r"\d+\.\d{4}(?=s)", "N", re.sub(r" =+$", " =", text, flags=re.MULTILINE))
    return re.sub(r"#<Proc:[^>]*>", "#<Proc>", text)


def schema(app: App, bigint: str = "bigint") -> dict[str, object]:
    """What the database says of itself and holds, without the order of statements or the spelling of quotes.

    `bigint` is what to read that type as, on SQLite.
    """
    found = sqlite_schema(app, bigint) if app.engine.dialect.name == "sqlite" else postgresql_schema(app)
    tables = sa.inspect(app.engine).get_table_names()
    kept = [name for name in tables if name not in ("ar_internal_metadata",)]
    return found | {f"{name} rows": sorted(map(str, app.rows(f'SELECT * FROM "{name}"'))) for name in kept}


def sqlite_schema(app: App, bigint: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for table in app.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        name = table["name"]
        found[f"{name} columns"] = [
            sqlite_column(column, bigint) for column in app.rows(f"PRAGMA table_info('{name}')")
        ]
        found[f"{name} keys"] = sorted(
            tuple(str(key[part]) for part in ("table", "from", "to", "on_update", "on_delete"))
            for key in app.rows(f"PRAGMA foreign_key_list('{name}')")
        )
        found[f"{name} indexes"] = sorted(
            sqlite_index(app, index) for index in app.rows(f"PRAGMA index_list('{name}')")
        )
        found[f"{name} checks"] = sorted(re.findall(r'CONSTRAINT "?\w+"? CHECK \([^)]*\)', str(table["sql"])))
        found[f"{name} collations"] = sorted(re.findall(r'COLLATE "?\w+"?', str(table["sql"])))
    return found


def sqlite_column(column: dict[str, Any], bigint: str) -> tuple[object, ...]:
    default = None if column["dflt_value"] == "NULL" else column["dflt_value"]
    return (
        column["name"],
        str(column["type"]).lower().replace("bigint", bigint),
        column["notnull"],
        default,
        column["pk"],
    )


def sqlite_index(app: App, index: dict[str, Any]) -> tuple[object, ...]:
    columns = app.rows(f"PRAGMA index_xinfo('{index['name']}')")
    parts = [(str(column["name"]), column["desc"]) for column in columns if column["key"]]
    return str(index["name"]), index["unique"], index["partial"], index["origin"], parts


def postgresql_schema(app: App) -> dict[str, object]:
    return {
        "columns": app.rows(
            "SELECT table_name, column_name, data_type, udt_name, character_maximum_length, numeric_precision,"
            " numeric_scale, datetime_precision, column_default, is_nullable,"
            " col_description((quote_ident(table_name))::regclass, ordinal_position::int) AS comment"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " ORDER BY table_name, row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position)"
        ),
        "tables": app.rows(
            "SELECT relname, relkind::text, obj_description(oid) AS comment FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        ),
        "indexes": app.rows("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
        "constraints": app.rows(
            "SELECT conname, pg_get_constraintdef(oid) AS is, convalidated FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1"
        ),
        "extensions": app.rows("SELECT extname FROM pg_extension ORDER BY 1"),
    }
