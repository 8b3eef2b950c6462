"""Declarative Ruby as values: calls with literal arguments and blocks of such calls. Everything else is refused."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from hkcli.dj.ruby import Symbol

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


class Refused(Exception):
    """The file holds what cannot be interpreted; the message begins with file and line."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")


class RubySyntaxError(Refused):
    """The file is not Ruby."""


@dataclass(frozen=True)
class RawSQL:
    """`-> { 'CURRENT_TIMESTAMP' }`: text that goes into a statement as it is."""

    text: str


@dataclass(frozen=True)
class Constant:
    """A class or module by its name, as in `raise ActiveRecord::IrreversibleMigration`."""

    name: str


@dataclass(frozen=True)
class Call:
    """`receiver.method args, options do ... end`; `line` is 1-based; options keep their order, which is printed."""

    method: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    block: tuple["Call", ...] | None = None
    receiver: str = ""
    line: int = 0


@dataclass(frozen=True)
class ClassBody:
    """One class: its superclass as written (`ActiveRecord::Migration[6.1]`), and what stands in it."""

    name: str
    superclass: str
    methods: dict[str, tuple[Call, ...]]
    macros: tuple[Call, ...]
    line: int


@cache
def _parser() -> "Parser":
    import tree_sitter
    import tree_sitter_ruby

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_ruby.language()))


def read_classes(file: str, source: bytes) -> list[ClassBody]:
    """The classes of a Ruby file. Raises Refused, RubySyntaxError."""
    root = _parser().parse(source).root_node
    if root.has_error:
        broken = next(node for node in _walk(root) if node.type == "ERROR" or node.is_missing)
        shown = _text(broken).strip().partition("\n")[0][:40] or "end of file"
        raise RubySyntaxError(file, _line(broken), f"syntax error, unexpected {shown!r}")
    reader = _Reader(file, root)
    classes = []
    for node in _code(root):
        if node.type == "class":
            classes.append(reader.class_body(node))
        elif not _is_harmless(node):
            raise reader.refusal(node, "stands outside of the migration's class")
    return classes


def _is_harmless(node: "Node") -> bool:
    """`require` brings in code we do not run; the migration itself says whether it is needed."""
    method = node.child_by_field_name("method") if node.type == "call" else None
    return method is not None and _text(method) in ("require", "require_relative")


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _line(node: "Node") -> int:
    return int(node.start_point[0]) + 1


def _walk(node: "Node") -> Iterator["Node"]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _code(node: "Node | None") -> list["Node"]:
    """The named children that do something."""
    children = node.named_children if node is not None else []
    return [child for child in children if child.type not in ("comment", "heredoc_body", "empty_statement")]


