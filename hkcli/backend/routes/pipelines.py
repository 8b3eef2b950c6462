"""Pipelines, the apps in them, and promotions."""

from typing import Any

from hkcli.backend import apps, builds, catalog, pipelines, schemas
from hkcli.backend.endpoint import Answer, Call, Collection, route
from hkcli.backend.errors import BadRequest, InvalidParams, NotFound
from hkcli.backend.store import Coupling, Pipeline, Promotion

SORTABLE = ("id", "created_at", "updated_at")


def document(record: Pipeline) -> schemas.JSON:
    return {
        **schemas.dates(record),
        "generation": schemas.fixed_ref("generation", "cedar"),
        "id": record.id,
        "name": record.name,
        "owner": {"id": record.owner_id, "type": "user"},
    }


def of_coupling(record: Coupling) -> schemas.JSON:
    """With the names of app and pipeline, which clients print."""
    return {
        "app": schemas.ref(record.app),
        **schemas.dates(record),
        "id": record.id,
        "pipeline": schemas.ref(record.pipeline),
        "stage": record.stage,
    }


def of_promotion(record: Promotion) -> schemas.JSON:
    return {
        **schemas.dates(record),
        "id": record.id,
        "pipeline": {"id": record.pipeline_id},
        "source": {"app": {"id": record.source_app_id}, "release": {"id": record.source_release_id}},
        "status": "completed",
    }


def found(call: Call) -> Pipeline:
    return pipelines.find(call.session, call.user, call.path("pipeline"))


def own(call: Call) -> Pipeline:
    pipeline = found(call)
    if pipeline.owner_id != call.user.id:
        raise InvalidParams(f"Only the owner of {pipeline.name} may do that.")
    return pipeline


def every(call: Call) -> Answer:
    return Collection([document(each) for each in pipelines.visible(call.session, call.user)], ("name", *SORTABLE))


def info(call: Call) -> Answer:
    return document(found(call))


def create(call: Call) -> Answer:
    owner = call.mapping("owner")
    if (owner.get("id") or call.user.id, owner.get("type") or "user") != (call.user.id, "user"):
        raise InvalidParams("owner must be yourself: there are no teams here.")
    pipeline = pipelines.create(call.work, call.required("name"))
    return document(pipeline)


def update(call: Call) -> Answer:
    pipeline = own(call)
    if name := call.text("name"):
        pipelines.rename(call.work, pipeline, name)
    return document(pipeline)


def delete(call: Call) -> Answer:
    pipeline = own(call)
    call.session.delete(pipeline)
    return document(pipeline)


def default_stack(call: Call) -> Answer:
    found(call)
    return {"stack": schemas.fixed_ref("stack", catalog.stack("heroku-24").name)}


def couplings(call: Call) -> Answer:
    return Collection([of_coupling(each) for each in pipelines.couplings(call.session, call.user)], SORTABLE)


def couplings_of_pipeline(call: Call) -> Answer:
    placed = pipelines.couplings(call.session, call.user, found(call))
    return Collection([of_coupling(each) for each in placed], SORTABLE)


def coupling_of_app(call: Call) -> Answer:
    return of_coupling(pipelines.coupling(call.session, call.user, call.app().id))


def coupling(call: Call) -> Coupling:
    return pipelines.coupling(call.session, call.user, call.path("coupling"))


def coupling_info(call: Call) -> Answer:
    return of_coupling(coupling(call))


def couple(call: Call) -> Answer:
    app = apps.find(call.session, call.user, call.required("app"))
    pipeline = pipelines.find(call.session, call.user, call.required("pipeline"))
    return of_coupling(pipelines.couple(call.work, app, pipeline, call.required("stage")))


def move(call: Call) -> Answer:
    record = coupling(call)
    record.stage = pipelines.check_stage(call.required("stage"))
    return of_coupling(record)


def uncouple(call: Call) -> Answer:
    record = coupling(call)
    call.session.delete(record)
    return of_coupling(record)


def latest_releases(call: Call) -> Answer:
    running = pipelines.running(call.session, call.user, found(call))
    return [schemas.release(release, app, call.platform.urls, release) for app, release in running]


def latest_builds(call: Call) -> Answer:
    placed = pipelines.couplings(call.session, call.user, found(call))
    newest = [
        (each.app, max(made, key=lambda build: build.created_at))
        for each in placed
        if (made := builds.of_app(call.session, each.app))
    ]
    return [schemas.build(build, app, call.platform.urls) for app, build in newest]


def promote(call: Call) -> Answer:
    pipeline = pipelines.find(call.session, call.user, call.required("pipeline"))
    source = apps.find(call.session, call.user, app_id(call.mapping("source")))
    targets = [apps.find(call.session, call.user, app_id(each)) for each in call.items("targets")]
    return of_promotion(pipelines.promote(call.work, call.platform.home, pipeline, source, targets))


def app_id(end: dict[str, Any]) -> str:
    """The app of one end of a promotion. Raises BadRequest."""
    app = end.get("app")
    if not isinstance(app, dict) or not isinstance(app.get("id"), str):
        raise BadRequest('source, and each of targets, must be an object such as {"app": {"id": "..."}}.')
    return str(app["id"])


def promotion(call: Call) -> Promotion:
    return pipelines.promotion(call.session, call.user, call.path("promotion"))


def promotion_info(call: Call) -> Answer:
    return of_promotion(promotion(call))


def promotion_targets(call: Call) -> Answer:
    record = promotion(call)
    return [
        {
            "app": {"id": app_id},
            "error_message": None,
            "id": catalog.fixed_id("promotion-target", record.id, app_id),
            "pipeline_promotion": {"id": record.id},
            "release": {"id": release_id},
            "status": "succeeded",
        }
        for app_id, release_id in record.targets.items()
    ]


def no_review_app(call: Call) -> Answer:
    call.app()
    raise NotFound("Couldn't find that review app.", "review_app")


def none_of_pipeline(call: Call) -> Answer:
    found(call)
    return []


ROUTES = [
    route("GET", "/pipelines", every),
    route("POST", "/pipelines", create, status=201),
    route("GET", "/pipelines/{pipeline}", info),
    route("PATCH", "/pipelines/{pipeline}", update),
    route("DELETE", "/pipelines/{pipeline}", delete),
    route("GET", "/pipelines/{pipeline}/pipeline-stack", default_stack),
    route("GET", "/pipelines/{pipeline}/pipeline-couplings", couplings_of_pipeline),
    route("GET", "/pipelines/{pipeline}/latest-releases", latest_releases),
    route("GET", "/pipelines/{pipeline}/latest-deployments", latest_releases),
    route("GET", "/pipelines/{pipeline}/latest-builds", latest_builds),
    route("GET", "/pipelines/{pipeline}/review-apps", none_of_pipeline),
    route("GET", "/pipelines/{pipeline}/test-runs", none_of_pipeline),
    route("GET", "/users/~/pipeline-couplings", couplings),
    route("GET", "/pipeline-couplings", couplings),
    route("POST", "/pipeline-couplings", couple, status=201),
    route("GET", "/pipeline-couplings/{coupling}", coupling_info),
    route("PATCH", "/pipeline-couplings/{coupling}", move),
    route("DELETE", "/pipeline-couplings/{coupling}", uncouple),
    route("GET", "/apps/{app}/pipeline-couplings", coupling_of_app),
    route("GET", "/apps/{app}/review-app", no_review_app),
    route("POST", "/pipeline-promotions", promote, status=201),
    route("GET", "/pipeline-promotions/{promotion}", promotion_info),
    route("GET", "/pipeline-promotions/{promotion}/promotion-targets", promotion_targets),
]
