"""Tokens in the netrc file, which belongs to many programs: what is not ours survives byte for byte.

The grammar is that of curl, ftp and Python's own `netrc`: words in any layout; `#` begins a comment where a keyword
could stand; `macdef NAME` reaches to the next blank line; a value may be "quoted with \\" inside".
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

WORD = re.compile(r'"(?:\\[^\n]|[^"\\\n])*"(?=\s|\Z)|\S+')
MACRO_END = re.compile(r"\r?\n[ \t]*\r?\n|\Z")
OPEN_MACRO = re.compile(r"\bmacdef\s+\S+(?!.*\n[ \t]*\r?\n)", re.DOTALL)
KEYWORDS_WITH_VALUE = ("login", "password", "account")


@dataclass(frozen=True)
class Word:
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        if len(self.text) > 1 and self.text[0] == self.text[-1] == '"':
            return re.sub(r"\\(.)", r"\1", self.text[1:-1], flags=re.DOTALL)
        return self.text


@dataclass
class Entry:
    machine: str
    start: int
    end: int
    """Where its last word ends."""
    values: dict[str, Word] = field(default_factory=dict)


def netrc_path(env: Mapping[str, str]) -> Path:
    return Path(env.get("NETRC") or Path(env.get("HOME") or Path.home()) / ".netrc")


def lookup(path: Path, host: str) -> tuple[str, str] | None:
    """Login and password of the first entry for a host (with its port, as in `localhost:5080`)."""
    for entry in entries(read(path)):
        if entry.machine == host and "password" in entry.values:
            login = entry.values.get("login")
            return login.value if login else "", entry.values["password"].value
    return None


def store(path: Path, host: str, login: str, token: str) -> None:
    """Set the entry of a host, in place if there is one. The file becomes mode 0600."""
    replace(path, stored(read(path), host, login, token))


def erase(path: Path, host: str) -> bool:
    """Remove all entries of a host; False if there was none."""
    before = read(path)
    after = erased(before, host)
    if before != after:
        replace(path, after)
    return before != after


def read(path: Path) -> str:
    """The file as text from which `replace` makes the same bytes; empty if there is no file."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def replace(path: Path, text: str) -> None:
    """Write atomically: to the file behind a symbolic link, and readable by its owner alone at every moment."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=".netrc-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def stored(text: str, host: str, login: str, token: str) -> str:
    for entry in entries(text):
        if entry.machine == host:
            return updated(text, entry, {"login": login, "password": token})
    gap = "" if not text or text.endswith("\n") else "\n"
    if OPEN_MACRO.search(text + gap):
        gap += "\n"
    return f"{text}{gap}machine {host}\n  login {quoted(login)}\n  password {quoted(token)}\n"


def updated(text: str, entry: Entry, values: Mapping[str, str]) -> str:
    missing = "".join(f"\n  {key} {quoted(value)}" for key, value in values.items() if key not in entry.values)
    text = text[: entry.end] + missing + text[entry.end :]
    known = [(entry.values[key], value) for key, value in values.items() if key in entry.values]
    for word, value in sorted(known, key=lambda pair: pair[0].start, reverse=True):
        text = text[: word.start] + quoted(value) + text[word.end :]
    return text


def erased(text: str, host: str) -> str:
    for entry in reversed(list(entries(text))):
        if entry.machine == host:
            rest = re.sub(r"\A[ \t]*\r?\n", "", text[entry.end :])
            text = text[: entry.start] + rest
    return text


def quoted(value: str) -> str:
    if value and not re.search(r'[\s"\\]', value) and not value.startswith("#"):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def entries(text: str) -> Iterator[Entry]:
    """The `machine` entries, in order; `default` and macros end the one before them."""
    entry: Entry | None = None
    position = 0
    while word := WORD.search(text, position):
        position = word.end()
        keyword = word.group()
        if keyword.startswith("#"):
            newline = text.find("\n", word.start())
            position = len(text) if newline < 0 else newline
        elif keyword in ("machine", "default", "macdef"):
            if entry:
                yield entry
            entry = None
            if keyword == "default":
                continue
            value = WORD.search(text, position)
            position = value.end() if value else len(text)
            if keyword == "macdef":
                end = MACRO_END.search(text, position)
                position = end.end() if end else len(text)
            elif value:
                entry = Entry(Word(value.group(), *value.span()).value, word.start(), value.end())
        elif keyword in KEYWORDS_WITH_VALUE and (value := WORD.search(text, position)):
            position = value.end()
            if entry:
                entry.values[keyword] = Word(value.group(), *value.span())
                entry.end = value.end()
    if entry:
        yield entry
