"""Whether there is anybody at the API's address, or at the proxy's, told before anything is sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from target_driftrock.client.dialler import connection_fault
from target_driftrock.network import Network
from target_driftrock.settings import Api, Environment
from tests import certificates


def network(url: str, environ: Mapping[str, str] | None = None) -> Network:
    """The network to an API at `url`."""
    return Network.from_environment(Api(environment=Environment.PRODUCTION, url=url), environ or {})


@contextmanager
def listening(answer: Callable[[socket.socket], object] = lambda _: None) -> Iterator[int]:
    """A port that takes one connection, and then does something with it."""

    def take() -> None:
        connection, _ = listener.accept()
        with connection:
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=take)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_nothing_is_wrong_when_somebody_listens() -> None:
    """Nothing is said to them, either."""
    heard: list[bytes] = []

    with listening(lambda connection: heard.append(connection.recv(100))) as port:
        fault = connection_fault(network(f"http://127.0.0.1:{port}"))

    assert (fault, heard) == (None, [b""])


def test_there_is_no_connection_when_nobody_listens() -> None:
    """A refused connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert connection_fault(network(f"http://127.0.0.1:{port}")) == "connection refused"


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_the_name_is_told_when_it_is_not_known(host: str) -> None:
    """The top-level domain `invalid` never is (RFC 2606), and an empty label is no name."""
    assert connection_fault(network(f"https://{host}")) in {"its name is not known", "no name server answers"}


def test_the_certificate_is_told_when_it_is_not_trusted(tmp_path: Path) -> None:
    """Ours is trusted by nobody, until SSL_CERT_FILE names it."""
    pem = certificates.made_in(tmp_path)

    def shake_hands(connection: socket.socket) -> None:
        with suppress(OSError):  # an ssl.SSLError is one
            certificates.server_context(pem).wrap_socket(connection, server_side=True).close()

    with listening(shake_hands) as port:
        untrusted = connection_fault(network(f"https://127.0.0.1:{port}"))
    with listening(shake_hands) as port:
        trusted = connection_fault(network(f"https://127.0.0.1:{port}", {"SSL_CERT_FILE": str(pem)}))

    assert (untrusted, trusted) == ("its certificate is not trusted (self-signed certificate)", None)


def test_the_protocol_is_told_when_it_is_no_tls() -> None:
    """A plain server behind an https:// address."""
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        fault = connection_fault(network(f"https://127.0.0.1:{port}"))

    assert fault == "it speaks no TLS that we take"


def test_the_certificate_is_told_when_it_is_another_hosts(tmp_path: Path) -> None:
    """Trusted, but not for this address: OpenSSL's own words would repeat it."""
    pem = certificates.made_in(tmp_path, names="subjectAltName=DNS:other.example.com")

    def shake_hands(connection: socket.socket) -> None:
        with suppress(OSError):
            certificates.server_context(pem).wrap_socket(connection, server_side=True).close()

    with listening(shake_hands) as port:
        fault = connection_fault(network(f"https://127.0.0.1:{port}", {"SSL_CERT_FILE": str(pem)}))

    assert fault == "its certificate is not trusted (it is another host's)"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", "the proxy: it closed the connection"),
        (b"HTTP/1.1 407 Who\r\n\r\n", "the proxy: it wants a user name and password, or others (status 407)"),
        (b"HTTP/1.1 502 No\r\n\r\n", "the proxy: it gives no connection (status 502)"),
        (b"220 mail.example.com ESMTP\r\n\r\n", "the proxy: its answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "it closed the connection"),
    ],
    ids=["hangs-up", "407", "502", "no-HTTP", "connects-to-nobody"],
)
def test_the_proxy_is_asked_when_there_is_one(answer: bytes, fault: str) -> None:
    """The API's own name is for the proxy to look up, and what it says is told, but not where it is."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with listening(refuse) as port:
        proxy = {"HTTPS_PROXY": f"http://ada:canary@127.0.0.1:{port}"}
        assert connection_fault(network("https://nowhere.invalid", proxy)) == fault


def test_the_proxy_is_told_when_nobody_is_there() -> None:
    """Its name or its port is another setting than the API's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    fault = connection_fault(network("https://nowhere.invalid", {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}))

    assert fault == "the proxy: connection refused"


def test_the_fault_is_told_when_somebody_asks_from_within_a_loop() -> None:
    """A notebook has a loop of its own in the thread that opens a delivery."""

    async def asked() -> str | None:
        return connection_fault(network("http://127.0.0.1:1"))

    assert asyncio.run(asked()) == "connection refused"
