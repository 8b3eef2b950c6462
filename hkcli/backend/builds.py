"""Builds: from a push, or an uploaded archive, to a slug and a release, told line by line while it happens."""

import asyncio
import logging
import secrets
import shutil
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import buildpacks, installations, procfile, releases, slugs
from hkcli.backend.buildpacks import BuildFailed, Buildpack, Output, Source
from hkcli.backend.ending import Ending
from hkcli.backend.engines.unpack import SlugError
from hkcli.backend.errors import Conflict, InvalidParams, NotFound, ServiceUnavailable
from hkcli.backend.home import Home, remove
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.release_phase import ReleasePhases
from hkcli.backend.repositories import Pushed, Pusher, Repositories
from hkcli.backend.schemas import Urls
from hkcli.backend.store import App, Build, Slug, Store
from hkcli.backend.work import Work, Works, asked_by

log = logging.getLogger(__name__)

TIMEOUT_S = 15 * 60
"""As on Heroku."""

BUILD_AGAIN = "have it built again when it is back"
RELEASE_COMMAND_DECLARED = (
    " !     Release command declared: this new release will not be available until the command succeeds."
)


@dataclass(frozen=True)
class Order:
    """What is to be built: `place` puts the source in an empty folder."""

    app_id: str
    user_id: str
    version: str | None
    place: Callable[[Path], Awaitable[None]]
    buildpacks: tuple[str, ...] = ()
    """None: those that the app has been given, or the ones that its files ask for."""
    source_url: str | None = None
    checksum: str | None = None
    version_description: str | None = None


@dataclass(frozen=True)
class Compiled:
    """A slug on disk, not yet released."""

    id: str
    archive: slugs.Archive
    process_types: dict[str, str]
    buildpack: str
    config: dict[str, str]


