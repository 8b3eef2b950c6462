"""The life of a one-off dyno: detached, its output in the log; or attached, joined to a client."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hkcli.backend import dyno_log
from hkcli.backend.dyno_log import DynoLog
from hkcli.backend.dynos import Dyno, DynoState
from hkcli.backend.engines.local import LocalEngine, Terminal, WorkingCopy
from hkcli.backend.engines.process import Process
from hkcli.backend.engines.unpack import SlugError
from hkcli.backend.rendezvous import Connection, ReportedStatus, Ticket, ends_in_exit_marker

ATTACH_ERROR_STATUS = 128
LAUNCH_ERROR_STATUS = 1
COALESCE_S = 0.015
"""Output is gathered for so long before it is sent: what a program prints at once arrives at once."""
COALESCE_MARKER_S = 0.5
COALESCE_BYTES = 64 * 1024
LAST_OUTPUT_S = 600.0
"""How long a client may take to read what a process that has ended had printed."""
LEFTOVER_GRACE_S = 5.0
TIME_TO_LIVE_S = 24 * 3600.0
"""No one-off lives longer, as on Heroku."""

END_OF_INPUT = b"\x04"
END_OF_INPUT_QUIET_S = 0.2
"""Without a terminal, Ctrl-D means the end of stdin if nothing follows it for so long; else it is data."""

EARLY_S = 1.0
"""A Ctrl-D so soon after the start was not typed: the client's stdin has ended."""
TERMINAL_POLL_S = 0.05


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    attach_s: float = 30.0
    stop_s: float = 30.0
    hang_up_s: float = 10.0
    """From the loss of the client to SIGKILL."""
    boot_s: float = 60.0


