"""`rake` as a real process."""

import subprocess
import sys

import pytest

from hkcli.dj.rake import parse
from tests.dj.conftest import MIGRATION_4, MIGRATION_2009, App


@pytest.fixture
def migrated(app: App) -> App:
    app.migration("20090204000000_create_delayed_jobs", MIGRATION_4)
    app.migrate()
    return app


def insert(app: App, **columns: object) -> None:
    values = {"handler": "--- x\n", "run_at": "2030-01-01 00:00:00", "created_at": "2020-01-01 00:00:00"} | columns
    names = ", ".join(values)
    app.execute(f"INSERT INTO delayed_jobs ({names}) VALUES ({', '.join(':' + name for name in values)})", **values)


def test_the_tasks_are_listed_as_rake_lists_them(app: App) -> None:
    done = app.rake("-T", "jobs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "rake jobs:check[max_age]  # Exit with error status if any jobs older than max_age seconds haven't been"
        " attempted yet\n"
        "rake jobs:clear           # Clear the delayed_job queue\n"
        "rake jobs:work            # Start a delayed_job worker\n"
        "rake jobs:workoff         # Start a delayed_job worker and exit when all available jobs are complete\n"
    )


def test_an_unknown_task_fails_as_rake_words_it_and_nothing_is_run(migrated: App) -> None:
    done = migrated.rake("db:rollback", "jobs:wrok")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "rake aborted!\n"
        "Don't know how to build task 'jobs:wrok' (See the list of available tasks with `rake --tasks`)\n"
        "Did you mean?  jobs:work\n"
        "\n"
        "(See full trace by running task with --trace)\n"
    )
    assert migrated.rows() == []


def test_an_unknown_option_and_no_task_at_all_fail(app: App) -> None:
    assert (app.rake("--bogus").returncode, app.rake("--bogus").stderr) == (1, "invalid option: --bogus\n")
    assert "Don't know how to build task 'default'" in app.rake().stderr


def test_version_and_help_are_said(app: App) -> None:
    assert app.rake("-V").stdout.startswith("rake, version")
    assert "--tasks [PATTERN]" in app.rake("-h").stdout


def test_words_are_tasks_with_arguments_and_variables() -> None:
    line = parse(["db:migrate", "VERSION=3", "jobs:check[60, x]", "--trace", "A=b=c"])
    assert line.tasks == [("db:migrate", []), ("jobs:check", ["60", "x"])]
    assert (line.variables, line.flags) == ({"VERSION": "3", "A": "b=c"}, {"trace"})


def test_several_tasks_run_in_order_and_each_once(app: App) -> None:
    app.migration("20090204000000_create_delayed_jobs", MIGRATION_2009)
    done = app.rake("db:version", "db:migrate", "db:version", "db:migrate:status", "VERBOSE=false")
    assert done.returncode == 0
    assert done.stdout == (
        "Current version: 0\n"
        f"\ndatabase: {app.root}/app.sqlite3\n\n"
        " Status   Migration ID    Migration Name\n"
        "--------------------------------------------------\n"
        "   up     20090204000000  Create delayed jobs\n\n"
    )


def test_status_shows_what_is_up_down_and_without_a_file(migrated: App) -> None:
    migrated.migration("20090205000000_add_a_to_b", "class AddAToB < ActiveRecord::Migration[6.1]\nend\n")
    (migrated.root / "db/migrate/20090204000000_create_delayed_jobs.rb").unlink()
    assert migrated.rake("db:migrate:status").stdout.endswith(
        "   up     20090204000000  ********** NO FILE **********\n  down    20090205000000  Add a to b\n\n"
    )
    pending = migrated.rake("db:abort_if_pending_migrations")
    assert (pending.returncode, pending.stdout) == (1, "You have 1 pending migration:\n  20090205000000 AddAToB\n")
    done = migrated.rake("db:rollback")
    assert done.returncode == 1 and "ActiveRecord::UnknownMigrationVersionError" in done.stderr


def test_status_of_a_database_that_was_never_migrated_makes_no_tables(app: App) -> None:
    done = app.rake("db:migrate:status")
    assert (done.returncode, done.stderr) == (1, "Schema migrations table does not exist yet.\n")
    assert app.rake("db:version").stdout == "Current version: 0\n"
    assert app.rows("SELECT * FROM sqlite_master") == []


