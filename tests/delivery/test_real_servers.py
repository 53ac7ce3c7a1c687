"""Behind the servers that stand before real APIs and networks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from target_driftrock.client.dialler import connection_fault
from target_driftrock.events.answer import Answer, Form, Reply
from target_driftrock.network import Network
from target_driftrock.settings import Api, Environment
from tests import certificates, daemons
from tests.delivery.servers import OK, Exchange, Run, Server, post, transport_to

pytestmark = pytest.mark.daemons

HERE = "0.0.0.0"  # noqa: S104 - this machine by a name that is not its loopback, which no proxy would be asked for


WANTS_PASSWORD = "the proxy: it wants a user name and password, or others (status 401)"


async def accept(exchange: Exchange) -> None:
    """Everything."""
    while True:
        await exchange.request()
        await exchange.send(OK)


def test_every_answer_arrives_when_nginx_closes_connections_in_between(run: Run, tmp_path: Path) -> None:
    """After so many requests, as it does by default."""
    server = Server(accept)

    async def scenario() -> list[Reply]:
        async with server.running():
            proxied = f"location / {{ proxy_pass http://127.0.0.1:{server.port}; }}"
            with daemons.nginx(tmp_path, "keepalive_requests 3;", proxied) as port:
                async with transport_to(f"http://127.0.0.1:{port}") as transport:
                    return [await post(transport) for _ in range(10)]

    assert [reply.status for reply in run(scenario())] == [200] * 10


@pytest.mark.parametrize(
    ("directives", "status"),
    [
        (["location / { proxy_pass http://127.0.0.1:1; }"], 502),
        (["proxy_read_timeout 1s;", "location / {{ proxy_pass http://127.0.0.1:{port}; }}"], 504),
        (["location / { return 503; }"], 503),
        (["client_max_body_size 10;", "location / { return 503; }"], 413),
    ],
    ids=["nobody-behind", "silence-behind", "in-maintenance", "too-long"],
)
def test_the_page_is_told_when_nginx_answers_for_the_api(
    run: Run, tmp_path: Path, directives: list[str], status: int
) -> None:
    """Its status stands, and it is a page."""
    server = Server(Exchange.wait)

    async def scenario() -> Reply:
        async with server.running():
            filled = [each.format(port=server.port) if "{port}" in each else each for each in directives]
            with daemons.nginx(tmp_path, *filled) as port:
                async with transport_to(f"http://127.0.0.1:{port}") as transport:
                    return await post(transport)

    reply = run(scenario())

    assert isinstance(reply, Answer)
    assert (reply.status, reply.form) == (status, Form.PAGE)
    assert b"nginx" in reply.excerpt


@pytest.mark.parametrize(
    ("user", "fault"),
    [
        ("ada:c%61n-ary_1.2", None),
        ("ada:wrong", WANTS_PASSWORD),
        ("", WANTS_PASSWORD),
    ],
    ids=["right", "wrong", "none"],
)
def test_tinyproxy_connects_when_it_knows_who_asks(tmp_path: Path, user: str, fault: str | None) -> None:
    """By CONNECT, and with TLS from end to end."""
    pem = certificates.made_in(tmp_path, names=f"subjectAltName=IP:{HERE}")
    server = Server(accept)

    async def scenario() -> tuple[Reply, str | None]:
        async with server.running(certificates.server_context(pem)):
            with daemons.tinyproxy(tmp_path, "BasicAuth ada can-ary_1.2") as port:
                url = f"https://{HERE}:{server.port}"
                environ = {"HTTPS_PROXY": f"http://{user}@127.0.0.1:{port}", "SSL_CERT_FILE": str(pem)}
                network = Network.from_environment(Api(environment=Environment.STAGING, url=url), environ)
                async with transport_to(url, environ=environ) as transport:
                    return await post(transport), await asyncio.to_thread(connection_fault, network)

    reply, found = asyncio.run(scenario())

    assert found == fault
    assert (reply == Answer(status=200, excerpt=b"{}")) is (fault is None)


def test_the_cause_is_told_when_tinyproxy_can_connect_with_nobody(tmp_path: Path) -> None:
    """It answers with a status, and a page."""
    with daemons.tinyproxy(tmp_path) as port:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        network = Network.from_environment(Api(environment=Environment.STAGING, url=f"https://{HERE}:1"), environ)
        fault = connection_fault(network)

    assert fault is not None
    assert fault.startswith("the proxy: it gives no connection (status 50")
