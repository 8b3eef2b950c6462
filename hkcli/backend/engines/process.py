"""One dyno's processes while they run: their output, input, signals and end."""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from hkcli.backend.engines.members import members, send

log = logging.getLogger(__name__)

READ_BYTES = 128 * 1024
REST_S = 0.005
"""Pause between two small reads, so that a process which writes line by line is read in batches."""

KILL_ROUNDS = 20
"""Half a second each; only a process stuck inside the kernel outlives them."""


class Process:
    """The main process of a dyno, in a session of its own, and all that came out of it.

    `output` is the end of a pipe, or of a pty, that carries stdout and stderr; `input` (a pipe, the same pty, or
    nothing) leads to stdin. Both are non-blocking and are closed here. `on_gone` is called when no process is left,
    with whether the main one ended by itself."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        *,
        dyno_id: str,
        marks: Mapping[str, str],
        folder: Path,
        port: int,
        output: int,
        input: int | None,
        on_gone: Callable[[bool], None],
    ) -> None:
        self.dyno_id = dyno_id
        self.port = port
        self._marks = marks
        self.pid = popen.pid
        self._popen = popen
        self._folder = folder
        self._output = output
        self._input = input
        self._on_gone = on_gone
        self._is_signalled = self._is_at_fault = self._ended_by_itself = False
        self._is_terminal = input == output
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._read_at = 0.0
        self._stop_watching = self._watch_exit()

    async def read(self, *, timeout_s: float | None = None) -> bytes | None:
        """What the processes wrote, up to READ_BYTES; empty at the end; None if nothing came within `timeout_s`."""
        rest = self._read_at + REST_S - self._loop.time()
        await asyncio.sleep(max(rest, 0))
        try:
            async with asyncio.timeout(timeout_s):
                while (data := self._try_read()) is None:
                    await self._ready(self._loop.add_reader, self._loop.remove_reader, self._output)
        except TimeoutError:
            return None
        self._read_at = self._loop.time() if len(data) < READ_BYTES // 2 else 0.0
        return data

    async def write(self, data: bytes) -> bool:
        """Hand all of `data` to stdin, as fast as it is read there; False if nobody will ever read it."""
        view = memoryview(data)
        while view and self._input is not None:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer, self._input)
            except OSError:
                return False
        return not view

    def end_input(self) -> None:
        """Let stdin end: the pipe is closed; a pty can only be told by Ctrl-D, which is for the caller to write."""
        if self._input is not None and not self._is_terminal:
            os.close(self._input)
            self._input = None

    @property
    def is_terminal(self) -> bool:
        return self._is_terminal

    def reads_lines(self) -> bool:
        """Whether the terminal is in canonical mode, where Ctrl-D is the end of input and not a character."""
        try:
            return bool(termios.tcgetattr(self._output)[3] & termios.ICANON)
        except (termios.error, OSError):
            return False

    async def wait(self) -> int:
        """Exit status of the main process as a shell shows it: 128 + N after signal N."""
        return await asyncio.shield(self._exit)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal, if there is one, another size; who has it in the foreground gets SIGWINCH."""
        if self._is_terminal and self._output >= 0:
            set_size(self._output, columns, lines)

    @property
    def has_exited(self) -> bool:
        return self._exit.done()

    async def send_signal(self, number: signal.Signals) -> None:
        """To every process of the dyno, also those that left its group."""
        self._is_signalled = True
        signalled = self._signal_group(number)
        others = await self._members()
        send([process for process in others if not (signalled and self._is_in_group(process.pid))], number)

    async def gone(self, *, within_s: float) -> bool:
        """Whether every process of the dyno has ended, waiting so long for it."""
        deadline = self._loop.time() + within_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.wait()
        pause = 0.01
        while not self._exit.done() or await self._members():
            if self._loop.time() >= deadline:
                return False
            await asyncio.sleep(min(pause, max(deadline - self._loop.time(), 0)))
            pause = min(pause * 2, 0.2)
        return True

    async def stop(self, *, grace_s: float) -> bool:
        """SIGTERM to all; whether every process has ended within the grace."""
        await self.send_signal(signal.SIGTERM)
        return await self.gone(within_s=grace_s)

    async def kill(self, *, is_at_fault: bool = False) -> None:
        """SIGKILL until nothing is left; a process that forks meanwhile is found by the next look.

        One `is_at_fault` that left the platform no choice: it counts as ended by itself."""
        self._is_at_fault |= is_at_fault
        for _ in range(KILL_ROUNDS):
            if await self.gone(within_s=0.0):
                self._on_gone(self._ended_by_itself)
                return
            await self.send_signal(signal.SIGKILL)
            await self.gone(within_s=0.5)
        log.error("dyno=%s event=unkillable pid=%d", self.dyno_id, self.pid)

    async def close(self) -> None:
        """Kill what is left, give back the files, remove the working copy. May be called twice."""
        await self.kill()
        self._stop_watching()
        for fd in {self._output, self._output if self._input is None else self._input} - {-1}:
            os.close(fd)
        self._output, self._input = -1, None
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _try_read(self) -> bytes | None:
        try:
            return os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    async def _ready(self, add: Callable[..., None], remove: Callable[[int], object], fd: int) -> None:
        ready = self._loop.create_future()
        add(fd, resolve, ready)
        try:
            await ready
        finally:
            remove(fd)

    def _watch_exit(self) -> Callable[[], None]:
        """Set `_exit` when the main process ends; returns how to stop watching."""
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            threading.Thread(target=self._wait_in_thread, name=f"wait-{self.pid}", daemon=True).start()
            return lambda: None
        closed = False

        def stop() -> None:
            nonlocal closed
            if not closed:
                closed = True
                self._loop.remove_reader(fd)
                os.close(fd)

        def ended() -> None:
            stop()
            self._exited(self._popen.wait())

        self._loop.add_reader(fd, ended)
        return stop

    def _wait_in_thread(self) -> None:
        code = self._popen.wait()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._exited, code)

    def _exited(self, code: int) -> None:
        self._ended_by_itself = self._is_at_fault or not self._is_signalled
        self._exit.set_result(128 - code if code < 0 else code)

    def _signal_group(self, number: signal.Signals) -> bool:
        """Only while the main process is not waited for: after that the group's number may belong to strangers."""
        if self._exit.done():
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        return True

    def _is_in_group(self, pid: int) -> bool:
        try:
            return os.getpgid(pid) == self.pid
        except ProcessLookupError:
            return True

    async def _members(self) -> list[psutil.Process]:
        return await asyncio.to_thread(members, self._marks, session=self.pid)


def set_size(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def resolve(future: "asyncio.Future[None]") -> None:
    """A descriptor may be reported ready twice before the waiter has removed it."""
    if not future.done():
        future.set_result(None)
