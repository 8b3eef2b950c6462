"""python -m hkcli.backend: run the backend in the foreground until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hkcli.backend import clearing, restoring, snapshots
from hkcli.backend.addons.partner_api import ANSWER_S
from hkcli.backend.addons.postgresql_cluster import PostgresError
from hkcli.backend.addons.postgresql_copies import Copies
from hkcli.backend.assembly import Settings
from hkcli.backend.ephemeral import STOP_GRACE_S, run, temporary_home
from hkcli.backend.errors import PlatformError
from hkcli.backend.home import ForeignStore, Home, HomeInUse
from hkcli.backend.listening import CannotListen
from hkcli.backend.metering import METERING_S
from hkcli.backend.server import serve
from hkcli.backend.store import StoreError


def reset(home: Home) -> None:
    """Raises HomeInUse."""
    home.lock()
    if left := clearing.reset(home):
        print(left, file=sys.stderr)


def settings(words: argparse.Namespace, home: Home) -> Settings:
    default_grace_s = STOP_GRACE_S if words.ephemeral else Settings.stop_grace_s
    return Settings(
        home=home,
        host=words.host,
        port=0 if words.ephemeral and words.port is None else words.port,
        store_url=words.store,
        stop_grace_s=default_grace_s if words.stop_grace is None else words.stop_grace,
        rate_limit=words.rate_limit,
        postgres_url=words.postgres,
        durable=not words.ephemeral,
        partner_answer_s=words.partner_timeout,
        metering_s=words.metering,
    )


def perform(words: argparse.Namespace, settings: Settings) -> None:
    """Raises HomeInUse, CannotListen, ForeignStore, StoreError, PlatformError, PostgresError."""
    if words.reset:
        reset(settings.home)
    elif words.snapshot:
        asyncio.run(at_rest(settings.home, words.snapshot, words.name))
    else:
        asyncio.run(run(settings) if words.ephemeral else serve(settings))


BY_NAME: dict[str, Callable[[Home, Copies, str], Coroutine[Any, Any, dict[str, object]]]] = {
    "save": snapshots.save,
    "restore": restoring.restore,
    "remove": snapshots.remove_named,
}


async def at_rest(home: Home, action: str, name: str) -> None:
    """See to the snapshots of a directory in which nothing runs; prints a document.

    Raises HomeInUse, PlatformError, PostgresError."""
    logging.disable()  # nobody reads it; what matters is raised
    home.lock()
    server, copies = clearing.of_home(home)
    try:
        await restoring.resume(home, copies)
        print(json.dumps(await BY_NAME[action](home, copies, name) if action in BY_NAME else snapshots.every(home)))
    finally:
        await server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hkcli.backend", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--home", type=Path, help="data directory")
    where.add_argument(
        "--ephemeral",
        action="store_true",
        help="a temporary data directory and a free port; print where as one line of JSON, and end, with everything, "
        "when stdin is closed or the parent process is gone",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, help="port of the API; 0 for any free one")
    parser.add_argument("--store", help="SQLAlchemy URL of the store, instead of SQLite in the data directory")
    parser.add_argument("--stop-grace", type=float, metavar="SECONDS", help="between SIGTERM and SIGKILL")
    parser.add_argument(
        "--postgres",
        metavar="URL",
        help="superuser on a PostgreSQL server, for heroku-postgresql; kept once it has answered, until `own` is given",
    )
    parser.add_argument(
        "--partner-timeout",
        type=float,
        default=ANSWER_S,
        metavar="SECONDS",
        help="for an answer of a third party's add-on service",
    )
    parser.add_argument(
        "--metering",
        type=float,
        default=METERING_S,
        metavar="SECONDS",
        help="between two looks at the memory of dynos",
    )
    parser.add_argument(
        "--rate-limit", type=int, metavar="N", help="requests an hour and account; more are answered 429"
    )
    parser.add_argument("--reset", action="store_true", help="remove everything in the data directory, and end")
    parser.add_argument("--snapshot", choices=("list", *BY_NAME), help="see to the directory's snapshots, and end")
    parser.add_argument("--name", default="", help="of the snapshot")
    words = parser.parse_args()
    os.umask(0o077)
    try:
        with temporary_home() if words.ephemeral else nullcontext(Home.create(words.home)) as home:
            perform(words, settings(words, home))
    except HomeInUse as error:
        print(f"A backend runs on {error} already. Stop it: heroku backend:stop", file=sys.stderr)
        return 1
    except (CannotListen, ForeignStore, StoreError, PlatformError, PostgresError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
