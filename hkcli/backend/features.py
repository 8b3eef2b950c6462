"""Features that an app can switch on: those that have an effect here."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend import catalog
from hkcli.backend.errors import NotFound
from hkcli.backend.store import App, Feature, Release
from hkcli.backend.work import Work


@dataclass(frozen=True)
class Offer:
    """`state` as the clients read it: `general` is listed by features, everything else by labs."""

    name: str
    display_name: str
    description: str
    state: str = "beta"


DYNO_METADATA = Offer(
    "runtime-dyno-metadata",
    "Dyno metadata",
    "Tell dynos the names of their app and release in HEROKU_APP_NAME, HEROKU_RELEASE_VERSION and others",
)
RUNTIME_METRICS = Offer(
    "log-runtime-metrics",
    "Runtime metrics",
    "Log what each dyno uses every 20 seconds: memory, swap and load",
)
OF_APPS = (DYNO_METADATA, RUNTIME_METRICS)


def of_apps(identity: str) -> Offer:
    """An app's feature by name or id. Raises NotFound."""
    for each in OF_APPS:
        if identity in (each.name, catalog.fixed_id("app-feature", each.name)):
            return each
    raise NotFound("Couldn't find that feature.", "feature")


def is_on(app: App, offer: Offer) -> bool:
    return any(each.name == offer.name for each in app.features)


def apps_with(session: Session, offer: Offer) -> set[str]:
    """The ids of the apps that have a feature on."""
    return set(session.scalars(select(Feature.app_id).where(Feature.name == offer.name)))


def switch(work: Work, app: App, offer: Offer, enabled: bool) -> None:
    """Running dynos notice at their next restart, as on Heroku; their figures are logged at once."""
    if is_on(app, offer) == enabled:
        return
    if enabled:
        app.features.append(Feature(app_id=app.id, name=offer.name))
    else:
        app.features = [each for each in app.features if each.name != offer.name]
    work.say(app, f"{'Enable' if enabled else 'Disable'} {offer.name} feature")


def environment(app: App, release: Release) -> Iterator[tuple[str, str]]:
    """What switched-on features add to the environment of a release's dynos."""
    if not is_on(app, DYNO_METADATA):
        return
    yield "HEROKU_APP_ID", app.id
    yield "HEROKU_APP_NAME", app.name
    yield "HEROKU_RELEASE_VERSION", f"v{release.version}"
    yield "HEROKU_RELEASE_CREATED_AT", release.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if release.slug and release.slug.commit:
        yield "HEROKU_SLUG_COMMIT", release.slug.commit
        yield "HEROKU_BUILD_COMMIT", release.slug.commit
        yield "HEROKU_SLUG_DESCRIPTION", f"Deploy {release.slug.commit[:8]}"
