import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from hkcli.backend.authority import Authority
from hkcli.backend.dynos import Dyno, DynoSpec, DynoState
from hkcli.backend.engines.local import LocalEngine, Terminal
from hkcli.backend.log_channel import LogFilter
from hkcli.backend.log_segments import SEGMENT_BYTES
from hkcli.backend.logplex import Logplex
from hkcli.backend.one_offs import Patience
from hkcli.backend.rendezvous import Rendezvous
from hkcli.backend.supervisor import Supervisor
from tests.backend.runtime import is_running, logged, make_slug, make_spec, run, until

IMPATIENT = Patience(attach_s=0.2, stop_s=0.3, hang_up_s=0.4, boot_s=0.5)


@dataclass
class Clock:
    """Time goes on by itself, and jumps when told to."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Runtime:
    supervisor: Supervisor
    logplex: Logplex
    clock: Clock
    authority: Authority
    desired: list[DynoSpec] = field(default_factory=list)

    def want(self, *specs: DynoSpec) -> None:
        self.desired[:] = specs
        self.supervisor.wake()

    def lines(self, dyno: str = "worker.1") -> list[str]:
        return [line.removeprefix(f"heroku[{dyno}]: ") for line in logged(self.logplex) if f"heroku[{dyno}]" in line]

    def output(self, dyno: str = "worker.1") -> list[str]:
        return [line.removeprefix(f"app[{dyno}]: ") for line in logged(self.logplex) if f"app[{dyno}]" in line]

    def dyno(self, name: str = "worker.1") -> Dyno | None:
        return next((dyno for dyno in self.supervisor.dynos("app-1") if dyno.spec.name == name), None)

    async def up(self, name: str = "worker.1") -> Dyno:
        return await until(lambda: (dyno := self.dyno(name)) and dyno.pid and dyno.state is DynoState.UP and dyno)


@asynccontextmanager
async def running(folder: Path, patience: Patience = Patience()) -> AsyncIterator[Runtime]:  # noqa: B008
    authority = Authority(folder / "authority")
    rendezvous = Rendezvous(authority.ssl_context())
    await rendezvous.start()
    logplex = Logplex(folder / "logs")
    desired: list[DynoSpec] = []
    clock = Clock()
    engine = LocalEngine(folder / "dynos", f"test-{folder}")
    supervisor = Supervisor(engine, logplex, rendezvous, lambda: desired, patience=patience, now=clock)
    loop = asyncio.create_task(supervisor.run())
    try:
        yield Runtime(supervisor, logplex, clock, authority, desired)
    finally:
        await supervisor.shutdown()
        await loop
        await rendezvous.close()
        logplex.close()


@pytest.fixture
def slug(tmp_path: Path) -> Path:
    return make_slug(tmp_path / "slug.tgz")


def test_a_dyno_starts_and_its_output_and_events_are_in_the_log(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "echo to stdout; echo to stderr >&2; exec sleep 60"))
            dyno = await runtime.up()
            await until(lambda: len(runtime.output()) == 2)
            assert runtime.output() == ["to stdout", "to stderr"]
            assert runtime.lines() == [
                "Starting process with command `echo to stdout; echo to stderr >&2; exec sleep 60`",
                "State changed from starting to up",
            ]
            assert is_running(dyno.pid)

    run(body())


def test_a_new_release_restarts_a_dyno_in_herokus_words_and_order(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "sleep 60"))
            old = await runtime.up()
            runtime.want(make_spec(slug, "sleep 61", version=2))
            await until(lambda: runtime.lines().count("State changed from starting to up") == 2)
            new = await runtime.up()
            assert new.id != old.id
            assert runtime.lines() == [
                "Starting process with command `sleep 60`",
                "State changed from starting to up",
                "Restarting",
                "State changed from up to starting",
                "Stopping all processes with SIGTERM",
                "Process exited with status 143",
                "Starting process with command `sleep 61`",
                "State changed from starting to up",
            ]

    run(body())


def test_scaling_to_zero_stops_the_process_before_the_dyno_is_gone(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "sleep 60"))
            pid = (await runtime.up()).pid or 0
            runtime.want()
            await until(lambda: runtime.lines()[-1:] == ["Process exited with status 143"])
            assert runtime.lines()[2:4] == ["State changed from up to down", "Stopping all processes with SIGTERM"]
            assert not is_running(pid) and runtime.supervisor.dynos("app-1") == []

    run(body())


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path, IMPATIENT) as runtime:
            runtime.want(make_spec(slug, "trap '' TERM; echo deaf; while :; do sleep 1; done"))
            await until(lambda: runtime.output() == ["deaf"])
            runtime.want()
            await until(lambda: runtime.supervisor.dynos("app-1") == [] and runtime.lines()[-1:] != [])
            await until(lambda: "Process exited with status 137" in runtime.lines())
            assert runtime.lines()[-3:] == [
                "Error R12 (Exit timeout) -> At least one process failed to exit within 0.3 seconds of SIGTERM",
                "Stopping remaining processes with SIGKILL",
                "Process exited with status 137",
            ]

    run(body())


def test_a_crashed_dyno_restarts_at_once_then_waits_longer_each_time(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "exit 3"))
            crashed = ["Process exited with status 3", "State changed from up to crashed"]
            start = ["Starting process with command `exit 3`", "State changed from starting to up"]
            again = ["State changed from crashed to starting", *start]
            await until(lambda: len(runtime.lines()) >= 9)
            assert runtime.lines() == [*start, *crashed, *again, *crashed]
            dyno = runtime.dyno()
            assert dyno and dyno.state is DynoState.CRASHED and dyno.pid is None
            runtime.clock.ahead = timedelta(seconds=9)
            runtime.supervisor.wake()
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(runtime.lines()) == 9
            runtime.clock.ahead = timedelta(seconds=11)
            runtime.supervisor.wake()
            await until(lambda: len(runtime.lines()) == 14)

    run(body())


def test_a_new_release_ends_the_wait_of_a_crashed_dyno(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "exit 3"))
            await until(lambda: runtime.lines().count("State changed from up to crashed") == 2)
            runtime.want(make_spec(slug, "sleep 60", version=2))
            assert (await runtime.up()).spec.release_version == 2

    run(body())


def test_a_crashed_dyno_that_is_no_longer_wanted_goes_down(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "exit 3"))
            await until(lambda: runtime.lines().count("State changed from up to crashed") == 2)
            runtime.want()
            await until(lambda: runtime.lines()[-1] == "State changed from crashed to down")
            assert runtime.supervisor.dynos("app-1") == []

    run(body())


def test_restart_concerns_the_dynos_that_are_named(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            specs = [make_spec(slug, "sleep 60", name=name) for name in ("worker.1", "worker.2", "clock.1")]
            runtime.want(*specs)
            before = {name: (await runtime.up(name)).id for name in ("worker.1", "worker.2", "clock.1")}
            named = runtime.supervisor.restart("app-1", "worker")
            assert {dyno.spec.name for dyno in named} == {"worker.1", "worker.2"}
            assert runtime.supervisor.restart("app-2") == [] and runtime.supervisor.restart("app-1", "web") == []
            for name in ("worker.1", "worker.2"):
                await until(lambda name=name: (dyno := runtime.dyno(name)) and dyno.id != before[name])
                await runtime.up(name)
            assert (await runtime.up("clock.1")).id == before["clock.1"]

    run(body())


def test_a_slug_that_cannot_be_unpacked_crashes_the_dyno_with_the_reason(tmp_path: Path) -> None:
    async def body() -> None:
        broken = tmp_path / "slug.tgz"
        broken.write_bytes(b"not a slug")
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(broken, "true"))
            await until(lambda: "State changed from starting to crashed" in runtime.lines())
            assert (
                "Error R99 (Platform error) -> Failed to launch the dyno: the slug slug.tgz cannot be unpacked"
                in (runtime.lines()[1])
            )

    run(body())


def test_a_web_dyno_is_up_only_when_it_listens(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            serve = "until [ -e go ]; do sleep 0.01; done; exec python3 -m http.server --bind 127.0.0.1 $PORT"
            runtime.want(make_spec(slug, f"pwd; {serve}", name="web.1"))
            home = Path((await until(lambda: runtime.output("web.1")))[0])
            dyno = runtime.dyno("web.1")
            assert dyno and dyno.state is DynoState.STARTING
            (home / "go").touch()
            await runtime.up("web.1")

    run(body())


def test_a_web_dyno_that_never_listens_is_killed_with_r10(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path, IMPATIENT) as runtime:
            runtime.want(make_spec(slug, "sleep 60", name="web.1"))
            await until(lambda: "State changed from starting to crashed" in runtime.lines("web.1"))
            assert runtime.lines("web.1")[1:5] == [
                "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 0.5 seconds of launch",
                "Stopping process with SIGKILL",
                "Process exited with status 137",
                "State changed from starting to crashed",
            ]

    run(body())


def test_a_detached_one_off_logs_its_output_and_completes(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            spec = make_spec(slug, "cat; echo done; exit 4", name="run.1234")
            dyno = runtime.supervisor.run_one_off(spec, attach=False, terminal=None, user="a@example.com")
            assert dyno.attach_url is None
            assert await runtime.supervisor.wait_for(dyno) == 4
            assert logged(runtime.logplex) == [
                "app[api]: Starting process with command `cat; echo done; exit 4` by user a@example.com",
                "heroku[run.1234]: Starting process with command `cat; echo done; exit 4`",
                "heroku[run.1234]: State changed from starting to up",
                "app[run.1234]: done",
                "heroku[run.1234]: Process exited with status 4",
                "heroku[run.1234]: State changed from up to complete",
            ]

    run(body())


def test_a_one_off_nobody_attaches_to_ends_with_r13(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path, IMPATIENT) as runtime:
            spec = make_spec(slug, "echo never", name="run.1234")
            dyno = runtime.supervisor.run_one_off(spec, attach=True, terminal=None, user="a@example.com")
            assert await runtime.supervisor.wait_for(dyno) == 128
            assert runtime.lines("run.1234") == [
                "Awaiting client",
                "Error R13 (Attach error) -> Failed to attach to process",
                "Process exited with status 128",
                "State changed from starting to complete",
            ]
            await until(lambda: list((tmp_path / "dynos").iterdir()) == [])

    run(body())


@dataclass
class Client:
    """As clients do it: TLS that verifies, the secret, then raw bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def attach(cls, runtime: Runtime, dyno: Dyno, ending: bytes = b"\r\n", then: bytes = b"") -> "Client":
        address, _, secret = (dyno.attach_url or "").removeprefix("rendezvous://").partition("/")
        context = ssl.create_default_context(cadata=runtime.authority.ca_pem)
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
        writer.write(secret.encode() + ending + then)
        client = cls(reader, writer)
        assert await reader.read(4096) == b"rendezvous\r\n"
        return client

    async def output(self) -> bytes:
        data = await self.reader.read()
        self.writer.close()
        return data


