"""Names Rails makes up: of indexes, constraints, columns and join tables."""

import hashlib
import re
from collections.abc import Sequence

MAX_INDEX_NAME = {"sqlite": 64, "postgresql": 63}
IRREGULAR = {
    "person": "people",
    "man": "men",
    "child": "children",
    "move": "moves",
    "zombie": "zombies",
    "mouse": "mice",
}
UNCOUNTABLE = {"equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "jeans", "police"}
TO_PLURAL = (
    (r"(quiz)$", r"\1zes"),
    (r"(matr|vert|ind)(?:ix|ex)$", r"\1ices"),
    (r"(x|ch|ss|sh)$", r"\1es"),
    (r"([^aeiouy]|qu)y$", r"\1ies"),
    (r"(?:([^f])fe|([lr])f)$", r"\1\2ves"),
    (r"sis$", "ses"),
    (r"([ti])um$", r"\1a"),
    (r"(buffal|tomat)o$", r"\1oes"),
    (r"(bu|alias|status|octop|vir)(s?)$", r"\1ses"),
    (r"s$", "s"),
    (r"$", "s"),
)
TO_SINGULAR = (
    (r"(database)s$", r"\1"),
    (r"(quiz)zes$", r"\1"),
    (r"(matr)ices$", r"\1ix"),
    (r"(vert|ind)ices$", r"\1ex"),
    (r"(alias|status|bus)es$", r"\1"),
    (r"(x|ch|ss|sh)es$", r"\1"),
    (r"([^aeiouy]|qu)ies$", r"\1y"),
    (r"([lr])ves$", r"\1f"),
    (r"([^f])ves$", r"\1fe"),
    (r"(ss)$", r"\1"),
    (r"s$", ""),
)


def index_name(table: str, columns: Sequence[str] | str) -> str:
    """`index_users_on_a_and_b`; of an expression, its words."""
    if isinstance(columns, str):
        columns = ["_".join(re.findall(r"\w+", columns))] if re.search(r"\W", columns) else [columns]
    return f"index_{table}_on_{'_and_'.join(columns)}"


def foreign_key_name(table: str, column: str) -> str:
    return "fk_rails_" + _digest(f"{table}_{column}_fk")


def check_name(table: str, expression: str) -> str:
    return "chk_rails_" + _digest(f"{table}_{expression}_chk")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def join_table_name(first: str, second: str) -> str:
    """Both in order, joined by `_`; a prefix they share is written once."""
    both = "\0".join(sorted((first, second)))
    return re.sub(r"^(.*[._])(.+)\0\1(.+)", r"\1\2_\3", both).replace("\0", "_")


def pluralize(word: str) -> str:
    """`user` to `users`, as ActiveSupport's own rules have it; the app's inflections are not known here."""
    return _inflected(word, TO_PLURAL, IRREGULAR)


def singularize(word: str) -> str:
    return _inflected(word, TO_SINGULAR, {plural: singular for singular, plural in IRREGULAR.items()})


def _inflected(word: str, rules: Sequence[tuple[str, str]], irregular: dict[str, str]) -> str:
    head, underscore, last = word.rpartition("_")
    if last in UNCOUNTABLE:
        return word
    if last in irregular:
        return head + underscore + irregular[last]
    for pattern, replacement in rules:
        if re.search(pattern, last):
            return head + underscore + re.sub(pattern, replacement, last, count=1)
    return word
