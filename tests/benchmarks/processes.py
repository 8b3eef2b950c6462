"""Whole processes, measured from outside."""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PEAK = """\
import atexit, runpy, shutil, sys
atexit.register(shutil.copyfile, "/proc/self/status", sys.argv.pop(1))
runpy.run_module("hkcli", run_name="__main__", alter_sys=True)
"""
"""Runs the client and keeps what the kernel says of its memory: outside, a peak would include the parent's."""


@dataclass(frozen=True)
class Place:
    """Where and with what environment commands are run; None for ours."""

    env: Mapping[str, str] | None = None
    folder: Path | None = None

    def run(self, words: Sequence[str]) -> float:
        """Seconds of one run, which must succeed; its output is read and thrown away."""
        begun = time.perf_counter()
        done = subprocess.run(words, env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True)
        took = time.perf_counter() - begun
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return took

    def client_peak_mb(self, words: Sequence[str]) -> float:
        """The largest memory that a run of the client had resident. Linux only."""
        with tempfile.NamedTemporaryFile("r") as status:
            self.run([sys.executable, "-c", PEAK, status.name, *words])
            peak = re.search(r"VmHWM:\s+(\d+) kB", status.read())
        assert peak is not None
        return int(peak[1]) / 1024

    def compare(self, ours: Sequence[str], floor: Sequence[str], runs: int = 15) -> "Comparison":
        """Both in turn, after one of each unmeasured."""
        times = [(self.run(ours), self.run(floor)) for _ in range(runs + 1)][1:]
        return Comparison(
            statistics.median(our for our, _ in times),
            statistics.median(their for _, their in times),
            statistics.median(our / their for our, their in times),
        )


@dataclass(frozen=True)
class Comparison:
    """Medians."""

    ours_s: float
    floor_s: float
    ratio: float
