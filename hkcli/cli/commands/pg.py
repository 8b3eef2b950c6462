"""PostgreSQL: the databases whose URLs an app carries in its config vars."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

import click

from hkcli.api.errors import HerokuError
from hkcli.cli.context import Run, app_command, json_option
from hkcli.cli.dispatch import nearest

SCHEMES = ("postgres", "postgresql")
DEFAULT = "DATABASE_URL"
BINDING = "PGCHANNELBINDING"


@dataclass(frozen=True)
class Database:
    """A database and the config vars that hold its URL, `DATABASE_URL` first."""

    names: tuple[str, ...]
    url: str

    @property
    def settings(self) -> dict[str, str]:
        """As libpq's environment variables: a password in there is not in the list of processes."""
        parts = urlsplit(self.url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        found = {
            "PGHOST": query.get("host") or parts.hostname or "",
            "PGPORT": str(parts.port or 5432),
            "PGDATABASE": unquote(parts.path.removeprefix("/")),
            "PGUSER": unquote(parts.username or ""),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGSSLMODE": query.get("sslmode") or ("prefer" if is_here(parts.hostname) else "require"),
        }
        return {key: value for key, value in found.items() if value}


def is_here(host: str | None) -> bool:
    return host in (None, "localhost", "127.0.0.1", "::1")


def databases(config_vars: Mapping[str, str]) -> list[Database]:
    """One a URL, in the order of their first names, the main one first."""
    found: dict[str, list[str]] = {}
    for key in sorted(config_vars, key=lambda key: (key != DEFAULT, key)):
        if config_vars[key].partition("://")[0] in SCHEMES:
            found.setdefault(config_vars[key], []).append(key)
    return [Database(tuple(names), url) for url, names in found.items()]


def chosen(run: Run, name: str | None) -> Database:
    """The database of a config var's or an attachment's name, else the main one. Raises HerokuError."""
    present = databases(run.api.config_vars(run.app))
    if not present:
        raise HerokuError(
            f"{run.app} has no PostgreSQL database.",
            next=(f"Add one: heroku addons:add heroku-postgresql --app {run.app}",),
        )
    if name is None:
        return present[0]
    wanted = {name.upper(), f"{name.upper()}_URL"} | attached_as(run, name)
    for each in present:
        if wanted & set(each.names):
            return each
    known = [name for each in present for name in each.names]
    near = nearest(name.upper(), known) or known
    raise HerokuError(f"{run.app} has no database {name}.", next=(f"Did you mean: {', '.join(near)}?",))


def attached_as(run: Run, addon: str) -> set[str]:
    """The config vars that an add-on's attachments make."""
    return {f"{each['name']}_URL" for each in run.api.attachments(run.app) if each["addon"]["name"] == addon}


@app_command("pg:info")
@click.argument("database", required=False)
@json_option
def pg_info(run: Run, database: str | None, as_json: bool) -> None:
    """Show the databases of an app, without their passwords."""
    found = [chosen(run, database)] if database else databases(run.api.config_vars(run.app))
    owners = {f"{each['name']}_URL": each["addon"]["name"] for each in run.api.attachments(run.app)}
    if as_json:
        run.out.json([document(each, owners) for each in found])
        return
    if not found:
        run.out.talk(f"{run.app} has no PostgreSQL database.")
    for each in found:
        run.out.header(", ".join(each.names))
        labels = {"host": "Host", "port": "Port", "database": "Database", "user": "User", "addon": "Add-on"}
        known = document(each, owners)
        run.out.pairs({label: known[key] for key, label in labels.items() if known[key]})


def document(database: Database, owners: Mapping[str, str]) -> dict[str, object]:
    settings = database.settings
    return {
        "config_vars": list(database.names),
        "host": settings.get("PGHOST"),
        "port": int(settings["PGPORT"]),
        "database": settings.get("PGDATABASE"),
        "user": settings.get("PGUSER"),
        "addon": next((owners[name] for name in database.names if name in owners), None),
    }


@app_command("pg:psql")
@click.argument("database", required=False)
@click.option("-c", "--command", "sql", metavar="SQL", help="run this and end")
@click.option("-f", "--file", metavar="FILE", help="run what is in a file and end")
@click.option("--channel-binding", "binding", metavar="HOW", help="disable, prefer or require, as libpq has it")
@click.option("--credential", metavar="NAME", hidden=True, expose_value=False)
def pg_psql(run: Run, database: str | None, sql: str | None, file: str | None, binding: str | None) -> None:
    """Open psql on a database; its exit status becomes ours."""
    meant = chosen(run, database)
    words = ["psql", "--set", f"PROMPT1={run.app}::%/%R%# ", "--set", f"PROMPT2={run.app}::%/%R%# "]
    words += ["--command", sql] if sql else []
    words += ["--file", file] if file else []
    run.out.talk(f"--> Connecting to {meant.names[0]}")
    run.out.stdout.flush()
    inherited = {key: value for key, value in run.env.items() if not key.startswith("PG") or key == BINDING}
    wanted = meant.settings | ({BINDING: binding} if binding else {})
    try:
        done = subprocess.run(words, env=inherited | wanted, cwd=run.folder, check=False)
    except FileNotFoundError:
        raise HerokuError(
            "psql is not installed.", next=("On Debian and Ubuntu: apt install postgresql-client",)
        ) from None
    run.exit_status = done.returncode if done.returncode >= 0 else 128 - done.returncode


@app_command("pg:credentials:url")
@click.argument("database", required=False)
@click.option("-n", "--name", default="default", metavar="NAME", help="credential [default]")
@json_option
def pg_credentials_url(run: Run, database: str | None, name: str, as_json: bool) -> None:
    """Show the URL of a database, with its password."""
    if name != "default":
        raise click.UsageError("Only the default credential is known here; attach another as an add-on of its own.")
    meant = chosen(run, database)
    words = {"dbname": "PGDATABASE", "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    known = {word: meant.settings.get(key, "") for word, key in (words | {"sslmode": "PGSSLMODE"}).items()}
    if as_json:
        run.out.json({"url": meant.url, **known})
        return
    run.out.line("Connection information for default credential.")
    run.out.line("Connection info string:")
    run.out.line(f'  "{" ".join(f"{word}={value}" for word, value in known.items())}"')
    run.out.line("Connection URL:")
    run.out.line(f"  {meant.url}")
