"""Slugs: an app's files, ready to run, as one gzipped tar archive."""

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    size_bytes: int
    checksum: str
    """`SHA256:` and 64 hexadecimal digits."""


def pack(root: Path, target: Path) -> Archive:
    """Archive the files below `root`, owners left out. Blocking; complete or absent, never a part."""
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w:gz", compresslevel=1) as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, path.name, filter=_anonymous)
    with partial.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    size = partial.stat().st_size
    partial.replace(target)
    return Archive(size, f"SHA256:{checksum}")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def human_size(size_bytes: int) -> str:
    """As git push shows it: `25.3M`."""
    size = float(size_bytes)
    for unit in ("B", "K", "M"):
        if size < 1024:
            return f"{size:.0f}{unit}" if unit == "B" else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}G"
