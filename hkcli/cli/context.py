"""What one run of a command knows: which app and why, which platform, whose token. All of it is looked up when asked.

How a command is written (its row in `COMMANDS` of `cli/table.py` points at the function):

    @app_command("config:get")                      # or @command(...) where no app is meant
    @click.argument("key")
    @json_option
    def config_get(run: Run, key: str, as_json: bool) -> None:
        "Print the value of a config var."          # the docstring is the help
        run.out.line(run.api.config_vars(run.app)[key])

`app_command` adds --app and --remote. A command raises (`hkcli.api.errors`, `click.UsageError`), and neither prints
an error nor exits; `run.exit_status` is for a status that is not a failure of ours, as a remote command's.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hkcli.api.errors import HerokuError, NoAppError, NotConfirmed, UsageError
from hkcli.cli.app_choice import Choice, choose_app, preferred
from hkcli.cli.git_remote import Remotes, discover
from hkcli.cli.hosts import DEFAULT, Host, host_named
from hkcli.cli.netrc import lookup, netrc_path
from hkcli.cli.output import Output
from hkcli.cli.table import also_known_as

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from hkcli.api.client import PlatformAPI

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Run:
    def __init__(self, out: Output, env: Mapping[str, str], folder: Path, adapter: "BaseAdapter | None" = None) -> None:
        self.out = out
        self.env = env
        self.folder = folder
        self.app_flag: str | None = None
        self.remote_flag: str | None = None
        self.as_json = False
        self.needs_app = False
        self.meant: str | None = None
        """What was perhaps meant, with a colon in place of the first space: `heroku config:set A=1`."""
        self.exit_status = 0
        self.is_hasty = False
        self._adapter = adapter

    # --- which app

    @property
    def app(self) -> str:
        return self.choice.app

    def names_an_app(self) -> bool:
        """Whether there is an app to ask as well; a flag or remotes by which none can be meant are a mistake still."""
        try:
            return bool(self.app)
        except NoAppError:
            if self.app_flag or self.remote_flag or self.remotes.heroku:
                raise
            self.needs_app = False
            return False

    @cached_property
    def choice(self) -> Choice:
        return choose_app(
            self.remotes,
            self.default_host,
            app_flag=self.app_flag,
            remote_flag=self.remote_flag,
            app_variable=self.env.get("HEROKU_APP"),
            host_is_named=self.host_is_named,
        )

    @cached_property
    def remotes(self) -> Remotes:
        return discover(self.folder, self.default_host, self.env)

    def confirm(self, given: str | None, consequence: str) -> None:
        """Let a dangerous command go on only if the app's name is typed, or was given by --confirm.

        `consequence` says what will happen, with the app's name in it. Raises NotConfirmed."""
        app = self.app
        self.out.talk(self.out.marked("Warning", f"{consequence}\nThe app is {app}, {self.choice.why}.", "yellow"))
        if given is None and self.out.can_prompt and not self.as_json:
            try:
                given = self.out.ask(f"Type {app} to go on: ").strip()
            except EOFError:
                given = ""
        if given is None:
            what = f"{consequence} " if self.out.is_quiet else ""
            raise NotConfirmed(
                f"{what}This needs a confirmation. Nothing was changed.", next=(f"Add: --confirm {app}",)
            )
        if given != app:
            typed = f"{given!r} is not {app!r}." if given else "No name was typed."
            raise NotConfirmed(f"{typed} Nothing was changed.")

    # --- which platform

    @property
    def host_is_named(self) -> bool:
        return bool(self.env.get("HEROKU_HOST"))

    @cached_property
    def default_host(self) -> Host:
        return host_named(self.env.get("HEROKU_HOST") or DEFAULT, self.env.get("HEROKU_GIT_HOST"))

    @cached_property
    def host(self) -> Host:
        """The app's platform; without an app, what HEROKU_HOST names, or the folder's own, or Heroku."""
        if self.needs_app:
            return self.choice.host
        if self.host_is_named:
            return self.default_host
        remote = preferred(self.remotes)
        return remote.host if remote else self.default_host

    # --- whose token

    @cached_property
    def netrc(self) -> Path:
        return netrc_path(self.env)

    def token_for(self, host: Host) -> str | None:
        """HEROKU_API_KEY if it belongs to `host`, else what the netrc file holds."""
        key = self.env.get("HEROKU_API_KEY", "").strip()
        if key and host.is_same(self.default_host):
            return key
        for machine in machines_of(host):
            if found := lookup(self.netrc, machine):
                return found[1]
        return None

    @cached_property
    def api(self) -> "PlatformAPI":
        token = self.token_for(self.host)
        if token is None:
            raise self.no_token()
        return self.api_with(token)

    def api_with(self, token: str | None) -> "PlatformAPI":
        return self._api_of(self.host.api, token)

    def api_at(self, url: str) -> "PlatformAPI":
        """Another site than the platform, which gets no token."""
        return self._api_of(url.rstrip("/"), None)

    def _api_of(self, url: str, token: str | None) -> "PlatformAPI":
        from hkcli.api.client import PlatformAPI

        debug = self.env.get("HEROKU_DEBUG")
        return PlatformAPI(
            url,
            token,
            adapter=self._adapter,
            warn=self.out.warn,
            trace=self.out.err if debug in ("1", "true", "curl") else None,
            as_curl=debug == "curl",
            is_hasty=self.is_hasty,
        )

    def no_token(self) -> HerokuError:
        from hkcli.cli.local_backend import LocalBackend

        host = self.host
        following: tuple[str, ...] = ("Log in: heroku login",)
        if own := LocalBackend.of(self.env).state():
            following += (f'Or use your backend at {own["api_url"]}: eval "$(heroku backend:env)"',)
        elif host.is_loopback:
            following = (
                "Start your backend, which logs you in: heroku backend:start",
                "Or log in as one of its users: heroku login",
            )
        if self.env.get("HEROKU_API_KEY"):
            belongs = self.default_host.api
            following += (f"HEROKU_API_KEY was not sent there: it belongs to {belongs} (see HEROKU_HOST).",)
        error = HerokuError(f"You are not logged in to {host.api}.", next=following)
        error.id = "unauthorized"
        return error


