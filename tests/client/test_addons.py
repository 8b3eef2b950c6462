import pytest

from hkcli.cli.commands.addons import parse_settings
from tests.client.payloads import addon, problem

RESOLVE = "/actions/addons/resolve"


def test_addons_add_says_the_price_the_name_and_the_config_vars(heroku, platform):
    platform.on(
        "POST",
        "/apps/demo/addons",
        {"plan": {"name": "dj"}, "attachment": {}, "config": {}},
        reply=addon(provision_message="A worker starts."),
        status=201,
    )
    result = heroku("addons:add", "dj", "--app", "demo")
    assert (result.exit_code, result.stderr) == (0, "Creating dj on demo... free\n")
    assert result.stdout == "A worker starts.\nCreated dj-round-1 as DJ_PLAN\n"


def test_addons_add_sends_name_attachment_and_settings(heroku, platform):
    body = {
        "plan": {"name": "dj:trio"},
        "attachment": {"name": "QUEUE"},
        "config": {"version": "9", "ha": True},
        "name": "my-queue",
    }
    platform.on("POST", "/apps/demo/addons", body, reply=addon())
    words = ("--name", "my-queue", "--as", "QUEUE", "-a", "demo", "--", "--version", "9", "--ha")
    assert heroku("addons:create", "dj:trio", *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("--a", "1", "--b=2", "--c"), {"a": "1", "b": "2", "c": True}),
        (("--a=x=y",), {"a": "x=y"}),
        (("--a=",), {"a": ""}),
        ((), {}),
    ],
)
def test_settings_are_pairs_or_flags(words, settings):
    assert parse_settings(words) == settings


def test_addons_add_shows_a_real_price(heroku, platform):
    price = {"cents": 500, "contract": False, "unit": "month"}
    platform.on("POST", "/apps/demo/addons", reply=addon(plan={"id": "p", "name": "pg:mini", "price": price}))
    assert heroku("addons:add", "pg:mini", "-a", "demo").stderr == (
        "Creating pg:mini on demo... ~$0.007/hour (max $5/month)\n"
    )


