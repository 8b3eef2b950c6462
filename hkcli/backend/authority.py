"""The backend's own certificate authority, and the certificate that its rendezvous server shows."""

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = dt.timedelta(days=3650)
SERVER_LIFE = dt.timedelta(days=397)
"""Verifiers on macOS refuse server certificates that live longer than 398 (or, older ones, 825) days."""
RENEW_BEFORE = dt.timedelta(days=30)
DNS_NAMES = ("localhost", "*.localhost")
ADDRESSES = ("127.0.0.1", "::1")


class Authority:
    """Made once in `directory` and kept; the server's certificate, and in its last days the authority, is renewed.

    `ca.pem` is what clients trust. `ca-key.pem` and `server.pem` (key and chain) are mode 0600."""

    def __init__(self, directory: Path, *, now: dt.datetime | None = None) -> None:
        self._directory = directory
        now = now or dt.datetime.now(dt.UTC)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_fresh(self._ca_path, now) or not self._ca_key_path.exists():
            self._make_authority(now)
        if not is_fresh(self._server_path, now) or not self._is_ours(self._server_path):
            self._make_server(now)

    @cached_property
    def ca_pem(self) -> str:
        return self._ca_path.read_text()

    @property
    def ca_path(self) -> Path:
        return self._ca_path

    def ssl_context(self) -> ssl.SSLContext:
        """For a server; the same certificate whatever name the client asks for, or none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._server_path)
        return context

    @property
    def _ca_path(self) -> Path:
        return self._directory / "ca.pem"

    @property
    def _ca_key_path(self) -> Path:
        return self._directory / "ca-key.pem"

    @property
    def _server_path(self) -> Path:
        return self._directory / "server.pem"

    def _make_authority(self, now: dt.datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            described(name("hkcli local authority"), name("hkcli local authority"), key.public_key(), now, CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identity, critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._ca_key_path, key_pem(key))
        write_private(self._ca_path, certificate_pem(certificate), mode=0o644)

    def _make_server(self, now: dt.datetime) -> None:
        ca_key = serialization.load_pem_private_key(self._ca_key_path.read_bytes(), password=None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        ca = x509.load_pem_x509_certificate(self._ca_path.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            *(x509.DNSName(dns) for dns in DNS_NAMES),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES),
        ]
        certificate = (
            described(name("localhost"), ca.subject, key.public_key(), now, SERVER_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        write_private(self._server_path, certificate_pem(certificate) + certificate_pem(ca) + key_pem(key))

    def _is_ours(self, path: Path) -> bool:
        """Whether the authority of today signed it; not so after a stop between renewing the one and the other."""
        ca = x509.load_pem_x509_certificate(self._ca_path.read_bytes())
        try:
            x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(ca)
        except Exception:  # InvalidSignature, ValueError, TypeError: whichever, it is of no use
            return False
        return True


def is_fresh(path: Path, now: dt.datetime) -> bool:
    """Whether it holds a certificate that lasts for a while yet."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    not_after = certificate.not_valid_after_utc
    return certificate.not_valid_before_utc <= now and now + RENEW_BEFORE < not_after


def described(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, life: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + life)
    )


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step; no moment at which others could read it, or half of it is there."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    Path(temporary).replace(path)
