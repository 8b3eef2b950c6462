"""Which migrations to run, in which order, each in a transaction, and what is printed: ActiveRecord::Migrator."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from hkcli.dj.engine import READ_ONLY, RailsTime
from hkcli.dj.migrations.files import MigrationFile, find_migrations
from hkcli.dj.migrations.reader import read_migration
from hkcli.dj.migrations.report import Report
from hkcli.dj.migrations.run import MigrationError, plan, run

ADVISORY_LOCK_SALT = 2053462845


@dataclass(frozen=True)
class Status:
    """A row of db:migrate:status; a version that is recorded but has no file has no name."""

    version: int
    name: str | None
    is_up: bool
    file_version: str


class Migrator:
    """The migrations of one app and one database. Read-only questions make no tables."""

    def __init__(self, engine: sa.Engine, root: Path, report: Report, environment: str = "production") -> None:
        self.engine = engine
        self.files = find_migrations(root)
        self.report = report
        self.environment = environment

    def current_version(self) -> int:
        return max(self.applied(), default=0)

    def applied(self) -> set[int]:
        """Recorded versions."""
        with self.engine.connect().execution_options(**READ_ONLY) as connection:
            return _applied(connection)

    def has_metadata(self) -> bool:
        return sa.inspect(self.engine).has_table("schema_migrations")

    def pending(self) -> list[MigrationFile]:
        applied = self.applied()
        return [file for file in self.files if file.version not in applied]

    def statuses(self) -> list[Status]:
        applied = self.applied()
        rows = [
            Status(file.version, file.name, file.version in applied, file.path.name.partition("_")[0])
            for file in self.files
        ]
        known = {file.version for file in self.files}
        rows += [Status(version, None, True, str(version)) for version in applied - known]
        return sorted(rows, key=lambda row: row.version)

    def migrate(self, target: int | None = None) -> None:
        """Up to the target inclusive, or down to it; None is up to the newest, and 0 down to nothing."""
        if target is not None and target != 0:
            self.file(target)
        with self._alone():
            applied = self.applied()
            if target is not None:
                down = [file for file in reversed(self.files) if file.version in applied and file.version > target]
                self._run(down, "down")
            up = [
                file
                for file in self.files
                if file.version not in applied and (target is None or file.version <= target)
            ]
            self._run(up, "up")

    def rollback(self, steps: int) -> None:
        """Revert the last ones."""
        with self._alone():
            last = sorted(self.applied(), reverse=True)[:steps]
            self._run([self.file(version) for version in last], "down")

    def forward(self, steps: int) -> None:
        """Run the next ones."""
        with self._alone():
            newest = self.current_version()
            self._run([file for file in self.pending() if file.version > newest][:steps], "up")

    def run_one(self, version: int, direction: str) -> None:
        """One migration up or down; nothing when it is so already."""
        file = self.file(version)
        with self._alone():
            if (version in self.applied()) != (direction == "up"):
                self._run([file], direction)

    def file(self, version: int) -> MigrationFile:
        """Raises MigrationError."""
        found = next((file for file in self.files if file.version == version), None)
        if found is None:
            raise MigrationError(
                "ActiveRecord::UnknownMigrationVersionError", f"\n\nNo migration with version number {version}.\n"
            )
        return found

    def make_metadata(self) -> None:
        """The two tables in which Rails keeps what it did."""
        sqlite = self.engine.dialect.name == "sqlite"
        text, precise = ("varchar", "datetime(6)") if sqlite else ("character varying", "timestamp(6)")
        with self.engine.begin() as connection:
            connection.exec_driver_sql(
                f'CREATE TABLE IF NOT EXISTS "schema_migrations" ("version" {text} NOT NULL PRIMARY KEY)'
            )
            connection.exec_driver_sql(
                f'CREATE TABLE IF NOT EXISTS "ar_internal_metadata" ("key" {text} NOT NULL PRIMARY KEY, "value" {text},'
                f' "created_at" {precise} NOT NULL, "updated_at" {precise} NOT NULL)'
            )
            insert = sa.text(
                "INSERT INTO ar_internal_metadata (key, value, created_at, updated_at)"
                " VALUES ('environment', :value, :now, :now) ON CONFLICT (key) DO NOTHING"
            ).bindparams(sa.bindparam("now", type_=RailsTime()))
            connection.execute(insert, {"value": self.environment, "now": datetime.now(UTC)})

    def _run(self, files: Iterable[MigrationFile], direction: str) -> None:
        """All are read before the first is run: what cannot be interpreted leaves the schema as it was."""
        plans = [plan(read_migration(file), direction, self.engine.dialect.name) for file in files]
        for each in plans:
            run(self.engine, each, self.report)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """On PostgreSQL under the advisory lock that Rails takes too. Raises MigrationError."""
        if self.engine.dialect.name != "postgresql":
            self.make_metadata()
            yield
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
            key = {"key": ADVISORY_LOCK_SALT * zlib.crc32(name.encode())}
            if not connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one():
                raise MigrationError(
                    "ActiveRecord::ConcurrentMigrationError",
                    "\n\nCannot run migrations because another migration process is currently running.\n",
                )
            try:
                self.make_metadata()
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)


def _applied(connection: sa.Connection) -> set[int]:
    if not sa.inspect(connection).has_table("schema_migrations"):
        return set()
    return {int(version) for version in connection.scalars(sa.text("SELECT version FROM schema_migrations"))}
