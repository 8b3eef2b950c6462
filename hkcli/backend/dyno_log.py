"""What the platform says in an app's log about one dyno, in Heroku's words (PROTOCOL 4.2, 4.7)."""

from collections.abc import Callable
from datetime import datetime

from hkcli.backend.dynos import Dyno, DynoSpec, DynoState
from hkcli.backend.engines.process import Process
from hkcli.backend.log_lines import LineAssembler
from hkcli.backend.logplex import Logplex

QUIET_S = 0.5
"""An unfinished line becomes a line after so long a pause."""

ATTACH_ERROR = "Error R13 (Attach error) -> Failed to attach to process"
AWAITING_CLIENT = "Awaiting client"
BOOT_TIMEOUT = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within {:g} seconds of launch"
CLIENT_GONE = "Client connection closed. Sending SIGHUP to all processes"
COMPLETE = "complete"
CYCLING = "Cycling"
DETACHED = (
    "Error R16 (Detached) -> An attached process is not responding to SIGHUP after its external connection was closed."
)
EXIT_TIMEOUT = "Error R12 (Exit timeout) -> At least one process failed to exit within {:g} seconds of SIGTERM"
KILL = "Stopping process with SIGKILL"
MEMORY = "Process running mem={}M({:.1%})"
MEMORY_EXCEEDED = "Error R14 (Memory quota exceeded)"
MEMORY_VASTLY_EXCEEDED = "Error R15 (Memory quota vastly exceeded)"
RESTARTING = "Restarting"
STOPPING = "Stopping all processes with SIGTERM"
STOPPING_HARD = "Stopping remaining processes with SIGKILL"


class DynoLog:
    def __init__(self, logplex: Logplex, spec: DynoSpec, copy: Callable[[bytes], object] | None = None) -> None:
        """`copy` is given all that the dyno prints, besides the log."""
        self._logplex = logplex
        self._spec = spec
        self._copy = copy

    def event(self, text: str) -> None:
        self._logplex.write(self._spec.app_id, "heroku", self._spec.name, text)

    def starting(self) -> None:
        self.event(f"Starting process with command `{self._spec.shown_command}`")

    def exited(self, status: int) -> None:
        self.event(f"Process exited with status {status}")

    def state(self, old: DynoState | str, new: DynoState | str) -> None:
        self.event(f"State changed from {old} to {new}")

    def cannot_start(self, reason: Exception) -> None:
        self.event(f"Error R99 (Platform error) -> Failed to launch the dyno: {reason}")

    def one_off_requested(self, user: str) -> None:
        text = f"Starting process with command `{self._spec.shown_command}` by user {user}"
        self._logplex.write(self._spec.app_id, "app", "api", text)

    def output(self, lines: bytes) -> None:
        if self._copy:
            self._copy(lines)
        self._logplex.write(self._spec.app_id, "app", self._spec.name, lines)

    async def follow(self, process: Process) -> None:
        """Log all that a process prints, until its output ends."""
        assembler = LineAssembler()
        while (data := await process.read(timeout_s=QUIET_S if assembler.has_rest else None)) != b"":
            lines = assembler.flush_quiet() if data is None else assembler.feed(data)
            if lines:
                self.output(lines)
        if rest := assembler.flush():
            self.output(rest)


def change_state(dyno: Dyno, new: DynoState, log: DynoLog, now: datetime) -> None:
    """Log and set a dyno's state, if it is another."""
    if dyno.state is not new:
        log.state(dyno.state, new)
        dyno.state, dyno.updated_at = new, now
