"""What turns an app's source into something that runs: detected by its files, compiled in place."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hkcli.backend.engines.members import ENGINE_MARK

OPT_IN = "DJ_RUNTIME"
"""Config var; `embedded` runs an app with a Gemfile on the embedded Delayed Job, without Ruby."""

Output = Callable[[str], None]


class BuildFailed(Exception):
    """The build cannot go on; the message is for the pusher and may have several lines."""


@dataclass(frozen=True)
class Source:
    """An app's files, to be compiled in place, and its config vars."""

    root: Path
    config: Mapping[str, str]
    environment: Mapping[str, str]
    """For the build's programs."""

    def has(self, *names: str) -> bool:
        return any((self.root / name).exists() for name in names)


class Buildpack(Protocol):
    @property
    def name(self) -> str: ...

    def detect(self, source: Source) -> bool: ...

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        """Make the files ready to run, telling how it goes; the default process types. Raises BuildFailed."""
        ...

    def config(self, generated_secret: str) -> dict[str, str]:
        """Config vars that a first deploy sets when the app has none of these names."""
        ...


class Ruby:
    """Apps with a Gemfile or a Rakefile run their own rake, through bundler when there is a Gemfile."""

    name = "Ruby"

    def detect(self, source: Source) -> bool:
        return source.has("Gemfile", "Rakefile") and source.config.get(OPT_IN) != "embedded"

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        require_program("ruby", "ruby")
        if not source.has("Gemfile"):
            require_program("rake", "rake")
            out("-----> No Gemfile: the machine's own gems are used")
            return {"rake": "rake", "worker": "rake jobs:work"}
        require_program("bundle", "bundler")
        out("-----> Installing dependencies using bundler")
        await self._install(source, out)
        console = {"console": "bundle exec rails console"} if source.has("config/application.rb") else {}
        return {"rake": "bundle exec rake", "worker": "bundle exec rake jobs:work", **console}

    async def _install(self, source: Source, out: Output) -> None:
        variables = {**source.environment, "BUNDLE_APP_CONFIG": str(source.root / ".bundle")}
        silent: Output = lambda line: None  # noqa: E731
        if await run(["bundle", "check"], source.root, variables, silent) == 0:
            out("       The machine's gems satisfy the Gemfile")
            return
        await run(["bundle", "config", "set", "--local", "path", "vendor/bundle"], source.root, variables, silent)
        status = await run(
            ["bundle", "install", "--jobs", "4"], source.root, variables, lambda line: out(f"       {line}")
        )
        if status:
            raise BuildFailed(f"bundle install ended with status {status}. Fix the Gemfile and push again.")

    def config(self, generated_secret: str) -> dict[str, str]:
        return {
            "LANG": "en_US.UTF-8",
            "RACK_ENV": "production",
            "RAILS_ENV": "production",
            "RAILS_LOG_TO_STDOUT": "enabled",
            "RAILS_SERVE_STATIC_FILES": "enabled",
            "SECRET_KEY_BASE": generated_secret,
        }


class EmbeddedDelayedJob:
    """Apps without Ruby: the stack's own rake and Delayed Job, written in Python."""

    name = "Delayed Job (embedded)"
    PROFILE = 'export PATH="$HKCLI_STACK_BIN:$PATH" PYTHONPATH="$HOME${PYTHONPATH:+:$PYTHONPATH}"\n'

    def detect(self, source: Source) -> bool:
        return source.config.get(OPT_IN) == "embedded" or source.has("Procfile", "db/migrate", "app/jobs")

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        profile = source.root / ".profile.d" / "000_delayed_job.sh"
        profile.parent.mkdir(exist_ok=True)
        profile.write_text(self.PROFILE)
        out("       No Ruby needed: rake and the worker are the embedded ones")
        return {"rake": "rake", "worker": "rake jobs:work"}

    def config(self, generated_secret: str) -> dict[str, str]:
        return {}


BUILDPACKS: tuple[Buildpack, ...] = (Ruby(), EmbeddedDelayedJob())


def detect(source: Source) -> Buildpack:
    """The first buildpack that fits. Raises BuildFailed."""
    for each in BUILDPACKS:
        if each.detect(source):
            return each
    raise BuildFailed(
        "No default language could be detected for this app.\n"
        "It needs a Procfile, a Gemfile, a Rakefile, or Delayed Job's own folders: db/migrate, app/jobs."
    )


def require_program(name: str, package: str) -> None:
    if shutil.which(name) is None:
        raise BuildFailed(
            f"This app needs Ruby, but there is no `{name}` on this machine.\n"
            f"Install it (apt install {package}, brew install {package}) and push again. Or run this app\n"
            f"on the embedded Delayed Job, which needs no Ruby: heroku config:set {OPT_IN}=embedded"
        )


def environment(root: Path, engine_id: str) -> dict[str, str]:
    """Nothing of the backend's own but where programs are, and the mark that lets a later run end what it left."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "LANG": "C.UTF-8", ENGINE_MARK: engine_id}


async def run(words: list[str], cwd: Path, environment: Mapping[str, str], out: Output) -> int:
    """Run a program to its end, in a process group of its own, handing on its lines; its exit status."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            out(line.decode(errors="replace").rstrip("\r\n"))
        return await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()
