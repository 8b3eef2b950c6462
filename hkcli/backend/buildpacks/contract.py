"""What a buildpack is: it turns an app's source into something that runs, in place."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hkcli.backend.engines.members import ENGINE_MARK
from hkcli.backend.live_output import MOST_BYTES, NOT_KEPT, READ_BYTES
from hkcli.backend.log_lines import LineAssembler, split_long_lines

Output = Callable[[str], None]


class BuildFailed(Exception):
    """The build cannot go on; the message is for the pusher and may have several lines."""


@dataclass(frozen=True)
class Source:
    """An app's files, to be compiled in place, and its config vars."""

    root: Path
    config: Mapping[str, str]
    environment: Mapping[str, str]
    """For the build's programs."""
    cache: Path
    """A folder that the app's next build finds as this one leaves it; it may not be there yet."""
    version: str = ""

    def has(self, *names: str) -> bool:
        return any((self.root / name).exists() for name in names)


class Buildpack(Protocol):
    @property
    def name(self) -> str: ...

    async def detect(self, source: Source) -> bool: ...

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        """Make the files ready to run, telling how it goes; the default process types. Raises BuildFailed."""
        ...

    def config(self, generated_secret: str) -> dict[str, str]:
        """Config vars that a first deploy sets when the app has none of these names."""
        ...


def environment(root: Path, engine_id: str) -> dict[str, str]:
    """Nothing of the backend's own but where programs are, and the mark that lets a later run end what it left."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "LANG": "C.UTF-8", ENGINE_MARK: engine_id}


async def run(words: list[str], cwd: Path, environment: Mapping[str, str], out: Output) -> int:
    """Run a program to its end, in a process group of its own, handing on its lines; its exit status."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        await hand_on(process.stdout, out)
        return await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()


async def hand_on(printed: asyncio.StreamReader, out: Output) -> None:
    """Each line of what a program prints, none of them longer than those of a log, and no more of them than is kept."""
    assembler, room_bytes = LineAssembler(), MOST_BYTES
    while data := await printed.read(READ_BYTES):
        was_kept = room_bytes >= 0
        room_bytes -= len(data)
        if room_bytes >= 0:
            tell_lines(assembler.feed(data), out)
        elif was_kept:
            out(NOT_KEPT)
        await asyncio.sleep(0)
    if room_bytes >= 0:
        tell_lines(assembler.flush(), out)


def tell_lines(lines: bytes, out: Output) -> None:
    for line in split_long_lines(lines).decode(errors="replace").split("\n")[:-1]:
        out(line.rstrip("\r"))
