"""What git knows of apps: the Heroku remotes of the folder one stands in. The only module that knows GitPython.

Discovery and configuration alone; pushing is git's own business. URLs are taken as git resolves them, so `insteadOf`
and `pushInsteadOf` count; where a remote pushes is what it means, where it fetches only if that is no Heroku URL.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from shutil import which
from typing import TYPE_CHECKING

from hkcli.api.errors import HerokuError
from hkcli.cli.hosts import Host, parse_remote

if TYPE_CHECKING:
    from git import Repo

LISTED = re.compile(r"^(?P<name>\S+)\t(?P<url>.*) \((?P<way>fetch|push)\)", re.MULTILINE)


@dataclass(frozen=True)
class Remote:
    """A remote that means an app."""

    name: str
    app: str
    host: Host
    url: str


@dataclass(frozen=True)
class Remotes:
    heroku: tuple[Remote, ...] = ()
    others: tuple[str, ...] = ()
    """Names of remotes that mean no app."""
    configured: str | None = None
    """`heroku.remote` of git's configuration."""
    is_repository: bool = False


def discover(folder: Path, host: Host, env: Mapping[str, str]) -> Remotes:
    """The remotes of the repository, worktree or submodule around a folder. Raises HerokuError if git can't read it."""
    repo = open_repository(folder, env)
    if repo is None:
        return Remotes()
    with repo:
        listing = run_git(repo, "remote", "-v")
        heroku, others = sorted_out(listing, host)
        configured = run_git(repo, "config", "--get", "heroku.remote", allowed=(1,)) if heroku else ""
    return Remotes(heroku, others, configured or None, is_repository=True)


def sorted_out(listing: str, host: Host) -> tuple[tuple[Remote, ...], tuple[str, ...]]:
    """The remotes in what `git remote -v` prints: those that mean an app, and the names of the rest."""
    urls: dict[str, list[str]] = {}
    for found in LISTED.finditer(listing):
        known = urls.setdefault(found["name"], [])
        known.insert(0 if found["way"] == "push" else len(known), found["url"])
    heroku, others = [], []
    for name, candidates in urls.items():
        meant = next(meanings(candidates, host), None)
        if meant:
            url, app, its_host = meant
            heroku.append(Remote(name, app, its_host, url))
        else:
            others.append(name)
    return tuple(heroku), tuple(others)


def meanings(urls: list[str], host: Host) -> Iterator[tuple[str, str, Host]]:
    for url in urls:
        if parsed := parse_remote(url, host):
            yield url, *parsed


def open_repository(folder: Path, env: Mapping[str, str]) -> "Repo | None":
    if not env.get("GIT_DIR") and not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return None
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git import Repo
    from git.exc import InvalidGitRepositoryError, NoSuchPathError

    try:
        return Repo(env.get("GIT_DIR") or folder, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError):
        return None


def run_git(repo: "Repo", *words: str, allowed: tuple[int, ...] = ()) -> str:
    """What a git command prints; nothing if it ends with an allowed status. Raises HerokuError with git's words."""
    from git.exc import GitCommandError, GitCommandNotFound

    try:
        return str(repo.git.execute(["git", *words]))
    except GitCommandNotFound as error:
        raise HerokuError("git is not installed, or not on PATH.", next=("Name the app: --app APP",)) from error
    except GitCommandError as error:
        if error.status in allowed:
            return ""
        said = str(error.stderr).partition("stderr: ")[2].strip().strip("'")
        raise HerokuError(f"git {words[0]} failed: {said}") from error


def set_remote(folder: Path, env: Mapping[str, str], name: str, url: str) -> bool:
    """Point a remote at a URL; False outside a repository."""
    repo = open_repository(folder, env)
    if repo is None:
        return False
    with repo:
        if name in run_git(repo, "remote").split():
            run_git(repo, "remote", "set-url", name, url)
        else:
            run_git(repo, "remote", "add", name, url)
    return True


def remove_remotes(folder: Path, env: Mapping[str, str], remotes: tuple[Remote, ...]) -> None:
    repo = open_repository(folder, env)
    if repo is None:
        return
    with repo:
        for remote in remotes:
            run_git(repo, "remote", "remove", remote.name)


def set_credential_helper(folder: Path, env: Mapping[str, str], host: Host) -> None:
    """Let this program, and no other helper, answer when git asks this repository's user for a password of `host`."""
    repo = open_repository(folder, env)
    if repo is None:
        return
    key = f"credential.{host.git}.helper"
    with repo:
        run_git(repo, "config", "--local", "--unset-all", key, allowed=(5,))
        run_git(repo, "config", "--local", "--add", key, "")
        run_git(repo, "config", "--local", "--add", key, f"!{this_program()} git:credentials")


def this_program() -> str:
    """A shell word or two that start this very installation, whatever PATH says."""
    beside = Path(sys.executable).parent / "heroku"
    program = str(beside) if os.access(beside, os.X_OK) else which(sys.argv[0]) if sys.argv[0] else None
    if program and Path(program).name in ("heroku", "hkcli"):
        return quote(str(Path(program).absolute()))
    return f"{quote(sys.executable)} -m hkcli"