def test_a_refused_migration_aborts_with_file_and_line(app: App) -> None:
    app.migration(
        "1_bad", "class Bad < ActiveRecord::Migration[6.1]\n  def up\n    User.all.each(&:save)\n  end\nend\n"
    )
    done = app.rake("db:migrate")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rake aborted!\ndb/migrate/1_bad.rb:3: `User.all.each(&:save)` cannot be interpreted")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("db:migrate", "VERSION=abc"), "Invalid format of target version: `VERSION=abc`"),
        (("db:migrate", "VERSION=123"), "No migration with version number 123."),
        (("db:migrate:up",), "VERSION is required"),
        (("db:migrate:down",), "VERSION is required - To go down one migration, use db:rollback"),
        (("db:rollback", "STEP=x"), "STEP is 'x'. It must be a whole number"),
        (("jobs:check[soon]",), "max_age is 'soon'. It must be a number of seconds"),
        (("jobs:clear", "DATABASE_URL="), "DATABASE_URL is not set"),
        (("jobs:clear", "DATABASE_URL=mysql2://u:secret@h/d"), "not a database known here"),
        (("jobs:clear", "DATABASE_URL=sqlite3:/nowhere/at/all.db"), "unable to open database file"),
        (("jobs:clear", "DATABASE_URL=postgres://u:secret@127.0.0.1:1/d"), "onnection"),
    ],
)
def test_a_mistake_is_named_and_fails(migrated: App, words: tuple[str, ...], message: str) -> None:
    done = migrated.rake(*words)
    assert done.returncode == 1 and done.stderr.startswith("rake aborted!\n")
    assert message in done.stderr and "secret" not in done.stderr and "Traceback" not in done.stderr
    assert f"Tasks: TOP => {words[0].split('[')[0]}\n" in done.stderr


def test_clear_removes_every_row_and_says_nothing(migrated: App) -> None:
    insert(migrated)
    insert(migrated, failed_at="2020-01-01 00:00:00")
    insert(migrated, locked_at="2020-01-01 00:00:00", locked_by="host:x pid:1")
    done = migrated.rake("jobs:clear")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert migrated.rows() == []


def test_check_fails_when_jobs_are_older_than_max_age_and_were_never_tried(migrated: App) -> None:
    assert migrated.rake("jobs:check").returncode == 0
    insert(migrated, attempts=1)
    assert migrated.rake("jobs:check[60]").returncode == 0
    insert(migrated), insert(migrated)
    done = migrated.rake("jobs:check[60]")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[:2] == ["rake aborted!", "2 jobs older than 60 seconds have not been processed yet"]
    assert migrated.rake("jobs:check[9999999999]").returncode in (0, 1)


def test_work_without_a_table_says_what_to_run(app: App) -> None:
    done = app.rake("jobs:work")
    assert done.returncode == 1 and "Could not find table 'delayed_jobs'" in done.stderr and "db:migrate" in done.stderr


def test_redo_goes_down_and_up_again(migrated: App) -> None:
    insert(migrated)
    done = migrated.rake("db:migrate:redo")
    assert [line.split(": ")[1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("==")] == [
        "reverting",
        "reverted",
        "migrating",
        "migrated",
    ]
    assert migrated.rows() == []


class Imported:
    """What a process prints of sys.modules, without what every process of this Python has."""

    def __init__(self, app: App, printed: str) -> None:
        bare = app.python("import sys; print(*sys.modules)").split()
        words = next(line for line in printed.splitlines() if line.startswith("modules: ")).split()[1:]
        self.all = {*words} - {*bare}
        self.ours = {name.removeprefix("hkcli.") for name in self.all if name.startswith("hkcli.")}
        packages = {name.partition(".")[0] for name in self.all} - {"hkcli", "app"} - sys.stdlib_module_names
        self.libraries = {name for name in packages if not name.startswith(("cython", "_cython", "_sysconfigdata"))}


DRIVERS = {"sqlite": set(), "postgresql": {"psycopg", "psycopg_binary", "typing_extensions"}}
LEAN = {"abandoned", "app_jobs", "claiming", "database", "era", "handlers", "queue", "ruby", "ruby_yaml", "table"}
PRINT_MODULES = "import sys; print('modules:', *sys.modules)"


def test_a_worker_and_an_enqueuer_import_the_driver_and_yaml_and_no_other_library(app_anywhere: App) -> None:
    app = app_anywhere
    app.migration("20090204000000_create_delayed_jobs", MIGRATION_4)
    app.migrate()
    app.write("app/jobs/jobs.py", f"class Tell:\n    def perform(self):\n        {PRINT_MODULES}\n")
    call = "from hkcli.dj import enqueue; from app.jobs.jobs import Tell; enqueue(Tell())"
    enqueuer = Imported(app, app.python(f"{call}; {PRINT_MODULES}"))
    done = app.rake("jobs:workoff")
    assert " 1 jobs processed" in done.stdout and " 0 failed" in done.stdout, done.stdout
    worker = Imported(app, done.stdout)
    kind = app.engine.dialect.name
    for process in (enqueuer, worker):
        assert process.libraries - {"yaml"} <= DRIVERS[kind] and "yaml" in process.libraries
    if kind == "sqlite":  # psycopg has these
        assert not worker.all & {"asyncio", "ssl", "logging", "subprocess", "importlib.metadata", "email.message"}
    assert enqueuer.ours == {"dj", *(f"dj.{name}" for name in LEAN | {"enqueuing", kind})}
    own = {"interruption", "settings", "tasks", "worker"}
    assert worker.ours == {"dj", *(f"dj.{name}" for name in LEAN | own | {kind})}


@pytest.mark.parametrize("module", ["hkcli.dj", "hkcli.dj.rake"])
def test_what_is_not_needed_is_not_imported(module: str) -> None:
    heavy = ("sqlalchemy", "alembic", "tree_sitter", "yaml")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
