"""The same done by the real thing: Active Record, Psych and the delayed_job gem of this machine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hkcli.dj.database import connect, parse_url
from tests.dj.conftest import DEADLINE_S, MIGRATION_4, MIGRATION_2009, App, missing

MIGRATE = """
require "active_record"
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
context = ActiveRecord::MigrationContext.new("db/migrate", ActiveRecord::SchemaMigration)
ENV["DIRECTION"] == "down" ? context.rollback(1) : context.migrate
"""


@pytest.fixture(scope="session", autouse=True)
def ruby() -> str:
    found = shutil.which("ruby")
    if not found:
        missing("Ruby")
    needed = 'require "active_record"; require "delayed_job_active_record"; require "sqlite3"; require "pg"'
    if subprocess.run([str(found), "-e", needed], capture_output=True).returncode:
        missing("Ruby's delayed_job_active_record")
    return str(found)


def run_ruby(app: App, code: str, **more: str) -> str:
    done = subprocess.run(
        ["ruby", "-"],
        input=code,
        cwd=app.root,
        env=app.variables(**more),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CORPUS = {
    "2009": MIGRATION_2009.replace("Migration\n", "Migration[4.2]\n"),
    "4": MIGRATION_4,
    "2009 in 5.0": MIGRATION_2009.replace("Migration\n", "Migration[5.0]\n"),
    "2009 in 5.2": MIGRATION_2009.replace("Migration\n", "Migration[5.2]\n"),
    "types": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def change
    create_table :things do |t|
      t.string :a, limit: 20, default: "it's", null: false
      t.text :b, :b2
      t.integer :c, default: "7"
      t.bigint :d
      t.float :e, default: 1
      t.decimal :f, precision: 10, scale: 2, default: 1.5
      t.datetime :g, precision: 6
      t.time :h
      t.date :i
      t.binary :j
      t.boolean :k, default: false, null: false
      t.json :l, default: {}
      t.column :m, "varchar(7)"
      t.integer :small, limit: 2
      t.timestamp :n, default: -> { "CURRENT_TIMESTAMP" }
    end
  end
end
""",
    "keys": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def change
    create_table(:a, id: false) { |t| t.string :k, primary_key: true }
    create_table(:b, primary_key: :code) { |t| t.string :x, index: true }
    create_table :c, id: :string
    create_table :d, id: :integer
    create_table(:e, primary_key: [:x, :y]) { |t| t.integer :x, :y }
    create_join_table :users, :groups
  end
end
""",
    "references": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def change
    create_table :users
    create_table :posts do |t|
      t.references :user, null: false, foreign_key: {on_delete: :cascade}
      t.references :about, polymorphic: true
      t.belongs_to :blog, index: {unique: true}
    end
    add_reference :users, :team
    add_foreign_key :posts, :users, column: :blog_id
  end
end
""",
    "references in 5.0": """class CreateDelayedJobs < ActiveRecord::Migration[5.0]
  def change
    create_table(:posts) { |t| t.references :about, polymorphic: true }
    add_reference :posts, :user
    add_timestamps :posts, null: true
  end
end
""",
    "references in 4.2": """class CreateDelayedJobs < ActiveRecord::Migration[4.2]
  def change
    create_table(:posts) { |t| t.references :about, index: true }
    add_reference :posts, :user
    add_timestamps :posts
  end
end
""",
    "indexes": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def change
    create_table(:t) { |t| t.string :a; t.integer :b, :c; t.index [:a, :b], unique: true }
    add_index :t, :b, order: {b: :desc}, name: "by_b"
    add_index :t, :c, where: "c > 0"
    add_index :t, "lower(a)"
    rename_index :t, "by_b", "b_by"
    remove_index :t, column: :c
    rename_column :t, :b, :bb
  end
end
""",
    "changes": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def up
    create_table(:t) { |t| t.string :a; t.integer :b; t.integer :c, default: 4 }
    change_table :t do |t|
      t.string :d, default: "x"
      t.rename :a, :aa
      t.remove :c
      t.index :d
      t.change :b, :float
    end
    change_column_default :t, :b, from: nil, to: 9
    change_column_null :t, :d, false, "none"
    rename_table :t, :u
    add_column :u, :e, :string, null: false, default: ""
  end

  def down
    drop_table :u
  end
end
""",
    "reversible": """class CreateDelayedJobs < ActiveRecord::Migration[6.1]
  def change
    create_table(:t) { |t| t.string :a }
    add_column :t, :b, :integer
    add_check_constraint :t, "b > 0", name: "positive"
    reversible { |dir| dir.up { execute "INSERT INTO t (a, b) VALUES ('x', 1)" }; dir.down { say "down" } }
    say_with_time("inserting") { execute "INSERT INTO t (a, b) VALUES ('y', 2)" } if false
  end
end
""".replace('    say_with_time("inserting") { execute "INSERT INTO t (a, b) VALUES (\'y\', 2)" } if false\n', ""),
}


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d{4}(?=s)", "N", re.sub(r" =+$", " =", text, flags=re.MULTILINE))