def attached(runtime: Runtime, slug: Path, command: str, terminal: Terminal | None = None, **env: str) -> Dyno:
    spec = make_spec(slug, command, name="run.1234", **env)
    return runtime.supervisor.run_one_off(spec, attach=True, terminal=terminal, user="a@example.com")


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b""], ids=["official", "legacy", "heroku3"])
def test_an_attached_one_off_on_a_terminal_talks_both_ways(tmp_path: Path, slug: Path, ending: bytes) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            ask = 'tty -s && echo "$(stty size) $TERM"; read -r word; echo "got $word"; exit 5'
            dyno = attached(runtime, slug, ask, Terminal(columns=101, lines=33, term="vt100"))
            client = await Client.attach(runtime, dyno, ending)
            assert await client.reader.readuntil(b"\r\n") == b"33 101 vt100\r\n"
            client.writer.write(b"tea\n")
            status = runtime.supervisor.wait_for(dyno)
            assert await client.output() == b"tea\r\ngot tea\r\n"
            assert await status == 5
            assert runtime.output("run.1234") == []
            assert runtime.lines("run.1234") == [
                "Awaiting client",
                f"Starting process with command `{ask}`",
                "State changed from starting to up",
                "Process exited with status 5",
                "State changed from up to complete",
            ]

    run(body())


