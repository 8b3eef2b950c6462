"""The networks that people sit in: proxies, authorities of a company, IPv6, and lines that are slow or dead."""

import base64
import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hkcli.api.client import PlatformAPI
from hkcli.api.errors import HerokuError, Unreachable
from hkcli.api.transport import Patience, Transport
from hkcli.api.tunnel import ProxyRefused, open_connection
from tests.client.dyno import SECRET, certificate, rendezvous


class Account(BaseHTTPRequestHandler):
    """A platform that knows one thing: whose token it is."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        data = json.dumps({"id": "u", "email": "ada@example.com"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Proxy(BaseHTTPRequestHandler):
    """CONNECT alone; every name leads to `target`. Wants a password if it has one."""

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        wanted = self.server.password  # type: ignore[attr-defined]
        given = self.headers.get("Proxy-Authorization", "")
        if wanted and given != "Basic " + base64.b64encode(wanted.encode()).decode():
            self.send_error(407)
            return
        with socket.create_connection(self.server.target) as far:  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()
            pump(self.connection, far)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def pump(one: socket.socket, other: socket.socket) -> None:
    pairs = {one: other, other: one}
    while True:
        for ready in select.select(list(pairs), [], [])[0]:
            with contextlib.suppress(OSError):
                if data := ready.recv(65536):
                    pairs[ready].sendall(data)
                    continue
            return


class Six(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def served(handler: type, host: str = "127.0.0.1", pem: Any = None, **more: Any) -> Iterator[Any]:
    server = (Six if ":" in host else ThreadingHTTPServer)((host, 0), handler)
    server.daemon_threads = True
    server.seen, server.asked = [], []  # type: ignore[attr-defined]
    vars(server).update(more)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


NAME = "api.company.example"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate for a name of the company's, and for this machine; and the file of the authority behind it."""
    folder = tmp_path_factory.mktemp("authority")
    pem, authority = certificate(folder, NAME, "localhost", "127.0.0.1")
    (folder / "ca.pem").write_text(authority)
    return pem, folder / "ca.pem"


@pytest.fixture
def secure(signed: Any) -> Iterator[Any]:
    with served(Account, pem=signed[0]) as server:
        yield server


@pytest.fixture
def proxied(secure: Any, environment: dict[str, str], run_heroku: Any, signed: Any) -> Iterator[Any]:
    """A proxy is the only way to a host whose name nobody else knows."""
    with served(Proxy, target=secure.server_address, password="") as proxy:
        environment |= {
            "HEROKU_HOST": f"https://{NAME}:8443",
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy.server_address[1]}",
            "SSL_CERT_FILE": str(signed[1]),
        }
        yield proxy


def test_a_proxy_is_the_way_out_where_the_environment_names_one(proxied, run_heroku, secure):
    result = run_heroku("whoami")
    assert (result.returncode, result.stdout) == (0, b"ada@example.com\n"), result.stderr
    assert proxied.asked == [f"{NAME}:8443"]
    assert secure.seen[0]["Authorization"] == "Bearer secret-token", "inside the tunnel, not to the proxy"


def test_a_proxy_with_a_password_gets_it_and_without_it_the_refusal_is_told(proxied, run_heroku, environment):
    proxied.password = "ada:open sesame"
    refused = run_heroku("whoami")
    assert refused.returncode == 1 and b"407" in refused.stderr and b"HTTPS_PROXY" in refused.stderr
    environment["HTTPS_PROXY"] = environment["HTTPS_PROXY"].replace("://", "://ada:open%20sesame@")
    assert run_heroku("whoami").stdout == b"ada@example.com\n"


def test_no_proxy_leads_past_it(proxied, run_heroku, environment):
    environment["NO_PROXY"] = "company.example"
    result = run_heroku("whoami")
    assert result.returncode == 1 and proxied.asked == [], "the name is unknown without the proxy"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_an_authority_of_the_companys_own_is_trusted_where_a_variable_names_it(
    secure, run_heroku, environment, signed, variable
):
    environment["HEROKU_HOST"] = f"https://localhost:{secure.server_address[1]}"
    refused = run_heroku("whoami")
    assert refused.returncode == 1 and b"certificate is not trusted" in refused.stderr
    assert b"export REQUESTS_CA_BUNDLE=" in refused.stderr and secure.seen == [], "nothing was told to it"
    environment[variable] = str(signed[1])
    assert run_heroku("whoami").stdout == b"ada@example.com\n"


def test_a_certificate_for_another_name_is_refused_though_its_authority_is_trusted(tmp_path, run_heroku, environment):
    pem, authority = certificate(tmp_path, "elsewhere.example")
    (tmp_path / "ca.pem").write_text(authority)
    with served(Account, pem=pem) as impostor:
        environment |= {
            "HEROKU_HOST": f"https://localhost:{impostor.server_address[1]}",
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        }
        result = run_heroku("whoami")
        assert result.returncode == 1 and b"not trusted" in result.stderr and impostor.seen == []


