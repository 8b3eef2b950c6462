"""One app twice, with the real rake, Rails and gem, and with ours: the same words, the same output and status."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from hkcli.dj.database import parse_url
from hkcli.dj.engine import connect
from tests.dj.conftest import REPOSITORY
from tests.dj.real import need_ruby

RAILS = REPOSITORY / "tests/apps/fleeting-mist-rails"
HERE = Path(__file__).parent
VERSION = "20261123000000"

RUBY_JOBS = """
OkJob = Struct.new(:text) do
  def perform; puts "did #{text}"; end
end
class BoomJob
  def perform; raise "no paper\\nno ink"; end
end
class OnceJob
  def perform; raise "once"; end
  def max_attempts; 1; end
  def failure(job); puts "failure hook"; end
end
class NamedJob
  def display_name; "The name of it"; end
  def perform; end
end
class HookedJob
  def before(job); puts "before"; end
  def perform; puts "perform"; end
  def success(job); puts "success"; end
  def after(job); puts "after"; end
end
class TermJob
  def perform; Process.kill("TERM", Process.pid); sleep 0.1; puts "still here"; end
end
class Mailer
  def self.deliver(*words); puts "deliver #{words.join(",")}"; end
end
"""
PYTHON_JOBS = """
import os, signal, time
from dataclasses import dataclass

@dataclass
class OkJob:
    text: str
    def perform(self): print("did", self.text)

class BoomJob:
    def perform(self): raise RuntimeError("no paper\\nno ink")

class OnceJob:
    max_attempts = 1
    def perform(self): raise RuntimeError("once")
    def failure(self, job): print("failure hook")

class NamedJob:
    display_name = "The name of it"
    def perform(self): pass

class HookedJob:
    def before(self, job): print("before")
    def perform(self): print("perform")
    def success(self, job): print("success")
    def after(self, job): print("after")

