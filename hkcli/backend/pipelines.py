"""Pipelines: apps in stages, and what one runs promoted to the next."""

import re
import shutil

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hkcli.backend import apps, releases
from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.home import Home
from hkcli.backend.store import App, Coupling, Pipeline, Promotion, Release, Slug, User
from hkcli.backend.work import Work

NAME = re.compile(r"[a-z][a-z0-9-]{2,29}")
STAGES = ("test", "review", "development", "staging", "production")


def visible(session: Session, user: User) -> list[Pipeline]:
    """The user's own, and those with an app that they can see."""
    coupled = select(Coupling.pipeline_id).join(App, Coupling.app_id == App.id).where(apps.visible_to(user))
    return list(session.scalars(select(Pipeline).where(or_(Pipeline.owner_id == user.id, Pipeline.id.in_(coupled)))))


def find(session: Session, user: User, identity: str) -> Pipeline:
    """A pipeline by name or id. Raises NotFound."""
    for each in visible(session, user):
        if identity in (each.id, each.name):
            return each
    raise NotFound("Couldn't find that pipeline.", "pipeline")


def create(work: Work, name: str) -> Pipeline:
    pipeline = Pipeline(name=free_name(work.session, name), owner_id=work.user.id)
    work.session.add(pipeline)
    work.session.flush()
    return pipeline


def rename(work: Work, pipeline: Pipeline, name: str) -> None:
    if name != pipeline.name:
        pipeline.name = free_name(work.session, name)


def free_name(session: Session, name: str) -> str:
    if not NAME.fullmatch(name):
        raise InvalidParams(
            f"Name {name!r} is not allowed: 3 to 30 lowercase letters, digits and dashes, a letter first."
        )
    if session.scalars(select(Pipeline.id).where(Pipeline.name == name)).first():
        raise InvalidParams(f"Name {name} is already taken")
    return name


def couplings(session: Session, user: User, pipeline: Pipeline | None = None) -> list[Coupling]:
    """Places of apps that the user can see, in one pipeline or all."""
    query = select(Coupling).join(App, Coupling.app_id == App.id).where(apps.visible_to(user))
    return list(session.scalars(query.where(Coupling.pipeline_id == pipeline.id) if pipeline else query))


def coupling(session: Session, user: User, identity: str) -> Coupling:
    """A place by its id, or its app's id. Raises NotFound."""
    for each in couplings(session, user):
        if identity in (each.id, each.app_id):
            return each
    raise NotFound("Couldn't find that pipeline coupling.", "pipeline_coupling")


def couple(work: Work, app: App, pipeline: Pipeline, stage: str) -> Coupling:
    """Raises InvalidParams for an app that has a place already, and for an unknown stage."""
    if any(each.app_id == app.id for each in couplings(work.session, work.user)):
        raise InvalidParams(f"{app.name} is in a pipeline already.")
    placed = Coupling(app=app, pipeline=pipeline, stage=check_stage(stage))
    work.session.add(placed)
    work.session.flush()
    return placed


def check_stage(stage: str) -> str:
    if stage not in STAGES:
        raise InvalidParams(f"Stage {stage} is not known. Choose one of: {', '.join(STAGES)}")
    return stage


def promote(work: Work, home: Home, pipeline: Pipeline, source: App, targets: list[App]) -> Promotion:
    """Release on each target what the source runs now, with the target's own config. Raises InvalidParams."""
    members = {each.app_id for each in couplings(work.session, work.user, pipeline)}
    if strangers := [each.name for each in (source, *targets) if each.id not in members]:
        raise InvalidParams(f"Not in the pipeline {pipeline.name}: {', '.join(strangers)}")
    release = releases.current(work.session, source)
    if release is None or release.slug is None:
        raise InvalidParams(f"{source.name} has no code to promote yet. Deploy it first: git push heroku main")
    if not targets or source.id in {each.id for each in targets}:
        raise InvalidParams("A promotion needs targets, and its source is none of them.")
    promotion = Promotion(
        pipeline_id=pipeline.id,
        source_app_id=source.id,
        source_release_id=release.id,
        targets={each.id: _promote(work, home, source, release, each).id for each in targets},
    )
    work.session.add(promotion)
    work.session.flush()
    return promotion


def _promote(work: Work, home: Home, source: App, release: Release, target: App) -> Release:
    slug = release.slug
    assert slug is not None
    copy = Slug(
        app_id=target.id,
        process_types=slug.process_types,
        commit=slug.commit,
        buildpack=slug.buildpack,
        size_bytes=slug.size_bytes,
        checksum=slug.checksum,
    )
    work.session.add(copy)
    work.session.flush()
    shutil.copyfile(home.slug(slug.id), home.slug(copy.id))
    words = f"Promote {source.name} v{release.version}" + (f" {slug.commit[:8]}" if slug.commit else "")
    return releases.create(work, target, words, slug=copy)


def promotion(session: Session, user: User, identity: str) -> Promotion:
    """Raises NotFound."""
    found = session.get(Promotion, identity)
    if found is None or found.pipeline_id not in {each.id for each in visible(session, user)}:
        raise NotFound("Couldn't find that pipeline promotion.", "pipeline_promotion")
    return found


def running(session: Session, user: User, pipeline: Pipeline) -> list[tuple[App, Release]]:
    """The current release of every app of the pipeline that has code."""
    found = [(each.app, releases.current(session, each.app)) for each in couplings(session, user, pipeline)]
    return [(app, release) for app, release in found if release and release.slug]
