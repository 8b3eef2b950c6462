"""Words typed here as a shell line for a dyno, so that each arrives as it was, byte for byte."""

import os
import re
import shlex
import string

from hkcli.api.exit_marker import with_marker

ENDS_THE_SHELL = (
    "exit",
    "exec",
    "return",
    "eval",
    "source",
    ".",
    "set",
    "shopt",
    "trap",
    "kill",
    "logout",
    "builtin",
    "command",
)
"""Builtins after which a shell may not live to print the marker."""
ENDING_WORD = re.compile(r"(?<![\w./:=@%+-])(?:" + "|".join(map(re.escape, ENDS_THE_SHELL)) + r")(?![\w./:=@%+-])")
PLAIN = frozenset(string.ascii_letters + string.digits + " _-./:=@%+,")
OPEN_ENDED = re.compile(r"[#\n`]|<<|:\?|\$\{[^}]*\?|[&;|\\(]\s*\Z")
"""Where a text behind the line would not be a command of its own, or the line can break off the shell."""
RESERVED = re.compile(
    r"(?<!\S)(?:if|then|elif|else|fi|for|while|until|do|done|case|esac|select|function|coproc|[{}!]|\[\[)(?!\S)"
)
MISPLACED = re.compile(r"\A\s*[;&|]|[;&|]\s+[;&|]|[;&|]{3}|;[;&|]|[&|];|&\||\|&")
"""Operators that can be a mistake, which would take the marker along."""


def command_line(words: tuple[str, ...]) -> str:
    """One word is a shell line as it is; of several, each is a word for the program that the first one names."""
    if len(words) == 1:
        return words[0] if is_utf8(words[0]) else f"eval {quote(words[0])}"
    return " ".join(map(quote, words))


def with_exit_status(words: tuple[str, ...]) -> str:
    """The line of these words, which then prints its exit status as a marker, even if it ends its shell.

    A line is wrapped only if it has to be: its first word may be a process type, which the platform looks for there.
    """
    line = command_line(words)
    ends = words[0] in ENDS_THE_SHELL if len(words) > 1 else may_end_the_shell(line)
    return with_marker(f"bash -c {quote(line)}" if ends else line)


def may_end_the_shell(line: str) -> bool:
    if any(pattern.search(line) for pattern in (ENDING_WORD, OPEN_ENDED, RESERVED, MISPLACED)):
        return True
    if not is_balanced(line):
        return True
    try:
        return not shlex.split(line)
    except ValueError:
        return True


def is_balanced(line: str) -> bool:
    depth = 0
    for character in line:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def quote(word: str) -> str:
    """A word for bash; bytes that are not UTF-8 in the one form that can be sent as text."""
    if is_utf8(word):
        return shlex.quote(os.fsencode(word).decode())
    return "$'" + "".join(map(escaped, os.fsencode(word))) + "'"


def escaped(byte: int) -> str:
    character = chr(byte)
    return (
        character if character.isascii() and (character.isalnum() or character in " _-./:=@%+,") else f"\\x{byte:02x}"
    )


def is_utf8(word: str) -> bool:
    try:
        os.fsencode(word).decode()
    except UnicodeDecodeError:
        return False
    return True


def shown(words: tuple[str, ...]) -> str:
    """The command on one line, for people."""
    line = command_line(words)
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