class TermJob:
    def perform(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        print("still here")

class Mailer:
    @staticmethod
    def deliver(*words): print("deliver " + ",".join(map(str, words)))
"""
MIGRATION = """
class CreateNotes < ActiveRecord::Migration[6.1]
  def change
    create_table(:notes) { |table| table.string :a }
    add_index :notes, :a, unique: true
    say "two"
  end
end
"""
OK = "--- !ruby/struct:OkJob\ntext: {}\n"
BOOM, ONCE, TERM = (f"--- !ruby/object:{name}Job {{}}\n" for name in ("Boom", "Once", "Term"))
NAMED, HOOKED = (f"--- !ruby/object:{name}Job {{}}\n" for name in ("Named", "Hooked"))
DELIVER = (
    "--- !ruby/object:Delayed::PerformableMethod\nobject: !ruby/class 'Mailer'\nmethod_name: :deliver\n"
    "args:\n- x\n- :y\n"
)


@dataclass
class Side:
    """One of the two: an app's folder and its rake."""

    root: Path
    url: str
    process: "subprocess.Popen[str]"
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = connect(parse_url(self.url))

    @classmethod
    def started(cls, root: Path, url: str, *words: str) -> "Side":
        shutil.copytree(RAILS, root)
        (root / "app/jobs/every.rb").write_text("")
        (root / "config/initializers").mkdir()
        (root / "config/initializers/jobs.rb").write_text(RUBY_JOBS)
        (root / "app/jobs/every.py").write_text(PYTHON_JOBS)
        (root / "db/migrate/20261124000000_create_notes.rb").write_text(MIGRATION)
        process = subprocess.Popen([*words, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return cls(root, url, process)

    def rake(self, words: tuple[str, ...], environ: dict[str, str]) -> "Said":
        given = {"DATABASE_URL": self.url, "RAILS_ENV": "production", "SECRET_KEY_BASE": "0" * 64, "HOSTNAME": "here"}
        given |= {"RUBYOPT": f"-r{REPOSITORY}/hkcli/backend/engines/railgun.rb"} | environ
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"words": words, "environ": given}) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        pid = str(reply["pid"])
        return (
            reply["status"],
            self._plain(reply["out"], pid),
            without_backtrace(self._plain(reply["err"], pid)),
        )

    def _plain(self, text: str, pid: str) -> str:
        """Without what differs from run to run: times, pids, folders, and how long a line of equals signs is.

        Nor how Ruby says, in one way a version, of what kind an object without `perform` is.
        """
        text = re.sub(rf"host:\S+ pid:{pid}\b", "host:H pid:P", text.replace(str(self.root), "ROOT"))
        text = text.replace(parse_url(self.url).name, "DATABASE")
        text = re.sub(r"undefined method .perform. for .*", "undefined method perform", text)
        text = re.sub(r"\n\n +payload_object.perform\n +\^+", "", text)
        return re.sub(r" =+$", " =", re.sub(r"\d+\.\d{4}", "N", text), flags=re.MULTILINE)

    def rows(self) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            found = connection.execute(
                sa.text(
                    "SELECT id, priority, attempts, queue, failed_at IS NOT NULL, locked_by IS NOT NULL,"
                    " last_error FROM delayed_jobs ORDER BY id"
                )
            ).all()
        return [(*row[:-1], self._plain(str(row[-1]).partition("\n")[0], "")) for row in found]

    def insert(self, *handlers: str, **columns: object) -> None:
        values = {"priority": 0, "attempts": 0, "run_at": "2020-01-01 00:00:00", "created_at": "2020-01-01 00:00:00"}
        names = [*(values | columns), "handler"]
        sql = f"INSERT INTO delayed_jobs ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
        with self.engine.begin() as connection:
            for handler in handlers:
                connection.execute(sa.text(sql), values | columns | {"handler": handler})

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.engine.dispose()


def without_backtrace(text: str) -> str:
    """Nor the empty line that follows one, nor what a driver's error was caused by."""
    lines = [line for line in text.split("\n") if not re.match(r"(/|ROOT/|bin/|<internal|\s+from |-e:)", line)]
    text = re.sub(r"\n+Caused by:\n.*?(?=\nTasks: )", "", "\n".join(lines), flags=re.DOTALL)
    return re.sub(r"\n+(?=Tasks: |\(See full)", "\n", text)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    need_ruby()
    gem = Side.started(tmp_path / "gem", f"sqlite3:{tmp_path}/gem.sqlite3", "ruby", str(HERE / "real_rake.rb"))
    ours = Side.started(
        tmp_path / "ours", f"sqlite3:{tmp_path}/ours.sqlite3", sys.executable, str(HERE / "our_rake.py")
    )
    yield gem, ours
    gem.end()
    ours.end()


ABORTED = "rake aborted!\n{}\nTasks: TOP => {}\n(See full trace by running task with --trace)\n"
MAKE_IT = "Could not find table 'delayed_jobs'. Make it with a migration: rake db:migrate"
Said = tuple[int, str, str]
"""Status, stdout, stderr."""


def both(sides: tuple[Side, Side], *words: str, **environ: str) -> tuple[Said, Said]:
    gem, ours = sides
    return gem.rake(words, environ), ours.rake(words, environ)


def same(sides: tuple[Side, Side], *words: str, **environ: str) -> Said:
    theirs, ours = both(sides, *words, **environ)
    assert ours == theirs, (
        f"rake {' '.join(words)} {environ or ''}\ntheirs:\n{theirs[1]}{theirs[2]}\nours:\n{ours[1]}{ours[2]}"
    )
    return ours


def test_the_database_tasks_say_and_do_what_rails_does(sides: tuple[Side, Side]) -> None:
    for words in (
        "-T jobs",
        "-T nothing",
        "jobs:wrok",
        "",
        "--bogus",
        "db:version",
        "db:migrate:status",
        "db:migrate VERSION=abc",
        "db:migrate VERSION=123",
        "db:migrate:up",
        "db:migrate:down",
        "db:migrate:up VERSION=5",
        f"db:migrate VERSION={VERSION}",
        "db:migrate:status",
        "db:migrate",
        "db:version db:version db:migrate:status",
        "db:abort_if_pending_migrations",
        "db:rollback",
        "db:forward",
        "db:migrate:redo",
        "db:rollback STEP=2",
        "db:forward STEP=2",
        f"db:migrate:redo VERSION={VERSION}",
        f"db:migrate:up VERSION={VERSION}",
        f"db:migrate:down VERSION={VERSION}",
        "db:migrate VERSION=0",
        "db:rollback STEP=99",
        "db:migrate VERBOSE=false",
    ):
        same(sides, *words.split())
    for side in sides:
        (side.root / "db/migrate/20261125000000_fails.rb").write_text(
            "class Fails < ActiveRecord::Migration[6.1]\n  def change\n    add_index :notes, :nothing\n  end\nend\n"
        )
    theirs, ours = both(sides, "db:abort_if_pending_migrations")
    assert ours == (*theirs[:2], theirs[2].replace("bin/rails", "rake")), "there is no bin/rails here"
    theirs, ours = both(sides, "-T", "db:migrate")
    assert ours == (0, theirs[1].replace(", SCOPE=blog", ""), ""), "there are no engines here"
    for words, complaint in ((("db:rollback", "STEP=x"), "STEP is 'x'"), (("jobs:check[soon]",), "max_age is 'soon'")):
        theirs, ours = both(sides, *words)
        assert theirs[0] == 0 and ours[0] == 1 and complaint in ours[2], "a number that is none is not taken for 0"


def test_the_tasks_of_jobs_say_and_do_what_the_gem_does(sides: tuple[Side, Side]) -> None:
    same(sides, "db:migrate", "-q")

    def step(*words: str, **environ: str) -> Said:
        said = same(sides, *words, **environ)
        assert sides[1].rows() == sides[0].rows(), f"rows after {words}"
        return said

    def insert(*handlers: str, **columns: object) -> None:
        for side in sides:
            side.insert(*handlers, **columns)

    step("jobs:workoff")
    step("jobs:check")
    insert(OK.format("hello"), DELIVER, NAMED, HOOKED)
    insert(OK.format("mail"), queue="mail")
    assert "did hello" in step("jobs:workoff")[1]
    insert(BOOM, ONCE)
    insert(BOOM, attempts=24)
    insert("--- hello\n", "--- !ruby/object:Mailer {}\n")
    assert "no paper\nno ink" in step("jobs:workoff")[1]
    step("jobs:clear")
    insert(OK.format("low"), priority=9)
    insert(OK.format("first"), priority=-9)
    insert(OK.format("later"), run_at="2999-01-01 00:00:00")
    insert(OK.format("sms"), queue="sms")
    step("jobs:workoff", MIN_PRIORITY="10")
    step("jobs:workoff", MIN_PRIORITY="-10", MAX_PRIORITY="-9")
    step("jobs:workoff", QUEUES="mail")
    step("jobs:workoff", QUEUE="mail,sms")
    step("jobs:workoff", "QUIET=true")
    step("jobs:check[]")
    step("jobs:check[60]")
    step("jobs:check[ 60 ]")
    step("jobs:check[9999999999]")
    insert(OK.format("old"), created_at="2000-01-01 00:00:00")
    step("jobs:check", "db:version")
    step("jobs:clear", "jobs:check")
    insert(TERM, OK.format("never"))
    assert "still here" in step("jobs:work", SLEEP_DELAY="1")[1]
    step("jobs:clear")


def test_a_missing_table_fails_in_both_and_here_says_what_to_do(sides: tuple[Side, Side]) -> None:
    for task, said in {
        "jobs:clear": "SQLite3::SQLException: no such table: delayed_jobs",
        "jobs:check": "Could not find table 'delayed_jobs'",
        "jobs:workoff": "Could not find table 'delayed_jobs'",
    }.items():
        theirs, ours = both(sides, task)
        assert (theirs[0], theirs[2]) == (1, ABORTED.format(f"ActiveRecord::StatementInvalid: {said}", task))
        assert ours == (1, "", ABORTED.format(MAKE_IT, task))


def test_a_job_that_cannot_be_loaded_is_said_in_the_gems_words_and_kept(sides: tuple[Side, Side]) -> None:
    same(sides, "db:migrate")
    for side in sides:
        side.insert("--- !ruby/object:Missing::Job\nx: 1\n")
    theirs, ours = both(sides, "jobs:workoff")
    lines = [line for line in theirs[1].splitlines() if "FAILED permanently" in line]
    assert len(lines) == 1 and lines == [line for line in ours[1].splitlines() if "FAILED" in line]
    assert sides[0].rows() == [], "the gem deletes it"
    ((_, _, attempts, _, is_failed, _, error),) = sides[1].rows()
    assert (attempts, is_failed) == (0, 1) and str(error) in lines[0]
