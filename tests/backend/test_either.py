"""HTTP and HTTPS on one port."""

import concurrent.futures
import socket
import ssl

import pytest
import requests

from tests.backends import Backend, wait_for


@pytest.fixture
def api(shared_backend: Backend) -> Backend:
    return shared_backend


def test_https_is_served_where_http_is_with_a_certificate_of_our_authority(api: Backend) -> None:
    headers = dict(api.session.headers)
    authority = str(api.home / "authority" / "ca.pem")
    url = f"https://localhost:{api.port}/account"
    assert requests.get(url, headers=headers, verify=authority, timeout=30).json() == api.ok("GET", "/account")


def test_a_client_that_does_not_trust_the_authority_refuses(api: Backend) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{api.port}/account", timeout=30)


def test_a_connection_that_says_nothing_yet_holds_up_nobody(api: Backend) -> None:
    silent = [socket.create_connection(("localhost", api.port)) for _ in range(20)]
    try:
        assert api.call("GET", "/account").ok
        silent[0].sendall(b"GET /account HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert silent[0].recv(12) == b"HTTP/1.1 401"
    finally:
        for each in silent:
            each.close()
    wait_for(lambda: api.call("GET", "/account").ok, "an answer after they left")


def test_a_broken_handshake_ends_that_connection_alone(api: Backend) -> None:
    with socket.create_connection(("localhost", api.port)) as broken:
        broken.settimeout(30)
        broken.sendall(b"\x16\x03\x01nonsense")
        broken.shutdown(socket.SHUT_WR)
        while broken.recv(1000):
            pass
    assert api.call("GET", "/account").ok


def test_many_connections_of_both_kinds_are_served_at_once(api: Backend) -> None:
    context = ssl.create_default_context(cafile=str(api.home / "authority" / "ca.pem"))

    def ask(number: int) -> bytes:
        with socket.create_connection(("localhost", api.port), timeout=30) as plain:
            stream = context.wrap_socket(plain, server_hostname="localhost") if number % 2 else plain
            stream.sendall(b"GET /account HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = stream.recv(12)
            stream.close()
            return answer

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(100))) == {b"HTTP/1.1 401"}
