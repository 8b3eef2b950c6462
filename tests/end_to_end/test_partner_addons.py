"""An add-on of one's own, described by a manifest, as its author tries it on this machine."""

import json
from collections.abc import Iterator

import pytest

from tests import partner as example
from tests.backends import Backend
from tests.end_to_end.shell import Shell
from tests.end_to_end.test_users import operator
from tests.partner import Partner

pytestmark = pytest.mark.e2e
__all__ = ["operator"]


@pytest.fixture
def partner(operator: Shell) -> Iterator[Partner]:
    (operator.home / "partner").mkdir()
    partner = Partner(operator.home / "partner").start()
    manifest = {**partner.manifest, "id": "echo-at-home"}
    manifest["api"] = {**manifest["api"], "config_vars_prefix": "ECHO_CHAMBER"}
    (operator.folder / "addon-manifest.json").write_text(json.dumps(manifest))
    yield partner
    partner.stop()


def test_its_author_sees_it_provisioned_refused_and_deprovisioned(
    operator: Shell, shared_backend: Backend, partner: Partner
) -> None:
    app = shared_backend.ok("POST", "/apps", {})["name"]
    operator.environment |= {"HEROKU_API_KEY": shared_backend.credentials["token"], "HEROKU_APP": app}
    added = operator.ok("heroku", "backend:addons:add", "addon-manifest.json")
    shown = dict(line.split(":", 1) for line in added.out.splitlines())
    assert example.PASSWORD not in added.out + added.err
    partner.knows(shown["Client secret"].strip())
    refused = operator("heroku", "addons:add", "echo-at-home")
    assert refused.status == 1 and "does not accept the id and password of its manifest (401)" in refused.err

    manifest = json.loads((operator.folder / "addon-manifest.json").read_text())
    (operator.folder / "addon-manifest.json").write_text(json.dumps({**manifest, "id": example.ID}))
    operator.ok("heroku", "backend:addons:remove", "echo-at-home")
    shown = json.loads(operator.ok("heroku", "backend:addons:add", "addon-manifest.json", "--json").out)
    partner.knows(shown["client_secret"])
    made = operator.ok("heroku", "addons:add", "echo-chamber:basic", "--as", "first")
    assert "Echo, echo." in made.out and "as FIRST_SIZE, FIRST_URL" in made.out
    later = operator.ok("heroku", "addons:add", "echo-chamber:background", "--as", "second", "--wait")
    assert "The echo is on its way." in later.out and "as SECOND_URL" in later.out
    doomed = operator("heroku", "addons:add", "echo-chamber:doomed", "--wait")
    assert doomed.status == 1 and "was not provisioned" in doomed.err
    assert "deprovisioned by its provider" in operator.ok("heroku", "logs", "--dyno", "api").out
    refused = operator("heroku", "addons:add", "echo-chamber:refused")
    assert refused.status == 1 and "No echo for you on a Wednesday." in refused.err
    assert "/sso/" in operator.ok("heroku", "addons:open", "first", "--show-url").out
    assert "echo-chamber\thttp://localhost" in operator.ok("heroku", "backend:addons").out

    still = operator("heroku", "backend:addons:remove", "echo-chamber")
    assert still.status == 1 and "Remove those first" in still.err
    operator.ok("heroku", "addons:remove", "first", "second", "--confirm", app)
    partner.wait_for_requests("DELETE", number=3)
    operator.ok("heroku", "backend:addons:remove", "echo-chamber", "--force")
    assert operator("heroku", "addons:open", "first").status == 1


def test_a_manifest_that_is_none_is_refused_by_what_is_wrong(operator: Shell) -> None:
    missing = operator("heroku", "backend:addons:add", "nowhere.json")
    assert missing.status == 1 and "nowhere.json cannot be read" in missing.err
    (operator.folder / "text.json").write_text("hello")
    assert "text.json is not JSON" in operator("heroku", "backend:addons:add", "text.json").err
    (operator.folder / "list.json").write_text("[]")
    assert "must be a JSON object" in operator("heroku", "backend:addons:add", "list.json").err
    (operator.folder / "empty.json").write_text("{}")
    empty = operator("heroku", "backend:addons:add", "empty.json")
    assert empty.status == 1 and "The manifest's id must be" in empty.err
