"""Slugs, unpacked without trusting what their archives say about names and links."""

import shutil
import tarfile
from pathlib import Path, PurePosixPath


class SlugError(Exception):
    """A slug that cannot be unpacked; the message says why."""


def unpack(slug: Path, destination: Path) -> None:
    """Unpack a gzipped tar into a new folder. Raises SlugError.

    Not tarfile's own filters: Python 3.11.0 to 3.11.3 lack them, and they refuse absolute links, which apps may have. A
    link may point anywhere, but nothing is ever written through one, and no hard link leaves the folder."""
    destination.mkdir(parents=True, mode=0o700)
    real = {destination}
    try:
        with tarfile.open(slug, "r:gz") as archive:
            for member in archive:
                place(archive, member, destination, real)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SlugError(f"the slug {slug.name} cannot be unpacked: {error}") from error


def place(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path, real: set[Path]) -> None:
    """Write one member below `root`; `real` are the folders known not to be links."""
    target = root / inner_path(member.name)
    if target == root:
        return
    make_folder(target.parent, real)
    if member.isdir():
        make_folder(target, real)
    elif member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        origin = root / inner_path(member.linkname)
        make_folder(origin.parent, real)
        target.hardlink_to(origin)
    elif member.isfile():
        content = archive.extractfile(member)
        assert content is not None
        with target.open("xb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise SlugError(f"{member.name} is neither a file, a folder nor a link")


def inner_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SlugError(f"{name} lies outside the app")
    return path


def make_folder(folder: Path, real: set[Path]) -> None:
    if folder in real:
        return
    make_folder(folder.parent, real)
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise SlugError(f"{folder.name} is a link and a folder")
    real.add(folder)
