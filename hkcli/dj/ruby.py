"""Ruby values that Python has no type for, and how Ruby would write a value down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Symbol(str):
    """A Ruby symbol, without its colon."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Symbol({str.__repr__(self)})"


@dataclass(frozen=True)
class RubyClass:
    """A reference to a class by its Ruby name: `Mailer`, `Deep::Nested`."""

    name: str


@dataclass(eq=True)
class RubyObject:
    """An object of a class that is not ours. `kind` is the word in its YAML tag: object, struct, hash, ActiveRecord.

    `value` is what was written instead of fields, where that is a scalar or a list.
    """

    kind: str
    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    value: Any = None

    __hash__ = object.__hash__


RUBY_NAMES = {
    **{"NoneType": "NilClass", "str": "String", "bytes": "String", "int": "Integer", "float": "Float"},
    **{"list": "Array", "tuple": "Array", "dict": "Hash", "set": "Set", "Decimal": "BigDecimal"},
    **{"date": "Date", "datetime": "Time", "RubyClass": "Class"},
}


def class_name(value: object) -> str:
    """What Ruby calls the class of a plain value."""
    if isinstance(value, bool):
        return "TrueClass" if value else "FalseClass"
    return RUBY_NAMES.get(type(value).__name__, type(value).__name__)


def inspect(value: object) -> str:
    """As `value.inspect` prints it on Ruby 3.3 and older: `{:force=>true}`, `[:a, "b"]`, `nil`."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Symbol):
        return ":" + (value if is_plain_symbol(value) else _quoted(value))
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inspect(key)}=>{inspect(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inspect(item) for item in value) + "]"
    return repr(value)


def is_plain_symbol(name: str) -> bool:
    """Whether Ruby writes the symbol without quotes."""
    return (name[:-1] if name[-1:] in ("?", "!", "=") else name).isidentifier()


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e", "#{": "\\#{"}


def _quoted(text: str) -> str:
    for raw, escaped in (("\\", "\\\\"), *((raw, escaped) for raw, escaped in _ESCAPES.items() if raw != "\\")):
        text = text.replace(raw, escaped)
    return f'"{text}"'