class _Reader:
    def __init__(self, file: str, root: "Node") -> None:
        self.file = file
        self._heredocs = dict(
            zip(
                (node.start_byte for node in _walk(root) if node.type == "heredoc_beginning"),
                (node for node in _walk(root) if node.type == "heredoc_body"),
                strict=True,
            )
        )

    def refusal(self, node: "Node", reason: str) -> Refused:
        shown = " ".join(_text(node).split())
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return Refused(self.file, _line(node), f"`{shown}` {reason}")

    def class_body(self, node: "Node") -> ClassBody:
        superclass = node.child_by_field_name("superclass")
        parent = _text(superclass).removeprefix("<").strip() if superclass is not None else ""
        methods: dict[str, tuple[Call, ...]] = {}
        macros = []
        for item in _code(node.child_by_field_name("body")):
            if item.type in ("method", "singleton_method"):
                name = _text(item.child_by_field_name("name") or item)
                if item.child_by_field_name("parameters") is not None or name not in ("change", "up", "down"):
                    raise self.refusal(item, "is a method that cannot be interpreted: only change, up and down can")
                methods[name] = self.calls(item.child_by_field_name("body"))
            else:
                macros.append(self.call(item))
        return ClassBody(_text(node.child_by_field_name("name") or node), parent, methods, tuple(macros), _line(node))

    def calls(self, body: "Node | None") -> tuple[Call, ...]:
        return tuple(self.call(node) for node in _code(body))

    def call(self, node: "Node") -> Call:
        if node.type == "identifier":
            return Call(_text(node), line=_line(node))
        if node.type != "call":
            raise self.refusal(node, "cannot be interpreted: migrations are read, not run, and must be declarative")
        receiver = node.child_by_field_name("receiver")
        if receiver is not None and receiver.type != "identifier":
            raise self.refusal(node, "cannot be interpreted: it calls the app's own code")
        args, options = self.arguments(node.child_by_field_name("arguments"))
        return Call(
            _text(node.child_by_field_name("method") or node),
            args,
            options,
            self.block(node.child_by_field_name("block")),
            _text(receiver) if receiver is not None else "",
            _line(node),
        )

    def block(self, node: "Node | None") -> tuple[Call, ...] | None:
        """Calls on anything but the block's own variable, or on nothing, are refused."""
        if node is None:
            return None
        variables = [_text(name) for name in _code(node.child_by_field_name("parameters"))]
        calls = self.calls(node.child_by_field_name("body"))
        for call in calls:
            if call.receiver and call.receiver not in variables:
                raise Refused(self.file, call.line, f"`{call.receiver}.{call.method}` calls something unknown")
        return calls

    def arguments(self, node: "Node | None") -> tuple[tuple[Any, ...], dict[str, Any]]:
        args: list[Any] = []
        options: dict[str, Any] = {}
        for item in _code(node):
            if item.type == "pair":
                key, value = self.pair(item)
                options[key] = value
            else:
                args.append(self.value(item))
        if args and isinstance(args[-1], dict) and not options:
            options = args.pop()
        return tuple(args), options

    def pair(self, node: "Node") -> tuple[Any, Any]:
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is None or value is None:
            raise self.refusal(node, "cannot be interpreted: it takes its value from a variable")
        is_label = key.type == "hash_key_symbol" or (
            key.type == "string" and "=>" not in _text(node)[: value.start_byte]
        )
        return (Symbol(self.string(key) if key.type == "string" else _text(key)) if is_label else self.value(key)), (
            self.value(value)
        )

    def value(self, node: "Node") -> Any:
        """A literal's value. Raises Refused."""
        match node.type:
            case "simple_symbol":
                return Symbol(_text(node)[1:])
            case "delimited_symbol":
                return Symbol(self.string(node))
            case "string":
                return self.string(node)
            case "chained_string":
                return "".join(self.string(part) for part in _code(node))
            case "heredoc_beginning":
                return self.heredoc(node)
            case "integer" | "float" | "unary":
                return self.number(node)
            case "true" | "false" | "nil":
                return {"true": True, "false": False, "nil": None}[node.type]
            case "array":
                return [self.value(item) for item in _code(node)]
            case "string_array":
                return [self.string(item) for item in _code(node)]
            case "symbol_array":
                return [Symbol(self.string(item)) for item in _code(node)]
            case "hash":
                return dict(self.pair(item) for item in _code(node))
            case "constant" | "scope_resolution":
                return Constant(_text(node).removeprefix("::"))
            case "lambda":
                return self.raw_sql(node)
            case "parenthesized_statements" if len(_code(node)) == 1:
                return self.value(_code(node)[0])
        raise self.refusal(node, "cannot be interpreted: only literal values can")

    def raw_sql(self, node: "Node") -> RawSQL:
        body = node.child_by_field_name("body")
        items = _code(body.child_by_field_name("body") if body is not None else None)
        value = self.value(items[0]) if len(items) == 1 else None
        if not isinstance(value, str):
            raise self.refusal(node, "cannot be interpreted: a default's lambda may hold one string only")
        return RawSQL(value)

    def number(self, node: "Node") -> int | float:
        text = _text(node).replace("_", "").replace(" ", "")
        try:
            return float(text) if any(mark in text for mark in ".eE") and "x" not in text.lower() else _integer(text)
        except ValueError:
            raise self.refusal(node, "cannot be interpreted: only literal values can") from None

    def string(self, node: "Node") -> str:
        single = _text(node)[:1] == "'" or _text(node)[:2] == "%q"
        return "".join(self.part(part, single) for part in node.named_children)

    def part(self, node: "Node", single: bool) -> str:
        if node.type in ("string_content", "heredoc_content"):
            return _text(node)
        if node.type == "escape_sequence":
            return _unescape(_text(node), single)
        raise self.refusal(node, "cannot be interpreted: text is not computed")

    def heredoc(self, node: "Node") -> str:
        parts = [part for part in self._heredocs[node.start_byte].named_children if part.type != "heredoc_end"]
        single = "'" in _text(node)
        text = "".join(self.part(part, single) for part in parts).removeprefix("\n")
        # The last line's indentation belongs to the closing word, not to the text.
        text = text[: text.rfind("\n") + 1] if text.rpartition("\n")[2].isspace() else text
        return textwrap.dedent(text) if _text(node).startswith("<<~") else text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    base = 8 if len(digits) > 1 and digits.startswith("0") and digits.isdigit() else 0
    return int(text, base)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "s": " ", "0": "\0", "a": "\a", "b": "\b", "\n": ""}


def _unescape(text: str, single: bool) -> str:
    escaped = text[1:]
    if single:
        return escaped if escaped in ("'", "\\") else text
    if escaped.startswith("u"):
        return "".join(chr(int(code, 16)) for code in escaped[1:].strip("{}").split())
    if escaped.startswith("x"):
        return chr(int(escaped[1:], 16))
    return _ESCAPES.get(escaped, escaped)