def schema(app: App) -> dict[str, object]:
    """What the database says of itself, without the order of statements or the spelling of quotes."""
    return _sqlite_schema(app) if app.engine.dialect.name == "sqlite" else _postgresql_schema(app)


def _sqlite_schema(app: App) -> dict[str, object]:
    found: dict[str, object] = {}
    for table in app.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    ):
        name = table["name"]
        found[f"{name} columns"] = [
            (
                c["name"],
                str(c["type"]).lower(),
                c["notnull"],
                None if c["dflt_value"] == "NULL" else c["dflt_value"],
                c["pk"],
            )
            for c in app.rows(f"PRAGMA table_info('{name}')")
        ]
        found[f"{name} keys"] = sorted(
            (str(k["table"]), str(k["from"]), str(k["to"]), str(k["on_delete"]))
            for k in app.rows(f"PRAGMA foreign_key_list('{name}')")
        )
        found[f"{name} indexes"] = sorted(
            (
                str(i["name"]),
                i["unique"],
                i["partial"],
                [c["name"] for c in app.rows(f"PRAGMA index_info('{i['name']}')")],
            )
            for i in app.rows(f"PRAGMA index_list('{name}')")
            if i["origin"] == "c"
        )
    return found


def _postgresql_schema(app: App) -> dict[str, object]:
    return {
        "columns": app.rows(
            "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,"
            " datetime_precision, column_default, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        ),
        "indexes": app.rows("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
        "constraints": app.rows(
            "SELECT conname, pg_get_constraintdef(oid) AS is FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1"
        ),
        "sequences": app.rows("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"),
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def two_apps(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """The same app twice, with an empty database each: one for Ruby, one for us."""
    (tmp_path / "ours").mkdir(), (tmp_path / "theirs").mkdir()
    if request.param == "sqlite":
        urls = [f"sqlite3:{tmp_path}/{name}/app.sqlite3" for name in ("ours", "theirs")]
    else:
        first = request.getfixturevalue("postgresql_url")
        urls = [first, request.getfixturevalue("second_postgresql_url")]
    apps = [App(tmp_path / name, url) for name, url in zip(("ours", "theirs"), urls, strict=True)]
    yield apps
    for app in apps:
        app.engine.dispose()


@pytest.fixture
def second_postgresql_url(postgresql_url: str) -> object:
    engine = connect(parse_url(postgresql_url))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {postgresql_url.rpartition('/')[2]}_b")
        yield postgresql_url + "_b"
        connection.exec_driver_sql(f"DROP DATABASE {postgresql_url.rpartition('/')[2]}_b WITH (FORCE)")
    engine.dispose()


@pytest.mark.parametrize("name", CORPUS)
def test_migrations_make_and_undo_the_schema_active_record_makes(two_apps: list[App], name: str) -> None:
    ours, theirs = two_apps
    for app in two_apps:
        app.migration("20090204000000_create_delayed_jobs", CORPUS[name])
    printed = ours.rake("db:migrate")
    assert printed.returncode == 0, printed.stderr
    assert without_times(printed.stdout) == without_times(run_ruby(theirs, MIGRATE))
    assert schema(ours) == schema(theirs)
    printed = ours.rake("db:rollback")
    assert printed.returncode == 0, printed.stderr
    assert without_times(printed.stdout) == without_times(run_ruby(theirs, MIGRATE, DIRECTION="down"))
    assert schema(ours) == schema(theirs)


PYTHON_JOBS = """
from dataclasses import dataclass, field
from typing import Any

@dataclass
class NewsletterJob:
    text: str
    emails: list
    options: dict = field(default_factory=dict)
    def perform(self):
        print("performed", repr((self.text, self.emails, self.options)))

class PlainJob:
    def __init__(self, a): self.a = a
    def perform(self):
        print("plain", repr(self.a))

class Mailer:
    @staticmethod
    def deliver(*words): print("deliver", words)
"""
RUBY_JOBS = """
require "active_record"
require "logger"
require "delayed_job_active_record"
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
ActiveRecord::Base.default_timezone = :utc
Time.zone_default = Time.find_zone!("UTC")
NewsletterJob = Struct.new(:text, :emails, :options) do
  def perform; puts "performed #{[text, emails, options].inspect}"; end
end
class PlainJob
  def initialize(a); @a = a; end
  def perform; puts "plain #{@a.inspect}"; end
end
class Mailer
  def self.deliver(*words); puts "deliver #{words.inspect}"; end
end
"""


@pytest.fixture
def shared(app_anywhere: App) -> App:
    app_anywhere.write("app/jobs/jobs.py", PYTHON_JOBS)
    app_anywhere.migration("20090204000000_create_delayed_jobs", MIGRATION_4)
    assert app_anywhere.rake("db:migrate").returncode == 0
    return app_anywhere


def test_what_ruby_enqueues_is_worked_here(shared: App) -> None:
    run_ruby(
        shared,
        RUBY_JOBS
        + """
        tricky = ["y", "1e3", ":a", "", " x", "a: b", "line\\n  two\\n", "h\\u00e9\\u2603\\u{1F600}", "0:30", "\\t"]
        tricky << "x" * 200
        letter = NewsletterJob.new("lorem", tricky, {a: :b, "c" => nil, 1 => 2.5})
        Delayed::Job.enqueue letter, queue: "mail", priority: 3
        Delayed::Job.enqueue PlainJob.new([Time.utc(2009, 2, 3, 4, 5, 6), Date.new(2009, 2, 3), 10**20, true])
        Mailer.delay.deliver("x", :y)
        """,
    )
    done = shared.rake("jobs:workoff")
    assert done.returncode == 0 and ", 0 failed" in done.stdout, done.stdout
    tricky = ["y", "1e3", ":a", "", " x", "a: b", "line\n  two\n", "hé☃😀", "0:30", "\t", "x" * 200]
    assert f"performed ('lorem', {tricky!r}, {{Symbol('a'): Symbol('b'), 'c': None, 1: 2.5}})\n" in done.stdout
    assert "plain [datetime.datetime(2009, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)" in done.stdout
    assert "datetime.date(2009, 2, 3), 100000000000000000000, True]\n" in done.stdout
    assert "deliver ('x', Symbol('y'))\n" in done.stdout
    assert shared.rows() == []


def test_what_is_enqueued_here_is_worked_by_ruby(shared: App) -> None:
    shared.python(
        """
        from datetime import datetime, date, UTC
        from hkcli.dj import enqueue
        from hkcli.dj.ruby import RubyClass, RubyObject, Symbol
        from app.jobs.jobs import *
        tricky = ["y", "1e3", ":a", "", " x", "a: b", "line\\n  two\\n", "hé☃😀", "0:30", "\\t"]
        tricky += ["2009-1-1", "1,000", "\\x85"]
        letter = NewsletterJob("lorem", tricky, {Symbol("a"): Symbol("b"), "c": None, 1: 2.5})
        enqueue(letter, queue="mail", priority=3)
        enqueue(PlainJob([datetime(2009, 2, 3, 4, 5, 6, tzinfo=UTC), date(2009, 2, 3), 10**20, True, Symbol("odd")]))
        call = {"object": RubyClass("Mailer"), "method_name": Symbol("deliver"), "args": ["x", Symbol("y")]}
        enqueue(RubyObject("object", "Delayed::PerformableMethod", call))
        """
    )
    said = run_ruby(shared, RUBY_JOBS + "p Delayed::Worker.new(quiet: true).work_off")
    tricky = [
        "y",
        "1e3",
        ":a",
        "",
        " x",
        "a: b",
        "line\\n  two\\n",
        "hé☃😀",
        "0:30",
        "\\t",
        "2009-1-1",
        "1,000",
        "\x85",
    ]
    shown = ", ".join(f'"{word}"' for word in tricky)
    assert f'performed ["lorem", [{shown}], {{:a=>:b, "c"=>nil, 1=>2.5}}]\n' in said
    assert "plain [2009-02-03 04:05:06 UTC, Tue, 03 Feb 2009, 100000000000000000000, true, :odd]\n" in said
    assert 'deliver ["x", :y]\n' in said and "[3, 0]" in said
    assert shared.rows() == []
