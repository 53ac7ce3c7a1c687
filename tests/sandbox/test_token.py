"""The token endpoint, as the public page and RFC 6749 (section 4.4) with RFC 7617 state it."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from target_driftrock.sandbox.access import Keys
from tests.sandbox.conftest import Start
from tests.sandbox.wire import GRANT, TOKEN, TOKEN_HEADERS, Wire
from tests.waiting import ManualClock

INVALID = {"error": "invalid_grant", "error_description": "Invalid credentials"}


def basic(pair: bytes) -> str:
    """A Basic header."""
    return "Basic " + b64encode(pair).decode()


def test_a_token_comes_when_the_bytes_are_the_public_pages_example(wire: Wire) -> None:
    """The example of the public page, byte by byte, gets a bearer token that nobody may store."""
    request = (
        b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Authorization: Basic YW4taWQ6YS1zZWNyZXQ=\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 29\r\n\r\ngrant_type=client_credentials"
    )

    head, _, body = wire.raw(request).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Cache-Control: no-store" in head
    answer = json.loads(body)
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert wire.event(authorization=f"Bearer {answer['access_token']}").status == 201


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="no header"),
        pytest.param("Bearer sandbox", id="another scheme"),
        pytest.param("Basic", id="nothing encoded"),
        pytest.param("Basic not*base64", id="no Base64"),
        pytest.param(basic(b"no colon"), id="no colon"),
        pytest.param(basic(b":a-secret"), id="no client id"),
        pytest.param(basic(b"an-id:"), id="no client secret"),
        pytest.param(basic("café:secret".encode("latin-1")), id="Latin-1 instead of UTF-8"),
    ],
)
def test_exactly_the_documented_401_comes_when_credentials_are_wrong(shared: Wire, authorization: str) -> None:
    """The refusal has the body and the Cache-Control that the public page shows."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": authorization}

    reply = shared.send("POST", TOKEN, headers, GRANT)

    assert (reply.status, reply.json) == (401, INVALID)
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "status"),
    [
        pytest.param("GET", TOKEN, None, b"", 405, id="a GET"),
        pytest.param("POST", f"{TOKEN}?client_id=an-id", None, GRANT, 400, id="credentials in the URL"),
        pytest.param("POST", TOKEN, None, GRANT + b"&client_secret=x", 400, id="credentials in the body"),
        pytest.param("POST", TOKEN, None, b"grant_type=password", 400, id="another grant"),
        pytest.param("POST", TOKEN, None, b"", 400, id="no body"),
        pytest.param("POST", TOKEN, "application/json", GRANT, 400, id="another content type"),
    ],
)
def test_a_token_is_refused_when_the_request_has_another_form(  # noqa: PLR0917
    shared: Wire, method: str, path: str, content_type: str | None, body: bytes, status: int
) -> None:
    """A malformed request is told so, and nothing of it comes back."""
    headers = {**TOKEN_HEADERS, **({"Content-Type": content_type} if content_type else {})}

    reply = shared.send(method, path, headers, body)

    assert (reply.status, reply.json["error"]) == (status, "invalid_request")
    assert reply.headers["cache-control"] == "no-store"
    assert b"an-id" not in reply.body


@pytest.mark.parametrize(
    ("pair", "status"),
    [
        pytest.param("zoë:gehęim:1", 200, id="the pair, in UTF-8, with a colon in the secret"),
        pytest.param("zoë:other", 401, id="another secret"),
        pytest.param("zoe:gehęim:1", 401, id="another id"),
    ],
)
def test_only_one_pair_gets_a_token_when_it_is_named(start: Start, pair: str, status: int) -> None:
    """A sandbox that was given credentials takes no others."""
    wire = start(keys=Keys(client_id="zoë", client_secret="gehęim:1"))

    reply = wire.send("POST", TOKEN, {**TOKEN_HEADERS, "Authorization": basic(pair.encode())}, GRANT)

    assert reply.status == status


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="no header"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer unknown", id="a token never issued"),
        pytest.param("Basic sandbox", id="another scheme"),
    ],
)
def test_an_event_gets_401_when_its_bearer_is_not_alive(shared: Wire, authorization: str) -> None:
    """Events are refused in the shape in which tokens are."""
    reply = shared.event(authorization=authorization)

    assert (reply.status, reply.json) == (401, INVALID)


def test_only_the_named_api_key_is_taken_when_one_is_named(start: Start) -> None:
    """The default key is gone once another is named."""
    wire = start(keys=Keys(api_key="a-key"))

    assert wire.event(authorization="Bearer a-key").status == 201
    assert wire.event(authorization="Bearer sandbox").status == 401


def test_a_token_dies_when_its_lifetime_is_over(start: Start) -> None:
    """A token lives as long as expires_in says, and not a moment longer."""
    clock = ManualClock()
    wire = start(clock=clock, token_lifetime=2.0)
    answer = wire.token().json
    bearer = f"Bearer {answer['access_token']}"

    clock.seconds += 1.9
    alive = wire.event(authorization=bearer).status
    clock.seconds += 0.1
    dead = wire.event(authorization=bearer).status

    assert (answer["expires_in"], alive, dead) == (2, 201, 401)
    assert wire.counts()["unauthorized"] == 1


def test_a_token_dies_early_when_revoke_every_says_so(start: Start) -> None:
    """The token's expires_in promises more than it holds."""
    clock = ManualClock()
    wire = start(clock=clock, revoke_every=5.0)
    answer = wire.token().json

    clock.seconds += 5.0

    assert answer["expires_in"] == 3600
    assert wire.event(authorization=f"Bearer {answer['access_token']}").status == 401


def test_every_token_dies_when_they_are_revoked(wire: Wire) -> None:
    """The control revokes what lives, and says how many that were; the API key stays."""
    bearers = [f"Bearer {wire.token().json['access_token']}" for _ in range(2)]

    revoked = wire.post("/_sandbox/revoke").json

    assert revoked == {"revoked": 2}
    assert [wire.event(authorization=bearer).status for bearer in bearers] == [401, 401]
    assert wire.event().status == 201