class Builds:
    """Builds what is ordered, one at a time for each app."""

    def __init__(
        self,
        home: Home,
        works: Works,
        repositories: Repositories,
        urls: Urls,
        outputs: LiveOutputs,
        phases: ReleasePhases,
        ending: Ending,
    ) -> None:
        self.home, self.works, self.repositories, self.urls = home, works, repositories, urls
        self.outputs, self.phases, self.ending = outputs, phases, ending
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._building: set[str] = set()

    async def receive(self, app_id: str, user_id: str, pushed: Pushed, pusher: Pusher) -> bool:
        """Decide on a push: build what Heroku would deploy, take other branches as they are."""
        deploys = [each for each in pushed.updates if each.is_deploy]
        if not deploys:
            await pusher.tell(
                "Pushed to a branch that is not deployed: only main and master are. To deploy this one:",
                f"  git push heroku {pushed.updates[0].ref.removeprefix('refs/heads/')}:main",
            )
            return True
        if len(deploys) > 1:
            await pusher.tell(" !     Push main or master, not both at once.")
            return False
        if app_id in self._building:
            await pusher.tell(" !     Another build of this app is under way. Push again when it has finished.")
            return False
        commit = deploys[0].new
        if deploys[0].old != await self.repositories.tip(app_id, deploys[0].ref):
            await pusher.tell(
                " !     Somebody else has pushed meanwhile. Fetch what is new (git pull heroku), and push again."
            )
            return False

        async def place(root: Path) -> None:
            await self.repositories.checkout(app_id, commit, root, pushed.environment)

        with self.works.begin(asked_by(user_id)) as work:
            build = self.order(work, Order(app_id, user_id, commit, place))
        if not await self._shown(build.id, pusher):
            return False
        try:
            await self.ending.or_else(self._tell_release(app_id, build.id, pusher), "its release command ends with it")
        except ServiceUnavailable as error:
            await pusher.tell(f" !     {error} See: heroku releases")
        return True

    def order(self, work: Work, order: Order) -> Build:
        """Begin a build, once the work is committed. Raises Conflict while another one of the app is under way."""
        app = work.session.get_one(App, order.app_id)
        if app.id in self._building:
            raise Conflict(f"Another build of {app.name} is under way. Try again when it has finished.")
        build = Build(
            app_id=app.id,
            user_id=order.user_id,
            version=order.version,
            version_description=order.version_description,
            buildpacks=list(order.buildpacks),
            source_url=order.source_url,
            checksum=order.checksum,
        )
        work.session.add(build)
        work.session.flush()
        work.say(app, "Build started")
        work.after(lambda: self._start(build.id, order))
        return build

    def cancel(self, app: App, build: Build) -> None:
        """End a build that is under way. Raises InvalidParams for one that is not."""
        task = self._tasks.get(build.id)
        if task is None:
            raise InvalidParams(f"Build {build.id} of {app.name} has ended already: {build.status}.")
        task.cancel()

    async def close(self) -> None:
        """End what is under way; whoever waits for it is told."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, build_id: str, order: Order) -> None:
        try:
            output = self.outputs.open(self.home.build_output(build_id))
        except OSError as error:
            log.error("build=%s event=build_failed reason=%s", build_id, error)
            self._fail(order, build_id)
            return
        self._building.add(order.app_id)
        task = asyncio.create_task(self._carry_out(build_id, order, output.tell), name=f"build-{build_id}")
        self._tasks[build_id] = task

        def ended(_: "asyncio.Task[bool]") -> None:
            output.close()
            self._building.discard(order.app_id)
            del self._tasks[build_id]

        task.add_done_callback(ended)

    async def _shown(self, build_id: str, pusher: Pusher) -> bool:
        """Whether a build that somebody looks at succeeds; it ends with whoever looks."""
        task = self._tasks.get(build_id)
        if task is None:
            await pusher.tell(" !     What a build says cannot be written down here: see the log of the backend.")
            return False
        try:
            async for piece in self.outputs.stream(self.home.build_output(build_id)):
                await pusher.show(piece)
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        return not task.cancelled() and task.result()

    async def _carry_out(self, build_id: str, order: Order, tell: Output) -> bool:
        with self.works.store.transaction() as session:
            app = session.get_one(App, order.app_id)
            name, address, config = app.name, self.urls.web(app), dict(app.config)
            wanted = order.buildpacks or tuple(each.buildpack for each in installations.of_app(session, app))
            running = releases.current(session, app)
            kept = f" v{running.version} keeps running." if running and running.slug else ""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                compiled = await self._compile(order, wanted, config, tell)
            tell("-----> Launching...")
            version, has_command = self._release(order, build_id, compiled)
        except (BuildFailed, InvalidParams, SlugError, TimeoutError) as error:
            self._fail(order, build_id)
            _tell_failure(tell, error, f"Push rejected to {name}.{kept}")
            return False
        except asyncio.CancelledError:
            self._fail(order, build_id)
            told = self.ending.words(BUILD_AGAIN) if self.ending.has_begun else "The build was cancelled."
            _tell_failure(tell, BuildFailed(told), f"Push rejected to {name}.{kept}")
            raise
        except Exception as error:
            log.exception("build=%s event=build_failed", build_id)
            self._fail(order, build_id)
            told = f"Something went wrong in the backend itself ({error}). Its own log tells more."
            _tell_failure(tell, BuildFailed(told), f"Push rejected to {name}.{kept}")
            return False
        if has_command:
            tell(RELEASE_COMMAND_DECLARED)
        tell(f"       Released v{version}")
        tell(f"       {address} deployed to Heroku")
        tell("")
        tell("Verifying deploy... done.")
        return True

    async def _tell_release(self, app_id: str, build_id: str, pusher: Pusher) -> None:
        """Show whoever pushed what the release command says; its failure is no failure of the push."""
        with self.works.store.transaction() as session:
            build = session.get(Build, build_id)
            release = releases.of_build(session, build) if build else None
        if release is None or not release.has_output:
            return
        await pusher.tell("Running release command...", "")
        async for piece in self.phases.follow(app_id, release.id):
            await pusher.show(piece)
        succeeded = await self.phases.ended(release.id)
        await pusher.tell(f"Waiting for release.... {'done' if succeeded else 'failed'}.")

    async def _compile(self, order: Order, wanted: Sequence[str], config: dict[str, str], tell: Output) -> Compiled:
        slug_id = str(uuid.uuid4())
        root = self.home.builds / slug_id
        root.mkdir()
        try:
            tell("Compressing source files... done.")
            await order.place(root)
            tell("Building source:")
            tell("")
            environment = buildpacks.environment(root, self.home.engine_id())
            source = Source(root, config, environment, self.home.cache(order.app_id), order.version or "")
            declared = procfile.read(root)
            chosen = await buildpacks.choose(source, wanted, tell)
            defaults = {name: line for each in chosen for name, line in (await each.compile(source, tell)).items()}
            tell("-----> Discovering process types")
            tell(f"       Procfile declares types     -> {', '.join(sorted(declared)) or '(none)'}")
            tell(f"       Default types for buildpack -> {', '.join(sorted(defaults)) or '(none)'}")
            tell("-----> Compressing...")
            archive = await asyncio.to_thread(slugs.pack, root, self.home.slug(slug_id))
            tell(f"       Done: {slugs.human_size(archive.size_bytes)}")
        finally:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
        return Compiled(slug_id, archive, {**defaults, **declared}, chosen[-1].name, first_config(chosen))

    def _release(self, order: Order, build_id: str, compiled: Compiled) -> tuple[int, bool]:
        """The version of the release, and whether a command has to run before it takes over."""
        with self.works.begin(asked_by(order.user_id)) as work:
            app, build = work.session.get(App, order.app_id), work.session.get(Build, build_id)
            if app is None or build is None:
                remove(self.home.slug(compiled.id))
                raise BuildFailed("The app was destroyed meanwhile.")
            slug = Slug(
                id=compiled.id,
                app_id=app.id,
                commit=order.version,
                process_types=compiled.process_types,
                buildpack=compiled.buildpack,
                size_bytes=compiled.archive.size_bytes,
                checksum=compiled.archive.checksum,
            )
            work.session.add(slug)
            work.session.flush()
            app.config = {**compiled.config, **app.config}
            release = releases.create(work, app, f"Deploy {(order.version or slug.id)[:8]}", slug=slug)
            build.status, build.slug_id, build.release_id = "succeeded", slug.id, release.id
            work.note(app, "Build succeeded")
            return release.version, release.has_output

    def _fail(self, order: Order, build_id: str) -> None:
        with self.works.begin(asked_by(order.user_id)) as work:
            app = work.session.get(App, order.app_id)
            build = work.session.get(Build, build_id)
            if app and build:
                build.status = "failed"
                work.note(app, f"Build failed -- check your build output: {self.urls.output(build)}")


def first_config(chosen: Sequence[Buildpack]) -> dict[str, str]:
    """Config vars that a first deploy sets, of all buildpacks together."""
    secret = secrets.token_hex(64)
    return {name: value for each in chosen for name, value in each.config(secret).items()}


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
