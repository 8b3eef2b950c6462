"""The lines Rails prints about migrations."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BANNER_CHARS = 75


@dataclass
class Report:
    """Writes the lines Rails prints."""

    write: Callable[[str], None]
    verbose: bool = True
    clock: Callable[[], float] = field(default=time.perf_counter)

    def line(self, text: str = "") -> None:
        if self.verbose:
            self.write(text)

    def banner(self, text: str) -> None:
        self.line(f"== {text} {'=' * max(0, BANNER_CHARS - len(text))}")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A line for what is done, and one for how long it took."""
        self.line(f"-- {text}")
        started = self.clock()
        yield
        self.line(f"   -> {self.clock() - started:.4f}s")

    @contextmanager
    def suppressed(self) -> Iterator[None]:
        before, self.verbose = self.verbose, False
        try:
            yield
        finally:
            self.verbose = before
