"""Python: what requirements.txt asks for, installed by pip beside the app and kept from build to build."""

import hashlib
import shutil
import sys
from pathlib import Path

from hkcli.backend.buildpacks.contract import BuildFailed, Output, Source, run
from hkcli.backend.buildpacks.delayed_job import OPT_IN, EmbeddedDelayedJob

PROFILE = """\
export PATH="$HOME/.heroku/python/bin:$HKCLI_STACK_BIN:$PATH"
export PYTHONPATH="$HOME:$HOME/.heroku/python${PYTHONPATH:+:$PYTHONPATH}"
"""
MACHINES_OWN = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "PIP_FIND_LINKS", "PIP_NO_INDEX")
"""Variables of pip that config vars may set."""


class Python:
    """Apps with a requirements.txt run on the Python that runs the platform."""

    name = "Python"

    async def detect(self, source: Source) -> bool:
        return source.has("requirements.txt")

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        version = ".".join(str(part) for part in sys.version_info[:3])
        out(f"-----> Using Python {version}")
        requirements = (source.root / "requirements.txt").read_bytes()
        kept = source.cache / "python" / hashlib.sha256(version.encode() + requirements).hexdigest()
        if kept.exists():
            out("-----> Using the packages of the last build: requirements.txt is unchanged")
        else:
            out("-----> Installing requirements with pip")
            await self._install(source, kept, out)
        shutil.copytree(kept, source.root / ".heroku" / "python", symlinks=True)
        profile = source.root / ".profile.d" / "python.sh"
        profile.parent.mkdir(exist_ok=True)
        profile.write_text(PROFILE)
        has_jobs = source.config.get(OPT_IN) == "embedded" or source.has("db/migrate", "app/jobs")
        return dict(EmbeddedDelayedJob.TYPES) if has_jobs else {}

    async def _install(self, source: Source, kept: Path, out: Output) -> None:
        """Into a folder aside, so that what is kept is always complete; only the newest is kept."""
        shutil.rmtree(kept.parent, ignore_errors=True)
        aside = kept.with_suffix(".partial")
        aside.mkdir(parents=True)
        variables = {**source.environment, **{key: source.config[key] for key in MACHINES_OWN if key in source.config}}
        words = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        words += ["--root-user-action=ignore", "--target", str(aside), "--requirement", "requirements.txt"]
        status = await run(words, source.root, variables, lambda line: out(f"       {line}"))
        if status:
            raise BuildFailed(f"pip install ended with status {status}. Fix requirements.txt and push again.")
        aside.rename(kept)

    def config(self, generated_secret: str) -> dict[str, str]:
        return {}
