from tests.client.payloads import release


def test_releases_ask_for_the_newest_and_print_a_line_each(heroku, platform):
    listing = platform.on("GET", "/apps/demo/releases", status=206, reply=[release(8, status="failed"), release(7)])
    printed = heroku("releases", "-n", "2", "-a", "demo").stdout
    assert listing.asked[0].headers["Range"] == "version ..; order=desc,max=2"
    assert printed.splitlines() == [
        "v8\tDeploy abc12345 release command failed\tada@example.com\t2026/11/23 18:40:01 +0000",
        "v7\tDeploy abc12345\tada@example.com\t2026/11/23 18:40:01 +0000",
    ]


def test_a_release_is_shown_with_the_config_it_runs_with(heroku, platform):
    platform.on("GET", "/apps/demo/releases/7", reply=release())
    platform.on("GET", "/apps/demo/releases/7/config-vars", reply={"A": "1"})
    printed = heroku("releases:info", "v7", "-a", "demo").stdout
    assert "=== Release v7\n" in printed and "=== v7 Config vars\n\nA: 1\n" in printed


def test_rollback_goes_to_the_second_newest_that_can_be_gone_back_to(heroku, platform):
    listing = [release(9), release(8, eligible_for_rollback=False), release(7)]
    platform.on("GET", "/apps/demo/releases", reply=listing)
    platform.on("POST", "/apps/demo/releases", {"release": "r7"}, reply=release(10))
    result = heroku("rollback", "-a", "demo")
    assert result.exit_code == 0 and result.stderr.startswith("Rolling back demo to v7... done, v10\n")


def test_rollback_to_a_named_release(heroku, platform):
    platform.on("GET", "/apps/demo/releases/5", reply=release(5))
    platform.on("POST", "/apps/demo/releases", {"release": "r5"}, reply=release(10))
    assert heroku("releases:rollback", "v5", "-a", "demo").exit_code == 0


def test_rollback_without_an_earlier_release_changes_nothing(heroku, platform):
    platform.on("GET", "/apps/demo/releases", reply=[release(1)])
    result = heroku("rollback", "-a", "demo")
    assert result.exit_code == 1 and "no earlier release" in result.stderr
