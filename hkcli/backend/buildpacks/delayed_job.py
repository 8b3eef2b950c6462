"""The embedded Delayed Job, for apps without Ruby."""

from typing import ClassVar

from hkcli.backend.buildpacks.contract import Output, Source

OPT_IN = "DJ_RUNTIME"
"""Config var; `embedded` runs an app with a Gemfile on the embedded Delayed Job, without Ruby."""


class EmbeddedDelayedJob:
    """Apps without Ruby: the stack's own rake and Delayed Job, written in Python."""

    name = "Delayed Job (embedded)"
    TYPES: ClassVar = {"rake": "rake", "worker": "rake jobs:work"}
    PROFILE = 'export PATH="$HKCLI_STACK_BIN:$PATH" PYTHONPATH="$HOME${PYTHONPATH:+:$PYTHONPATH}"\n'

    async def detect(self, source: Source) -> bool:
        return source.config.get(OPT_IN) == "embedded" or source.has("Procfile", "db/migrate", "app/jobs")

    async def compile(self, source: Source, out: Output) -> dict[str, str]:
        profile = source.root / ".profile.d" / "000_delayed_job.sh"
        profile.parent.mkdir(exist_ok=True)
        profile.write_text(self.PROFILE)
        out("       No Ruby needed: rake and the worker are the embedded ones")
        return dict(self.TYPES)

    def config(self, generated_secret: str) -> dict[str, str]:
        return {}
