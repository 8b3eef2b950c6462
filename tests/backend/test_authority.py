import asyncio
import datetime as dt
import ssl
import stat
from pathlib import Path

import pytest

from hkcli.backend.authority import Authority
from tests.backend.runtime import run


async def handshake(authority: Authority, trust: str, *, name: str | None, check: bool = True) -> str | None:
    """Connect with TLS as a client that trusts `trust`; the protocol version spoken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.ssl_context())
    context = ssl.create_default_context(cadata=trust)
    context.check_hostname = check
    port = server.sockets[0].getsockname()[1]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        return str(version)
    finally:
        server.close()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_clients_that_trust_the_authority_accept_the_server(tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path)
    assert run(handshake(authority, authority.ca_pem, name=name)) == "TLSv1.3"


def test_a_client_that_sends_no_server_name_gets_the_same_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert run(handshake(authority, authority.ca_pem, name="", check=False)) == "TLSv1.3"


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    with pytest.raises(ssl.SSLCertVerificationError):
        run(handshake(authority, stranger.ca_pem, name="localhost"))
    with pytest.raises(ssl.SSLCertVerificationError):
        run(handshake(authority, authority.ca_pem, name="heroku.com"))


def test_it_is_made_once_and_its_keys_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    Authority(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Authority(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == ["ca-key.pem", "ca.pem", "server.pem"]
    for name in ("ca-key.pem", "server.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_server_certificate_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    first = Authority(tmp_path)
    server = (tmp_path / "server.pem").read_bytes()
    Authority(tmp_path, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=360))
    assert (tmp_path / "server.pem").read_bytes() == server
    renewed = Authority(tmp_path, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=370))
    assert (tmp_path / "server.pem").read_bytes() != server
    assert renewed.ca_pem == first.ca_pem


@pytest.mark.parametrize("broken", ["ca.pem", "ca-key.pem", "server.pem"])
def test_a_lost_or_broken_file_is_made_anew_and_everything_fits_again(tmp_path: Path, broken: str) -> None:
    Authority(tmp_path)
    (tmp_path / broken).unlink()
    authority = Authority(tmp_path)
    assert run(handshake(authority, authority.ca_pem, name="localhost")) == "TLSv1.3"
    (tmp_path / broken).write_text("garbage")
    authority = Authority(tmp_path)
    assert run(handshake(authority, authority.ca_pem, name="localhost")) == "TLSv1.3"
