"""Which app is meant, from flags, the environment and the remotes of the folder; and words for when none is."""

from dataclasses import dataclass

from hkcli.api.errors import NoAppError
from hkcli.cli.git_remote import Remote, Remotes
from hkcli.cli.hosts import Host


@dataclass(frozen=True)
class Choice:
    """The app that is meant and the reason, as in `from the git remote heroku`."""

    app: str
    why: str
    host: Host


def preferred(remotes: Remotes) -> Remote | None:
    """The remote that is meant when none is named: `heroku.remote`, else `heroku`, else the only one."""
    named = {remote.name: remote for remote in remotes.heroku}
    if remotes.configured:
        return named.get(remotes.configured)
    if "heroku" in named:
        return named["heroku"]
    return remotes.heroku[0] if len({(remote.app, remote.host) for remote in remotes.heroku}) == 1 else None


def choose_app(
    remotes: Remotes,
    default: Host,
    *,
    app_flag: str | None,
    remote_flag: str | None,
    app_variable: str | None,
    host_is_named: bool,
) -> Choice:
    """The app that is meant: --app, --remote, HEROKU_APP, git, in this order. Raises NoAppError."""
    if app_flag:
        return named_choice(app_flag, "--app", remotes, default, host_is_named=host_is_named)
    if remote_flag:
        for remote in remotes.heroku:
            if remote.name == remote_flag:
                return Choice(remote.app, f"from the git remote {remote.name}", remote.host)
        raise no_such_remote(remote_flag, remotes)
    if app_variable:
        return named_choice(app_variable, "HEROKU_APP", remotes, default, host_is_named=host_is_named)
    if found := preferred(remotes):
        return Choice(found.app, f"from the git remote {found.name}", found.host)
    raise no_app(remotes, default)


def named_choice(word: str, source: str, remotes: Remotes, default: Host, *, host_is_named: bool) -> Choice:
    """An app by name, or by the name of a remote; it is looked for where the folder's remotes say that it lives."""
    for remote in remotes.heroku:
        if remote.name == word:
            return Choice(remote.app, f"{source} {word} is a git remote here", remote.host)
    why = f"from {source}"
    if host_is_named:
        return Choice(word, why, default)
    for remote in remotes.heroku:
        if remote.app == word:
            return Choice(word, why, remote.host)
    folder = preferred(remotes)
    return Choice(word, why, folder.host if folder else default)


def no_such_remote(name: str, remotes: Remotes) -> NoAppError:
    if name in remotes.others:
        return NoAppError(f"The git remote {name} is not a Heroku remote.", next=(known_remotes(remotes),))
    where = f"This folder has no git remote {name}." if remotes.is_repository else "This is not a git repository."
    return NoAppError(where, next=(known_remotes(remotes),))


def known_remotes(remotes: Remotes) -> str:
    if not remotes.heroku:
        return "Name the app: --app APP"
    return "Heroku remotes here: " + ", ".join(f"{remote.name} ({remote.app})" for remote in remotes.heroku)


def no_app(remotes: Remotes, host: Host) -> NoAppError:
    if remotes.configured:
        return NoAppError(
            f"heroku.remote is {remotes.configured} in git's configuration, and no Heroku remote has that name.",
            next=(known_remotes(remotes), "Choose one: git config heroku.remote NAME"),
        )
    if remotes.heroku:
        listed = " and ".join(f"{remote.name} ({remote.app})" for remote in remotes.heroku)
        amount = {2: "two"}.get(len(remotes.heroku), str(len(remotes.heroku)))
        return NoAppError(
            f"This folder has {amount} Heroku remotes: {listed}.",
            next=("Choose one: " + " or ".join(f"--remote {remote.name}" for remote in remotes.heroku),),
        )
    ways = ("Name it: --app APP", "Or connect this folder with it: heroku git:remote --app APP")
    if not remotes.is_repository:
        return NoAppError("No app is named, and this folder is not in a git repository.", next=ways)
    return NoAppError(f"No app is named, and no git remote here leads to {host.git} or to this machine.", next=ways)
