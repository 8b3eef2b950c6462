"""The endpoints, one file a resource; `every()` is what the server serves."""

from starlette.routing import BaseRoute

from hkcli.backend.routes import (
    account,
    addons,
    apps,
    attachments,
    authority,
    authorizations,
    builds,
    catalog,
    config_vars,
    dynos,
    formation,
    git,
    log_sessions,
    releases,
    services,
    slugs,
)


def every() -> list[BaseRoute]:
    resources = (
        account,
        addons,
        apps,
        attachments,
        authority,
        authorizations,
        builds,
        catalog,
        config_vars,
        dynos,
        formation,
        log_sessions,
        releases,
        services,
        slugs,
        git,
    )
    return [route for resource in resources for route in resource.ROUTES]
