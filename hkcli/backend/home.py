"""The data directory: where everything is, who may use it now, and what must stay secret."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPANIONS = ("-wal", "-shm", "-journal")


class HomeInUse(Exception):
    """Another backend runs on this data directory."""


class ForeignStore(Exception):
    """The directory's files belong to another store than the one that is to be used."""


@dataclass(frozen=True)
class Home:
    """The paths below one data directory (0700)."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> "Home":
        home = cls(root.absolute())
        folders = (home.repositories, home.slugs, home.builds, home.databases, home.logs, home.dynos, home.outputs)
        for folder in (
            home.root,
            *folders,
            home.sources,
            home.caches,
            home.drains,
            home.addons,
            home.copies,
            home.hosts,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home

    @property
    def store(self) -> Path:
        return self.root / "platform.sqlite3"

    @property
    def repositories(self) -> Path:
        return self.root / "repositories"

    @property
    def slugs(self) -> Path:
        return self.root / "slugs"

    @property
    def builds(self) -> Path:
        return self.root / "builds"

    @property
    def databases(self) -> Path:
        return self.root / "databases"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def dynos(self) -> Path:
        return self.root / "dynos"

    @property
    def outputs(self) -> Path:
        """Of release commands, a folder an app."""
        return self.root / "outputs"

    @property
    def sources(self) -> Path:
        """Archives that were uploaded to be built."""
        return self.root / "sources"

    @property
    def drains(self) -> Path:
        """How far each log drain has got."""
        return self.root / "drains"

    @property
    def addons(self) -> Path:
        """Notes of what was made for add-ons."""
        return self.root / "addons"

    @property
    def copies(self) -> Path:
        """Notes of the PostgreSQL databases that are no add-on's: those of snapshots, and on their way in or out."""
        return self.root / "copies"

    @property
    def exchanges(self) -> Path:
        """Which of them have yet to take the places of add-ons' databases for the state that is here."""
        return self.root / "exchanges.json"

    @property
    def given_postgres(self) -> Path:
        """The URL of the PostgreSQL server that was given; there is none when it is our own."""
        return self.root / "postgresql.url"

    @property
    def snapshots(self) -> Path:
        """There when there are any."""
        return self.root / "snapshots"

    @property
    def restoring(self) -> Path:
        """A state that is to take the place of what is here; complete when it is there."""
        return self.root / "restoring"

    @property
    def replaced(self) -> Path:
        """What was here before a state was restored, to be removed."""
        return self.root / "replaced"

    @property
    def epoch(self) -> Path:
        """Which restored state this is; there is none before the first."""
        return self.root / "epoch"

    @property
    def store_id(self) -> Path:
        return self.root / "store.id"

    @property
    def hosts(self) -> Path:
        """A note for each dyno's host, until nothing is held in its name."""
        return self.root / "hosts"

    @property
    def caches(self) -> Path:
        return self.root / "caches"

    @property
    def authority(self) -> Path:
        return self.root / "authority"

    @property
    def stack(self) -> Path:
        """Programs that every dyno can reach: what a stack image would hold."""
        return self.root / "stack"

    @property
    def state(self) -> Path:
        """Where the running backend says how to reach it; absent when it was stopped in order."""
        return self.root / "backend.json"

    @property
    def port(self) -> Path:
        """Which port it had last: the git remotes of apps lead there."""
        return self.root / "port"

    @property
    def credentials(self) -> Path:
        """The owner's email, password and token; 0600."""
        return self.root / "credentials.json"

    def database(self, app_id: str) -> Path:
        return self.databases / f"{app_id}.sqlite3"

    def slug(self, slug_id: str) -> Path:
        return self.slugs / f"{slug_id}.tgz"

    def repository(self, app_id: str) -> Path:
        return self.repositories / f"{app_id}.git"

    def release_output(self, app_id: str, release_id: str) -> Path:
        return self.outputs / app_id / f"{release_id}.log"

    def cache(self, app_id: str) -> Path:
        """What an app's buildpacks keep from build to build."""
        return self.caches / app_id

    def build_output(self, build_id: str) -> Path:
        return self.builds / f"{build_id}.log"

    def forget(self, app_id: str, *, slug_ids: set[str], build_ids: set[str]) -> None:
        """Remove what a destroyed app had."""
        remove(self.database(app_id))
        remove(self.repository(app_id))
        remove(self.outputs / app_id)
        remove(self.cache(app_id))
        for slug_id in slug_ids:
            remove(self.slug(slug_id))
        for build_id in build_ids:
            remove(self.build_output(build_id))

    def sweep(self, *, app_ids: set[str], slug_ids: set[str], build_ids: set[str]) -> None:
        """Remove what belongs to nothing that is known: what a crash left. For the start, before anything is made."""
        kept = {
            *(path.name for app_id in app_ids for path in (self.database(app_id), self.repository(app_id))),
            *(self.slug(slug_id).name for slug_id in slug_ids),
            *(self.build_output(build_id).name for build_id in build_ids),
        }
        for path in [each for folder in (self.databases, self.slugs, self.builds) for each in folder.iterdir()]:
            name = next((path.name.removesuffix(end) for end in COMPANIONS if path.name.endswith(end)), path.name)
            if name not in kept:
                remove(path)
        for path in self.repositories.glob("*.git"):
            if path.name not in kept:
                remove(path)
        for path in self.logs.iterdir():
            if path.name not in app_ids:
                remove(path)
        for path in (*self.outputs.iterdir(), *self.caches.iterdir()):
            if path.name not in app_ids:
                remove(path)

    def clear(self) -> None:
        """Remove all that a backend keeps here, and nothing else that may lie in the directory.

        But snapshots, and what they need: their PostgreSQL databases, and the key by which those are known."""
        for path in (
            *(self.repositories, self.slugs, self.builds, self.databases, self.logs, self.dynos, self.outputs),
            *(self.sources, self.drains, self.addons, self.hosts, self.caches, self.authority, self.stack),
            *(self.restoring, self.replaced, self.store, self.state, self.credentials, self.store_id, self.epoch),
            *(self.exchanges, self.port, self.root / "backend.log"),
        ):
            remove(path)
        with contextlib.suppress(OSError):
            self.snapshots.rmdir()
        if self.snapshots.exists():
            write_private(self.epoch, str(uuid.uuid4()).encode())
            return
        for path in (
            self.copies,
            self.given_postgres,
            self.root / "postgresql",
            self.root / "secret.key",
            self.root / "lock",
        ):
            remove(path)

    def postgres_url(self) -> str | None:
        """Of the server that was given when a backend was last started with one."""
        return self.given_postgres.read_text() if self.given_postgres.exists() else None

    def keep_postgres_url(self, url: str | None) -> None:
        """None: the server is our own again."""
        if url is None:
            self.given_postgres.unlink(missing_ok=True)
        elif url != self.postgres_url():
            write_private(self.given_postgres, url.encode())

    def lock(self) -> None:
        """Claim the directory until this process ends, however it ends: nothing else lets go. Raises HomeInUse."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise HomeInUse(str(self.root)) from None

    def belongs_to(self, store_id: str) -> None:
        """Bind the directory to its store at the first start. Raises ForeignStore when it is another one's."""
        path = self.store_id
        if not path.exists():
            write_private(path, store_id.encode())
        if path.read_text() != store_id:
            raise ForeignStore(
                f"{self.root} holds the files of another store. Start with the --store that it was made with, use "
                "another directory (HKCLI_BACKEND_HOME=DIR), or remove what is there: heroku backend:reset"
            )

    def last_port(self) -> int | None:
        """None before the first start."""
        try:
            return int(self.port.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep_port(self, port: int) -> None:
        if port != self.last_port():
            write_private(self.port, str(port).encode())

    def owner(self) -> dict[str, str] | None:
        """`email`, `password` and `token` that the owner's programs log in with; None before the first start."""
        try:
            document = json.loads(self.credentials.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return document if isinstance(document, dict) and document.keys() >= {"email", "password", "token"} else None

    def secret(self) -> bytes:
        """32 bytes that never leave the directory; made at the first call."""
        path = self.root / "secret.key"
        if not path.exists():
            write_private(path, secrets.token_bytes(32))
        return path.read_bytes()

    def seal_key(self) -> bytes:
        """What tickets are sealed with: those for another state, before one was restored, are good no longer."""
        return hashlib.sha256(self.secret() + (self.epoch.read_bytes() if self.epoch.exists() else b"")).digest()

    def engine_id(self) -> str:
        """What marks the processes of this directory's dynos, so that a later run can find them."""
        return hashlib.sha256(b"engine:" + self.secret()).hexdigest()[:24]


def remove(path: Path) -> None:
    """A file, with what SQLite keeps beside it, or a whole folder; what is gone already is no error."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        for each in (path, *(path.with_name(path.name + end) for end in COMPANIONS)):
            each.unlink(missing_ok=True)


def write_private(path: Path, content: bytes | dict[str, Any]) -> None:
    """Put bytes, or a JSON document, in a 0600 file; readers see the old content or the new, never a part."""
    if isinstance(content, dict):
        content = json.dumps(content, indent=2).encode() + b"\n"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
