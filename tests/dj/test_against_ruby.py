"""The same done by the real thing: Psych and the delayed_job gem of this machine."""

import re
import subprocess

import pytest

from tests.dj.conftest import DEADLINE_S, MIGRATION_4, App
from tests.dj.real import need_ruby


@pytest.fixture(scope="session", autouse=True)
def ruby() -> None:
    need_ruby()


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

class Envelope:
    def __init__(self, job, rest): self.job, self.rest = job, rest
    def perform(self):
        self.job.perform()
        print("rest", repr(self.rest))

class SendJob:
    def perform(self, *arguments, **keywords): print("sent", arguments, keywords)
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
class Envelope
  def initialize(job, rest); @job, @rest = job, rest; end
  def perform; @job.perform; puts "rest #{@rest.inspect}"; end
end
require "active_job"
require "bigdecimal"
require "set"
ActiveJob::Base.queue_adapter = :delayed_job
ActiveJob::Base.logger = nil
class SendJob < ActiveJob::Base
  def perform(*arguments, **keywords); puts "sent #{arguments.inspect} #{keywords.inspect}"; end
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
        Delayed::Job.enqueue Envelope.new(PlainJob.new(:inside), [BigDecimal("1.5"), Set[1], "\\xFF".b, nil, 1.0e20])
        SendJob.set(queue: "mail", priority: 2).perform_later(1, :sym, {"a" => [1.5]}, at: Time.utc(2009, 2, 3), b: "c")
        """,
    )
    done = shared.rake("jobs:workoff")
    assert done.returncode == 0 and ", 0 failed" in done.stdout, done.stdout
    tricky = ["y", "1e3", ":a", "", " x", "a: b", "line\n  two\n", "hé☃😀", "0:30", "\t", "x" * 200]
    assert f"performed ('lorem', {tricky!r}, {{Symbol('a'): Symbol('b'), 'c': None, 1: 2.5}})\n" in done.stdout
    assert "plain [datetime.datetime(2009, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)" in done.stdout
    assert "datetime.date(2009, 2, 3), 100000000000000000000, True]\n" in done.stdout
    assert "deliver ('x', Symbol('y'))\n" in done.stdout
    assert "plain Symbol('inside')\nrest [Decimal('1.5'), {1}, b'\\xff', None, 1e+20]\n" in done.stdout
    at = "datetime.datetime(2009, 2, 3, 0, 0, tzinfo=datetime.timezone.utc)"
    assert f"sent (1, Symbol('sym'), {{'a': [1.5]}}) {{'at': {at}, 'b': 'c'}}\n" in done.stdout
    assert re.search(r"Job SendJob \[[-0-9a-f]{36}\] from DelayedJob\(mail\) with arguments: \[1, ", done.stdout)
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
        from decimal import Decimal
        enqueue(Envelope(PlainJob(Symbol("inside")), [Decimal("1.5"), {1}, b"\\xff", None, 1e20]))
        data = {"job_class": "SendJob", "job_id": "1", "queue_name": "mail", "locale": "en", "timezone": "UTC"}
        keywords = {"b": "c", "_aj_ruby2_keywords": ["b"]}
        data |= {"arguments": [1, {"a": [1.5], "_aj_symbol_keys": []}, keywords], "executions": 0}
        wrapper = "ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper"
        enqueue(RubyObject("object", wrapper, {"job_data": data}), queue="mail")
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
    assert 'deliver ["x", :y]\n' in said and "[5, 0]" in said
    assert 'plain :inside\nrest [0.15e1, #<Set: {1}>, "\\xFF", nil, 1.0e+20]\n' in said
    assert 'sent [1, {"a"=>[1.5]}] {:b=>"c"}\n' in said
    assert shared.rows() == []
