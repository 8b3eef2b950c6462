"""Reading migrations and carrying them out, in this process."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hkcli.dj.migrations.files import MigrationNameError
from hkcli.dj.migrations.migrator import Migrator
from hkcli.dj.migrations.names import join_table_name, pluralize, singularize
from hkcli.dj.migrations.report import Report
from hkcli.dj.migrations.run import MigrationError
from hkcli.dj.migrations.syntax import RawSQL, Refused, read_classes
from hkcli.dj.ruby import Symbol
from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, App


def migrator(app: App, lines: list[str] | None = None) -> Migrator:
    report = Report(lambda line: lines.append(line) if lines is not None else None, clock=lambda: 0.0)
    return Migrator(app.engine, app.root, report)


def migrate(app: App, body: str, version: str = "6.1", lines: list[str] | None = None) -> Migrator:
    """One more migration with this body, run."""
    number = len(list(app.root.glob("db/migrate/*"))) + 1
    app.migration(f"{number}_m{number}", f"class M{number} < ActiveRecord::Migration[{version}]\n{body}\nend\n")
    runner = migrator(app, lines)
    runner.migrate()
    return runner


def change(app: App, statements: str, version: str = "6.1", lines: list[str] | None = None) -> Migrator:
    return migrate(app, f"def change\n{statements}\nend", version, lines)


def columns(app: App, table: str) -> dict[str, tuple[str, bool, str | None]]:
    """Name to type, nullability and default."""
    found = sa.inspect(app.engine).get_columns(table)
    return {c["name"]: (str(c["type"].compile(app.engine.dialect)), c["nullable"], c["default"]) for c in found}


def indexes(app: App, table: str) -> dict[str, tuple[list[Any], bool]]:
    found = sa.inspect(app.engine).get_indexes(table)
    return {str(i["name"]): (list(i["column_names"]), bool(i["unique"])) for i in found}


def test_the_quick_starts_own_migration_is_read_as_it_stands(app_anywhere: App) -> None:
    lines: list[str] = []
    app_anywhere.migration("20090204000000_create_delayed_jobs", MIGRATION_2009)
    migrator(app_anywhere, lines).migrate()
    assert lines == [
        "== 20090204000000 CreateDelayedJobs: migrating ================================",
        "-- create_table(:delayed_jobs, {:force=>true, :id=>:integer})",
        "   -> 0.0000s",
        "== 20090204000000 CreateDelayedJobs: migrated (0.0000s) =======================",
        "",
    ]
    found = columns(app_anywhere, "delayed_jobs")
    assert list(found) == (
        [
            "id",
            "priority",
            "attempts",
            "handler",
            "last_error",
            "run_at",
            "locked_at",
            "failed_at",
            "locked_by",
            "created_at",
            "updated_at",
        ]
    )
    assert found["priority"] == ("INTEGER", True, "0")
    assert all(found[name][1] for name in found if name != "id")


def test_the_gems_own_migration_is_read_as_it_stands(app_anywhere: App) -> None:
    lines: list[str] = []
    app_anywhere.migration("20261123183557_create_delayed_jobs", MIGRATION_4)
    migrator(app_anywhere, lines).migrate()
    assert lines[1::2][:2] == [
        "-- create_table(:delayed_jobs)",
        '-- add_index(:delayed_jobs, [:priority, :run_at], {:name=>"delayed_jobs_priority"})',
    ]
    assert indexes(app_anywhere, "delayed_jobs") == {"delayed_jobs_priority": (["priority", "run_at"], False)}
    assert columns(app_anywhere, "delayed_jobs")["handler"][1] is False


def test_a_class_without_a_superclass_is_accepted(app: App) -> None:
    app.migration("1_create_delayed_jobs", MIGRATION_2009.replace(" < ActiveRecord::Migration", ""))
    migrator(app).migrate()
    assert "delayed_jobs" in sa.inspect(app.engine).get_table_names()


def test_versions_are_recorded_as_rails_records_them(app_anywhere: App) -> None:
    app_anywhere.migration("002_later", "class Later < ActiveRecord::Migration[6.1]\nend\n")
    app_anywhere.migration("20090204000000_create_delayed_jobs", MIGRATION_2009)
    migrator(app_anywhere).migrate()
    assert [row["version"] for row in app_anywhere.rows("SELECT version FROM schema_migrations ORDER BY 1")] == [
        "2",
        "20090204000000",
    ]
    (environment,) = app_anywhere.rows("SELECT * FROM ar_internal_metadata")
    assert (environment["key"], environment["value"]) == ("environment", "production")


def test_each_version_of_migrations_has_its_own_timestamps(app: App) -> None:
    for number, version in enumerate(["4.2", "5.0", "5.2", "6.0", "7.0"]):
        change(app, f"create_table :t{number} do |t|\n t.datetime :at\n t.timestamps\nend", version)
    words = {
        number: [(row["type"], row["notnull"]) for row in app.rows(f"PRAGMA table_info(t{number})")][1:3]
        for number in range(5)
    }
    assert words == {
        0: [("datetime", 0), ("datetime", 0)],
        1: [("datetime", 0), ("datetime", 1)],
        2: [("datetime", 0), ("datetime", 1)],
        3: [("datetime", 0), ("datetime(6)", 1)],
        4: [("datetime(6)", 0), ("datetime(6)", 1)],
    }


def test_change_is_turned_round_and_prints_what_it_does(app_anywhere: App) -> None:
    statements = """
      create_table(:users) { |t| t.string :name; t.integer :age, default: 3 }
      add_column :users, :queue, :string
      add_index :users, [:name, :queue], unique: true
      change_column_null :users, :age, false
      rename_column :users, :age, :years
      reversible do |dir|
        dir.up { execute "INSERT INTO users (name, queue, years) VALUES ('100%', ':x', 1)" }
        dir.down { say "going down" }
      end
    """
    lines: list[str] = []
    runner = change(app_anywhere, statements, lines=lines)
    assert app_anywhere.rows("SELECT name, queue FROM users") == [{"name": "100%", "queue": ":x"}]
    assert columns(app_anywhere, "users")["years"] == ("INTEGER", False, "3")
    del lines[:]
    runner.rollback(1)
    assert [line for line in lines if line.startswith("-- ")] == [
        "-- going down",
        "-- rename_column(:users, :years, :age)",
        "-- change_column_null(:users, :age, true)",
        "-- remove_index(:users, [:name, :queue], {:unique=>true})",
        "-- remove_column(:users, :queue, :string)",
        "-- drop_table(:users)",
    ]
    assert not sa.inspect(app_anywhere.engine).has_table("users")
    assert runner.applied() == set()


def test_altering_a_table_keeps_its_rows_and_its_indexes(app_anywhere: App) -> None:
    change(
        app_anywhere,
        """create_table :posts do |t|
             t.string :title, null: false
             t.text :body
             t.integer :a
             t.integer :b
             t.datetime :at, precision: 6
             t.index [:a, :b], name: "ab"
             t.index :title, unique: true, where: "a > 0"
           end""",
    )
    app_anywhere.execute("INSERT INTO posts (title, a, b) VALUES ('one', 1, 2)")
    change(
        app_anywhere,
        """change_column :posts, :a, :bigint
           change_column_default :posts, :b, from: nil, to: 7
           change_column_null :posts, :body, false, "none"
           remove_column :posts, :b, :integer
           add_reference :posts, :user, foreign_key: false
           rename_table :posts, :articles""",
    )
    (row,) = app_anywhere.rows("SELECT * FROM articles")
    assert (row["id"], row["title"], row["body"], row["a"], row["user_id"]) == (1, "one", "none", 1, None)
    found = indexes(app_anywhere, "articles")
    assert set(found) == {"index_articles_on_title", "index_articles_on_user_id"} | (
        {"ab"} if app_anywhere.engine.dialect.name == "sqlite" else set()
    )
    assert found["index_articles_on_title"] == (["title"], True)


def test_copying_a_table_keeps_what_others_refer_to(app: App) -> None:
    """SQLite would delete the rows of the other table with the table that is replaced."""
    change(
        app,
        "create_table(:users) { |t| t.string :name }\n"
        "create_table(:posts) { |t| t.references :user, foreign_key: {on_delete: :cascade} }",
    )
    app.execute("INSERT INTO users (name) VALUES ('a')")
    app.execute("INSERT INTO posts (user_id) VALUES (1)")
    app.engine.dispose()
    app.migration(
        "2_m2",
        "class M2 < ActiveRecord::Migration[6.1]\ndef change\nchange_column_null :users, :name, false\nend\nend\n",
    )
    assert app.rake("db:migrate").returncode == 0
    assert len(app.rows("SELECT * FROM posts")) == 1
    (key,) = sa.inspect(app.engine).get_foreign_keys("posts")
    assert (key["name"], key["referred_table"], key["options"]) == (
        "fk_rails_5b5ddfd518",
        "users",
        {"ondelete": "CASCADE"},
    )


REFUSED = {
    "Ruby code": ("User.update_all(name: 'x')", "2_m2.rb:3: `User.update_all"),
    "unknown method": ("frobnicate :users", "2_m2.rb:3: `frobnicate` is not a migration method known here"),
    "unknown option": (
        "add_column :users, :a, :string, nul: false",
        "2_m2.rb:3: `add_column` has the unknown option :nul",
    ),
    "loop": ("[:a, :b].each { |c| add_column :users, c, :string }", "2_m2.rb:3: "),
    "condition": ("add_column(:users, :a, :string) if true", "2_m2.rb:3: "),
    "interpolation": ('execute "SELECT #{1}"', "2_m2.rb:3: `#{1}` cannot be interpreted: text is not computed"),
    "unknown type": (
        "create_table(:x) { |t| t.strin :a }",
        "2_m2.rb:3: `t.strin` is not a migration method known here",
    ),
    "other variable": ("create_table(:x) { |t| u.string :a }", "2_m2.rb:3: `u.string` calls something unknown"),
    "variable": ("create_table name", "2_m2.rb:3: `name` cannot be interpreted: only literal values can"),
    "computed default": ("add_column :users, :a, :datetime, default: Time.now", "2_m2.rb:3: "),
    "arguments": ("add_column :users", "2_m2.rb:3: `add_column` has 1 arguments"),
    "syntax": ("add_column :users, ", "2_m2.rb:"),
}


@pytest.mark.parametrize(("statement", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_interpreted_is_refused_whole_with_file_and_line(app: App, statement: str, message: str) -> None:
    app.migration("1_m1", "class M1 < ActiveRecord::Migration[6.1]\ndef change\ncreate_table :users\nend\nend\n")
    app.migration("2_m2", f"class M2 < ActiveRecord::Migration[6.1]\ndef change\n{statement}\nend\nend\n")
    with pytest.raises(Refused) as refused:
        migrator(app).migrate()
    assert str(refused.value).startswith("db/migrate/" + message)
    assert not sa.inspect(app.engine).has_table("users")


def test_a_migration_that_fails_half_way_leaves_nothing_and_earlier_ones_stay(app_anywhere: App) -> None:
    change(app_anywhere, "create_table :users")
    with pytest.raises(MigrationError) as failed:
        change(app_anywhere, "create_table :posts\nadd_index :posts, :a\nexecute 'SELECT * FROM nowhere'")
    assert str(failed.value).startswith("An error has occurred, this and all later migrations canceled:\n\n")
    assert {"users"} == set(sa.inspect(app_anywhere.engine).get_table_names()) - {
        "schema_migrations",
        "ar_internal_metadata",
    }
    assert migrator(app_anywhere).applied() == {1}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("execute 'SELECT 1'", "This migration uses execute, which is not automatically reversible."),
        ("remove_column :a, :b", "remove_column is only reversible if given a type."),
        ("drop_table :a", "drop_table is only reversible if given options or a block"),
        (
            "change_column_default :a, :b, 1",
            "change_column_default is only reversible if given a :from and :to option.",
        ),
        ("remove_index :a, name: 'x'", "remove_index is only reversible if given a :column option."),
    ],
)
def test_what_cannot_be_undone_says_so_before_anything_is_done(app: App, statement: str, message: str) -> None:
    app.migration(
        "1_m1",
        f"class M1 < ActiveRecord::Migration[6.1]\ndef change\n{statement}\nadd_column :a, :c, :string\nend\nend\n",
    )
    runner = migrator(app)
    runner.make_metadata()
    app.execute("INSERT INTO schema_migrations VALUES ('1')")
    with pytest.raises(MigrationError, match="this and all later migrations canceled") as failed:
        runner.rollback(1)
    assert message in str(failed.value)
    assert runner.applied() == {1}


def test_a_migration_may_say_itself_that_it_cannot_be_undone(app: App) -> None:
    body = "def up\ncreate_table :a\nend\ndef down\nraise ActiveRecord::IrreversibleMigration\nend"
    runner = migrate(app, body)
    with pytest.raises(MigrationError, match="ActiveRecord::IrreversibleMigration"):
        runner.rollback(1)
    assert sa.inspect(app.engine).has_table("a") and runner.applied() == {1}


@pytest.mark.parametrize(
    ("files", "ruby_name", "message"),
    [
        (
            ["1_a", "1_b"],
            "ActiveRecord::DuplicateMigrationVersionError",
            "Multiple migrations have the version number 1.",
        ),
        (["1_a", "2_a"], "ActiveRecord::DuplicateMigrationNameError", "Multiple migrations have the name A."),
        (["1_Abc"], "ActiveRecord::IllegalMigrationNameError", "Illegal name for migration file: db/migrate/1_Abc.rb"),
    ],
)
def test_files_that_clash_are_refused_as_rails_words_it(
    app: App, files: list[str], ruby_name: str, message: str
) -> None:
    for name in files:
        app.migration(name, "class A; end\n")
    with pytest.raises(MigrationNameError) as error:
        migrator(app)
    assert (error.value.ruby_name, str(error.value).split("\n")[0]) == (ruby_name, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Other < ActiveRecord::Migration[6.1]\nend\n", "uninitialized constant M1"),
        ("class M1 < ActiveRecord::Migration[3.7]\nend\n", 'Unknown migration version "3.7"'),
        ("class M1 < ActiveRecord::Base\nend\n", "inherits from ActiveRecord::Base"),
        ("class M1\n  acts_as_something\nend\n", "2: `acts_as_something` is not known in a migration's class"),
    ],
)
def test_a_class_that_is_no_migration_is_refused(app: App, text: str, message: str) -> None:
    app.migration("1_m1", text)
    with pytest.raises(Refused) as refused:
        migrator(app).migrate()
    assert message in str(refused.value)


def test_ruby_literals_are_read_as_ruby_reads_them() -> None:
    source = """
      class A
        def up
          execute <<-SQL
            UPDATE a
          SQL
          execute <<~'SQL'
            UPDATE \\n b
              c
          SQL
          call1 %w[a b], %i(c d), :"e f",
            -1.5, 1_000, 0x1f, nil, "t\\tu" 'v', default: -> { "now()" }, "k" => 1, "l": [true]
        end
      end
    """
    (body,) = read_classes("x.rb", source.encode())
    first, second, third = body.methods["up"]
    assert first.args == ("            UPDATE a\n",)
    assert second.args == ("UPDATE \\n b\n  c\n",)
    assert third.args == (["a", "b"], [Symbol("c"), Symbol("d")], Symbol("e f"), -1.5, 1000, 31, None, "t\tuv")
    assert third.options == {Symbol("default"): RawSQL("now()"), "k": 1, Symbol("l"): [True]}


def test_names_are_inflected_as_rails_inflects_them() -> None:
    for one, many in [("user", "users"), ("category", "categories"), ("box", "boxes"), ("blog_person", "blog_people")]:
        assert (pluralize(one), singularize(many)) == (many, one)
    assert join_table_name("users", "groups") == "groups_users"
    assert join_table_name("catalog_categories", "catalog_products") == "catalog_categories_products"


def test_versions_are_run_to_and_back_from(app: App) -> None:
    for number in (1, 2, 3):
        change(app, f"create_table :t{number}")
    runner = migrator(app)
    runner.migrate(1)
    assert runner.applied() == {1}
    runner.run_one(3, "up")
    assert runner.applied() == {1, 3}
    runner.migrate()
    assert runner.applied() == {1, 2, 3}
    runner.rollback(9)
    assert runner.applied() == set() and runner.current_version() == 0
    with pytest.raises(MigrationError, match=r"No migration with version number 123\."):
        runner.migrate(123)


def test_two_at_once_on_postgresql_are_kept_apart(postgresql_url: str, tmp_path: Path) -> None:
    app = App(tmp_path, postgresql_url)
    app.migration("1_m1", "class M1 < ActiveRecord::Migration[6.1]\ndef change\ncreate_table :a\nend\nend\n")
    runner = migrator(app)
    with runner._alone(), pytest.raises(MigrationError, match="another migration process is currently running"):
        migrator(app).migrate()
    runner.migrate()
    assert runner.applied() == {1}
    app.engine.dispose()
