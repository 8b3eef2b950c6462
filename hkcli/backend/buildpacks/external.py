"""Buildpacks that others wrote: a git URL or a folder with bin/detect, bin/compile and bin/release, run as Heroku does.

https://devcenter.heroku.com/articles/buildpack-api"""

import hashlib
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from hkcli.backend.buildpacks.contract import BuildFailed, Buildpack, Output, Source, run

STACK = "heroku-24"
NOT_FOR_BUILDS = frozenset({"PATH", "GIT_DIR", "CPATH", "CPPATH", "LD_PRELOAD", "LIBRARY_PATH"})
"""Config vars that no env folder has, as on Heroku."""


class External:
    """One buildpack of a series; `before` are those that were compiled before it, whose `export` it sees."""

    def __init__(self, url: str, before: Sequence["External"]) -> None:
        self.url, self.before = url, before
        self.name = url
        self.config_vars: dict[str, str] = {}
        self.folder = Path()

    @classmethod
    def series(cls, wanted: Sequence[str], known: Mapping[str, Buildpack]) -> list[Buildpack]:
        """Raises BuildFailed for a name that is neither known nor an address."""
        chosen: list[Buildpack] = []
        for name in wanted:
            if name in known:
                chosen.append(known[name])
            elif urlsplit(name).scheme or name.startswith("/"):
                chosen.append(cls(name, [each for each in chosen if isinstance(each, External)]))
            else:
                raise BuildFailed(
                    f"Buildpack {name} is not known here. There are {', '.join(known)};\n"
                    "any other is given by its git URL or folder."
                )
        return chosen

    async def detect(self, source: Source) -> bool:
        self.folder = await self._fetched(source)
        said: list[str] = []
        if await self._run("detect", [str(source.root)], source, said.append):
            return False
        self.name = " ".join(said[:1]).strip() or self.url
        return True

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        cache = source.cache / "build"
        cache.mkdir(parents=True, exist_ok=True)
        variables = source.root.with_name(source.root.name + ".env")
        write_env(variables, source.config)
        try:
            status = await self._run("compile", [str(source.root), str(cache), str(variables)], source, out)
        finally:
            shutil.rmtree(variables)
        if status:
            raise BuildFailed(f"Push rejected, failed to compile {self.name} app.")
        return await self._release(source)

    async def _release(self, source: Source) -> dict[str, str]:
        if not (self.folder / "bin" / "release").exists():
            return {}
        said: list[str] = []
        if await self._run("release", [str(source.root)], source, said.append):
            raise BuildFailed(f"bin/release of {self.url} failed: {' '.join(said)}")
        try:
            document = yaml.safe_load("\n".join(said)) or {}
            self.config_vars = texts(document.get("config_vars"))
            return texts(document.get("default_process_types"))
        except (yaml.YAMLError, AttributeError) as error:
            raise BuildFailed(f"bin/release of {self.url} is not YAML as it should be: {error}") from None

    def config(self, generated_secret: str) -> dict[str, str]:
        return self.config_vars

    async def _run(self, script: str, words: list[str], source: Source, out: Output) -> int:
        """A script of the buildpack, in an environment to which earlier ones have added."""
        program = self.folder / "bin" / script
        if not program.exists():
            raise BuildFailed(f"{self.url} is no buildpack: it has no bin/{script}.")
        exports = [each.folder / "export" for each in self.before if (each.folder / "export").exists()]
        sourced = "".join(f". {shlex.quote(str(each))}; " for each in exports)
        command = ["bash", "-c", f'{sourced}exec "$@"', "bash", str(program), *words]
        variables = {**source.environment, "STACK": STACK, "SOURCE_VERSION": source.version}
        return await run(command, source.root, variables, out)

    async def _fetched(self, source: Source) -> Path:
        """The buildpack's files, new for each build: it may write into them."""
        address, _, branch = self.url.partition("#")
        target = source.cache / "buildpacks" / hashlib.sha256(self.url.encode()).hexdigest()[:16]
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        parts = urlsplit(address)
        folder = Path(unquote(parts.path)) if parts.scheme in ("", "file") else None
        if folder and not (folder / ".git").exists() and not (folder / "HEAD").exists():
            if not folder.is_dir():
                raise BuildFailed(f"Buildpack {self.url}: there is no folder {folder}.")
            shutil.copytree(folder, target, symlinks=True)
            return target
        said: list[str] = []
        only = ["--branch", branch] if branch else []
        words = ["git", "clone", "--quiet", "--depth", "1", *only, "--", address, str(target)]
        environment = {**source.environment, "GIT_TERMINAL_PROMPT": "0"}
        if await run(words, source.cache, environment, said.append):
            raise BuildFailed(f"Buildpack {self.url} cannot be fetched: {' '.join(said)}")
        return target


def write_env(folder: Path, config: Mapping[str, str]) -> None:
    """A file for every config var, as bin/compile reads them."""
    folder.mkdir(mode=0o700)
    for name, value in config.items():
        if name not in NOT_FOR_BUILDS:
            (folder / name).write_text(value)


def texts(mapping: Mapping[str, object] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (mapping or {}).items()}
