"""The manual page, `man heroku`, in the man macros of roff: made from the command table by `make docs`."""

from collections.abc import Iterator, Mapping

import click

from hkcli import __version__
from hkcli.cli.context import option_records
from hkcli.cli.dispatch import load
from hkcli.cli.examples import EXAMPLES
from hkcli.cli.table import also_known_as, names
from hkcli.cli.topics import SECTIONS, topic_of

ENVIRONMENT: Mapping[str, str] = {
    "HEROKU_API_KEY": "Token to use, instead of the one in the netrc file.",
    "HEROKU_APP": "App to use where neither --app nor --remote is given.",
    "HEROKU_HOST": "Platform to speak to: a URL such as http://localhost:5080. Heroku itself if it is not set.",
    "HEROKU_GIT_HOST": "Host of git over HTTP, where it is not git. and the platform's name.",
    "HEROKU_STATUS_HOST": "Where heroku status asks, instead of status.heroku.com.",
    "HEROKU_LOGIN_HOST": "Site of the login by the browser, instead of Heroku's.",
    "HEROKU_TEAM": "Team whose apps are listed and created.",
    "HEROKU_DEBUG": "1: show each request with its status, time and request id, secrets left out. "
    "curl: show each as a curl command that can be replayed.",
    "HEROKU_FORCE": "1: remove add-ons also when they are attached to other apps.",
    "HEROKU_COLOR": "0: no colours.",
    "HEROKU_LOGS_COLOR": "0: no colours in logs.",
    "NO_COLOR": "If set, no colours.",
    "FORCE_COLOR": "If set, colours in pipes too.",
    "HTTPS_PROXY": "Proxy to go through; NO_PROXY names hosts that are spoken to without it.",
    "SSL_CERT_FILE": "Certificates of authorities to trust besides the system's; so do REQUESTS_CA_BUNDLE and "
    "NODE_EXTRA_CA_CERTS.",
    "NETRC": "The netrc file, instead of ~/.netrc.",
    "EDITOR": "Editor of heroku config:edit; VISUAL wins over it.",
    "HKCLI_BACKEND_HOME": "Data directory of the backend on this machine.",
}
COMMON = {
    "-a, --app APP": "app, or a git remote of it",
    "-r, --remote REMOTE": "git remote of the app",
    "-j, --json": "print JSON, the API's own where there is one",
    "-h, --help": "tell how to use a command",
}
STATUSES = {
    "0": "Done.",
    "1": "It failed; stderr says why.",
    "2": "Wrong usage; nothing was done.",
    "130": "Ended by Ctrl-C.",
}


def manual() -> str:
    return "\n".join(lines()) + "\n"


def lines() -> Iterator[str]:
    yield f'.TH HEROKU 1 "" "hkcli {__version__}" "User commands"'
    yield from (".SH NAME", r"heroku \- command-line client for the Heroku Platform, and a platform on one machine")
    yield from (".SH SYNOPSIS", ".B heroku", r"\fICOMMAND\fR [\fB\-\-app\fR \fIAPP\fR] [\fIOPTION\fR]...")
    yield ".SH DESCRIPTION"
    yield text(
        "Manages apps on Heroku, or on a backend of yours that speaks Heroku's API. The app is the one that --app "
        "names, else --remote, else HEROKU_APP, else the folder's git remote."
    )
    yield text(
        "Data goes to stdout, all else to stderr. With --json a command prints one document; if it fails, stderr "
        "holds one JSON object: id, message, status, request_id, next, warnings. A program heroku-NAME on PATH is the "
        "command NAME.",
        ".PP",
    )
    yield from (".SH OPTIONS OF MOST COMMANDS", *definitions(COMMON))
    for section, topics in SECTIONS.items():
        yield f".SH {section.upper()}"
        for name in (each for topic in topics for each in names(aliases=False) if topic_of(each) == topic):
            yield from about(name)
    yield from (".SH EXIT STATUS", *definitions(STATUSES))
    yield text("heroku run, rake, console, run:detached --tail and pg:psql end with the other program's own.", ".PP")
    yield from (".SH ENVIRONMENT", *definitions(ENVIRONMENT))
    yield from (".SH FILES", *definitions({"~/.netrc": "Logins, an entry a host, readable by you alone."}))
    yield from (".SH SEE ALSO", ".BR git (1),", ".BR curl (1),", ".BR psql (1)")


def about(name: str) -> Iterator[str]:
    """A command with all its words."""
    found = load(name)
    context = click.Context(found, info_name=f"heroku {name}", **found.context_settings)
    yield f'.SS "{text(" ".join([context.command_path, *found.collect_usage_pieces(context)]))}"'
    for number, paragraph in enumerate((found.help or "").split("\n\n")):
        yield text(" ".join(paragraph.split()), ".PP" if number else None)
    if aliases := also_known_as(name):
        yield text(f"Also: {', '.join(aliases)}.", ".PP")
    yield from definitions({words: use for words, use in option_records(found, context) if words not in COMMON})
    yield from (".PP", ".EX", *(text(f"$ {line}") for line in EXAMPLES[name]), ".EE")


def definitions(terms: Mapping[str, str]) -> Iterator[str]:
    for term, meaning in terms.items():
        yield from (".TP", rf"\fB{text(term)}\fR", text(meaning))


def text(words: str, before: str | None = None) -> str:
    """Words that roff shows as they are."""
    safe = words.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace('"', r"\(dq")
    safe = safe.replace("~", r"\(ti").replace("^", r"\(ha")
    return f"{before}\n{safe}" if before else rf"\&{safe}" if safe.startswith(".") else safe
