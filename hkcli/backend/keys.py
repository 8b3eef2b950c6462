"""SSH public keys of an account."""

import base64
import binascii
import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from hkcli.backend.errors import InvalidParams, NotFound
from hkcli.backend.store import Key, User
from hkcli.backend.work import Work


def of_user(session: Session, user: User) -> list[Key]:
    return list(session.scalars(select(Key).where(Key.user_id == user.id)))


def find(session: Session, user: User, identity: str) -> Key:
    """A key by id or fingerprint. Raises NotFound."""
    for each in of_user(session, user):
        if identity in (each.id, each.fingerprint):
            return each
    raise NotFound("Couldn't find that key.", "key")


def add(work: Work, line: str) -> Key:
    """Add a key as OpenSSH writes it, `ssh-ed25519 AAAA... comment`. Raises InvalidParams."""
    fingerprint, comment = parse(line)
    if fingerprint in {each.fingerprint for each in of_user(work.session, work.user)}:
        raise InvalidParams("Fingerprint already exists.")
    key = Key(user=work.user, public_key=line.strip(), fingerprint=fingerprint, comment=comment)
    work.session.add(key)
    work.session.flush()
    return key


def parse(line: str) -> tuple[str, str]:
    """The fingerprint (MD5, as the API shows it) and the comment of a public key. Raises InvalidParams."""
    kind, _, rest = line.strip().partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        blob = b""
    if not kind.isascii() or blob[4 : 4 + int.from_bytes(blob[:4])] != kind.encode() or not comment.isprintable():
        raise InvalidParams("Key is not an SSH public key. Send the one line of a file such as ~/.ssh/id_ed25519.pub")
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":"), comment.strip()
