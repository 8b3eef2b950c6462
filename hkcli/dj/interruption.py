"""What may end a job from outside: its time limit, and the signal that asks the worker to stop."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class WorkerTimeout(BaseException):
    """The job ran longer than it may. Not an Exception, so that a job's own `except Exception` does not hide it."""

    ruby_name = "Delayed::WorkerTimeout"


class Interrupted(BaseException):
    """The worker must go now; the job goes back into the queue."""


class Interruption:
    """Signals of one worker process; must be made in its main thread, which also runs the jobs."""

    def __init__(self, grace_s: float, on_stop: Callable[[], None]) -> None:
        self.stopping = False
        self._grace_s = grace_s
        self._on_stop = on_stop
        self._in_job = False
        self._job_ends_at = float("inf")
        self._stop_ends_at = float("inf")
        self._limit_s = 0.0
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Signal handlers are in place inside, and put back as they were after."""
        before = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._alarm)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """The job inside gets WorkerTimeout after its seconds, or Interrupted once a stop's grace is over."""
        self._limit_s = seconds
        self._job_ends_at = time.monotonic() + seconds
        self._in_job = True
        self._set_alarm()
        try:
            yield
        finally:
            self._in_job = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def sleep(self, seconds: float) -> None:
        """Wait, but not when asked to stop."""
        ends_at = time.monotonic() + seconds
        while not self.stopping and (left := ends_at - time.monotonic()) > 0:
            select.select([self._pipe[0]], [], [], left)

    def stop(self) -> None:
        """End after the job that runs."""
        self.stopping = True
        os.write(self._pipe[1], b".")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        first, self.stopping = not self.stopping, True
        if first:
            self._stop_ends_at = time.monotonic() + self._grace_s
            os.write(self._pipe[1], b".")
            if self._in_job:
                self._set_alarm()
        self._on_stop()

    def _set_alarm(self) -> None:
        left = min(self._job_ends_at, self._stop_ends_at) - time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))

    def _alarm(self, _number: int, _frame: FrameType | None) -> None:
        if not self._in_job:
            return
        now = time.monotonic()
        if now >= self._stop_ends_at:
            raise Interrupted
        if now >= self._job_ends_at:
            raise WorkerTimeout(f"execution expired (Delayed::Worker.max_run_time is only {self._limit_s:.0f} seconds)")
        self._set_alarm()
