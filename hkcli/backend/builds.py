"""Builds: from a pushed commit to a slug and a release, told line by line to whoever pushed."""

import asyncio
import secrets
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import buildpacks, procfile, releases, slugs
from hkcli.backend.buildpacks import BuildFailed, Buildpack, Output, Source
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.home import Home
from hkcli.backend.repositories import Pushed, Repositories
from hkcli.backend.schemas import Urls
from hkcli.backend.store import App, Build, Slug, Store, User
from hkcli.backend.work import Works

TIMEOUT_S = 15 * 60
"""As on Heroku."""


@dataclass(frozen=True)
class Compiled:
    """A slug on disk, not yet released."""

    id: str
    archive: slugs.Archive
    process_types: dict[str, str]
    buildpack: Buildpack


class Builds:
    """Builds pushes, one at a time for each app."""

    def __init__(self, home: Home, works: Works, repositories: Repositories, urls: Urls) -> None:
        self.home, self.works, self.repositories, self.urls = home, works, repositories, urls
        self._building: set[str] = set()

    async def receive(self, app_id: str, user_id: str, pushed: Pushed, out: Output) -> bool:
        """Decide on a push: build what Heroku would deploy, take other branches as they are."""
        deploys = [each for each in pushed.updates if each.is_deploy]
        if not deploys:
            out("Pushed to a branch that is not deployed: only main and master are. To deploy this one:")
            out(f"  git push heroku {pushed.updates[0].ref.removeprefix('refs/heads/')}:main")
            return True
        if len(deploys) > 1:
            out(" !     Push main or master, not both at once.")
            return False
        if app_id in self._building:
            out(" !     Another build of this app is under way. Push again when it has finished.")
            return False
        self._building.add(app_id)
        try:
            return await self._build(app_id, user_id, deploys[0].new, pushed.environment, out)
        finally:
            self._building.discard(app_id)

    async def _build(self, app_id: str, user_id: str, commit: str, objects: dict[str, str], out: Output) -> bool:
        with self.works.begin(lambda session: session.get_one(User, user_id)) as work:
            app = work.session.get_one(App, app_id)
            build = Build(app_id=app.id, user_id=user_id, version=commit)
            work.session.add(build)
            work.session.flush()
            work.say(app, "Build started")
            config, name, address = dict(app.config), app.name, self.urls.web(app)
            running = releases.current(work.session, app)
            kept = f" v{running.version} keeps running." if running and running.slug else ""
        with self.home.build_output(build.id).open("w") as record:
            tell = _both(out, record.write)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    compiled = await self._compile(app_id, commit, objects, config, tell)
                version = self._release(app_id, user_id, build.id, commit, compiled)
            except (BuildFailed, InvalidParams, TimeoutError) as error:
                self._fail(app_id, user_id, build.id)
                _tell_failure(tell, error, f"Push rejected to {name}.{kept}")
                return False
            except BaseException:
                self._fail(app_id, user_id, build.id)
                raise
            tell("-----> Launching...")
            tell(f"       Released v{version}")
            tell(f"       {address} deployed to Heroku")
            tell("")
            tell("Verifying deploy... done.")
        return True

    async def _compile(
        self, app_id: str, commit: str, objects: dict[str, str], config: dict[str, str], tell: Output
    ) -> Compiled:
        slug_id = str(uuid.uuid4())
        root = self.home.builds / slug_id
        root.mkdir()
        try:
            tell("Compressing source files... done.")
            await self.repositories.checkout(app_id, commit, root, objects)
            tell("Building source:")
            tell("")
            source = Source(root, config, buildpacks.environment(root, self.home.engine_id()))
            declared = procfile.read(root)
            buildpack = buildpacks.detect(source)
            tell(f"-----> {buildpack.name} app detected")
            defaults = await buildpack.compile(source, tell)
            tell("-----> Discovering process types")
            tell(f"       Procfile declares types     -> {', '.join(sorted(declared)) or '(none)'}")
            tell(f"       Default types for buildpack -> {', '.join(sorted(defaults))}")
            tell("-----> Compressing...")
            archive = await asyncio.to_thread(slugs.pack, root, self.home.slug(slug_id))
            tell(f"       Done: {slugs.human_size(archive.size_bytes)}")
        finally:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
        return Compiled(slug_id, archive, {**defaults, **declared}, buildpack)

    def _release(self, app_id: str, user_id: str, build_id: str, commit: str, compiled: Compiled) -> int:
        with self.works.begin(lambda session: session.get_one(User, user_id)) as work:
            app = work.session.get_one(App, app_id)
            build = work.session.get_one(Build, build_id)
            slug = Slug(
                id=compiled.id,
                app_id=app_id,
                commit=commit,
                process_types=compiled.process_types,
                buildpack=compiled.buildpack.name,
                size_bytes=compiled.archive.size_bytes,
                checksum=compiled.archive.checksum,
            )
            work.session.add(slug)
            work.session.flush()
            app.config = {**compiled.buildpack.config(secrets.token_hex(64)), **app.config}
            release = releases.create(work, app, f"Deploy {commit[:8]}", slug=slug)
            build.status, build.slug_id, build.release_id = "succeeded", slug.id, release.id
            work.note(app, "Build succeeded")
            return release.version

    def _fail(self, app_id: str, user_id: str, build_id: str) -> None:
        with self.works.begin(lambda session: session.get_one(User, user_id)) as work:
            app = work.session.get(App, app_id)
            build = work.session.get(Build, build_id)
            if app and build:
                build.status = "failed"
                work.note(app, "Build failed -- check your build output")


def _both(out: Output, record: Callable[[str], object]) -> Output:
    def tell(line: str) -> None:
        record(f"{line}\n")
        with suppress(ConnectionError):
            out(line)

    return tell


def _tell_failure(tell: Output, error: Exception, verdict: str) -> None:
    reason = f"The build took longer than {TIMEOUT_S // 60} minutes." if isinstance(error, TimeoutError) else str(error)
    for line in reason.splitlines():
        tell(f" !     {line}")
    tell(" !")
    tell(" !     Push failed")
    tell("")
    tell(f" !     {verdict}")
    tell("")


def fail_interrupted(store: Store) -> None:
    """Builds that were under way when an earlier backend ended did not succeed."""
    with store.transaction() as session:
        for build in session.scalars(select(Build).where(Build.status == "pending")):
            build.status = "failed"


def of_app(session: Session, app: App) -> list[Build]:
    return list(session.scalars(select(Build).where(Build.app_id == app.id)))


def find(session: Session, app: App, identity: str) -> Build:
    build = session.get(Build, identity)
    if build is None or build.app_id != app.id:
        raise NotFound("Couldn't find that build.", "build")
    return build
