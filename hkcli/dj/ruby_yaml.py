"""YAML as Ruby's Psych writes and reads it, from and to plain values; no class is ever looked up here.

Values: None, bool, int, float, str, bytes, Decimal, date, datetime, list, tuple, set, dict, and those of `ruby.py`.
"""

import base64
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from hkcli.dj.ruby import RubyClass, RubyObject, Symbol

MAX_BYTES = 1_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 100


class Unreadable(Exception):
    """The text is not YAML, or is too much of it."""


# --- writing ----------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _./@-]*[A-Za-z0-9_./@-])?\Z")
_WORDS_WITH_A_MEANING = re.compile(r"(?:y|n|yes|no|on|off|true|false|null)\Z", re.IGNORECASE)
_PLAIN_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[?!=]?\Z", re.ASCII)
_TO_ESCAPE = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def dump(value: object) -> str:
    """One document, ending in a newline. Raises TypeError for a value Ruby has no shape for, ValueError for a cycle."""
    head, lines = _block(value, 0)
    return "\n".join([f"--- {head}".rstrip() if lines else f"--- {head}", *lines]) + "\n"


def _block(value: object, depth: int) -> tuple[str, list[str]]:
    """What stands on the line of the key, and the lines below it, not indented."""
    if depth > MAX_DEPTH:
        raise ValueError("The job refers to itself, or is nested too deeply to be written down")
    if isinstance(value, str):
        return _string(value), []
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return ("", list(_items(value, depth))) if value else ("[]", [])
    if isinstance(value, dict):
        return ("", list(_pairs(value, depth))) if value else ("{}", [])
    if isinstance(value, RubyObject):
        return _tagged(value, depth)
    if isinstance(value, set | frozenset):
        members = {"hash": dict.fromkeys(value, True)}
        return "!ruby/object:Set", list(_pairs(members, depth))
    return _scalar(value), []


def _tagged(value: RubyObject, depth: int) -> tuple[str, list[str]]:
    tag = f"!ruby/{value.kind}:{value.name}"
    if value.value is not None:
        head, lines = _block(value.value, depth)
        return f"{tag} {head}".rstrip(), lines
    return (tag, list(_pairs(value.fields, depth))) if value.fields else (f"{tag} {{}}", [])


def _items(values: list[Any] | tuple[Any, ...], depth: int) -> Iterator[str]:
    for value in values:
        head, lines = _block(value, depth + 1)
        if not head and lines:
            head, *lines = lines
        yield f"- {head}".rstrip()
        yield from ("  " + line for line in lines)


def _pairs(values: Mapping[Any, Any], depth: int) -> Iterator[str]:
    for key, value in values.items():
        name = _string(key) if isinstance(key, str) else _scalar(key)
        if value is None:
            yield f"{name}:"
            continue
        head, lines = _block(value, depth + 1)
        yield f"{name}: {head}" if head else f"{name}:"
        indent = "" if isinstance(value, list | tuple) else "  "
        yield from (indent + line for line in lines)


def _string(value: str) -> str:
    if isinstance(value, Symbol):
        return f":{value}" if _PLAIN_SYMBOL.match(value) else f"!ruby/symbol {_quoted(value)}"
    if _PLAIN.match(value) and not _WORDS_WITH_A_MEANING.match(value):
        return value
    return _quoted(value)


def _quoted(text: str) -> str:
    return f'"{_TO_ESCAPE.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if "\ud800" <= char <= "\udfff":
        raise ValueError("The job holds text that is not Unicode (half of a surrogate pair)")
    return _SHORT_ESCAPES.get(char) or (f"\\x{ord(char):02X}" if ord(char) < 256 else f"\\u{ord(char):04X}")


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case datetime():
            utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            return utc.replace(tzinfo=None).isoformat(" ", "microseconds") + "000 Z"
        case date():
            return value.isoformat()
        case Decimal():
            return f"!ruby/object:BigDecimal 18:{value:e}"
        case bytes():
            return f'!binary "{base64.b64encode(value).decode()}"'
        case RubyClass():
            return f"!ruby/class '{value.name}'"
    raise TypeError(f"A job cannot carry a {type(value).__name__}: {str(value)[:80]}")


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(value).partition("e")
    return mantissa if not e else f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"


