"""Heroku's published hyper-schema of Platform API v3 (from the MIT-licensed platform-api gem): validates answers."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema

DOCUMENT = Path(__file__).with_name("heroku-platform-schema.json")
PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Link:
    """One of the 305 calls."""

    resource: str
    title: str
    method: str
    href: str
    answer: dict[str, Any] | None
    """The schema of a successful answer."""
    request: dict[str, Any] | None = None
    """The schema of the body."""

    def matches(self, method: str, path: str) -> bool:
        pattern = "[^/]+".join(re.escape(part) for part in PARAMETER.split(unquote(self.href)))
        return self.method == method and re.fullmatch(pattern, path) is not None


def template(href: str) -> str:
    """`/apps/{(%23%2Fdefinitions%2F...)}/addons` as `/apps/{}/addons`."""
    return PARAMETER.sub("{}", unquote(href))


@cache
def document() -> dict[str, Any]:
    """The schema, but for what it says of Heroku's own addresses."""
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    app = loaded["definitions"]["app"]["definitions"]
    del app["git_url"]["pattern"], app["web_url"]["pattern"]
    return loaded


@cache
def links() -> tuple[Link, ...]:
    return tuple(
        Link(name, link["title"], link["method"], link["href"], link.get("targetSchema"), link.get("schema"))
        for name, resource in document()["definitions"].items()
        for link in resource.get("links", [])
    )


def find(method: str, path: str) -> Link | None:
    """The link of a call; of several the one with the most fixed words."""
    found = [link for link in links() if link.matches(method, path)]
    return min(found, key=lambda link: len(PARAMETER.findall(link.href)), default=None)


GARBAGE: dict[str, tuple[Any, ...]] = {
    "string": ("perhaps",),
    "number": (7.5,),
    "boolean": (True,),
    "array": ([[1]], ["a", None]),
    "object": ({"nested": {"deep": True}},),
}
"""Values of each kind that JSON has, and that mean nothing."""


def wrong_values(link: Link) -> Iterator[tuple[str, Any]]:
    """For each property of the body, values of every kind that the schema does not allow it to be of."""
    for name, described in ((link.request or {}).get("properties") or {}).items():
        allowed = _types(described)
        for kind, values in GARBAGE.items():
            if kind not in allowed:
                yield from ((name, value) for value in values)


def _types(described: Mapping[str, Any]) -> set[str]:
    if "$ref" in described:
        return _types(_resolve(described["$ref"]))
    choices = [*described.get("anyOf", ()), *described.get("oneOf", ())]
    return set(described.get("type", ())).union(*map(_types, choices))


def _resolve(reference: str) -> dict[str, Any]:
    found: Any = document()
    for word in reference.removeprefix("#/").split("/"):
        found = found[word]
    return dict(found)


def problems(method: str, path: str, answer: Any) -> list[str]:
    """What in an answer is not as published; none for calls that the schema does not know."""
    link = find(method, path)
    if link is None or link.answer is None:
        return []
    root = {**link.answer, "definitions": document()["definitions"]}
    validator = jsonschema.Draft4Validator(root, format_checker=jsonschema.FormatChecker())
    missing = _missing(answer, link.answer)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)] + missing


def _missing(answer: Any, schema: dict[str, Any]) -> list[str]:
    """Keys of the resource that the answer does not have at all; clients read them without asking."""
    resource = _resource(schema)
    documents = answer if isinstance(answer, list) else [answer]
    known = resource.get("properties", {}) if resource else {}
    optional = {"provision_message"}
    return [
        f"{each.get('name') or each.get('id')}: no key {key!r}"
        for each in documents
        if isinstance(each, dict)
        for key in known
        if key not in each and key not in optional
    ]


def _resource(schema: dict[str, Any]) -> dict[str, Any] | None:
    reference = schema.get("$ref") or schema.get("items", {}).get("$ref", "")
    match = re.fullmatch(r"#/definitions/([\w-]+)", reference)
    return document()["definitions"][match[1]] if match else None
