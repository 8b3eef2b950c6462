from hkcli.cli.git_remote import this_program
from tests.client.conftest import git
from tests.client.payloads import addon, app, dyno, problem


def test_create_outside_a_repository_makes_the_app_and_no_remote(heroku, platform, folder):
    platform.on("POST", "/apps", {"name": "demo"}, reply=app(), status=201)
    result = heroku("create", "demo")
    assert (result.exit_code, result.stderr) == (0, "Creating demo... done\n")
    assert result.stdout == "http://demo.localhost:5080/ | http://localhost:5080/demo.git\n"
    assert list(folder.iterdir()) == []


def test_create_without_a_name_says_the_one_the_platform_chose(heroku, platform):
    platform.on("POST", "/apps", {}, reply=app("calm-lake-1"))
    assert heroku("create").stderr == "Creating app... done, calm-lake-1\n"


def test_create_in_a_repository_adds_a_remote_and_this_program_as_its_only_credential_helper(heroku, platform, folder):
    git(folder, "init", "-q")
    platform.on("POST", "/apps", reply=app())
    heroku("create", "demo")
    assert git(folder, "remote", "get-url", "heroku") == "http://localhost:5080/demo.git"
    helpers = git(folder, "config", "--get-all", "credential.http://localhost:5080.helper")
    assert helpers == f"!{this_program()} git:credentials"
    assert git(folder, "config", "--null", "--get-all", "credential.http://localhost:5080.helper").startswith("\0")


def test_create_leaves_a_remote_that_leads_elsewhere_alone_and_says_so(heroku, platform, folder):
    git(folder, "init", "-q")
    git(folder, "remote", "add", "heroku", "http://localhost:5080/other.git")
    platform.on("POST", "/apps", reply=app())
    result = heroku("create", "demo")
    assert git(folder, "remote", "get-url", "heroku") == "http://localhost:5080/other.git"
    assert result.exit_code == 0 and "heroku git:remote --app demo --remote heroku" in result.stderr


def test_create_with_no_remote_leaves_git_alone(heroku, platform, folder):
    git(folder, "init", "-q")
    platform.on("POST", "/apps", reply=app())
    heroku("create", "demo", "--no-remote")
    assert git(folder, "remote") == ""


def test_create_with_addons_adds_them(heroku, platform):
    platform.on("POST", "/apps", reply=app())
    platform.on("POST", "/apps/demo/addons", {"plan": {"name": "dj"}, "attachment": {}, "config": {}}, reply=addon())
    assert "Creating dj on demo... free" in heroku("create", "demo", "--addons", "dj").stderr


def test_a_name_that_is_taken_is_told_in_the_platforms_words(heroku, platform):
    platform.on("POST", "/apps", status=422, reply=problem("invalid_params", "Name demo is already taken"))
    result = heroku("create", "demo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Creating demo... failed\n"
        " ›   Error: Name demo is already taken\n"
        "     Choose another name, or leave it out: heroku create\n"
        "     Error ID: invalid_params (request request-1)\n"
    )


def test_apps_in_a_pipe_are_names_a_line_with_the_owners_of_shared_ones(heroku, platform):
    shared = app("theirs", owner={"id": "u2", "email": "bob@example.com"})
    platform.on("GET", "/users/~/apps", reply=[shared, app("mine")])
    platform.on("GET", "/account", reply={"email": "ada@example.com"})
    assert heroku("apps").stdout == "mine\ntheirs\tbob@example.com\n"


def test_apps_of_a_team_are_asked_of_the_team_unless_personal_ones_are_wanted(heroku, platform, environment):
    environment["HEROKU_TEAM"] = "railgun"
    platform.on("GET", "/teams/railgun/apps", reply=[app("theirs")])
    assert heroku("apps").stdout == "theirs\n"
    platform.on("GET", "/users/~/apps", reply=[])
    assert heroku("apps", "--personal", "--json").json == []