class OneOff:
    def __init__(
        self,
        dyno: Dyno,
        engine: LocalEngine,
        log: DynoLog,
        *,
        ticket: Ticket | None,
        terminal: Terminal | None,
        time_to_live_s: float,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self.dyno = dyno
        self._engine = engine
        self._log = log
        self._ticket = ticket
        self._terminal = terminal
        self._time_to_live_s = time_to_live_s
        self.patience = patience
        self._now = now
        self._stop = asyncio.Event()
        self.process: Process | None = None

    def stop(self) -> None:
        self._stop.set()

    def resize(self, columns: int, lines: int) -> bool:
        """Another size for its terminal, now or from its start; False if it has none."""
        if self._terminal is None:
            return False
        self._terminal = replace(self._terminal, columns=columns, lines=lines)
        if self.process is not None:
            self.process.resize(columns, lines)
        return True

    async def run(self) -> int:
        """From start to end; returns the exit status."""
        if self._ticket is None:
            status = await self._run_detached()
        else:
            status = await self._run_attached(self._ticket)
        self._log.exited(status)
        self._log.state(self.dyno.state, dyno_log.COMPLETE)
        self.dyno.state, self.dyno.updated_at = DynoState.DOWN, self._now()
        return status

    async def _run_detached(self) -> int:
        process = await self._start(None)
        if process is None:
            return LAUNCH_ERROR_STATUS
        try:
            following = asyncio.create_task(self._log.follow(process))
            await self._until_end(process, client_gone=None)
            await finish(following, within_s=LEFTOVER_GRACE_S)
            return await process.wait()
        finally:
            await process.close()

    async def _run_attached(self, ticket: Ticket) -> int:
        self._log.event(dyno_log.AWAITING_CLIENT)
        preparing = asyncio.create_task(self._engine.prepare(self.dyno.spec, self.dyno.id))
        connection = None
        try:
            connection = await self._client(ticket)
        finally:
            if connection is None:
                await self._discard(preparing)
        if connection is None:
            if not self._stop.is_set():
                self._log.event(dyno_log.ATTACH_ERROR)
            return ATTACH_ERROR_STATUS
        try:
            process = await self._start(preparing)
            if process is None:
                return LAUNCH_ERROR_STATUS
            return await self._converse(process, connection)
        finally:
            self.dyno.attach_url = None
            await connection.close()

    async def _client(self, ticket: Ticket) -> Connection | None:
        attaching = asyncio.create_task(ticket.attached(within_s=self.patience.attach_s))
        await first_of(attaching, self._stop.wait())
        try:
            return attaching.result() if attaching.done() else None
        except TimeoutError:
            return None
        finally:
            await finish(attaching, within_s=0)
            if not attaching.done() or attaching.cancelled() or attaching.exception():
                self.dyno.attach_url = None

    async def _discard(self, preparing: "asyncio.Task[WorkingCopy]") -> None:
        with contextlib.suppress(SlugError, OSError):
            await self._engine.discard(await preparing)

    async def _start(self, preparing: "asyncio.Task[WorkingCopy] | None") -> Process | None:
        """Start the process, in the copy made meanwhile if there is one; None, and logged, if that cannot be."""
        self._log.starting()
        try:
            copy = await preparing if preparing else None
            attached = self._ticket is not None
            process = await self._engine.start(
                self.dyno.spec, self.dyno.id, terminal=self._terminal, attached=attached, copy=copy
            )
        except (SlugError, OSError) as error:
            self._log.cannot_start(error)
            return None
        self.dyno.pid, self.process = process.pid, process
        dyno_log.change_state(self.dyno, DynoState.UP, self._log, self._now())
        return process

    async def _converse(self, process: Process, connection: Connection) -> int:
        feeding = asyncio.create_task(feed(connection, process))
        told = ReportedStatus() if self.dyno.spec.reports_status else None
        showing = asyncio.create_task(show(process, connection, told))
        try:
            await self._until_end(process, client_gone=feeding)
            await first_of(showing, feeding, timeout_s=LAST_OUTPUT_S)
            status = await process.wait()
            return told.status if told and told.status is not None and status == 0 else status
        finally:
            await finish(feeding, within_s=0)
            await finish(showing, within_s=0)
            await process.close()

    async def _until_end(self, process: Process, *, client_gone: "asyncio.Task[None] | None") -> None:
        """Until every process has ended: of itself, stopped by a user or by its age, or hung up with its client."""
        waits = [client_gone] if client_gone else []
        await first_of(process.wait(), self._stop.wait(), *waits, timeout_s=self._time_to_live_s)
        if process.has_exited:
            if not await process.gone(within_s=0):
                await process.stop(grace_s=LEFTOVER_GRACE_S)
        elif client_gone and client_gone.done() and not self._stop.is_set():
            await hang_up(process, self._log, within_s=self.patience.hang_up_s)
        else:
            await stop(process, self._log, grace_s=self.patience.stop_s)
        await process.kill()


async def stop(process: Process, log: DynoLog, *, grace_s: float) -> None:
    """SIGTERM, the grace, SIGKILL, each seen in the log."""
    log.event(dyno_log.STOPPING)
    if not await process.stop(grace_s=grace_s):
        log.event(dyno_log.EXIT_TIMEOUT.format(grace_s))
        log.event(dyno_log.STOPPING_HARD)
        await process.kill()


async def hang_up(process: Process, log: DynoLog, *, within_s: float) -> None:
    """SIGHUP, half the time, SIGTERM, the other half, SIGKILL."""
    log.event(dyno_log.CLIENT_GONE)
    await process.send_signal(signal.SIGHUP)
    if await process.gone(within_s=within_s / 2):
        return
    log.event(dyno_log.DETACHED)
    log.event(dyno_log.STOPPING)
    if not await process.stop(grace_s=within_s / 2):
        log.event(dyno_log.STOPPING_HARD)
        await process.kill()


async def feed(connection: Connection, process: Process) -> None:
    """Pass the client's bytes to stdin until the client is gone."""
    if not process.is_terminal:
        return await feed_pipe(connection, process)
    early_until = asyncio.get_running_loop().time() + EARLY_S
    repeating = None
    try:
        while data := await connection.read():
            await process.write(data)
            is_early = asyncio.get_running_loop().time() < early_until
            if data.endswith(END_OF_INPUT) and is_early and not repeating:
                repeating = asyncio.create_task(repeat_end_of_input(process))
    finally:
        if repeating:
            await finish(repeating, within_s=0)


async def repeat_end_of_input(process: Process) -> None:
    """Ctrl-D again whenever a program leaves canonical mode: what an earlier one meant is lost in that moment.

    A client whose stdin has ended sends one Ctrl-D at the start, long before a shell or console takes its terminal."""
    read_lines = True
    while not process.has_exited:
        before, read_lines = read_lines, process.reads_lines()
        if before and not read_lines:
            await process.write(END_OF_INPUT)
        await asyncio.sleep(TERMINAL_POLL_S)


async def feed_pipe(connection: Connection, process: Process) -> None:
    may_be_end = False
    while True:
        try:
            async with asyncio.timeout(END_OF_INPUT_QUIET_S if may_be_end else None):
                data = await connection.read()
        except TimeoutError:
            process.end_input()
            may_be_end = False
            continue
        if not data:
            return
        if may_be_end:
            data = END_OF_INPUT + data
        may_be_end = data.endswith(END_OF_INPUT)
        await process.write(data[:-1] if may_be_end else data)


async def show(process: Process, connection: Connection, told: ReportedStatus | None) -> None:
    """Pass all output to the client; what comes after the client is gone is read and thrown away."""
    ended = False
    there = True
    while not ended:
        output, ended = await gather_output(process)
        if told:
            told.see(output)
        there = there and await connection.send(output)


async def gather_output(process: Process) -> tuple[bytes, bool]:
    """What is printed within a moment, and whether it is the end; an exit marker is given time to be whole."""
    loop = asyncio.get_running_loop()
    output = await process.read()
    if not output:
        return b"", True
    begun = loop.time()
    while len(output) < COALESCE_BYTES:
        patience = COALESCE_MARKER_S if ends_in_exit_marker(output) else COALESCE_S
        left = begun + patience - loop.time()
        more = await process.read(timeout_s=left) if left > 0 else None
        if more is None:
            break
        if not more:
            return output, True
        output += more
    return output, False


async def first_of(*awaitables: "Coroutine[Any, Any, Any] | asyncio.Task[Any]", timeout_s: float | None = None) -> None:
    """Wait until one is done. Coroutines given here are ended; tasks stay their owner's."""
    tasks = [one if isinstance(one, asyncio.Task) else asyncio.create_task(one) for one in awaitables]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, awaitables, strict=True):
            if task is not given:
                await finish(task, within_s=0)


async def finish(task: "asyncio.Task[Any]", *, within_s: float) -> None:
    """Give a task so long to end by itself, then cancel it; wait until it has."""
    await asyncio.wait([task], timeout=within_s)
    task.cancel()
    await asyncio.wait([task])
