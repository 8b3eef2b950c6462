"""`heroku api`: the whole API, for what has no command of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.calls import document_of
from hkcli.api.errors import UsageError
from hkcli.cli.context import Run, command

if TYPE_CHECKING:
    from requests import Response


@command("api")
@click.argument("words", metavar="[METHOD] PATH", nargs=-1, required=True)
@click.option("-F", "--field", "fields", metavar="KEY=VALUE", multiple=True, help="a key of the body")
@click.option("--input", "source", metavar="FILE", help="the body, as JSON; - is stdin")
@click.option("--paginate", is_flag=True, help="all pages of a list as one")
@click.option("-i", "--include", is_flag=True, help="show status and headers on stderr")
def api(
    run: Run, words: tuple[str, ...], fields: tuple[str, ...], source: str | None, paginate: bool, include: bool
) -> None:
    """Make one request to the API and print the answer."""
    if len(words) > 2:
        raise click.UsageError("Give a method and a path, as in: heroku api GET /apps")
    body = body_of(run, fields, source)
    method = words[0].upper() if len(words) == 2 else "GET" if body is None else "POST"
    path = words[-1] if words[-1].startswith("/") else f"/{words[-1]}"
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


def body_of(run: Run, fields: tuple[str, ...], source: str | None) -> Any:
    """The body that flags describe, or None. Raises UsageError."""
    if source is None:
        return parse_fields(fields) if fields else None
    if fields:
        raise UsageError("--field and --input exclude each other.")
    try:
        return json.loads(run.out.stdin.read() if source == "-" else (run.folder / Path(source)).read_text())
    except OSError as error:
        raise UsageError(f"{source} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise UsageError(f"{source} is not JSON: {error}.") from error


def parse_fields(fields: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE words; true, false, null and whole numbers are what they look like. Raises click.UsageError."""
    body: dict[str, Any] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not (key and equals):
            raise click.UsageError(f"{field!r} is not KEY=VALUE.")
        is_literal = value in ("true", "false", "null") or value.removeprefix("-").isdecimal()
        body[key] = json.loads(value) if is_literal and not value.lstrip("-").startswith("0" * 2) else value
    return body