def test_apps_of_a_space_are_those_of_its_team_that_are_in_it(heroku, platform):
    space = {"id": "s1", "name": "quiet"}
    platform.on("GET", "/spaces/quiet", reply={**space, "team": {"id": "t1", "name": "railgun"}})
    platform.on("GET", "/teams/railgun/apps", reply=[app("in", space=space), app("out", space=None)])
    assert heroku("apps", "--space", "quiet").stdout == "in\n"


def test_an_app_of_a_team_is_created_where_teams_create_theirs(heroku, platform):
    platform.on("POST", "/teams/apps", {"name": "demo", "team": "railgun"}, reply=app())
    assert heroku("create", "demo", "--team", "railgun", "--no-remote").exit_code == 0


def test_info_shows_what_is_there_although_the_platform_knows_no_collaborators(heroku, platform):
    platform.on("GET", "/apps/demo", reply=app(acm=True, maintenance=True))
    platform.on("GET", "/apps/demo/addons", reply=[addon()])
    platform.on("GET", "/apps/demo/dynos", reply=[dyno(), dyno("worker.2")])
    platform.on("GET", "/apps/demo/collaborators", status=404, reply=problem("not_found", "No such endpoint."))
    coupling = {"pipeline": {"id": "p1", "name": "shop"}, "stage": "staging"}
    platform.on("GET", "/apps/demo/pipeline-couplings", reply=coupling)
    printed = heroku("info", "-a", "demo").stdout
    shown = dict(line.split(":", 1) for line in printed.splitlines()[2:])
    told = {"Add-ons": "dj:single", "Dynos": "worker: 2", "Slug Size": "2 KB", "Pipeline": "shop:staging"}
    told |= {"Auto Cert Mgmt": "true", "Maintenance": "on"}
    assert printed.startswith("=== demo\n\n") and told.items() <= {k: v.strip() for k, v in shown.items()}.items()
    assert "Repo Size" not in shown and "Collaborators" not in shown


def test_destroy_takes_the_remotes_of_the_app_along(heroku, platform, folder):
    git(folder, "init", "-q")
    git(folder, "remote", "add", "heroku", "http://localhost:5080/demo.git")
    git(folder, "remote", "add", "origin", "https://example.com/demo.git")
    platform.on("GET", "/apps/demo", reply=app())
    platform.on("DELETE", "/apps/demo", reply=app())
    result = heroku("destroy", "--confirm", "demo")
    assert result.exit_code == 0 and "The app is demo, from the git remote heroku." in result.stderr
    assert git(folder, "remote") == "origin"


def test_destroy_without_confirmation_destroys_nothing(heroku, platform):
    platform.on("GET", "/apps/demo", reply=app())
    result = heroku("destroy", "demo")
    assert result.exit_code == 1 and "Add: --confirm demo" in result.stderr


def test_rename_lets_the_remotes_follow(heroku, platform, folder):
    git(folder, "init", "-q")
    git(folder, "remote", "add", "heroku", "http://localhost:5080/demo.git")
    platform.on("PATCH", "/apps/demo", {"name": "other"}, reply=app("other"))
    assert heroku("rename", "other").exit_code == 0
    assert git(folder, "remote", "get-url", "heroku") == "http://localhost:5080/other.git"


def test_an_addon_that_cannot_be_had_leaves_the_app_its_remote_and_says_what_is_missing(heroku, platform, folder):
    git(folder, "init", "-q")
    refusal = 'Couldn\'t find either the add-on service or the add-on plan of "djj".'
    platform.on("POST", "/apps", reply=app())
    platform.on("POST", "/apps/demo/addons", status=422, reply=problem("invalid_params", refusal))
    platform.on("GET", "/addon-services", reply=[{"name": "dj"}])
    result = heroku("create", "demo", "--addons", "djj,heroku-postgresql")
    assert result.exit_code == 1 and "demo.git" in git(folder, "remote", "-v")
    missing = "heroku addons:add djj --app demo; heroku addons:add heroku-postgresql --app demo\n"
    assert "Did you mean: dj?" in result.stderr and f"What it still needs: {missing}" in result.stderr
