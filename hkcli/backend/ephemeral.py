"""A platform for one session: it ends with whoever started it, and what it holds is gone then.

It ends when its stdin, a pipe, is closed at the other end, and when its parent process is gone: either is so after
`kill -9` of whoever started it. What one that was itself killed has left is removed by the next."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hkcli.backend.assembly import Settings
from hkcli.backend.clearing import clear_postgresql
from hkcli.backend.engines import members
from hkcli.backend.home import Home, HomeInUse, remove
from hkcli.backend.one_offs import finish, first_of
from hkcli.backend.server import serve

PREFIX = "hkcli-ephemeral-"
PARENT_POLL_S = 0.5
STOP_GRACE_S = 2.0


@contextmanager
def temporary_home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        sweep(folder.parent)
        yield Home.create(folder)
    finally:
        clear(Home(folder))


def sweep(parent: Path) -> None:
    """Remove what is left of platforms that were killed, their processes included; what cannot be is no hindrance."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.lstat().st_uid != os.getuid() or folder.is_symlink() or not (folder / "secret.key").exists():
                continue
            home = Home(folder)
            home.lock()
            members.end_engine(home.engine_id(), grace_s=0)
            clear(home)
        except HomeInUse:
            continue
        except Exception as error:
            print(f"What is left of an earlier session in {folder} cannot be removed: {error}", file=sys.stderr)


def clear(home: Home) -> None:
    if left := asyncio.run(clear_postgresql(home)):
        print(left, file=sys.stderr)
    remove(home.root)


async def run(settings: Settings) -> None:
    """Print where the platform is, as one line of JSON, and be it until it is to end."""
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(serve(settings, announced=tell))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, serving.cancel)
    gone = asyncio.create_task(starter_gone())
    try:
        await first_of(serving, gone)
    finally:
        await finish(gone, within_s=0)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def tell(state: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(state), flush=True)


async def starter_gone() -> None:
    """Returns when whoever started us is gone, or has let go of our stdin."""
    parent, mode = os.getppid(), os.fstat(0).st_mode
    reading = None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        reading = asyncio.create_task(drain(reader))
    try:
        while os.getppid() == parent and not (reading and reading.done()):
            await first_of(*([reading] if reading else []), asyncio.sleep(PARENT_POLL_S))
    finally:
        if reading:
            await finish(reading, within_s=0)


async def drain(reader: asyncio.StreamReader) -> None:
    """Read to the end."""
    while await reader.read(1 << 16):
        continue