# --- reading ----------------------------------------------------------------------------------------------------------

_NESTING_MARKS = "[{-?\n"  # no level is opened without one of these, so few of them cannot nest deeply


def load(text: str) -> Any:
    """The value of the first document. Raises Unreadable, for anything that should not be tried again."""
    if len(text) > MAX_BYTES:
        raise Unreadable(f"{len(text):,} characters of YAML are more than the {MAX_BYTES:,} that are read")
    try:
        if "*" in text or sum(map(text.count, _NESTING_MARKS)) > MAX_DEPTH:
            _check_size(text)
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(" ".join(str(error).split())) from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _check_size(text: str) -> None:
    """Refuse what grows when aliases are followed, before anything is built. Raises Unreadable.

    Works on events, because composing nodes is recursive: depth must be known to be small before that.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_nodes):
                raise Unreadable(f"The alias *{event.anchor} stands inside of what it refers to")
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > MAX_VALUES or len(open_nodes) > MAX_DEPTH:
            raise Unreadable(
                f"more than {MAX_VALUES:,} values, or nested deeper than {MAX_DEPTH}, once aliases are followed"
            )


_WITH_COLON = "!ruby/symbol with colon"  # no tag that could stand in a document

_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[valid-type, misc]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        pairs = ((self.construct_object(key, deep=True), value) for key, value in node.value)
        return {_hashable(key): self.construct_object(value, deep=deep) for key, value in pairs}


def _hashable(key: Any) -> Any:
    if isinstance(key, list):
        return tuple(_hashable(item) for item in key)
    if isinstance(key, dict):
        return tuple((name, _hashable(item)) for name, item in key.items())
    return key


def _symbol(loader: _Loader, node: yaml.ScalarNode) -> Symbol:
    return Symbol(loader.construct_scalar(node))


def _symbol_with_colon(loader: _Loader, node: yaml.ScalarNode) -> Symbol:
    text = loader.construct_scalar(node)[1:]
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return Symbol(text[1:-1] if is_quoted else text)


def _ruby_class(loader: _Loader, node: yaml.ScalarNode) -> RubyClass:
    return RubyClass(loader.construct_scalar(node))


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:  # 2009-99-99 is a string to Psych
        return loader.construct_scalar(node)


def _ruby_object(loader: _Loader, suffix: str, node: yaml.Node) -> Iterator[Any]:
    """In two steps, so that an anchor on the object is known while its fields are read."""
    kind, _, name = suffix.partition(":")
    ruby_object = RubyObject(kind, name)
    yield ruby_object
    if isinstance(node, yaml.MappingNode):
        fields = loader.construct_mapping(node, deep=True)
        ruby_object.fields.update((str(key), value) for key, value in fields.items())
    elif isinstance(node, yaml.SequenceNode):
        ruby_object.value = loader.construct_sequence(node, deep=True)
    else:
        ruby_object.value = loader.construct_scalar(node)


def _big_decimal(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).rpartition(":")[2]
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None


def _set(loader: _Loader, node: yaml.Node) -> set[Any]:
    members = loader.construct_mapping(node, deep=True).get("hash") if isinstance(node, yaml.MappingNode) else None
    return set(members or ())


_Loader.add_implicit_resolver(_WITH_COLON, re.compile(r"^:."), [":"])
_Loader.add_constructor("!ruby/symbol", _symbol)
_Loader.add_constructor("!ruby/sym", _symbol)
_Loader.add_constructor(_WITH_COLON, _symbol_with_colon)
_Loader.add_constructor("!ruby/class", _ruby_class)
_Loader.add_constructor("!ruby/module", _ruby_class)
_Loader.add_constructor("!ruby/object:BigDecimal", _big_decimal)
_Loader.add_constructor("!ruby/object:Set", _set)
_Loader.add_constructor("!binary", yaml.SafeLoader.construct_yaml_binary)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
_Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)
_Loader.add_multi_constructor("!ruby/", _ruby_object)
