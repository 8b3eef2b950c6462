"""The endpoints, one file a resource; `every()` is what the server serves."""

from starlette.routing import BaseRoute

from hkcli.backend.routes import (
    absent,
    account,
    addons,
    apps,
    attachments,
    authority,
    authorizations,
    builds,
    catalog,
    collaborators,
    config_vars,
    domains,
    drains,
    dynos,
    features,
    formation,
    git,
    installations,
    keys,
    log_sessions,
    pipelines,
    releases,
    services,
    slugs,
    transfers,
    users,
)


def every() -> list[BaseRoute]:
    resources = (
        absent,
        account,
        addons,
        apps,
        attachments,
        authority,
        authorizations,
        builds,
        catalog,
        collaborators,
        config_vars,
        domains,
        drains,
        dynos,
        features,
        formation,
        installations,
        keys,
        log_sessions,
        pipelines,
        releases,
        services,
        slugs,
        transfers,
        users,
        git,
    )
    return [route for resource in resources for route in resource.ROUTES]
