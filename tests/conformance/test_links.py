"""Which of the published links are served, and what is said of the others."""

import pytest
from starlette.routing import Route

from hkcli.backend import routes
from hkcli.backend.links import TABLE
from tests.backends import Backend
from tests.conformance import links, schema

AIM = 120
SAMPLE = "01234567-89ab-cdef-0123-456789abcdef"


def is_served(link: schema.Link) -> bool:
    path = schema.template(link.href).replace("{}", SAMPLE)
    return any(
        isinstance(each, Route) and link.method in (each.methods or ()) and each.path_regex.match(path)
        for each in routes.every()
    )


def test_the_packages_table_of_links_is_what_the_published_schema_says() -> None:
    assert TABLE.read_text() == links.table(), "make it anew: python -m tests.conformance.links"


def test_most_of_what_people_call_is_served() -> None:
    served = [each for each in schema.links() if is_served(each)]
    for each in served:
        print(f"{each.method:6} {schema.template(each.href):60} {each.resource}: {each.title}")
    print(f"{len(served)} of {len(schema.links())} links are served")
    assert len(served) >= AIM


def test_every_other_link_is_refused_by_its_name(shared_backend: Backend) -> None:
    missing = [each for each in schema.links() if not is_served(each)]
    for each in missing:
        answer = shared_backend.call(each.method, schema.template(each.href).replace("{}", SAMPLE), {})
        document = answer.json()
        assert (answer.status_code, document["id"]) == (501, "not_implemented"), f"{each.method} {each.href}"
        assert f"{each.resource}: {each.title}" in document["message"]


@pytest.mark.parametrize("path", ["/nonsense", "/apps/a/b/c/d", "/teams/x/nonsense"])
def test_what_heroku_does_not_know_either_is_not_found(shared_backend: Backend, path: str) -> None:
    assert shared_backend.call("GET", path).status_code == 404


def test_a_link_with_another_method_is_not_served_silently(shared_backend: Backend) -> None:
    assert shared_backend.call("PUT", "/apps/x").status_code == 404
