"""The loop that works off jobs: lib/delayed/worker.rb of the gem, lib/delayed/worker.rb and job.rb of 2009.

Which of the two it follows is in the queue's Era; where it follows neither is listed in DIFFERENCES.md.
"""

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from hkcli.dj.app_jobs import JobClasses
from hkcli.dj.database import DriverError
from hkcli.dj.handlers import DeserializationError, Payload, load_job, tagged_name
from hkcli.dj.interruption import Interrupted, Interruption, WorkerTimeout
from hkcli.dj.queue import Job, Queue
from hkcli.dj.settings import WORKER_NAME, Settings

BATCH = 100
MAX_DATABASE_ERRORS = 10
DEAD_LOCKS_EVERY_S = 30


class FatalBackendError(Exception):
    """The database failed too often in a row; the platform is to start the worker anew."""

    ruby_name = "Delayed::FatalBackendError"


@dataclass(frozen=True)
class Done:
    """What a batch came to; `count` includes the failed ones."""

    count: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Success:
    """A job that was performed, and is still in the table."""

    job: Job
    label: str
    seconds: float


def write_line(text: str) -> None:
    """To stdout at once: what a pipe holds back is not in the logs."""
    sys.stdout.flush()
    data = f"{text}\n".encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]


def now_utc() -> datetime:
    return datetime.now(UTC)