def machines_of(host: Host) -> tuple[str, ...]:
    """Where in a netrc file a token for a host may stand; the names of one loopback port are one."""
    if not host.is_loopback:
        return host.machines
    port = host.machines[0].rpartition(":")[2]
    return (*host.machines, *(f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]") if port.isdigit()))


# --- decorators

Function = Callable[..., None]


class ExampledCommand(click.Command):
    """Its help ends with the examples of `hkcli/cli/examples.py`, on lines that can be copied, and its other names."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option:
            option.help = "show this help"
        return option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Options"):
            formatter.write_dl(list(option_records(self, ctx)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hkcli.cli.examples import EXAMPLES

        if lines := EXAMPLES.get(self.name or ""):
            with formatter.section("Examples"):
                for line in lines:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        if also := also_known_as(self.name or ""):
            formatter.write_paragraph()
            formatter.write(f"Also: {', '.join(also)}\n")


def option_records(found: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Each option as it is written, and what it is for."""
    from hkcli.cli.usage_words import limits_in_words

    for option in (each for each in found.get_params(context) if isinstance(each, click.Option)):
        if record := option.get_help_record(context):
            yield record[0], limits_in_words(record[1])


def command(name: str, **settings: Any) -> Callable[[Function], click.Command]:
    """A command whose function is called with the `Run` first. `settings` are click's context settings."""

    def decorate(function: Function) -> click.Command:
        make = click.command(name=name, cls=ExampledCommand, context_settings={**SETTINGS, **settings})
        return make(click.pass_obj(function))

    return decorate


def app_command(name: str, **settings: Any) -> Callable[[Function], click.Command]:
    """A command about one app: --app and --remote are added."""

    def decorate(function: Function) -> click.Command:
        remote = click.option(
            "-r", "--remote", expose_value=False, metavar="REMOTE", callback=take_remote, help="git remote of the app"
        )
        app = click.option(
            "-a",
            "--app",
            expose_value=False,
            metavar="APP",
            callback=take_app,
            is_eager=True,
            help="app, or a git remote of it",
        )
        return command(name, **settings)(app(remote(function)))

    return decorate


def take_app(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value == "":
        raise UsageError("--app is empty. Name the app: --app APP")
    context.obj.needs_app = True
    context.obj.app_flag = value


def take_remote(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    context.obj.remote_flag = value


def take_json(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    context.obj.as_json = context.obj.out.is_for_program = value
    return value


json_option = click.option(
    "-j",
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=take_json,
    help="print JSON, the API's own where there is one",
)
wrap_option = click.option("--no-wrap", is_flag=True, help="every row on one line, however long")
confirm_option = click.option("-c", "--confirm", metavar="APP", help="the app's name, instead of being asked for it")
