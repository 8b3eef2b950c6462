"""Ruby, by the machine's own ruby and bundler."""

import shutil

from hkcli.backend.buildpacks.contract import BuildFailed, Output, Source, run
from hkcli.backend.buildpacks.delayed_job import OPT_IN


class Ruby:
    """Apps with a Gemfile or a Rakefile run their own rake, through bundler when there is a Gemfile."""

    name = "Ruby"

    async def detect(self, source: Source) -> bool:
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


def require_program(name: str, package: str) -> None:
    if shutil.which(name) is None:
        raise BuildFailed(
            f"This app needs Ruby, but there is no `{name}` on this machine.\n"
            f"Install it (apt install {package}, brew install {package}) and push again. Or run this app\n"
            f"on the embedded Delayed Job, which needs no Ruby: heroku config:set {OPT_IN}=embedded"
        )
