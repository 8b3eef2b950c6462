"""`heroku api`: the whole API, for what has no command of its own."""

import json
import os
import re
import select
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.calls import document_of
from hkcli.api.errors import UsageError
from hkcli.cli.context import Run, command
from hkcli.cli.terminal import descriptor_of

if TYPE_CHECKING:
    from requests import Response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
WITH_BODY = ("POST", "PUT", "PATCH")
LITERAL = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)")
LONGEST_SILENCE_S = 30.0
"""Of a pipe that was not asked for by --input: a parent may hold one open that never says anything."""


@command("api")
@click.argument("words", metavar="[METHOD] PATH", nargs=-1, required=True)
@click.option("-F", "--field", "fields", metavar="KEY=VALUE", multiple=True, help="a key of the body")
@click.option("--input", "source", metavar="FILE", help="the body, as JSON; - is stdin, for as long as it takes")
@click.option("--paginate", is_flag=True, help="all pages of a list as one")
@click.option("-i", "--include", is_flag=True, help="show status and headers on stderr")
def api(
    run: Run, words: tuple[str, ...], fields: tuple[str, ...], source: str | None, paginate: bool, include: bool
) -> None:
    """Make one request to the API and print the answer.

    POST, PUT and PATCH take their body from stdin too, when it is a pipe or a file and no flag gives one. In a loop
    that reads from stdin itself, leave it alone: < /dev/null
    """
    given, path = method_and_path(words)
    takes_stdin = given in WITH_BODY and source is None and not fields and is_fed(run)
    body = piped_body(run, given) if takes_stdin else body_of(run, fields, source)
    method = given or ("GET" if body is None else "POST")
    if paginate:
        run.out.json(run.api.every(path))
        return
    response = run.api.request(method, path, json=body)
    if include:
        show_head(run, response)
    document = document_of(response)
    if document is None:
        run.out.stdout.write(response.text)
    else:
        run.out.json(document)


def show_head(run: Run, response: "Response") -> None:
    run.out.err(f"HTTP {response.status_code} {response.reason}")
    for name, value in response.headers.items():
        run.out.err(f"{name}: {value}")
    run.out.err()


def method_and_path(words: tuple[str, ...]) -> tuple[str | None, str]:
    """`patch /apps/x`, or a path alone. Raises click.UsageError."""
    method, path = (words[0].upper(), words[1]) if len(words) == 2 else (None, words[0])
    if len(words) > 2 or path.upper() in METHODS:
        raise click.UsageError("Give a method and a path, as in: heroku api GET /apps")
    if method not in (None, *METHODS):
        raise click.UsageError(f"{words[0]} is not a method. Choose one of: {', '.join(METHODS)}")
    if "://" in path:
        raise click.UsageError("Give the path alone, as in /apps: the host is the platform's (see HEROKU_HOST).")
    return method, path if path.startswith("/") else f"/{path}"


def is_fed(run: Run) -> bool:
    """Whether stdin is a pipe (node's are sockets) or a file; a terminal and /dev/null are neither."""
    descriptor = descriptor_of(run.out.stdin)
    if descriptor is None:
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def piped_body(run: Run, method: str | None) -> Any:
    """What stdin holds, None if that is nothing. Raises UsageError."""
    without = f"{method} without a body: < /dev/null"
    if os.name == "posix" and not select.select([run.out.stdin], [], [], LONGEST_SILENCE_S)[0]:
        said = f"No body came on stdin within {LONGEST_SILENCE_S:.0f} seconds. Nothing was sent."
        raise UsageError(said, next=(without, "To wait longer for one: --input -"))
    try:
        return parse_body(text, "stdin") if (text := read(run, "-")).strip() else None
    except UsageError as error:
        error.next = (f"It was taken for the body. {without}",)
        raise


def parse_body(text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{origin} is not JSON: {error}.") from error


def body_of(run: Run, fields: tuple[str, ...], source: str | None) -> Any:
    """The body that flags describe, or None. Raises UsageError."""
    if source is None:
        return parse_fields(fields) if fields else None
    if fields:
        raise UsageError("--field and --input exclude each other.")
    return parse_body(read(run, source), "stdin" if source == "-" else source)


def read(run: Run, source: str) -> str:
    """A file, or with `-` stdin. Raises UsageError."""
    try:
        text = run.out.stdin.read() if source == "-" else (run.folder / Path(source)).read_text("utf-8")
        text.encode()  # in some locales stdin passes on whatever it is given
    except OSError as error:
        raise UsageError(f"{source} cannot be read ({error.strerror}).") from error
    except UnicodeError:
        raise UsageError(f"{'stdin' if source == '-' else source} is not JSON: it is not UTF-8.") from None
    return text


def parse_fields(fields: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE words; true, false, null and whole numbers are what they look like. Raises click.UsageError."""
    body: dict[str, Any] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not (key and equals):
            raise click.UsageError(f"{field!r} is not KEY=VALUE.")
        body[key] = json.loads(value) if LITERAL.fullmatch(value) else value
    return body
