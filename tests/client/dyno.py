"""A one-off dyno in small: a TLS rendezvous server that runs its command in a real bash, on a pty or on pipes."""

import contextlib
import datetime
import ipaddress
import os
import pty
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "s3cret"
Write = Callable[[bytes], None]


def certificate(folder: Path, *names: str) -> tuple[Path, str]:
    """A key and certificate for the names in one file, and the authority that signed it, both as PEM."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    authority = sign(
        builder(issuer, issuer, authority_key).add_extension(x509.BasicConstraints(True, 0), True), authority_key
    )
    leaf = builder(x509.Name([]), issuer, key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) if name[0].isalpha() else address(name) for name in names]),
        True,
    )
    path = folder / f"{'-'.join(names)}.pem"
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + sign(leaf, authority_key).public_bytes(encoding))
    return path, authority.public_bytes(encoding).decode()


def address(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


def builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def sign(made: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return made.sign(key, hashes.SHA256())


@dataclass
class Dyno:
    port: int
    wishes: dict[str, object] = field(default_factory=dict)
    """The body with which it was asked for."""
    secret: bytes = b""
    drip: bool = False
    """Send each byte of output alone."""
    greeting: bytes = b"rendezvous\r\n"
    is_lost: bool = False
    """Close right after the greeting."""
    process: "subprocess.Popen[bytes] | None" = None
    was_left: threading.Event = field(default_factory=threading.Event)
    """The client went away before the process ended."""

    @property
    def attach_url(self) -> str:
        return f"rendezvous://localhost:{self.port}/{SECRET}"

    def serve(self, client: ssl.SSLSocket) -> None:
        while not self.secret.endswith(b"\n"):
            data = client.recv(1)
            if not data:
                return
            self.secret += data
        client.sendall(self.greeting)
        if self.is_lost or not self.greeting:
            return
        self.run(client)

    def run(self, client: ssl.SSLSocket) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "PS1": "$ ",
            **{k: str(v) for k, v in dict(self.wishes.get("env", {})).items()},
        }
        words = ["bash", "--norc", "-c", str(self.wishes["command"])]
        if self.wishes.get("force_no_tty"):
            process = subprocess.Popen(
                words,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            source, sink = process.stdout.fileno(), process.stdin.fileno()
        else:
            source, far = pty.openpty()
            process = subprocess.Popen(
                words, env=env, stdin=far, stdout=far, stderr=far, start_new_session=True, preexec_fn=take_terminal
            )
            os.close(far)
            sink = source
        self.process = process
        try:
            self.converse(client, source, sink)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGHUP)
            if self.wishes.get("force_no_tty"):
                process.stdout.close()
                with contextlib.suppress(OSError):
                    process.stdin.close()
            else:
                os.close(source)
            process.wait()

    def converse(self, client: ssl.SSLSocket, source: int, sink: int) -> None:
        while True:
            readable = [client] if client.pending() else select.select([client, source], [], [])[0]
            if client in readable:
                data = client.recv(65536)
                if not data:
                    self.was_left.set()
                    return
                if self.wishes.get("force_no_tty") and data.endswith(b"\x04"):
                    os.write(sink, data[:-1])
                    self.process.stdin.close()
                else:
                    written(sink, data)
            if source in readable:
                try:
                    output = os.read(source, 65536)
                except OSError:
                    return
                if not output:
                    return
                for piece in [output[i : i + 1] for i in range(len(output))] if self.drip else [output]:
                    client.sendall(piece)


def written(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def rendezvous(pem: Path) -> Iterator[Dyno]:
    """A server for one client after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        dyno, is_over = Dyno(listener.getsockname()[1]), threading.Event()

        def accept() -> None:
            while not is_over.is_set():
                try:
                    plain, _ = listener.accept()
                except TimeoutError:
                    continue
                plain.settimeout(60)
                with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as client:
                    dyno.serve(client)
                    with contextlib.suppress(OSError):
                        client.unwrap()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield dyno
        finally:
            is_over.set()
            if dyno.process and dyno.process.poll() is None:
                dyno.process.kill()
            thread.join()


def until(fact: Callable[[], object], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)
