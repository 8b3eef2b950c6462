"""What should run: the specs that follow from formations and releases."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import features, releases
from hkcli.backend.dynos import DynoSpec
from hkcli.backend.home import Home
from hkcli.backend.store import App, Formation, Release, Slug


def desired(session: Session, home: Home) -> Iterator[DynoSpec]:
    """Every dyno that should run now, on the whole platform."""
    rows = session.execute(
        select(App, Formation).join(Formation, Formation.app_id == App.id).where(Formation.quantity > 0)
    )
    for app, row in rows:
        release = releases.current(session, app)
        if release is None or release.slug is None or row.type not in release.slug.process_types:
            continue
        for index in range(1, row.quantity + 1):
            name = f"{row.type}.{index}"
            yield spec(app, release, name, release.slug.process_types[row.type], home, size=row.size)


def spec(app: App, release: Release, name: str, line: str, home: Home, *, size: str = "Basic") -> DynoSpec:
    """A dyno of this release; the release must have a slug."""
    assert release.slug is not None
    return DynoSpec(
        app_id=app.id,
        app_name=app.name,
        name=name,
        command=line,
        release_id=release.id,
        release_version=release.version,
        slug=home.slug(release.slug.id),
        env={**dict(features.environment(app, release)), **release.config},
        size=size,
    )


def command(slug: Slug, line: str) -> str:
    """A one-off's shell line: a first word that is a process type stands for that type's command."""
    first, space, rest = line.partition(" ")
    return slug.process_types.get(first, first) + space + rest


def one_off(
    app: App, release: Release, name: str, line: str, home: Home, *, environment: dict[str, str], size: str
) -> DynoSpec:
    """A dyno of the current release that runs a command once; its environment wins over config vars."""
    assert release.slug is not None
    running = spec(app, release, name, command(release.slug, line), home, size=size)
    return replace(running, env={**running.env, **environment})
