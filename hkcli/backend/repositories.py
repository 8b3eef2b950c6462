"""The apps' git repositories, served by git's own programs; a push is built before git accepts it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = ("refs/heads/main", "refs/heads/master")
NOTHING = "0" * 40
CHUNK_BYTES = 1 << 16

HOOK = """\
#!/bin/sh
# Tells the backend what is pushed, shows what the build says, and ends with its verdict.
{ cat && echo "$GIT_OBJECT_DIRECTORY" && echo "$GIT_ALTERNATE_OBJECT_DIRECTORIES" && echo .; } \\
  > "/dev/fd/$HKCLI_PUSHED" || exit 1
cat "/dev/fd/$HKCLI_OUTPUT"
read -r status < "/dev/fd/$HKCLI_VERDICT" || exit 1
exit "$status"
"""


@dataclass(frozen=True)
class Update:
    """One ref that a push wants to move; the object ids are hexadecimal, all zero for none."""

    old: str
    new: str
    ref: str

    @property
    def is_deploy(self) -> bool:
        return self.ref in DEPLOYED and self.new.strip("0") != ""


@dataclass(frozen=True)
class Pushed:
    """A push as the hook sees it: its updates, and where git keeps the objects that it has not accepted yet."""

    updates: tuple[Update, ...]
    environment: dict[str, str]


class Pusher:
    """Whoever pushes; may be gone, or slow to read."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def show(self, output: bytes) -> None:
        with suppress(ConnectionError):
            self._writer.write(output)
            await self._writer.drain()

    async def tell(self, *lines: str) -> None:
        await self.show("".join(f"{line}\n" for line in lines).encode())


Receive = Callable[[Pushed, Pusher], Awaitable[bool]]
"""Builds what was pushed, telling how it goes; True accepts the push."""


class Repositories:
    """Bare repositories, one an app, made at its first use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hooks = directory / "hooks"

    def install_hooks(self) -> None:
        self.hooks.mkdir(exist_ok=True)
        hook = self.hooks / "pre-receive"
        hook.write_text(HOOK)
        hook.chmod(0o700)

    def path(self, app_id: str) -> Path:
        return self.directory / f"{app_id}.git"

    async def prepare(self, app_id: str) -> Path:
        path = self.path(app_id)
        if not (path / "HEAD").exists():
            await self._output(["init", "--quiet", "--bare", "--initial-branch=main", str(path)])
        return path

    async def remove(self, app_id: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self.path(app_id), ignore_errors=True)

    async def advertise(self, app_id: str, service: str) -> bytes:
        """The refs, as smart HTTP sends them first. `service` is git-receive-pack or git-upload-pack."""
        path = await self.prepare(app_id)
        words = [service.removeprefix("git-"), "--stateless-rpc", "--advertise-refs", str(path)]
        announcement = f"# service={service}\n".encode()
        return b"%04x" % (len(announcement) + 4) + announcement + b"0000" + await self._output(words)

    async def _output(self, words: list[str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "git",
            *words,
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"git {words[0]}: {complaint.decode(errors='replace').strip()}")
        return output

    async def tip(self, app_id: str, ref: str) -> str:
        """The commit that a ref is at, all zero when there is no such ref."""
        path = await self.prepare(app_id)
        found = await self._output(["-C", str(path), "for-each-ref", "--format=%(objectname)", ref])
        return found.decode().strip() or NOTHING

    async def checkout(self, app_id: str, commit: str, target: Path, extra: dict[str, str]) -> None:
        """Put the files of a commit, pushed and perhaps not accepted yet, in a folder."""
        read, write = os.pipe()
        try:
            archive = await asyncio.create_subprocess_exec(
                "git", "archive", "--format=tar", commit, cwd=self.path(app_id), env=environment(extra), stdout=write
            )
            unpack = await asyncio.create_subprocess_exec("tar", "-x", "-f", "-", cwd=target, stdin=read)
        finally:
            os.close(read)
            os.close(write)
        statuses = await asyncio.gather(archive.wait(), unpack.wait())
        if any(statuses):
            raise RuntimeError(f"git archive {commit} ended with {statuses[0]}, tar with {statuses[1]}")

    async def upload_pack(self, app_id: str, request: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        path = await self.prepare(app_id)
        process = await asyncio.create_subprocess_exec(
            "git",
            "upload-pack",
            "--stateless-rpc",
            str(path),
            env=environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        async for piece in converse(process, request):
            yield piece

    async def receive_pack(self, app_id: str, request: AsyncIterator[bytes], receive: Receive) -> AsyncIterator[bytes]:
        """Run git's receive-pack on the request; its pre-receive hook waits for `receive`."""
        path = await self.prepare(app_id)
        pushed_read, pushed_write = os.pipe()
        output_read, output_write = os.pipe()
        verdict_read, verdict_write = os.pipe()
        theirs = (pushed_write, output_read, verdict_read)
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                "-c",
                f"core.hooksPath={self.hooks}",
                "-c",
                "receive.denyDeletes=true",
                "receive-pack",
                "--stateless-rpc",
                str(path),
                env=environment(
                    {
                        "HKCLI_PUSHED": str(pushed_write),
                        "HKCLI_OUTPUT": str(output_read),
                        "HKCLI_VERDICT": str(verdict_read),
                    }
                ),
                pass_fds=theirs,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        hook = asyncio.create_task(_serve_hook(pushed_read, output_write, verdict_write, receive))
        try:
            async for piece in converse(process, request):
                yield piece
        finally:
            hook.cancel()
            with suppress(asyncio.CancelledError):
                await hook


async def _serve_hook(pushed: int, output: int, verdict: int, receive: Receive) -> None:
    """Talk to one run of the hook; whatever happens, its three pipes are closed, which ends it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    incoming, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pushed, "rb", buffering=0)
    )
    outgoing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(output, "wb", buffering=0)
    )
    accepted = False
    try:
        message = await read_push(reader)
        if message is not None:
            accepted = await receive(message, Pusher(asyncio.StreamWriter(outgoing, protocol, None, loop)))
    finally:
        incoming.close()
        outgoing.close()
        with suppress(BrokenPipeError):
            os.write(verdict, b"0\n" if accepted else b"1\n")
        os.close(verdict)


async def read_push(reader: asyncio.StreamReader) -> Pushed | None:
    """What the hook says; None when git ended without running it."""
    lines: list[str] = []
    while (line := await reader.readline()) != b".\n":
        if not line:
            return None
        lines.append(line.decode(errors="replace").rstrip("\n"))
    *updates, objects, alternates = lines
    quarantine = {"GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates}
    return Pushed(
        updates=tuple(Update(*each.split(" ", 2)) for each in updates),
        environment={name: value for name, value in quarantine.items() if value},
    )


async def converse(process: asyncio.subprocess.Process, request: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Feed the request to a process while handing on what it prints; it does not outlive the conversation."""
    assert process.stdin is not None and process.stdout is not None
    feeding = asyncio.create_task(_feed(process.stdin, request))
    try:
        while piece := await process.stdout.read(CHUNK_BYTES):
            yield piece
        await process.wait()
    finally:
        feeding.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await feeding
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _feed(stdin: asyncio.StreamWriter, request: AsyncIterator[bytes]) -> None:
    """Hand the request on; a client that goes away, or sends what cannot be read, ends it as an empty one would."""
    try:
        async for piece in request:
            stdin.write(piece)
            await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        stdin.close()


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """For git: no configuration but the repository's own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LANG": "C.UTF-8",
        **(extra or {}),
    }
