"""What dynos use of the machine, summed over their processes.

Memory is what a dyno's quota is held against on Heroku: what programs have allocated, in RAM or swapped out, pages that
processes share counted once; mapped files do not count. Only Linux tells that. Elsewhere it is the resident set."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from hkcli.backend.engines.members import dyno_of


@dataclass(frozen=True)
class Usage:
    memory_bytes: int = 0
    swap_bytes: int = 0
    runnable: int = 0
    """Processes that have, or wait for, a processor."""

    @property
    def total_bytes(self) -> int:
        return self.memory_bytes + self.swap_bytes

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.memory_bytes + other.memory_bytes,
            self.swap_bytes + other.swap_bytes,
            self.runnable + other.runnable,
        )


def of_dynos(engine_id: str, sessions: Mapping[int, str]) -> dict[str, Usage]:
    """By dyno id; `sessions` gives the ids of dynos by their main processes. Blocks, for some 20 ms.

    One look at all processes serves all dynos. One that ends meanwhile is left out."""
    used: defaultdict[str, Usage] = defaultdict(Usage)
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if dyno := sessions.get(os.getsid(pid)) or dyno_of(process, engine_id):
                used[dyno] += of_process(process)
    return dict(used)


def of_process(process: psutil.Process) -> Usage:
    """Raises psutil.Error, OSError when it has ended."""
    status = process.status()
    if status == psutil.STATUS_ZOMBIE:
        return Usage()
    runnable = int(status == psutil.STATUS_RUNNING)
    try:
        sizes = parse_rollup(Path(f"/proc/{process.pid}/smaps_rollup").read_text())
    except OSError:
        return Usage(process.memory_info().rss, 0, runnable)
    return Usage(sizes.get("Pss_Anon", sizes.get("Anonymous", 0)), sizes.get("SwapPss", 0), runnable)


def parse_rollup(text: str) -> dict[str, int]:
    """The sizes of Linux's smaps_rollup, in bytes; see proc(5)."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {name.rstrip(":"): int(size) * 1024 for name, size, *_ in rows}
