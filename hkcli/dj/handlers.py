"""What a row's handler means: job objects to YAML in Ruby's shapes, and back to something that can be performed.

Mirrors lib/delayed/psych_ext.rb and performable_method.rb; shapes are those of Psych. Only classes of app/jobs are
ever made from a handler.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hkcli.dj import ruby_yaml
from hkcli.dj.app_jobs import JobClasses, build, is_struct, ruby_name
from hkcli.dj.ruby import RubyClass, RubyObject, Symbol, class_name

PERFORMABLE_METHOD = "Delayed::PerformableMethod"
JOB_WRAPPERS = (
    "ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper",
    "ActiveJob::QueueAdapters::DelayedJobAdapter::Job",
)
HANDLER_SHOWN_CHARS = 2_000


class DeserializationError(Exception):
    """The handler cannot become a job, now or at any later try."""

    ruby_name = "Delayed::DeserializationError"


class NoMethodError(Exception):
    """The handler was read, but what it says cannot be called. As for the gem, a failure like any other."""

    ruby_name = "NoMethodError"


@dataclass(frozen=True)
class Payload:
    """Something to perform: `name` for the log; `target`, the object whose hooks are called; and the call itself."""

    name: str
    target: object
    perform: Callable[[], object]

    def option(self, name: str) -> Any:
        """What the job says itself about `max_attempts` and the like, as an attribute or a method; None if nothing."""
        value = getattr(self.target, name, None) if hasattr(type(self.target), name) else None
        return value() if callable(value) else value

    def hook(self, name: str, *arguments: object) -> None:
        """Call `before`, `success` ... if the class defines it, with as many arguments as it takes."""
        if not callable(getattr(type(self.target), name, None)):
            return
        method = getattr(self.target, name)
        method(*arguments[: len(inspect.signature(method).parameters)])


def dump_job(job: object) -> str:
    """The handler of a job. Raises TypeError when it has no `perform`, or carries what YAML cannot."""
    if not isinstance(job, RubyObject) and not callable(getattr(job, "perform", None)):
        raise TypeError(f"Cannot enqueue items which do not respond to perform: {job!r}"[:300])
    return ruby_yaml.dump(_to_ruby(job))


def _to_ruby(value: Any) -> Any:
    """Replaces objects of the app's classes, at any depth, by records."""
    cls = type(value)
    if value is None or cls in (bool, int, float, str, bytes, Symbol, RubyClass, datetime, Decimal):
        return value
    if cls in (list, tuple):
        return [_to_ruby(item) for item in value]
    if cls is dict:
        return {key: _to_ruby(item) for key, item in value.items()}
    if cls is RubyObject:
        return RubyObject(value.kind, value.name, _to_ruby(value.fields), _to_ruby(value.value))
    if isinstance(value, type):
        return RubyClass(ruby_name(value))
    if is_struct(cls):
        names = getattr(value, "_fields", None) or list(getattr(cls, "__dataclass_fields__", ()))
        return RubyObject("struct", ruby_name(cls), {name: _to_ruby(getattr(value, name)) for name in names})
    if callable(getattr(value, "perform", None)):
        return RubyObject("object", ruby_name(cls), {name: _to_ruby(item) for name, item in vars(value).items()})
    return value


def load_job(handler: str, classes: JobClasses) -> Payload:
    """What this handler wants done. Raises DeserializationError; only `perform` raises what the job itself does."""
    try:
        value = ruby_yaml.load(handler)
    except ruby_yaml.Unreadable as error:
        raise _failed_to_load(str(error), handler) from error
    name = job_name_of(value)
    try:
        if isinstance(value, RubyObject) and value.name == PERFORMABLE_METHOD:
            return _performable_method(name, value, classes)
        if isinstance(value, RubyObject) and value.name in JOB_WRAPPERS:
            return _active_job(name, value, classes)
        return _own_job(name, value, classes)
    except _UndefinedClass as error:
        missing = _missing_part(str(error), classes)
        raise _failed_to_load(f"undefined class/module {missing}{classes.why_missing()}", handler) from None


def job_name(handler: str) -> str:
    """How the log and a status screen call the job, without any of the app's code; works on untrusted rows."""
    try:
        return job_name_of(ruby_yaml.load(handler))
    except ruby_yaml.Unreadable:
        return tagged_name(handler)


