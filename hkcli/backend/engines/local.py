"""Dynos as processes of this machine."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hkcli.backend.dynos import DynoSpec
from hkcli.backend.engines.environment import Place, environment
from hkcli.backend.engines.hosts import Hosts
from hkcli.backend.engines.members import DYNO_MARK, ENGINE_MARK, end_engine
from hkcli.backend.engines.process import Process, set_size
from hkcli.backend.engines.unpack import unpack

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
PIPE_BYTES = 1024 * 1024
"""What a process may write while nobody reads, where the system allows it (Linux)."""

STARTUP = """\
for script in .profile.d/*.sh; do [ -r "$script" ] && . "$script"; done; unset script
"""
TAKE_TERMINAL = ': <"$1"; shift\n'
"""A session leader without a terminal gets the one it opens; Python has no safe way to do it between fork and exec."""


@dataclass(frozen=True)
class Terminal:
    columns: int = 80
    lines: int = 24
    term: str = "xterm"


@dataclass(frozen=True)
class WorkingCopy:
    """A dyno's own files; `home` is the root of the app in it."""

    dyno_id: str
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "app"

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"


class LocalEngine:
    """Runs dynos below `directory`. `engine_id` marks its processes; it must stay the same from run to run."""

    def __init__(
        self,
        directory: Path,
        engine_id: str,
        hosts: Hosts | None = None,
        *,
        path: str = DEFAULT_PATH,
        stack_bin: Path | None = None,
    ) -> None:
        self._directory = directory
        self._engine_id = engine_id
        self._hosts = hosts or Hosts(directory.with_name("hosts"))
        self._path = path
        self._stack_bin = stack_bin
        self._recent_ports: set[int] = set()

    async def reap_strays(self, *, grace_s: float = 5.0) -> int:
        """End what an earlier run of this engine left behind, files included; returns how many processes there were."""
        count = await asyncio.to_thread(end_engine, self._engine_id, grace_s=grace_s)
        for leftover in list(self._directory.glob("*")):
            await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
        return count

    async def prepare(self, spec: DynoSpec, dyno_id: str) -> WorkingCopy:
        """Unpack the slug for one dyno. Raises SlugError."""
        copy = WorkingCopy(dyno_id, self._directory / dyno_id)
        try:
            await asyncio.to_thread(unpack, spec.slug, copy.home)
            copy.tmp.mkdir(mode=0o700)
        except BaseException:
            await self.discard(copy)
            raise
        return copy

    async def discard(self, copy: WorkingCopy) -> None:
        """Remove a working copy that no process was started in."""
        await asyncio.to_thread(shutil.rmtree, copy.folder, ignore_errors=True)

    async def start(
        self,
        spec: DynoSpec,
        dyno_id: str,
        *,
        terminal: Terminal | None = None,
        attached: bool = False,
        copy: WorkingCopy | None = None,
    ) -> Process:
        """Start a dyno, on a pty if it has a terminal. Without one, stdin is a pipe if attached, else empty.

        Raises SlugError, or OSError if the machine refuses."""
        copy = copy or await self.prepare(spec, dyno_id)
        host = None
        try:
            host = self._hosts.enter(spec)
            env = environment(spec.env, spec.name, self._place(copy, host), terminal.term if terminal else None)
            on_gone = partial(self._hosts.leave, host)
            if terminal:
                return spawn_on_pty(spec.command, env, copy, terminal, on_gone)
            return spawn_on_pipes(spec.command, env, copy, on_gone, with_input=attached)
        except BaseException:
            if host:
                self._hosts.leave(host)
            await self.discard(copy)
            raise

    def _place(self, copy: WorkingCopy, host: str) -> Place:
        return Place(
            engine_id=self._engine_id,
            dyno_id=copy.dyno_id,
            home=copy.home,
            tmp=copy.tmp,
            port=self._free_port(),
            hostname=host,
            path=self._path,
            stack_bin=self._stack_bin,
        )

    def _free_port(self) -> int:
        """A port nobody listens on, and none that was given out lately: its dyno may not have bound it yet."""
        while True:
            with socket.create_server(("127.0.0.1", 0)) as server:
                port: int = server.getsockname()[1]
            if port not in self._recent_ports:
                if len(self._recent_ports) >= 1000:
                    self._recent_ports.clear()
                self._recent_ports.add(port)
                return port


def spawn_on_pipes(
    command: str, env: dict[str, str], copy: WorkingCopy, on_gone: Callable[[bool], None], *, with_input: bool
) -> Process:
    output, output_end = os.pipe()
    input_end, input = os.pipe() if with_input else (None, None)
    try:
        grow_pipe(output)
        popen = spawn(STARTUP + command, [], env, copy, input_end, output_end)
    except BaseException:
        close_all(output, input)
        raise
    finally:
        close_all(output_end, input_end)
    return watch(popen, copy, env, on_gone, output, input)


def spawn_on_pty(
    command: str, env: dict[str, str], copy: WorkingCopy, terminal: Terminal, on_gone: Callable[[bool], None]
) -> Process:
    ours, theirs = os.openpty()
    try:
        set_size(theirs, terminal.columns, terminal.lines)
        popen = spawn(TAKE_TERMINAL + STARTUP + command, [os.ttyname(theirs)], env, copy, theirs, theirs)
    except BaseException:
        close_all(ours)
        raise
    finally:
        close_all(theirs)
    return watch(popen, copy, env, on_gone, ours, ours)


def spawn(
    script: str, arguments: list[str], env: dict[str, str], copy: WorkingCopy, stdin: int | None, output: int
) -> subprocess.Popen[bytes]:
    """bash on `script`, in a session of its own, with nothing open but the three standard files."""
    return subprocess.Popen(
        ["/bin/bash", "--noprofile", "--norc", "-c", script, "bash", *arguments],
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=output,
        stderr=output,
        cwd=copy.home,
        env=env,
        start_new_session=True,
        close_fds=True,
        restore_signals=True,
    )


def watch(
    popen: subprocess.Popen[bytes],
    copy: WorkingCopy,
    env: dict[str, str],
    on_gone: Callable[[bool], None],
    output: int,
    input: int | None,
) -> Process:
    """What was spawned as a Process; if that cannot be, nothing is left running, and the descriptors are closed."""
    try:
        for fd in (output, input):
            if fd is not None:
                os.set_blocking(fd, False)
        return Process(
            popen,
            dyno_id=copy.dyno_id,
            marks={mark: env[mark] for mark in (ENGINE_MARK, DYNO_MARK)},
            folder=copy.folder,
            port=int(env["PORT"]),
            output=output,
            input=input,
            on_gone=on_gone,
        )
    except BaseException:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
        close_all(*{output, input})
        raise


def grow_pipe(fd: int) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            return  # the user's share of pipe memory is used up; the default size serves


def close_all(*fds: int | None) -> None:
    for fd in fds:
        if fd is not None:
            os.close(fd)
