"""The app's own job classes: every class defined in a file under app/jobs."""

import importlib
import sys
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from hkcli.dj.ruby import RubyObject


def ruby_name(cls: type) -> str:
    """The name a class has in a handler: its `ruby_name` if it gives one, else its own with `::`."""
    name = str(cls.__dict__.get("ruby_name", cls.__qualname__.replace(".", "::")))
    if "<locals>" in name:
        raise TypeError(f"{name} is defined inside a function; a worker could not find it. Put it in app/jobs/*.py")
    return name


class JobClasses:
    """What handlers may name, and nothing else: the allow-list is the folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "app" / "jobs"

    def find(self, name: str) -> type | None:
        """The class of this Ruby name. A file that cannot be imported has no classes; see `broken`."""
        return self._loaded[0].get(name)

    @property
    def broken(self) -> dict[str, BaseException]:
        """File name to the exception it raised on import."""
        return self._loaded[1]

    def why_missing(self) -> str:
        """What may explain that a class was not found; empty when nothing does."""
        return "".join(f" ({file} could not be loaded: {error!r})" for file, error in self.broken.items())

    @cached_property
    def _loaded(self) -> tuple[dict[str, type], dict[str, BaseException]]:
        classes: dict[str, type] = {}
        broken: dict[str, BaseException] = {}
        root = str(self.folder.parent.parent.resolve())
        if root not in sys.path:
            sys.path.insert(0, root)
        for path in sorted(self.folder.rglob("*.py")):
            relative = path.relative_to(self.folder)
            try:
                module = importlib.import_module(".".join(["app", "jobs", *relative.with_suffix("").parts]))
            except (Exception, SystemExit) as error:
                broken[f"app/jobs/{relative}"] = error
            else:
                classes |= _classes_of(module)
        return classes, broken


def _classes_of(module: ModuleType) -> dict[str, type]:
    """By their Ruby names, nested ones too; not those a module merely imports."""
    found: dict[str, type] = {}
    waiting = [item for item in vars(module).values() if isinstance(item, type)]
    while waiting:
        cls = waiting.pop()
        if cls.__module__ != module.__name__ or ruby_name(cls) in found:
            continue
        found[ruby_name(cls)] = cls
        waiting += [item for item in vars(cls).values() if isinstance(item, type)]
    return found


def is_struct(cls: type) -> bool:
    """Dataclasses and NamedTuples are Ruby's Structs; any other class is a plain object."""
    return "__dataclass_fields__" in cls.__dict__ or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


def build(cls: type, record: RubyObject) -> object:
    """An instance of one of the app's classes. As for a Struct, unknown members are ignored, missing ones are None."""
    if not is_struct(cls):
        instance: Any = object.__new__(cls)
        for name, value in record.fields.items():
            setattr(instance, name, value)
        return instance
    fields = record.fields
    if issubclass(cls, tuple):
        defaults = getattr(cls, "_field_defaults", {})
        return cls(**{name: fields.get(name, defaults.get(name)) for name in getattr(cls, "_fields", ())})
    return _build_dataclass(cls, fields)


def _build_dataclass(cls: type, fields: dict[str, object]) -> object:
    import dataclasses

    arguments = {}
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.init and (field.name in fields or not has_default):
            arguments[field.name] = fields.get(field.name)
    return cls(**arguments)
