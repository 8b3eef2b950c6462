"""Apps: list, create, look at, rename, open, destroy."""

import click

from hkcli.api.documents import App, Collaborator
from hkcli.api.errors import ApiError, InvalidParams
from hkcli.cli.browser import show_page
from hkcli.cli.commands.addons import created_line, request_addon
from hkcli.cli.commands.buildpacks import url_meant
from hkcli.cli.context import Run, app_command, command, confirm_option, json_option
from hkcli.cli.git_remote import discover, remove_remotes, set_credential_helper, set_remote
from hkcli.cli.units import size_text


@command("apps")
@click.option("-A", "--all", "everywhere", is_flag=True, help="those of all your teams too")
@click.option("-t", "--team", metavar="TEAM", help="those of a team [HEROKU_TEAM]")
@click.option("-s", "--space", metavar="SPACE", help="those of a private space")
@click.option("-p", "--personal", is_flag=True, help="your own, though HEROKU_TEAM is set")
@json_option
def apps(run: Run, everywhere: bool, team: str | None, space: str | None, personal: bool, as_json: bool) -> None:
    """List your apps, and those shared with you."""
    team = None if personal else team or run.env.get("HEROKU_TEAM")
    mine = sorted(asked_for(run, everywhere, team, space), key=lambda app: app["name"])
    if as_json:
        run.out.json(mine)
        return
    if team or space:
        where = f"space {space}" if space else f"team {team}"
        if not mine:
            run.out.talk(f"There are no apps in {where}.")
        else:
            list_under(run, f"Apps in {where}", [[app["name"]] for app in mine])
        return
    email = run.api.account()["email"]
    owned = [app for app in mine if app["owner"]["email"] == email]
    shared = [app for app in mine if app["owner"]["email"] != email]
    if not mine:
        run.out.talk("You have no apps. Create one: heroku create")
    if owned:
        list_under(run, f"{email} Apps", [[app["name"]] for app in owned])
    if shared:
        list_under(run, "Collaborated Apps", [[app["name"], app["owner"]["email"]] for app in shared])


def asked_for(run: Run, everywhere: bool, team: str | None, space: str | None) -> list[App]:
    if space:
        return [app for app in run.api.team_apps(run.api.team_of_space(space)) if is_in(app, space)]
    if team:
        return run.api.team_apps(team)
    return run.api.all_apps() if everywhere else run.api.apps()


def is_in(app: App, space: str) -> bool:
    own = app.get("space")
    return own is not None and space in (own["name"], own["id"])


def list_under(run: Run, title: str, rows: list[list[str]]) -> None:
    """A header for people; a pipe gets the rows alone."""
    if run.out.stdout.isatty():
        run.out.header(title)
    for row in rows:
        run.out.line("\t".join(row))


@command("create")
@click.argument("name", required=False)
@click.option("-r", "--remote", "remote_name", default="heroku", metavar="NAME", help="name of the git remote [heroku]")
@click.option("-n", "--no-remote", is_flag=True, help="leave git alone")
@click.option("--region", metavar="REGION", help="region of the app")
@click.option("-s", "--stack", metavar="STACK", help="stack of the app")
@click.option("-b", "--buildpack", metavar="BUILDPACK", help="buildpack of the app")
@click.option("--addons", "plans", metavar="PLANS", help="add-ons to begin with, separated by commas")
@click.option("-t", "--team", metavar="TEAM", help="team that is to own it [HEROKU_TEAM]")
@click.option("--space", metavar="SPACE", help="private space of the app")
@click.option("-a", "--app", "named", metavar="NAME", hidden=True)
@json_option
def create(
    run: Run,
    name: str | None,
    named: str | None,
    remote_name: str,
    no_remote: bool,
    region: str | None,
    stack: str | None,
    buildpack: str | None,
    plans: str | None,
    team: str | None,
    space: str | None,
    as_json: bool,
) -> None:
    """Create an app, and a git remote for it here."""
    name = name or named
    buildpack_url = url_meant(buildpack) if buildpack else None
    team = team or run.env.get("HEROKU_TEAM")
    asked = {"name": name, "region": region, "stack": stack, "team": team, "space": space}
    wishes = {key: value for key, value in asked.items() if value}
    app = made(run, name, wishes)
    if not no_remote:
        connect(run, app["name"], remote_name, keep=True)
    if buildpack_url:
        with run.out.progress(f"Setting buildpack to {buildpack}"):
            run.api.set_buildpacks(app["name"], [buildpack_url])
    add_all(run, app["name"], [plan.strip() for plan in (plans or "").split(",") if plan.strip()])
    if as_json:
        run.out.json(app)
    else:
        run.out.line(f"{app['web_url'] or ''} | {run.host.git_url(app['name'])}".removeprefix(" | "))


def made(run: Run, name: str | None, wishes: dict[str, str]) -> App:
    try:
        with run.out.progress(f"Creating {name or 'app'}") as step:
            app = run.api.create_app(wishes)
            step.done(app["name"] if app["name"] != name else "")
    except InvalidParams as error:
        if name and name in error.message:
            error.next = ("Choose another name, or leave it out: heroku create",)
        raise
    return app


