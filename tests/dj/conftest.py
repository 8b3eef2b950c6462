"""Fixtures of the embedded Delayed Job: an app's folder, its database on SQLite or PostgreSQL, its rake."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.report import Report
from tests.dj.servers import postgresql, why_no_postgresql

REPOSITORY = Path(__file__).parent.parent.parent
DEADLINE_S = 120

MIGRATION_2009 = """\
class CreateDelayedJobs < ActiveRecord::Migration
  def self.up
    create_table :delayed_jobs, :force => true do |table|
      table.integer  :priority, :default => 0      # Allows some jobs to jump to the front of the queue
      table.integer  :attempts, :default => 0      # Provides for retries, but still fail eventually.
      table.text     :handler                      # YAML-encoded string of the object that will do work
      table.string   :last_error                   # reason for last failure (See Note below)
      table.datetime :run_at                       # When to run. Could be Time.now for immediately, or sometime in the future.
      table.datetime :locked_at                    # Set when a client is working on this object
      table.datetime :failed_at                    # Set when all retries have failed (actually, by default, the record is deleted instead)
      table.string   :locked_by                    # Who is working on this object (if locked)
      table.timestamps
    end
  end
  def self.down
    drop_table :delayed_jobs
  end
end
"""  # noqa: E501

MIGRATION_4 = """\
class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def self.up
    create_table :delayed_jobs do |table|
      table.integer :priority, default: 0, null: false # Allows some jobs to jump to the front of the queue
      table.integer :attempts, default: 0, null: false # Provides for retries, but still fail eventually.
      table.text :handler,                 null: false # YAML-encoded string of the object that will do work
      table.text :last_error                           # reason for last failure (See Note below)
      table.datetime :run_at                           # When to run. Could be Time.zone.now for immediately, or sometime in the future.
      table.datetime :locked_at                        # Set when a client is working on this object
      table.datetime :failed_at                        # Set when all retries have failed (actually, by default, the record is deleted instead)
      table.string :locked_by                          # Who is working on this object (if locked)
      table.string :queue                              # The name of the queue this job is in
      table.timestamps null: true
    end

    add_index :delayed_jobs, [:priority, :run_at], name: "delayed_jobs_priority"
  end

  def self.down
    drop_table :delayed_jobs
  end
end
"""  # noqa: E501


def missing(what: str) -> None:
    """Skip a test for want of a program here."""
    pytest.skip(f"{what} is not on this machine")


def wait_for(fact: Callable[[], object], what: str) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < ends_at, f"waited {DEADLINE_S} s for {what}"
        time.sleep(0.02)


@dataclass
class App:
    """An app's folder with its own rake processes. `database_url` is as an app sees it."""

    root: Path
    database_url: str
    environ: dict[str, str] = field(default_factory=dict)
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = connect(parse_url(self.database_url))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def migration(self, name: str, text: str) -> Path:
        return self.write(f"db/migrate/{name}.rb", text)

    def migrate(self) -> None:
        """As `rake db:migrate`, without the price of a process."""
        Migrator(self.engine, self.root, Report(lambda line: None)).migrate()

    def variables(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"DATABASE_URL": self.database_url, "HOSTNAME": "railgun.4682", "DYNO": "worker.1", "SLEEP_DELAY": "0.1"}
        return kept | {"PYTHONPATH": str(REPOSITORY)} | own | self.environ | more

    def rake(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hkcli.dj.rake", *words],
            cwd=self.root,
            env=self.variables(**more),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=self.root,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, sql: str = "SELECT * FROM delayed_jobs ORDER BY id") -> list[dict[str, object]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(sql)).mappings()]

    def execute(self, sql: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), values)


class WorkerProcess:
    """`rake jobs:work`, with its output in a file."""

    def __init__(self, app: App, *words: str, **more: str) -> None:
        self.log = app.root / f"worker-{len(list(app.root.glob('worker-*')))}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hkcli.dj.rake", *(words or ("jobs:work",))],
                cwd=app.root,
                env=app.variables(**more),
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def name(self) -> str:
        return f"host:railgun.4682 pid:{self.process.pid}"

    @property
    def output(self) -> str:
        return self.log.read_text()

    def says(self, text: str) -> None:
        """Wait until it has written this."""
        wait_for(lambda: text in self.output or self.process.poll() is not None, repr(text))
        assert text in self.output, self.output

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"the worker did not end; it wrote:\n{self.output}")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path, f"sqlite3:{tmp_path}/app.sqlite3")
    yield app
    app.engine.dispose()


@pytest.fixture
def start(app: App) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers of the app; none outlives the test."""
    started: list[WorkerProcess] = []

    def start(*words: str, **more: str) -> WorkerProcess:
        started.append(WorkerProcess(app, *words, **more))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL of its own, without the database's name."""
    if why := why_no_postgresql():
        missing(why)
    with postgresql("-c", "fsync=off") as address:
        yield address


@pytest.fixture
def postgresql_url(postgresql_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database for one test."""
    name = f"t{abs(hash(request.node.nodeid))}"
    engine = connect(parse_url(postgresql_server + "postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield postgresql_server + name
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def second_postgresql_url(postgresql_server: str, postgresql_url: str) -> Iterator[str]:
    """Another one for the same test."""
    name = postgresql_url.rpartition("/")[2] + "_b"
    engine = connect(parse_url(postgresql_server + "postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield postgresql_server + name
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite3:{tmp_path}/app.sqlite3"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def app_anywhere(tmp_path: Path, any_database: str) -> Iterator[App]:
    """An app with its database on SQLite, and on PostgreSQL."""
    app = App(tmp_path, any_database)
    yield app
    app.engine.dispose()


@pytest.fixture(scope="session")
def real() -> Iterator[Any]:
    """The real gem (tests.dj.real.Real); one Ruby process for the whole run."""
    from tests.dj.real import Real, need_ruby

    need_ruby()
    real = Real()
    yield real
    real.close()