class Worker:
    """One process's worker. `start` returns when asked to stop, or when done if the settings say so."""

    def __init__(
        self,
        queue: Queue,
        classes: JobClasses,
        settings: Settings,
        write: Callable[[str], None] = write_line,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self.queue = queue
        self.era = queue.era
        self.classes = classes
        self.settings = settings
        self.name = settings.worker_name
        self._write = write
        self._clock = clock
        self._pid = os.getpid()
        self._interruption = Interruption(settings.grace_s, on_stop=lambda: self.say("exiting"))
        self._database_errors = 0
        self._last_error = ""
        self._dead_looked_at = float("-inf")

    def start(self) -> None:
        """Raises FatalBackendError."""
        with self._interruption.handled():
            self.say("start", worker=self.name)
            try:
                self._loop()
            finally:
                self._clear_own_locks()

    def work_off(self, limit: int = BATCH) -> Done:
        """Run up to that many jobs; fewer when nothing is left to do or the worker is to stop."""
        count = failed = 0
        success: Success | None = None
        while count < limit and not self._interruption.stopping:
            job, success = self._reserve(success), None
            if job is None:
                break
            count += 1
            success = self._attempt(job)
            failed += success is None
        if success:
            self._finish(success)
        return Done(count, failed)

    def run(self, job: Job) -> bool:
        """Perform one locked job and write its outcome to its row; whether it succeeded."""
        success = self._attempt(job)
        if success:
            self._finish(success)
        return success is not None

    def _attempt(self, job: Job) -> Success | None:
        """Perform one locked job. Its success is still to be written to its row, its failure has been."""
        try:
            payload = load_job(job.handler, self.classes)
        except DeserializationError as error:
            self._unreadable(job, error)
            return None
        except (Exception, SystemExit) as error:  # the app's own code, run to make the job, can raise anything
            self._failed(job, Payload(tagged_name(job.handler), None, lambda: None), error)
            return None
        label = self.era.job_label(payload.name, job.id, job.queue)
        self.say("running", job=label)
        started = time.perf_counter()
        try:
            with self._interruption.limit(self._max_run_time_s(payload)):
                self._perform(job, payload)
        except Interrupted:
            self._leave_if_forked(1)
            self._insist(lambda: self.queue.release(job))
            self.say("released", job=label)
            return None
        except BaseException as error:  # as the gem: SystemExit and whatever else a job raises are its failure
            self._leave_if_forked(1)
            self._failed(job, payload, error)
            return None
        self._leave_if_forked(0)
        return Success(job, label, time.perf_counter() - started)

    def _finish(self, success: Success) -> None:
        self._insist(lambda: self.queue.succeed(success.job))
        self._say_completed(success)

    def _say_completed(self, success: Success) -> None:
        self.say("completed", job=success.label, seconds=success.seconds)

    def say(self, line: str, **values: object) -> None:
        """Write one of the era's lines."""
        if self.settings.quiet:
            return
        try:
            self._write(getattr(self.era.wording, line).format(**{"worker": self.name} | values))
        except BrokenPipeError:  # nobody reads; end as if asked to, so that no job is lost
            self._interruption.stop()

    def _loop(self) -> None:
        while not self._interruption.stopping:
            self._free_dead_locks()
            started = time.perf_counter()
            done = self.work_off()
            if done.count:
                rate = done.count / max(time.perf_counter() - started, 1e-9)
                self.say("stats", count=done.count, rate=rate, failed=done.failed)
            elif self.settings.exit_on_complete:
                self.say("no_more")
                return
            else:
                self._interruption.sleep(self.settings.sleep_delay_s)

    def _perform(self, job: Job, payload: Payload) -> None:
        if not self.era.has_hooks:
            payload.perform()
            return
        try:
            payload.hook("before", job)
            payload.perform()
            payload.hook("success", job)
        except Interrupted:
            raise
        except BaseException as error:
            payload.hook("error", job, error)
            raise
        finally:
            payload.hook("after", job)

    def _failed(self, job: Job, payload: Payload, error: BaseException) -> None:
        """Due again later, or, after the last attempt, gone (or kept as failed)."""
        now = self._clock()
        label = self.era.job_label(payload.name, job.id, job.queue)
        self._say_failed("failed", job, label, error)
        if self.era.shows_exception and not self.settings.quiet:
            self._write(error_text(error))
        if not self.era.is_final(
            job.attempts, self._option(payload, "max_attempts", int) or self.settings.max_attempts
        ):
            run_at = self._reschedule_at(job, payload, now)
            self._insist(lambda: self.queue.retry(job, run_at, error_text(error), now))
            return
        attempts = job.attempts + 1 if self.era.keeps_error_on_final else job.attempts
        self.say("permanent", job=label, attempts=attempts)
        self._call_failure_hook(job, payload)
        destroy = self._option(payload, "destroy_failed_jobs", bool)
        if self.settings.destroy_failed_jobs if destroy is None else destroy:
            self._insist(lambda: self.queue.succeed(job))
        else:
            text = error_text(error) if self.era.keeps_error_on_final else None
            self._insist(lambda: self.queue.fail(job, attempts, text, now))

    def _unreadable(self, job: Job, error: DeserializationError) -> None:
        """Trying again would not help: the row is kept as failed, with the reason, for somebody to look at."""
        label = self.era.job_label(tagged_name(job.handler), job.id, job.queue)
        self._say_failed("unreadable", job, label, error)
        self._insist(lambda: self.queue.fail(job, job.attempts, str(error), self._clock()))

    def _say_failed(self, line: str, job: Job, label: str, error: BaseException) -> None:
        self.say(
            line,
            job=label,
            error_class=getattr(type(error), "ruby_name", type(error).__name__),
            error=message_of(error),
            prior=job.attempts,
            attempts=job.attempts + 1,
        )

    def _call_failure_hook(self, job: Job, payload: Payload) -> None:
        if not self.era.has_hooks:
            return
        try:
            payload.hook("failure", job)
        except Exception as error:
            self._write(f"Error when running failure callback: {error}\n{error_text(error)}")

    def _reschedule_at(self, job: Job, payload: Payload, now: datetime) -> datetime:
        run_at = now + timedelta(seconds=self.era.retry_delay_s(job.attempts))
        if not self.era.has_hooks or not callable(own := getattr(payload.target, "reschedule_at", None)):
            return run_at
        try:
            chosen = own(now, job.attempts + 1)
            return chosen.replace(tzinfo=chosen.tzinfo or UTC) if isinstance(chosen, datetime) else run_at
        except Exception:
            return run_at

    def _max_run_time_s(self, payload: Payload) -> float:
        """A job may lower the limit, never raise it."""
        limit = self.settings.limits.max_run_time.total_seconds()
        own = self._option(payload, "max_run_time", (int, float, timedelta))
        if own is None:
            return limit
        return min(limit, own.total_seconds() if isinstance(own, timedelta) else own)

    def _option(self, payload: Payload, name: str, types: Any) -> Any:
        if not self.era.has_hooks or payload.target is None:
            return None
        try:
            value = payload.option(name)
        except Exception:
            return None
        return value if isinstance(value, types) else None

    def _leave_if_forked(self, status: int) -> None:
        """A job that forks comes back twice; only the worker itself may touch the row."""
        if os.getpid() != self._pid:
            os._exit(status)

    def _reserve(self, before: Success | None = None) -> Job | None:
        """The next job; the one before it is done with in the same breath, which saves a transaction for each.

        Raises FatalBackendError at the tenth database error in a row.
        """
        try:
            job = self.queue.reserve(self.name, self._clock(), self.settings.limits, before.job if before else None)
        except DriverError as error:
            if before:
                self._finish(before)
                return self._reserve()
            self._note_database_error(error)
            return None
        if before:
            self._say_completed(before)
        if self._database_errors:
            self._database_errors, self._last_error = 0, ""
            self.say("reserve_again")
        return job

    def _note_database_error(self, error: DriverError) -> None:
        message = str(error)
        self._database_errors += 1
        if message != self._last_error:
            self.say("reserve_error", error=message)
            self._last_error = message
        if self._database_errors >= MAX_DATABASE_ERRORS:
            raise FatalBackendError(message) from error

    def _insist(self, write: Callable[[], object]) -> None:
        """An outcome must reach its row, or the job would be done again: try through a restart of the database."""
        said = ""
        for tries_left in reversed(range(MAX_DATABASE_ERRORS)):
            try:
                write()
                return
            except DriverError as error:
                message = str(error)
                if not tries_left:
                    raise FatalBackendError(message) from error
                if message != said:
                    self.say("save_error", error=message)
                    said = message
                time.sleep(min(self.settings.sleep_delay_s, 1))

    def _clear_own_locks(self) -> None:
        try:
            self.queue.clear_locks(self.name)
        except DriverError as error:
            print(f"Could not release the locks of {self.name}: {error!s}", file=sys.stderr, flush=True)

    def _free_dead_locks(self) -> None:
        """Jobs of a worker that is known to be gone need not wait for their locks to grow old."""
        if time.monotonic() - self._dead_looked_at < DEAD_LOCKS_EVERY_S:
            return
        self._dead_looked_at = time.monotonic()
        try:
            for other in self.queue.lockers():
                if is_dead(other, self.name) and (count := self.queue.free(other, self._clock())):
                    self.say("freed", count=count, dead=other)
        except DriverError:
            return  # reserving, which comes next, says what is wrong


def is_dead(other: str, me: str) -> bool:
    """Whether that worker's process is known not to exist: it ran on this very host, where its pid is free.

    Of other hosts nothing is known here, be they dynos of the same machine: their platform knows what became of them.
    """
    theirs, mine = WORKER_NAME.match(other), WORKER_NAME.match(me)
    if not theirs or not mine or other == me or theirs["host"] not in (mine["host"], socket.gethostname()):
        return False
    try:
        os.kill(int(theirs["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def message_of(error: BaseException) -> str:
    """Its text; like Ruby's, its class name when it has none."""
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def error_text(error: BaseException) -> str:
    """For last_error: the message, then the frames of the job, innermost first, as Ruby writes them."""
    frames = traceback.extract_tb(_job_frames(error.__traceback__))
    lines = [f"{frame.filename}:{frame.lineno}:in `{frame.name}'" for frame in reversed(frames)]
    return "\n".join([message_of(error), *lines])


def _job_frames(frames: TracebackType | None) -> TracebackType | None:
    """Without those of this package, through which every job is called."""
    here = os.path.dirname(__file__)  # noqa: PTH120
    while frames is not None and frames.tb_next and os.path.dirname(frames.tb_frame.f_code.co_filename) == here:  # noqa: PTH120
        frames = frames.tb_next
    return frames


__all__ = ["Done", "FatalBackendError", "Worker", "WorkerTimeout", "error_text", "write_line"]
