"""What the public pages say of an event, row by row, over the wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from target_driftrock.sandbox import contract
from tests.sandbox.wire import AFFILIATE, AFFILIATE_LEAD, EVENT_HEADERS, LEAD, WEBHOOK, Wire

ABSENT = object()


def changed(event: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The event with one attribute changed, or left out."""
    return {key: held for key, held in {**event, name: value}.items() if held is not ABSENT}


def test_an_event_is_accepted_when_the_bytes_are_the_public_pages_example(wire: Wire) -> None:
    """An event with every attribute that the public pages list is taken."""
    body = (
        b'{"event_type": "action", "event_name": "Purchase", "source_id": "capture-1", "event_id": "42",'
        b' "person_id": "7", "ga_client_id": "GA1.2.3.4", "created_at": "2019-12-02T10:00:00.000Z",'
        b' "metadata": {"page": "home"}, "fields": {"email": "ada@example.com", "question_1": "Yes"}}'
    )
    head = (
        b"POST /v2/event HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Accept: application/json\r\nAuthorization: Bearer sandbox\r\nContent-Length: %d\r\n\r\n"
    )

    answer = wire.raw(head % len(body) + body)

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.endswith(b'{"status":"accepted"}')


@pytest.mark.parametrize(
    ("path", "event", "name", "value"),
    [
        pytest.param(WEBHOOK, LEAD, "event_type", "lead", id="a lead"),
        pytest.param(WEBHOOK, LEAD, "event_type", "conversion", id="a conversion"),
        pytest.param(WEBHOOK, LEAD, "event_type", "action", id="an action"),
        pytest.param(WEBHOOK, LEAD, "fields", {}, id="no field"),
        pytest.param(WEBHOOK, LEAD, "fields", {"value": 1.5, "tags": ["a", None], "deep": {"a": 1}}, id="any field"),
        pytest.param(WEBHOOK, LEAD, "event_id", "leads:42", id="event_id"),
        pytest.param(WEBHOOK, LEAD, "person_id", "7", id="person_id"),
        pytest.param(WEBHOOK, LEAD, "ga_client_id", "GA1.2.3.4", id="ga_client_id"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2020-02-29T23:59:59.999Z", id="created_at"),
        pytest.param(WEBHOOK, LEAD, "metadata", {}, id="metadata on a webhook event"),
        pytest.param(AFFILIATE, AFFILIATE_LEAD, "affiliate_id", "partner-2", id="affiliate_id on an affiliate event"),
    ],
)
def test_an_event_is_accepted_when_an_attribute_is_right(
    shared: Wire, path: str, event: Mapping[str, Any], name: str, value: Any
) -> None:
    """Whatever the pages allow is taken."""
    assert shared.event(changed(event, name, value), path=path).status == 201


@pytest.mark.parametrize(
    ("path", "event", "name", "value"),
    [
        *(pytest.param(WEBHOOK, LEAD, name, ABSENT, id=f"{name} left out") for name in LEAD),
        *(pytest.param(WEBHOOK, LEAD, name, None, id=f"{name} null") for name in contract.ATTRIBUTES),
        *(pytest.param(WEBHOOK, LEAD, name, 17, id=f"{name} a number") for name in contract.ATTRIBUTES),
        *(pytest.param(AFFILIATE, AFFILIATE_LEAD, n, ABSENT, id=f"affiliate {n} left out") for n in AFFILIATE_LEAD),
        pytest.param(WEBHOOK, LEAD, "event_type", "Lead", id="event_type in capitals"),
        pytest.param(WEBHOOK, LEAD, "event_type", "purchase", id="event_type unknown"),
        pytest.param(WEBHOOK, LEAD, "event_name", "", id="event_name empty"),
        pytest.param(WEBHOOK, LEAD, "event_name", " \t", id="event_name blank"),
        pytest.param(WEBHOOK, LEAD, "source_id", "", id="source_id empty"),
        pytest.param(WEBHOOK, LEAD, "fields", [["email", "ada@example.com"]], id="fields a list"),
        pytest.param(WEBHOOK, LEAD, "event_id", True, id="event_id a boolean"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-12-02T10:00:00Z", id="created_at without milliseconds"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-12-02T10:00:00.000000Z", id="created_at with microseconds"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-12-02T10:00:00.000+00:00", id="created_at with an offset"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-12-02 10:00:00.000Z", id="created_at with a space"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-02-29T10:00:00.000Z", id="created_at on no day"),
        pytest.param(WEBHOOK, LEAD, "created_at", "2019-12-02T25:00:00.000Z", id="created_at at no hour"),
        pytest.param(WEBHOOK, LEAD, "created_at", "٢٠١٩-12-02T10:00:00.000Z", id="created_at in other digits"),
        pytest.param(WEBHOOK, LEAD, "metadata", "home", id="metadata a string"),
        pytest.param(WEBHOOK, LEAD, "affiliate_id", "partner-1", id="affiliate_id on a webhook event"),
        pytest.param(AFFILIATE, AFFILIATE_LEAD, "affiliate_id", "", id="affiliate_id empty"),
        pytest.param(AFFILIATE, AFFILIATE_LEAD, "metadata", {}, id="metadata on an affiliate event"),
        pytest.param(WEBHOOK, LEAD, "email", "ada@example.com", id="an attribute that is not listed"),
    ],
)
def test_an_event_is_refused_when_an_attribute_is_wrong(
    shared: Wire, path: str, event: Mapping[str, Any], name: str, value: Any
) -> None:
    """The refusal is a 422 that names the attribute, and never shows the value."""
    reply = shared.event(changed(event, name, value), path=path)

    assert (reply.status, reply.json["error"]) == (422, "invalid_event")
    assert reply.json["error_description"].split()[0] == name
    assert b"example.com" not in reply.body
    assert b"17" not in reply.body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"event_type=lead", 400, id="a form"),
        pytest.param(b'{"event_type": "lead"', 400, id="cut short"),
        pytest.param(b'{"event_type": "lead"} {}', 400, id="two values"),
        pytest.param(b'{"fields": {"value": NaN}}', 400, id="NaN"),
        pytest.param(b'{"fields": {"value": -Infinity}}', 400, id="infinity"),
        pytest.param(b'{"fields": {"a": 1, "a": 2}}', 400, id="a name twice"),
        pytest.param(b'{"event_name": "\xe9"}', 400, id="Latin-1"),
        pytest.param('{"event_type": "lead"}'.encode("utf-16"), 400, id="UTF-16"),
        pytest.param(b'\xef\xbb\xbf{"event_type": "lead"}', 400, id="a byte order mark"),
        pytest.param(b'{"event_name": "\\ud800"}', 400, id="half a surrogate pair"),
        pytest.param(gzip.compress(b"{}"), 400, id="compressed"),
        pytest.param(b"[" * 100_000, 400, id="too deep to be read"),
        pytest.param(b'{"fields": ' + b"[" * 100 + b"]" * 100 + b"}", 400, id="too deep"),
        pytest.param(b'{"fields": ' + b"[" * 99 + b"]" * 99 + b"}", 422, id="deep"),
        pytest.param(b"[]", 422, id="a list"),
        pytest.param(b"null", 422, id="null"),
    ],
)
def test_a_body_is_refused_when_it_is_no_strict_json_object(shared: Wire, body: bytes, status: int) -> None:
    """What a lenient reader would guess about is refused, and the connection lives on."""
    assert shared.send("POST", WEBHOOK, EVENT_HEADERS, body).status == status


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("POST", WEBHOOK, {"Content-Type": "text/plain"}, 415, id="another content type"),
        pytest.param("POST", WEBHOOK, {"Content-Type": "application/json; charset=utf-8"}, 201, id="with a charset"),
        pytest.param("POST", WEBHOOK, {"Accept": "*/*"}, 406, id="any answer is accepted"),
        pytest.param("POST", WEBHOOK, {"Accept": "text/html, application/json;q=0.9"}, 201, id="JSON among others"),
        pytest.param("POST", WEBHOOK, {"Content-Encoding": "identity"}, 201, id="an encoding that changes nothing"),
        pytest.param("GET", WEBHOOK, {}, 405, id="a GET"),
        pytest.param("PUT", AFFILIATE, {}, 405, id="a PUT"),
        pytest.param("POST", "/v2/events", {}, 404, id="another path"),
        pytest.param("POST", "/v2/event/", {}, 404, id="a slash too many"),
    ],
)
def test_a_request_is_judged_by_its_head_when_its_body_is_right(
    shared: Wire, method: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    """Method, path and headers are part of the contract."""
    reply = shared.send(method, path, {**EVENT_HEADERS, **headers}, json.dumps(LEAD).encode())

    assert reply.status == status
    assert reply.headers.get("allow") == ("POST" if status == 405 else None)
    assert reply.headers["content-type"] == "application/json"


def test_a_body_is_refused_when_it_is_larger_than_a_mebibyte(wire: Wire) -> None:
    """The refusal counts as an arrival like any other."""
    reply = wire.event({**LEAD, "fields": {"note": "x" * 2**20}})

    assert (reply.status, wire.counts()["by_status"]) == (413, {"413": 1})
