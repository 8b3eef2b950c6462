from pathlib import Path
from typing import Any

import pytest

from hkcli.dj.app_jobs import JobClasses
from hkcli.dj.handlers import DeserializationError, NoMethodError, dump_job, job_name, load_job

JOBS = """
from dataclasses import dataclass, field
from typing import NamedTuple

CALLS = []

@dataclass
class {0}Job:
    text: str
    emails: list = field(default_factory=list)
    def perform(self):
        CALLS.append((self.text, self.emails))
        return self

class {0}Tuple(NamedTuple):
    a: int
    b: object
    def perform(self):
        return self

class {0}Plain:
    def __init__(self, a): self.a = a
    def perform(self):
        return self

class {0}Mailer:
    @staticmethod
    def deliver(*arguments): return arguments
    def __init__(self): self.name = "new"
    def wave(self, word): return (self.name, word)

class {0}Story:
    def __init__(self, key): self.key = key
    @classmethod
    def find(cls, key): return cls(int(key))
    def tell(self, *words): return (self.key, *words)

class {0}Active:
    def perform(self, *arguments, **keywords): return (arguments, keywords)

class {0}Nothing: pass

class {0}Deep:
    class Nested:
        def perform(self): return "nested"
"""


class Folder:
    """The app/jobs of one test; class names begin with a prefix of its own, since modules are loaded once a process."""

    def __init__(self, root: Path, prefix: str) -> None:
        self.prefix = prefix
        (root / "app/jobs").mkdir(parents=True)
        (root / f"app/jobs/{prefix.lower()}.py").write_text(JOBS.format(prefix))
        self.classes = JobClasses(root)

    def __getattr__(self, name: str) -> Any:
        found = self.classes.find(self.prefix + name)
        assert found
        return found

    def perform(self, handler: str) -> Any:
        return load_job(handler.replace("X_", self.prefix), self.classes).perform()


