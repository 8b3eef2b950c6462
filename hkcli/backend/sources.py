"""Archives that are uploaded to be built: an address to put one, and its files in a folder."""

import asyncio
import hashlib
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from hkcli.backend.buildpacks import BuildFailed
from hkcli.backend.engines.unpack import unpack
from hkcli.backend.errors import InvalidParams, NotFound

LIFETIME_S = 24 * 3600
MAX_BYTES = 1 << 30


class Sources:
    """Files in one folder; old ones go when a new one is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> str:
        """The id of a source that may now be uploaded."""
        for path in self._folder.iterdir():
            if path.stat().st_mtime < time.time() - LIFETIME_S:
                path.unlink()
        return str(uuid.uuid4())

    def path(self, source_id: str) -> Path:
        """Raises NotFound before something was uploaded."""
        path = self._folder / f"{source_id}.tgz"
        if not path.exists():
            raise NotFound("Couldn't find that source; nothing was uploaded, or it has expired.", "source")
        return path

    async def receive(self, source_id: str, pieces: AsyncIterator[bytes]) -> None:
        """Keep what is uploaded, whole or not at all. Raises InvalidParams when it is too large."""
        partial = self._folder / f"{uuid.uuid4()}.partial"
        size = 0
        try:
            with partial.open("xb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > MAX_BYTES:
                        raise InvalidParams(f"A source may have {MAX_BYTES} bytes.")
                    file.write(piece)
            partial.replace(self._folder / f"{source_id}.tgz")
        finally:
            partial.unlink(missing_ok=True)


async def place(archive: Path, checksum: str | None, root: Path) -> None:
    """The archive's files in an existing, empty folder. Raises SlugError, BuildFailed."""
    await asyncio.to_thread(_place, archive, checksum, root)


def _place(archive: Path, checksum: str | None, root: Path) -> None:
    if checksum:
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if checksum.lower() not in (found, f"sha256:{found}"):
            raise BuildFailed(f"The source has the checksum SHA256:{found}, not {checksum}.")
    root.rmdir()
    unpack(archive, root)
    lift_only_folder(root)


def lift_only_folder(root: Path) -> None:
    """An archive whose one top folder holds everything is taken for that folder, as on Heroku."""
    inside = list(root.iterdir())
    if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
        aside = inside[0].rename(root.with_name(root.name + ".lifted"))
        shutil.rmtree(root)
        aside.rename(root)