def tagged_name(handler: str) -> str:
    """The class name after the first Ruby tag of a handler that cannot be read; `(unreadable)` if it has none."""
    match = re.search(r"!ruby/\w+:([\w:]+)", handler[:HANDLER_SHOWN_CHARS])
    return match.group(1) if match else "(unreadable)"


def job_name_of(value: Any) -> str:
    """The name of a handler's value."""
    if not isinstance(value, RubyObject):
        return class_name(value)
    if value.name == PERFORMABLE_METHOD:
        return _performable_name(value)
    if value.name in JOB_WRAPPERS:
        data = value.fields.get("job_data")
        if isinstance(data, dict):
            arguments = [_shown(item) for item in data.get("arguments") or []]
            return (
                f"{data.get('job_class')} [{data.get('job_id')}] from DelayedJob({data.get('queue_name')})"
                f" with arguments: [{', '.join(arguments)}]"
            )
    return value.name


def _shown(value: Any) -> str:
    from hkcli.dj.ruby import inspect as ruby_inspect

    return ruby_inspect(value)[:200]


def _performable_name(value: RubyObject) -> str:
    target, method = value.fields.get("object"), value.fields.get("method_name", value.fields.get("method"))
    if isinstance(target, RubyClass):
        return f"{target.name}.{method}"
    if isinstance(target, RubyObject):
        return f"{target.name}#{method}"
    kind, _, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if kind == "CLASS":
        return f"{name}.{method}"
    return f"{name.partition(':')[0]}#{method}" if kind == "AR" else f"Unknown#{method}"


class _UndefinedClass(Exception):
    pass


def _missing_part(name: str, classes: JobClasses) -> str:
    """What Ruby names of `A::B`: all of it, or `A::` when not even that is known."""
    parts = name.split("::")
    outer = ("::".join(parts[:count]) for count in range(1, len(parts)))
    return next((f"{each}::" for each in outer if classes.find(each) is None), name)


def _failed_to_load(reason: str, handler: str) -> DeserializationError:
    return DeserializationError(f"Job failed to load: {reason}. Handler: {_quoted_handler(handler)}")


def _quoted_handler(handler: str) -> str:
    from hkcli.dj.ruby import inspect as ruby_inspect

    return ruby_inspect(handler if len(handler) <= HANDLER_SHOWN_CHARS else handler[:HANDLER_SHOWN_CHARS] + "...")


def _own_job(name: str, value: Any, classes: JobClasses) -> Payload:
    job = _to_python(value, classes, strict=True)
    if callable(perform := getattr(job, "perform", None)):
        named = getattr(job, "display_name", None) if hasattr(type(job), "display_name") else None
        return Payload(str(named() if callable(named) else named or name), job, perform)
    return Payload(name, None, _raise(NoMethodError(f"undefined method 'perform' for {_described(job)}")))


def _described(value: object) -> str:
    return f"an instance of {ruby_name(type(value))}" if not isinstance(value, str) else _quoted_handler(value)


def _raise(error: Exception) -> Callable[[], object]:
    def perform() -> object:
        raise error

    return perform


def _performable_method(name: str, record: RubyObject, classes: JobClasses) -> Payload:
    """`object.method(*args)`; the 2009 form calls the method `method` and writes classes as `CLASS:Name`."""
    target = _to_python(record.fields.get("object"), classes, strict=True)
    arguments = [_to_python(item, classes) for item in record.fields.get("args") or []]
    method = str(record.fields.get("method_name", record.fields.get("method")))
    if target is None:
        return Payload(name, None, lambda: None)
    call = None if method.startswith("__") else getattr(target, method, None)
    if not callable(call):
        return Payload(name, target, _raise(NoMethodError(f"undefined method '{method}' for {name.split('#')[0]}")))
    return Payload(name, target, lambda: call(*arguments))