def add_all(run: Run, app: str, plans: list[str]) -> None:
    """Raises ApiError for the first add-on that cannot be had; the app stays."""
    for place, plan in enumerate(plans):
        try:
            addon = request_addon(run, app, plan, {"plan": {"name": plan}, "attachment": {}, "config": {}})
        except ApiError as error:
            missing = " ".join(f"heroku addons:add {each} --app {app};" for each in plans[place:]).rstrip(";")
            error.next = (*error.next, f"The app {app} was created. What it still needs: {missing}")
            raise
        run.out.talk(created_line(addon))


def connect(run: Run, app: str, remote_name: str, *, keep: bool) -> bool:
    """Make this repository's remote lead to an app, with `keep` only if it leads nowhere else; False if it doesn't."""
    url = run.host.git_url(app)
    remotes = discover(run.folder, run.default_host, run.env)
    if not remotes.is_repository:
        return False
    taken = {remote.name: remote.url for remote in remotes.heroku} | dict.fromkeys(remotes.others, "elsewhere")
    if keep and taken.get(remote_name, url) != url:
        run.out.warn(
            f"The git remote {remote_name} leads to another place already and was left alone. "
            f"To use it: heroku git:remote --app {app} --remote {remote_name}"
        )
        return False
    set_remote(run.folder, run.env, remote_name, url)
    set_credential_helper(run.folder, run.env, run.host)
    return True


@app_command("info")
@click.argument("name", metavar="[APP]", required=False)
@click.option("-s", "--shell", is_flag=True, help="as key=value lines")
@json_option
def info(run: Run, name: str | None, shell: bool, as_json: bool) -> None:
    """Show what is known of an app."""
    name_app(run, name)
    app = run.api.app(run.app)
    addons, dynos = run.api.addons(run.app), run.api.dynos(run.app)
    others, coupling = collaborators(run), run.api.pipeline_coupling(run.app)
    if as_json:
        document = {"addons": addons, "app": app, "collaborators": others, "dynos": dynos}
        run.out.json(document | {"pipeline_coupling": coupling})
        return
    emails = sorted(each["user"]["email"] for each in others)
    counts: dict[str, int] = {}
    for dyno in dynos:
        counts[dyno["type"]] = counts.get(dyno["type"], 0) + 1
    facts = {
        "Add-ons": ", ".join(addon["plan"]["name"] for addon in addons),
        "Auto Cert Mgmt": "" if app.get("acm") is None else str(app["acm"]).lower(),
        "Collaborators": ", ".join(email for email in emails if email != app["owner"]["email"]),
        "Dynos": ", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())),
        "Git URL": app["git_url"],
        "Maintenance": "on" if app["maintenance"] else "",
        "Owner": app["owner"]["email"],
        "Pipeline": f"{coupling['pipeline']['name']}:{coupling['stage']}" if coupling else "",
        "Region": app["region"]["name"],
        "Repo Size": size_text(app.get("repo_size")),
        "Slug Size": size_text(app.get("slug_size")),
        "Stack": app["stack"]["name"],
        "Web URL": app["web_url"] or "",
    }
    if shell:
        for key, value in facts.items():
            run.out.line(f"{key.lower().replace('-', '').replace(' ', '_')}={value}")
        return
    run.out.header(app["name"])
    run.out.pairs({key: value for key, value in facts.items() if value})


def name_app(run: Run, name: str | None) -> None:
    """Take an app that is named by an argument. Raises click.UsageError if a flag names another."""
    if name and run.app_flag and name != run.app_flag:
        raise click.UsageError(f"{name} and --app {run.app_flag} are two apps. Name one.")
    run.app_flag = run.app_flag or name


def collaborators(run: Run) -> list[Collaborator]:
    """None where the platform keeps them to itself, or knows no sharing."""
    try:
        return run.api.collaborators(run.app)
    except ApiError:
        return []


@app_command("rename")
@click.argument("new_name", metavar="NEW_NAME")
@json_option
def rename(run: Run, new_name: str, as_json: bool) -> None:
    """Give an app another name; the git remotes here follow."""
    old = run.app
    with run.out.progress(f"Renaming {old} to {new_name}"):
        app = run.api.update_app(old, {"name": new_name})
    for remote in run.remotes.heroku:
        if remote.app == old and remote.host == run.host:
            set_remote(run.folder, run.env, remote.name, run.host.git_url(app["name"]))
    if as_json:
        run.out.json(app)
    else:
        run.out.line(f"{app['web_url'] or ''} | {run.host.git_url(app['name'])}".removeprefix(" | "))


@app_command("open")
@click.argument("path", required=False, default="")
@json_option
def open_app(run: Run, path: str, as_json: bool) -> None:
    """Open an app in the web browser."""
    url = (run.api.app(run.app)["web_url"] or "").rstrip("/") + "/" + path.lstrip("/")
    show_page(run, url, as_json=as_json)


@app_command("destroy")
@click.argument("name", required=False)
@confirm_option
@json_option
def destroy(run: Run, name: str | None, confirm: str | None, as_json: bool) -> None:
    """Destroy an app, its add-ons and data, for good."""
    name_app(run, name)
    app = run.api.app(run.app)
    run.confirm(confirm, f"This destroys {app['name']} and all of its add-ons, for good.")
    with run.out.progress(f"Destroying {app['name']} (including all add-ons)"):
        gone = run.api.delete_app(app["name"])
    remotes = tuple(each for each in run.remotes.heroku if each.app == app["name"] and each.host == run.host)
    remove_remotes(run.folder, run.env, remotes)
    if as_json:
        run.out.json(gone)
