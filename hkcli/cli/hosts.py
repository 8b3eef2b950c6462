"""Which platform is spoken to: the API's base URL, git's, and what of a remote's URL belongs to it."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from hkcli.api.errors import UsageError

DEFAULT = "heroku.com"
DOMAINS = ("heroku.com", "herokai.com", "herokuspace.com", "herokudev.com")
NAME = re.compile(r"[A-Za-z0-9_-]+")
SCP_FORM = re.compile(r"(?:[^@/:]+@)?(?P<host>[^@/:]+):/?(?P<app>[^/]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Host:
    api: str
    """Base URL of the API, without a slash at the end."""
    git: str
    """Base URL of git over HTTP."""
    ssh: str
    """What stands behind the @ in git@HOST:APP.git."""

    @property
    def machines(self) -> tuple[str, ...]:
        """Its entries in a netrc file: host names, with the port where the URL has one."""
        return tuple(dict.fromkeys(urlsplit(url).netloc for url in (self.api, self.git)))

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.api).hostname)

    @property
    def is_herokus(self) -> bool:
        """Heroku itself, or one of its own other platforms."""
        return is_of_heroku(urlsplit(self.api).hostname or "")

    def git_url(self, app: str) -> str:
        return f"{self.git}/{app}.git"

    def is_same(self, other: "Host") -> bool:
        """Whether a token for one may be sent to the other: equal, or two names of the same loopback port."""
        mine, theirs = urlsplit(self.api), urlsplit(other.api)
        if self.is_loopback and other.is_loopback:
            return (mine.scheme, mine.port) == (theirs.scheme, theirs.port)
        return self.api == other.api


def is_loopback(hostname: str | None) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname or "").is_loopback
    except ValueError:
        return False


def is_of_heroku(name: str) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in DOMAINS)


def host_at(url: str) -> Host:
    """A platform whose API and git share one base URL, as a backend on this machine does."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{netloc(parts)}"
    return Host(api=base, git=base, ssh=netloc(parts))


def netloc(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def host_named(value: str, git_host: str | None = None) -> Host:
    """The platform that HEROKU_HOST (and HEROKU_GIT_HOST) name. Raises UsageError."""
    if "://" in value:
        host = host_with_scheme(value)
    elif is_of_heroku(value):
        host = Host(api=f"https://api.{value}", git=f"https://git.{value}", ssh=value)
    else:
        host = None
    if host is None:
        hint = f"http://{value}" if is_loopback(value.partition(":")[0]) else "http://localhost:5080"
        raise UsageError(
            f"HEROKU_HOST is {value!r}, which is neither a Heroku domain nor a URL.",
            next=(f"For a backend on this machine: export HEROKU_HOST={hint}", "For Heroku itself: unset HEROKU_HOST"),
        )
    return Host(host.api, f"https://{git_host}", git_host) if git_host else host


def host_with_scheme(value: str) -> Host | None:
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True) and "@" not in value
    except ValueError:
        return None
    return host_at(value) if is_usable else None


def parse_remote(url: str, host: Host) -> tuple[str, Host] | None:
    """The app and the platform that a git remote's URL means, if it means any: `host`'s, or one on this machine."""
    if "://" not in url:
        scp = SCP_FORM.fullmatch(url)
        return (scp["app"], host) if scp and scp["host"].lower() == host.ssh and NAME.fullmatch(scp["app"]) else None
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        return None
    app, has_suffix = parts.path.strip("/").removesuffix(".git"), parts.path.rstrip("/").endswith(".git")
    if not NAME.fullmatch(app):
        return None
    if f"{parts.scheme}://{netloc(parts)}" == host.git:
        return app, host
    if parts.scheme == "ssh" and hostname == host.ssh.partition(":")[0]:
        return app, host
    if parts.scheme in ("http", "https") and is_loopback(hostname) and has_suffix:
        return app, host_at(url)
    return None