@pytest.fixture
def jobs(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Folder:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
        monkeypatch.delitem(sys.modules, name)
    return Folder(tmp_path, f"T{abs(hash(request.node.nodeid)) % 10**8}")


def test_dataclasses_and_named_tuples_are_structs_and_come_back(jobs: Folder) -> None:
    job = jobs.Job("hello", ["a@x"])
    assert dump_job(job) == f"--- !ruby/struct:{jobs.prefix}Job\ntext: hello\nemails:\n- a@x\n"
    assert jobs.perform(dump_job(job)) == job
    assert jobs.perform(dump_job(jobs.Tuple(1, None))) == (1, None)


def test_other_classes_are_objects_and_are_made_without_their_constructor(jobs: Folder) -> None:
    assert dump_job(jobs.Plain([1])) == f"--- !ruby/object:{jobs.prefix}Plain\na:\n- 1\n"
    assert jobs.perform(dump_job(jobs.Plain([1]))).a == [1]


def test_jobs_inside_of_jobs_come_back_too(jobs: Folder) -> None:
    job = jobs.Plain([jobs.Job("inner")])
    assert jobs.perform(dump_job(job)).a == [jobs.Job("inner")]


def test_unknown_members_are_ignored_and_missing_ones_are_none(jobs: Folder) -> None:
    job = jobs.perform("--- !ruby/struct:X_Job\nother: 1\n")
    assert (job.text, job.emails) == (None, [])


def test_nested_classes_are_named_as_in_ruby(jobs: Folder) -> None:
    assert dump_job(jobs.Deep.Nested()).startswith(f"--- !ruby/object:{jobs.prefix}Deep::Nested")
    assert jobs.perform("--- !ruby/object:X_Deep::Nested {}\n") == "nested"


@pytest.mark.parametrize(
    ("handler", "result", "name"),
    [
        (
            "--- !ruby/object:Delayed::PerformableMethod\n"
            "object: !ruby/class 'X_Mailer'\nmethod_name: :deliver\nargs:\n- 1\n",
            (1,),
            "X_Mailer.deliver",
        ),
        (
            "--- !ruby/object:Delayed::PerformableMethod\n"
            "object: !ruby/object:X_Mailer\n  name: old\nmethod_name: :wave\n"
            "args: [hi]\n",
            ("old", "hi"),
            "X_Mailer#wave",
        ),
        (
            "--- !ruby/struct:Delayed::PerformableMethod\nobject: CLASS:X_Mailer\nmethod: :deliver\nargs:\n- AR:X:1\n",
            ("AR:X:1",),
            "X_Mailer.deliver",
        ),
        (
            "--- !ruby/struct:Delayed::PerformableMethod \nobject: AR:X_Story:7\nmethod: :tell\nargs: []\n",
            (7,),
            "X_Story#tell",
        ),
        (
            "--- !ruby/object:Delayed::PerformableMethod\n"
            "object: !ruby/ActiveRecord:X_Story\n  attributes:\n    id: 8\n"
            "method_name: :tell\nargs: [a]\n",
            (8, "a"),
            "X_Story#tell",
        ),
        (
            "--- !ruby/object:Delayed::PerformableMethod\n"
            "object: !ruby/object:X_Story\n  concise_attributes:\n"
            "  - !ruby/object:ActiveModel::Attribute::FromDatabase\n    name: id\n    value_before_type_cast: 9\n"
            "method_name: :tell\nargs: []\n",
            (9,),
            "X_Story#tell",
        ),
    ],
)
def test_performable_methods_of_every_age_are_called(jobs: Folder, handler: str, result: object, name: str) -> None:
    assert jobs.perform(handler) == result
    assert job_name(handler) == name


def test_active_job_wrappers_call_perform_with_deserialized_arguments(jobs: Folder) -> None:
    handler = (
        "--- !ruby/object:ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper\njob_data:\n  job_class: X_Active\n"
        "  job_id: 8d1c\n  queue_name: mail\n  arguments:\n  - 1\n  - _aj_globalid: gid://shop/X_Story/3\n"
        "  - _aj_serialized: ActiveJob::Serializers::SymbolSerializer\n    value: ok\n"
        "  - k: 1\n    _aj_ruby2_keywords:\n    - k\n"
    )
    arguments, keywords = jobs.perform(handler)
    assert (arguments[0], arguments[1].key, arguments[2], keywords) == (1, 3, "ok", {"k": 1})
    assert job_name(handler).startswith("X_Active [8d1c] from DelayedJob(mail) with arguments: [1, {")


@pytest.mark.parametrize(
    "handler",
    [
        "--- !ruby/object:os\n",
        "--- !ruby/object:Missing::Klass\nx: 1\n",
        "--- !ruby/struct:JobClasses {}\n",
        "--- !ruby/object:Delayed::PerformableMethod\n"
        "object: !ruby/class 'subprocess'\nmethod_name: :run\nargs: [[ls]]\n",
        "--- !!python/object/apply:os.system ['true']\n",
        "{{{",
    ],
)
def test_only_classes_of_app_jobs_are_ever_made(jobs: Folder, handler: str) -> None:
    with pytest.raises(DeserializationError, match=r"Job failed to load: .* Handler: "):
        jobs.perform(handler)


def test_a_missing_class_is_worded_as_by_the_gem(jobs: Folder) -> None:
    with pytest.raises(DeserializationError) as error:
        jobs.perform("--- !ruby/object:MissingKlass\nx: 1\n")
    assert str(error.value) == (
        r'Job failed to load: undefined class/module MissingKlass. Handler: "--- !ruby/object:MissingKlass\nx: 1\n"'
    )


def test_a_missing_class_is_explained_by_a_file_that_does_not_load(tmp_path: Path, jobs: Folder) -> None:
    (tmp_path / f"app/jobs/{jobs.prefix.lower()}_broken.py").write_text("import no_such_module_here\n")
    with pytest.raises(DeserializationError, match=r"_broken.py could not be loaded: .*no_such_module_here"):
        jobs.perform("--- !ruby/object:MissingKlass {}\n")
    assert jobs.perform("--- !ruby/struct:X_Job\ntext: a\n").text == "a"


@pytest.mark.parametrize("handler", ["--- hello\n", "", "--- !ruby/object:X_Nothing {}\n", "--- 1\n"])
def test_what_has_no_perform_fails_when_it_is_performed(jobs: Folder, handler: str) -> None:
    payload = load_job(handler.replace("X_", jobs.prefix), jobs.classes)
    with pytest.raises(NoMethodError, match="undefined method 'perform' for"):
        payload.perform()


@pytest.mark.parametrize("method", ["__class__", "__init_subclass__", "nothing_of_the_kind"])
def test_a_method_that_is_not_the_apps_own_is_not_called(jobs: Folder, method: str) -> None:
    call = "--- !ruby/object:Delayed::PerformableMethod\n"
    call += f"object: !ruby/class 'X_Mailer'\nmethod_name: :{method}\nargs: []\n"
    with pytest.raises(NoMethodError):
        jobs.perform(call)


def test_jobs_that_no_worker_could_run_are_not_enqueued(jobs: Folder) -> None:
    class Local:
        def perform(self) -> None: ...

    for job, reason in [
        (jobs.Nothing(), "do not respond to perform"),
        (Local(), "inside a function"),
        ("x", "perform"),
    ]:
        with pytest.raises(TypeError, match=reason):
            dump_job(job)
    with pytest.raises(TypeError, match="cannot carry a object"):
        dump_job(jobs.Plain(object()))


@pytest.mark.parametrize(
    ("handler", "name"),
    [("--- !ruby/struct:Deep::Job\n x: [", "Deep::Job"), ("rubbish: [", "(unreadable)"), ("--- 1", "Integer")],
)
def test_rows_that_cannot_be_read_have_a_name_too(handler: str, name: str) -> None:
    assert job_name(handler) == name