def _active_job(name: str, record: RubyObject, classes: JobClasses) -> Payload:
    data = record.fields.get("job_data")
    if not isinstance(data, dict) or (cls := classes.find(str(data.get("job_class")))) is None:
        raise _UndefinedClass(data.get("job_class") if isinstance(data, dict) else "nil")
    arguments, keywords = active_job_arguments(data.get("arguments") or [], classes)
    job = cls()
    if not callable(perform := getattr(job, "perform", None)):
        return Payload(name, job, _raise(NoMethodError(f"undefined method 'perform' for {_described(job)}")))
    return Payload(name, job, lambda: perform(*arguments, **keywords))


def active_job_arguments(arguments: list[Any], classes: JobClasses) -> tuple[list[Any], dict[str, Any]]:
    """ActiveJob's serialized arguments as Python calls take them; a trailing Ruby keyword hash becomes keywords."""
    keywords: dict[str, Any] = {}
    if arguments and isinstance(arguments[-1], dict) and "_aj_ruby2_keywords" in arguments[-1]:
        *arguments, last = arguments
        keywords = {str(key): value for key, value in _active_job_value(last, classes).items()}
    return [_active_job_value(item, classes) for item in arguments], keywords


def _active_job_value(value: Any, classes: JobClasses) -> Any:
    if isinstance(value, list):
        return [_active_job_value(item, classes) for item in value]
    if not isinstance(value, dict):
        return value
    if (uri := value.get("_aj_globalid")) is not None:
        *_, model, key = str(uri).split("/")
        return _find_record(model, key, classes)
    if "_aj_serialized" in value:
        return _active_job_serialized(str(value["_aj_serialized"]), value.get("value"))
    symbols = {*(value.get("_aj_symbol_keys") or ()), *(value.get("_aj_ruby2_keywords") or ())}
    return {
        Symbol(key) if key in symbols else key: _active_job_value(item, classes)
        for key, item in value.items()
        if not str(key).startswith("_aj_")
    }


def _active_job_serialized(serializer: str, value: Any) -> Any:
    if serializer.endswith("SymbolSerializer"):
        return Symbol(value)
    if serializer.endswith(("TimeSerializer", "DateTimeSerializer", "TimeWithZoneSerializer")):
        return datetime.fromisoformat(value)
    if serializer.endswith("DateSerializer"):
        return datetime.fromisoformat(value).date()
    return value


def _to_python(value: Any, classes: JobClasses, strict: bool = False) -> Any:
    """Replaces records of the app's classes by their objects; with `strict`, the outermost class must be known."""
    if isinstance(value, list):
        return [_to_python(item, classes) for item in value]
    if isinstance(value, dict):
        return {key: _to_python(item, classes) for key, item in value.items()}
    if isinstance(value, str) and not isinstance(value, Symbol):
        return _reference_of_2009(value, classes)
    if not isinstance(value, RubyClass | RubyObject):
        return value
    if (cls := classes.find(value.name)) is None:
        if strict:
            raise _UndefinedClass(value.name)
        return value
    if isinstance(value, RubyClass):
        return cls
    if (key := _primary_key(value)) is not None and callable(getattr(cls, "find", None)):
        return _find_record(value.name, key, classes)
    fields = {name: _to_python(item, classes) for name, item in value.fields.items()}
    return build(cls, RubyObject(value.kind, value.name, fields, value.value))


def _reference_of_2009(text: str, classes: JobClasses) -> Any:
    """`CLASS:Mailer` and `AR:Story:1` mean a class and a record, when the app has a class of that name."""
    match text.split(":", 2):
        case ["CLASS", name] if found := classes.find(name):
            return found
        case ["AR", name, key] if classes.find(name):
            return _find_record(name, key, classes)
    return text


def _primary_key(record: RubyObject) -> Any:
    """The id in either shape in which Active Record's objects are written, old and new; None for anything else."""
    if isinstance(attributes := record.fields.get("attributes"), dict):
        return attributes.get("id")
    for attribute in record.fields.get("concise_attributes") or ():
        if isinstance(attribute, RubyObject) and attribute.fields.get("name") == "id":
            return attribute.fields.get("value_before_type_cast")
    return None


def _find_record(model: str, key: Any, classes: JobClasses) -> Any:
    """`Model.find(key)` of the app's class of that name, which stands for the record's row."""
    cls = classes.find(model)
    find = getattr(cls, "find", None)
    if not callable(find):
        raise _UndefinedClass(model)
    return find(key)