@pytest.mark.parametrize("terminal", [Terminal(), None], ids=["terminal", "pipes"])
def test_the_end_of_input_sent_with_the_secret_reaches_the_process(
    tmp_path: Path, slug: Path, terminal: Terminal | None
) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(runtime, slug, "sleep 0.3; cat; echo after", terminal)
            client = await Client.attach(runtime, dyno, then=b"\x04")
            assert (await client.output()).replace(b"\r\n", b"\n").endswith(b"after\n")

    run(body())


@pytest.mark.parametrize("early", [b"\x04", b"echo $((6*7))\n\x04"], ids=["only the end", "a line and the end"])
def test_the_end_of_input_is_kept_for_a_shell_that_takes_its_terminal_later(
    tmp_path: Path, slug: Path, early: bytes
) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(runtime, slug, "sleep 0.2; bash --norc -i", Terminal())
            client = await Client.attach(runtime, dyno, then=early)
            status = runtime.supervisor.wait_for(dyno)
            output = await client.output()
            assert await status == 0 and b"exit" in output
            assert early == b"\x04" or b"42\r" in output

    run(body())


def test_the_same_works_on_uvloop(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(runtime, slug, "read -r word; echo got $word; exit 3", Terminal())
            client = await Client.attach(runtime, dyno, then=b"tea\n")
            status = runtime.supervisor.wait_for(dyno)
            assert (await client.output()).endswith(b"got tea\r\n")
            assert await status == 3
            await client.writer.wait_closed()

    run(body(), pytest.importorskip("uvloop").new_event_loop)


def test_without_a_terminal_bytes_pass_unchanged_even_ctrl_d_inside(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            payload = bytes(range(256)) * 2000
            dyno = attached(runtime, slug, "cat")
            client = await Client.attach(runtime, dyno)
            sending = asyncio.create_task(send_all(client, payload + b"\x04"))
            assert await client.output() == payload
            await sending

    run(body())


async def send_all(client: Client, data: bytes) -> None:
    client.writer.write(data)
    await client.writer.drain()


def test_a_lost_client_hangs_up_its_one_off(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(runtime, slug, "echo ready; sleep 60", Terminal())
            client = await Client.attach(runtime, dyno)
            await client.reader.readuntil(b"ready")
            pid = dyno.pid or 0
            status = runtime.supervisor.wait_for(dyno)
            client.writer.close()
            assert await status == 128 + signal.SIGHUP
            assert not is_running(pid)
            assert runtime.lines("run.1234")[3:] == [
                "Client connection closed. Sending SIGHUP to all processes",
                "Process exited with status 129",
                "State changed from up to complete",
            ]

    run(body())


def test_a_one_off_that_ignores_the_loss_of_its_client_is_killed(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path, replace(IMPATIENT, attach_s=10)) as runtime:
            dyno = attached(runtime, slug, "trap '' HUP TERM; echo ready; while :; do sleep 1; done")
            client = await Client.attach(runtime, dyno)
            await client.reader.readuntil(b"ready")
            status = runtime.supervisor.wait_for(dyno)
            client.writer.close()
            assert await status == 137
            assert runtime.lines("run.1234")[4:7] == [
                "Error R16 (Detached) -> An attached process is not responding to SIGHUP "
                "after its external connection was closed.",
                "Stopping all processes with SIGTERM",
                "Stopping remaining processes with SIGKILL",
            ]

    run(body())


def test_a_large_output_arrives_whole_and_the_exit_marker_in_one_record(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            marker = "\uffff heroku-command-exit-status: 0\n".encode()
            command = f"head -c 3000000 /dev/zero | tr '\\0' x; echo '{marker.decode().strip()}'"
            dyno = attached(runtime, slug, command)
            client = await Client.attach(runtime, dyno)
            output = await client.output()
            assert output == b"x" * 3_000_000 + marker

    run(body())


def test_the_log_tells_the_status_that_the_client_is_told(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(runtime, slug, '(exit 7) ; echo "\uffff heroku-command-exit-status: $?"')
            client = await Client.attach(runtime, dyno)
            status = runtime.supervisor.wait_for(dyno)
            assert await client.output() == "\uffff heroku-command-exit-status: 7\n".encode()
            assert await status == 7 and "Process exited with status 7" in runtime.lines("run.1234")
            assert "Starting process with command `(exit 7)`" in runtime.lines("run.1234")

    run(body())


def test_a_dyno_that_has_run_for_a_day_is_cycled(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "exec sleep 60"))
            first = (await runtime.up()).pid
            runtime.clock.ahead = timedelta(hours=28)
            runtime.supervisor.wake()
            await until(lambda: (dyno := runtime.dyno()) and dyno.pid not in (None, first))
            assert runtime.lines()[2:7] == [
                "Cycling",
                "State changed from up to starting",
                "Stopping all processes with SIGTERM",
                "Process exited with status 143",
                "Starting process with command `exec sleep 60`",
            ]

    run(body())


def test_ctrl_c_reaches_the_process_through_its_terminal(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            dyno = attached(
                runtime, slug, "trap 'echo caught; exit 130' INT; echo ready; while :; do sleep 0.05; done", Terminal()
            )
            client = await Client.attach(runtime, dyno)
            await client.reader.readuntil(b"ready")
            client.writer.write(b"\x03")
            status = runtime.supervisor.wait_for(dyno)
            assert b"caught" in await client.output()
            assert await status == 130

    run(body())


def test_a_one_off_is_stopped_when_its_time_is_over(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            spec = make_spec(slug, "sleep 60", name="run.1234")
            dyno = runtime.supervisor.run_one_off(
                spec, attach=False, terminal=None, user="a@example.com", time_to_live_s=0.1
            )
            assert await runtime.supervisor.wait_for(dyno) == 143
            assert "Stopping all processes with SIGTERM" in runtime.lines("run.1234")

    run(body())


def test_a_dyno_that_floods_its_output_hinders_nobody(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "yes flood"))
            await until(lambda: len(runtime.output()) >= 1000)
            runtime.want(*runtime.desired, make_spec(slug, "printf 'caf\\xe9!'; exec sleep 60", name="clock.1"))
            await runtime.up("clock.1")
            async with asyncio.timeout(10):
                async for piece in runtime.logplex.stream("app-1", filter=LogFilter(dyno="clock"), tail=True):
                    if "app[clock.1]: caf\ufffd!\n".encode() in piece:
                        break
            runtime.want()
            await until(lambda: "Process exited with status 143" in runtime.lines())
            size = sum(file.stat().st_size for file in folder_of(runtime))
            assert size < 3 * SEGMENT_BYTES

    run(body())


def folder_of(runtime: Runtime) -> list[Path]:
    return list((runtime.logplex._directory / "app-1").iterdir())


def test_a_user_can_stop_a_one_off(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            spec = make_spec(slug, "sleep 60", name="run.1234")
            dyno = runtime.supervisor.run_one_off(spec, attach=False, terminal=None, user="a@example.com")
            await runtime.up("run.1234")
            status = runtime.supervisor.wait_for(dyno)
            assert runtime.supervisor.stop("app-1", "run.1234") == [dyno]
            assert await status == 143
            assert "Stopping all processes with SIGTERM" in runtime.lines("run.1234")

    run(body())


def test_shutdown_leaves_no_process_and_says_what_it_did(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "sleep 60"))
            formation = await runtime.up()
            spec = make_spec(slug, "sleep 60", name="run.1234")
            runtime.supervisor.run_one_off(spec, attach=False, terminal=None, user="a@example.com")
            pids = [formation.pid or 0, (await runtime.up("run.1234")).pid or 0]
        assert not any(is_running(pid) for pid in pids)
        assert runtime.lines()[-3:] == [
            "State changed from up to down",
            "Stopping all processes with SIGTERM",
            "Process exited with status 143",
        ]
        assert runtime.lines("run.1234")[-1] == "State changed from up to complete"

    run(body())


def test_fifty_dynos_leave_no_descriptor_and_no_zombie_behind(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        async with running(tmp_path) as runtime:
            runtime.want(make_spec(slug, "sleep 60"))
            await runtime.up()
            runtime.want()
            await until(lambda: not runtime.supervisor.dynos("app-1") and not runtime.supervisor._tasks)
            before, others = psutil.Process().num_fds(), psutil.Process().children()
            specs = [make_spec(slug, "sleep 60", name=f"worker.{index}") for index in range(1, 51)]
            runtime.want(*specs)
            for spec in specs:
                await runtime.up(spec.name)
            runtime.want()
            await until(lambda: not runtime.supervisor.dynos("app-1") and not runtime.supervisor._tasks)
            assert psutil.Process().num_fds() == before
            assert psutil.Process().children() == others

    run(body())