def test_an_unknown_service_brings_the_nearest_names(heroku, platform):
    message = 'Couldn\'t find either the add-on service or the add-on plan of "djj".'
    platform.on("POST", "/apps/demo/addons", status=422, reply=problem("invalid_params", message))
    platform.on("GET", "/addon-services", reply=[{"name": "dj"}, {"name": "postgresql"}])
    result = heroku("addons:add", "djj", "-a", "demo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr and "Did you mean: dj?" in result.stderr


def test_an_unknown_plan_brings_the_plans_of_its_service(heroku, platform):
    message = 'Couldn\'t find either the add-on service or the add-on plan of "dj:quartet".'
    platform.on("POST", "/apps/demo/addons", status=422, reply=problem("invalid_params", message))
    platform.on("GET", "/addon-services", reply=[{"name": "dj"}])
    platform.on("GET", "/addon-services/dj/plans", reply=[{"name": "dj:octet"}, {"name": "dj:single"}])
    assert "Did you mean: dj:octet" in heroku("addons:add", "dj:quartet", "-a", "demo").stderr


def test_a_confirmation_the_platform_wants_is_not_given_by_a_script(heroku, platform):
    platform.on("POST", "/apps/demo/addons", status=423, reply=problem("confirmation_required", "This costs a lot."))
    result = heroku("addons:add", "dj", "-a", "demo")
    assert result.exit_code == 1
    assert "This costs a lot." in result.stderr and "Add: --confirm demo" in result.stderr


def test_a_confirmation_typed_at_the_terminal_repeats_the_request_with_it(heroku, platform):
    platform.on("POST", "/apps/demo/addons", status=423, reply=problem("confirmation_required", "This costs a lot."))
    body = {"plan": {"name": "dj"}, "attachment": {}, "config": {}, "confirm": "demo"}
    platform.on("POST", "/apps/demo/addons", body, reply=addon())
    assert heroku("addons:add", "dj", "-a", "demo", stdin="demo\n", terminal=True).exit_code == 0


def test_addons_remove_in_a_script_fails_without_confirm_and_changes_nothing(heroku, platform):
    platform.on("POST", RESOLVE, {"addon": "dj", "app": "demo"}, reply=[addon()])
    result = heroku("addons:remove", "dj", "--app", "demo")
    assert result.exit_code == 1
    assert "This destroys dj-round-1 on demo." in result.stderr
    assert "The app is demo, from --app." in result.stderr and "Add: --confirm demo" in result.stderr


def test_addons_remove_with_the_wrong_name_changes_nothing(heroku, platform):
    platform.on("POST", RESOLVE, reply=[addon()])
    result = heroku("addons:remove", "dj", "--app", "demo", "--confirm", "dmeo")
    assert result.exit_code == 1 and "Nothing was changed." in result.stderr


def test_addons_remove_asks_at_a_terminal(heroku, platform):
    platform.on("POST", RESOLVE, reply=[addon()])
    platform.on("DELETE", "/apps/demo-id/addons/dj-round-1-id", {"force": False}, reply=addon(state="deprovisioned"))
    result = heroku("addons:remove", "dj", "-a", "demo", stdin="demo\n", terminal=True)
    assert result.exit_code == 0 and "Type demo to go on: " in result.stderr


def test_addons_remove_of_several_asks_once_and_removes_each(heroku, platform):
    for name in ("dj", "pg"):
        platform.on("POST", RESOLVE, {"addon": name, "app": "demo"}, reply=[addon(f"{name}-1")])
        platform.on("DELETE", f"/apps/demo-id/addons/{name}-1-id", reply=addon(f"{name}-1", state="deprovisioned"))
    result = heroku("addons:remove", "dj", "pg", "-a", "demo", "-c", "demo")
    assert result.exit_code == 0
    assert result.stderr.endswith("Destroying dj-1 on demo... done\nDestroying pg-1 on demo... done\n")


def test_an_addon_that_stays_provisioned_is_a_failure(heroku, platform):
    platform.on("POST", RESOLVE, reply=[addon()])
    platform.on("DELETE", "/apps/demo-id/addons/dj-round-1-id", reply=addon(state="provisioned"))
    result = heroku("addons:remove", "dj", "-a", "demo", "-c", "demo")
    assert result.exit_code == 1 and "Destroying dj-round-1 on demo... failed" in result.stderr


def test_removing_an_addon_that_is_not_there_says_what_is(heroku, platform):
    platform.on(
        "POST", RESOLVE, status=404, reply=problem("not_found", "Couldn't find that add on.", resource="add_on")
    )
    platform.on("GET", "/apps/demo/addons", reply=[addon()])
    result = heroku("addons:remove", "redis", "-a", "demo", "-c", "demo")
    assert result.exit_code == 1
    assert "Couldn't find that add on." in result.stderr and "demo has: dj-round-1" in result.stderr


def test_an_addon_of_another_app_is_not_removed_through_this_one(heroku, platform):
    platform.on("POST", RESOLVE, reply=[addon(app={"id": "o", "name": "other"})])
    result = heroku("addons:remove", "dj-round-1", "-a", "demo", "-c", "demo")
    assert result.exit_code == 1 and "belongs to other, not to demo" in result.stderr


def test_a_name_that_means_two_addons_is_refused_with_both(heroku, platform):
    platform.on("POST", RESOLVE, reply=[addon("dj-a"), addon("dj-b")])
    assert "more than one add-on: dj-a, dj-b" in heroku("addons:remove", "dj", "-a", "demo", "-c", "demo").stderr


def test_addons_lists_with_attachments_in_a_pipe_as_tabs(heroku, platform):
    platform.on("GET", "/apps/demo/addons", reply=[addon()])
    attached = {"id": "t", "name": "DJ", "addon": {"id": "dj-round-1-id"}, "app": {"name": "demo"}}
    elsewhere = attached | {"name": "JOBS", "app": {"name": "other"}}
    platform.on("GET", "/addon-attachments", reply=[attached, elsewhere])
    assert heroku("addons", "-a", "demo").stdout == "dj (dj-round-1) as DJ\tsingle\tfree\tcreated\n"


def test_an_addon_of_another_app_that_is_attached_to_this_one_is_listed_too(heroku, platform):
    foreign = {"id": "a9", "name": "dj-square-2", "app": {"id": "o", "name": "other"}}
    attached = {"id": "t", "name": "JOBS", "addon": foreign, "app": {"id": "demo-id", "name": "demo"}}
    for _ in range(2):
        platform.on("GET", "/apps/demo/addons", reply=[])
        platform.on("GET", "/addon-attachments", reply=[attached])
    assert heroku("addons", "-a", "demo").stdout == "dj-square-2 as JOBS\t?\t(billed to other app)\t\n"
    assert [each["name"] for each in heroku("addons", "-a", "demo", "--json").json] == ["dj-square-2"]


def test_addons_of_all_apps_needs_no_app(heroku, platform):
    platform.on("GET", "/addons", reply=[addon()])
    assert heroku("addons", "--all").stdout == "demo\tdj (dj-round-1)\tsingle\tfree\tcreated\n"


def test_no_addons_is_said_on_stderr(heroku, platform):
    platform.on("GET", "/apps/demo/addons", reply=[])
    platform.on("GET", "/addon-attachments", reply=[])
    result = heroku("addons", "-a", "demo")
    assert (result.exit_code, result.stdout) == (0, "") and "No add-ons for app demo." in result.stderr


def test_a_plan_can_be_changed_by_its_service(heroku, platform):
    platform.on("POST", RESOLVE, {"addon": "dj", "app": "demo"}, reply=[addon()])
    body = {"plan": {"name": "dj:trio"}}
    platform.on("PATCH", "/apps/demo/addons/dj-round-1", body, reply=addon(provision_message="Three workers now."))
    result = heroku("addons:upgrade", "dj:trio", "-a", "demo")
    assert result.stdout == "Three workers now.\n"
    assert result.stderr == "Changing dj-round-1 on demo from dj:single to dj:trio... done, free\n"


def test_an_addon_without_a_page_is_an_error_that_names_its_documentation(heroku, platform):
    missing = problem("not_found", "None.") | {"resource": "add_on attachment"}
    platform.on("GET", "/apps/demo/addon-attachments/dj", status=404, reply=missing)
    platform.on("POST", "/actions/addons/resolve", reply=[addon(web_url=None)])
    result = heroku("addons:open", "dj", "-a", "demo")
    assert result.exit_code == 1 and "dj has no page of its own" in result.stderr
    assert "heroku addons:docs dj" in result.stderr


def test_the_page_of_an_addon_is_that_of_what_is_attached_under_the_name_else_its_own(heroku, platform):
    path, page = "/apps/demo/addon-attachments/", "https://addons.example.com/1"
    platform.on("GET", f"{path}DJ", reply={"id": "t1", "name": "DJ", "web_url": page})
    assert heroku("addons:open", "DJ", "--show-url", "-a", "demo").stdout == f"{page}\n"
    platform.on("GET", f"{path}dj", status=404, reply=problem("not_found", "None.") | {"resource": "add_on attachment"})
    platform.on("POST", "/actions/addons/resolve", reply=[addon(web_url=page)])
    assert heroku("addons:open", "dj", "-a", "demo", "--json").json == {"url": page}


def test_an_attachment_to_a_third_app_is_not_shown_as_one_of_this_app(heroku, platform):
    foreign = {"id": "a9", "name": "dj-square-2", "app": {"id": "o", "name": "other"}}
    names = {"JOBS": "demo", "DJ": "other"}
    attached = [{"id": name, "name": name, "addon": foreign, "app": {"name": app}} for name, app in names.items()]
    platform.on("GET", "/apps/demo/addons", reply=[])
    platform.on("GET", "/addon-attachments", reply=attached)
    assert heroku("addons", "-a", "demo").stdout == "dj-square-2 as JOBS\t?\t(billed to other app)\t\n"


def test_what_the_provider_says_comes_before_the_wait(heroku, platform, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    asked = addon(state="provisioning", provision_message="Being created.")
    platform.on("POST", "/apps/demo/addons", reply=asked)
    platform.on("GET", "/apps/demo/addons/dj-round-1-id", reply=addon())
    printed = heroku("addons:add", "dj", "--wait", "-a", "demo").stdout
    assert printed == "Being created.\nCreated dj-round-1 as DJ_PLAN\n"


def test_all_and_an_app_together_are_told_to_be_pointless(heroku, platform):
    platform.on("GET", "/addons", reply=[])
    assert "--app and --remote make no difference" in heroku("addons", "--all", "-a", "demo").stderr


def test_where_no_app_is_meant_the_addons_of_all_are_listed(heroku, platform):
    platform.on("GET", "/addons", reply=[addon()])
    assert heroku("addons").stdout.startswith("demo\tdj (dj-round-1)\t")
    assert heroku("addons", "--remote", "nope").exit_code == 2