def test_a_variable_that_names_no_certificates_is_named_with_what_to_do(secure, run_heroku, environment, tmp_path):
    environment |= {"HEROKU_HOST": f"https://localhost:{secure.server_address[1]}", "SSL_CERT_FILE": "/nowhere.pem"}
    result = run_heroku("whoami")
    assert result.returncode == 1 and b"SSL_CERT_FILE is /nowhere.pem" in result.stderr
    assert b"unset SSL_CERT_FILE" in result.stderr


def test_ipv6_is_spoken(run_heroku, environment):
    try:
        with served(Account, "::1") as server:
            environment["HEROKU_HOST"] = f"http://[::1]:{server.server_address[1]}"
            assert run_heroku("whoami").stdout == b"ada@example.com\n"
    except OSError:
        pytest.skip("no IPv6 on this machine")


@contextmanager
def silent() -> Iterator[str]:
    """A host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://localhost:{listener.getsockname()[1]}"


IMPATIENT = Patience(connect_s=0.2, read_s=0.2, retry_waits_s=(0.0, 0.0))


def test_a_host_that_takes_the_request_and_never_answers_is_given_up_and_not_asked_twice():
    waits: list[float] = []
    with silent() as url:
        transport = Transport("t", patience=IMPATIENT, sleep=waits.append)
        with pytest.raises(Unreachable, match=r"no answer within .* what was asked may have been done"):
            transport.request("GET", f"{url}/account", json=None, headers={})
    assert waits == []


def test_a_host_that_lets_nobody_in_is_given_up_after_one_wait():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                one = stack.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(address)
            transport = Transport("t", patience=IMPATIENT, sleep=lambda _: pytest.fail("asked again"))
            with pytest.raises(Unreachable, match="no connection within"):
                transport.request("GET", f"http://127.0.0.1:{address[1]}/account", json=None, headers={})


def test_an_answer_that_trickles_in_is_read_to_its_end():
    body = json.dumps({"email": "ada@example.com"}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                for byte in head + body:
                    client.sendall(bytes([byte]))

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        api = PlatformAPI(f"http://localhost:{listener.getsockname()[1]}", "t")
        assert api.account()["email"] == "ada@example.com"
        thread.join()


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_a_write_that_was_cut_off_is_never_sent_again(method):
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        taken.append(client.recv(65536))

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        transport = Transport("t", sleep=lambda _: pytest.fail("asked again"))
        with pytest.raises(HerokuError):
            transport.request(method, f"http://localhost:{listener.getsockname()[1]}/apps", json={}, headers={})
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(taken) == 1


def test_a_one_off_is_attached_through_the_proxy_too(tmp_path, wire, run_heroku, environment):
    name = "dyno.company.example"
    pem, authority = certificate(tmp_path, name)

    def tell(request: Any) -> None:
        request.begin("application/x-pem-file")
        request.chunk(authority.encode())
        request.end()

    wire.on("GET", "/ca.pem", tell)
    with rendezvous(pem) as dyno, served(Proxy, target=("127.0.0.1", dyno.port), password="ada:sesame") as proxy:

        def create(request: Any) -> None:
            dyno.wishes.update(json.loads(wire.seen[-1][3]))
            request.json({"name": "run.1", "attach_url": f"rendezvous://{name}:5000/{SECRET}"}, 201)

        wire.on("POST", "/apps/demo/dynos", create)
        environment["HTTPS_PROXY"] = f"http://ada:sesame@127.0.0.1:{proxy.server_address[1]}"
        ended = run_heroku("run", "-a", "demo", "echo through; exit 4")
        assert (ended.returncode, ended.stdout) == (4, b"through\n"), ended.stderr
        assert proxy.asked == [f"{name}:5000"]
        proxy.password = "another"
        refused = run_heroku("run", "-a", "demo", "true")
        assert refused.returncode == 1 and b"the proxy 127.0.0.1 says: Tunnel connection failed: 407" in refused.stderr


def test_a_proxy_that_does_not_speak_http_is_told_as_a_connection_that_failed(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"\x05\xff\r\n\r\n")

        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setattr("socket.getaddrinfo", offline(socket.getaddrinfo))
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(ProxyRefused, match=r"the proxy 127\.0\.0\.1 says: no HTTP: "):
            open_connection("dyno.company.example", 5000, 30)
        thread.join()


def offline(look_up: Any) -> Any:
    """Knows this machine alone."""

    def local(host: str, *rest: Any, **more: Any) -> Any:
        if host == "127.0.0.1":
            return look_up(host, *rest, **more)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    return local
