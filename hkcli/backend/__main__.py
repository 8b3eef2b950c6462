"""python -m hkcli.backend: run the backend in the foreground until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from hkcli.backend.addons.partner_api import ANSWER_S
from hkcli.backend.addons.postgresql_server import PostgresServer
from hkcli.backend.assembly import Settings
from hkcli.backend.home import ForeignStore, Home, HomeInUse, remove
from hkcli.backend.listening import CannotListen
from hkcli.backend.server import serve
from hkcli.backend.store import StoreError


def reset(home: Home) -> None:
    """Remove all that the backend keeps, its PostgreSQL included. Raises HomeInUse."""
    home.lock()
    remove(PostgresServer.at(home.root, home.engine_id(), None).folder)
    home.clear()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hkcli.backend", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="data directory")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, help="port of the API; 0 for any free one")
    parser.add_argument("--store", help="SQLAlchemy URL of the store, instead of SQLite in the data directory")
    parser.add_argument("--stop-grace", type=float, default=30, metavar="SECONDS", help="between SIGTERM and SIGKILL")
    parser.add_argument("--postgres", metavar="URL", help="superuser on a PostgreSQL server, for heroku-postgresql")
    parser.add_argument(
        "--partner-timeout",
        type=float,
        default=ANSWER_S,
        metavar="SECONDS",
        help="for an answer of a third party's add-on service",
    )
    parser.add_argument(
        "--rate-limit", type=int, metavar="N", help="requests an hour and account; more are answered 429"
    )
    parser.add_argument("--reset", action="store_true", help="remove everything in the data directory, and end")
    words = parser.parse_args()
    os.umask(0o077)
    settings = Settings(
        home=Home.create(words.home),
        host=words.host,
        port=words.port,
        store_url=words.store,
        stop_grace_s=words.stop_grace,
        rate_limit=words.rate_limit,
        postgres_url=words.postgres,
        partner_answer_s=words.partner_timeout,
    )
    try:
        reset(settings.home) if words.reset else asyncio.run(serve(settings))
    except HomeInUse as error:
        print(f"A backend runs on {error} already. Stop it: heroku backend:stop", file=sys.stderr)
        return 1
    except (CannotListen, ForeignStore, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
