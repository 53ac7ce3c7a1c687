"""Every named fault does what its sentence says."""

from __future__ import annotations

import errno
import re
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.sandbox import faults
from target_driftrock.sandbox.faults import FaultError, Faults, amended
from target_driftrock.sandbox.server import Setup
from tests.sandbox.conftest import Start
from tests.sandbox.wire import AFFILIATE, AFFILIATE_LEAD, JSON, LEAD, TOKEN, Wire
from tests.waiting import ManualClock

TESTS = Path(__file__).parent
DOCS = TESTS.parents[1] / "docs" / "sandbox.md"


def numbered(number: int) -> dict[str, Any]:
    """A lead like no other."""
    return {**LEAD, "event_id": f"leads:{number}"}


def test_every_fault_has_a_test_when_the_table_grows() -> None:
    """No fault is without a test that names it."""
    tested = "".join((TESTS / name).read_text() for name in ("test_faults.py", "test_token.py"))

    assert [row.name for row in faults.table() if not re.search(f'{row.name}(=|": )', tested)] == []


def test_the_page_in_docs_is_right_when_the_table_changes() -> None:
    """The documented table is the one in the code; `faults.markdown()` writes it anew."""
    assert faults.markdown() in DOCS.read_text()


@pytest.mark.parametrize(
    ("chosen", "status", "outcome"),
    [
        pytest.param({"down": True}, 503, "failed", id="down"),
        pytest.param({"error_share": 1.0}, 503, "failed", id="error_share"),
        pytest.param({"error_share": 1.0, "error_status": 500}, 500, "failed", id="error_status"),
        pytest.param({"html": True}, 200, "failed", id="html"),
        pytest.param({"html": True, "html_status": 403}, 403, "failed", id="html_status"),
        pytest.param({"unauthorized_share": 1.0}, 401, "refused", id="unauthorized_share"),
        pytest.param({"gateway_share": 1.0}, 504, "accepted_gateway", id="gateway_share"),
        pytest.param({"gateway_share": 1.0, "gateway_status": 502}, 502, "accepted_gateway", id="gateway_status"),
        pytest.param({"refuse_sources": ("capture-1",)}, 422, "refused", id="refuse_sources"),
        pytest.param({"refuse_sources": ("capture-1",), "refuse_status": 302}, 302, "refused", id="refuse_status"),
        pytest.param({"refuse_share": 1.0}, 422, "refused", id="refuse_share"),
        pytest.param({"poison_marker": "ada@"}, 500, "failed", id="poison_marker"),
        pytest.param({"poison_marker": "ada@", "poison_mode": "503"}, 503, "failed", id="poison_mode"),
        pytest.param({"poison_marker": "ada@", "poison_mode": "403"}, 403, "refused", id="poison refused"),
        pytest.param({"poison_marker": "bob@"}, 201, "accepted", id="poison in other events"),
        pytest.param({"refuse_sources": ("capture-2",)}, 201, "accepted", id="another capture is refused"),
    ],
)
def test_an_event_meets_its_fate_when_a_fault_is_chosen(
    start: Start, chosen: dict[str, Any], status: int, outcome: str
) -> None:
    """The answer is the fault's, and the arrival tells what became of the event."""
    wire = start(**chosen)

    reply = wire.event()

    assert reply.status == status
    arrival = wire.arrivals()[0]
    assert (arrival["status"], arrival["outcome"]) == (status, outcome)
    assert wire.counts()["accepted"] == outcome.startswith("accepted")


@pytest.mark.parametrize("chosen", [{"html": True}, {"gateway_share": 1.0}], ids=["html", "gateway_share"])
def test_the_answer_is_a_page_when_a_gateway_gives_it(start: Start, chosen: dict[str, Any]) -> None:
    """As a login, a firewall or a proxy has it."""
    reply = start(**chosen).event()

    assert reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<")


def test_a_token_is_refused_at_first_when_token_delay_is_chosen(start: Start) -> None:
    """And good once its time has come."""
    clock = ManualClock()
    wire = start(clock=clock, token_delay=0.5)
    bearer = f"Bearer {wire.token().json['access_token']}"

    early = wire.event(authorization=bearer).status
    clock.seconds += 0.5

    assert (early, wire.event(authorization=bearer).status) == (401, 201)


@pytest.mark.parametrize(
    ("chosen", "outcome", "accepted"),
    [
        pytest.param({"closed": True}, "reset", 0, id="closed"),
        pytest.param({"reset_before_share": 1.0}, "reset", 0, id="reset_before_share"),
        pytest.param({"reset_after_share": 1.0}, "accepted_reset", 1, id="reset_after_share"),
    ],
)
def test_the_connection_is_reset_when_a_reset_is_chosen(
    start: Start, chosen: dict[str, Any], outcome: str, accepted: int
) -> None:
    """The caller sees a reset, not an orderly end; only the sandbox knows whether the event was accepted."""
    wire = start(**chosen)

    with pytest.raises(ConnectionResetError) as caught:
        wire.event()

    assert caught.value.errno == errno.ECONNRESET
    assert (wire.arrivals()[0]["outcome"], wire.arrivals()[0]["status"]) == (outcome, None)
    assert wire.counts()["accepted"] == accepted


def test_a_token_request_is_reset_when_closed_is_chosen(start: Start) -> None:
    """Nothing answers but the control."""
    wire = start(closed=True)

    with pytest.raises(ConnectionResetError):
        wire.token()

    assert (wire.counts()["token_requests"], wire.counts()["token_by_status"]) == (1, {})


@pytest.mark.parametrize(
    ("chosen", "outcome", "accepted"),
    [
        pytest.param({"silent_share": 1.0}, "accepted_silent", 1, id="silent_share"),
        pytest.param({"poison_marker": "ada@", "poison_mode": "silence"}, "silent", 0, id="poison_mode"),
    ],
)
def test_no_answer_comes_when_silence_is_chosen(
    start: Start, chosen: dict[str, Any], outcome: str, accepted: int
) -> None:
    """The caller waits in vain; only the sandbox knows whether the event was accepted."""
    wire = start(**chosen)

    with pytest.raises(TimeoutError):
        Wire(wire.url, patience=0.2).event()

    assert wire.arrivals()[0]["outcome"] == outcome
    assert wire.counts()["accepted"] == accepted


@pytest.mark.parametrize(
    ("chosen", "seconds"),
    [
        pytest.param({"latency": 0.1}, 0.1, id="latency"),
        pytest.param({"slow_share": 1.0, "slow_seconds": 0.1}, 0.1, id="slow_share"),
        pytest.param({"latency": 0.1, "slow_share": 1.0, "slow_seconds": 0.1}, 0.2, id="both"),
    ],
)
def test_an_answer_is_late_when_a_delay_is_chosen(start: Start, chosen: dict[str, Any], seconds: float) -> None:
    """The event is accepted at once, and answered late."""
    wire = start(**chosen)
    began = time.monotonic()

    reply = wire.event()

    assert reply.status == 201
    assert time.monotonic() - began >= seconds


def test_a_token_is_late_when_token_latency_is_chosen(start: Start) -> None:
    """Both latencies hold for tokens."""
    wire = start(latency=0.1, token_latency=0.1)
    began = time.monotonic()

    assert wire.token().status == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("form", ["none", "seconds", "date"])
def test_tokens_get_503_when_token_down_is_chosen(start: Start, form: str) -> None:
    """Tokens fail, events do not, and Retry-After comes in the form that was asked for."""
    wire = start(token_down=True, error_retry_after=form, retry_after_seconds=60.0)

    reply = wire.token()

    assert (reply.status, wire.event().status) == (503, 201)
    assert ("retry-after" in reply.headers) == (form != "none")


def test_events_get_429_when_they_pass_the_rate_limit(start: Start) -> None:
    """So many pass within any second; the next second takes as many again."""
    clock = ManualClock()
    wire = start(clock=clock, rate_limit=2)

    first = [wire.event().status for _ in range(3)]
    clock.seconds += 1.0
    second = [wire.event().status for _ in range(3)]

    assert first == second == [201, 201, 429]


@pytest.mark.parametrize(
    ("form", "seconds", "expected"), [("none", 3.0, None), ("seconds", 3.0, "3"), ("seconds", 0.2, "1")]
)
def test_retry_after_is_in_seconds_when_that_is_chosen(
    start: Start, form: str, seconds: float, expected: str | None
) -> None:
    """Seconds are whole ones, rounded up: never less than was meant."""
    wire = start(clock=ManualClock(), rate_limit=1, retry_after=form, retry_after_seconds=seconds)
    wire.event()

    assert wire.event().headers.get("retry-after") == expected


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({"down": True, "error_retry_after": "date"}, id="down"),
        pytest.param({"error_share": 1.0, "error_retry_after": "date"}, id="error_share"),
    ],
)
def test_retry_after_is_a_date_when_that_is_chosen(start: Start, chosen: dict[str, Any]) -> None:
    """The date is an HTTP date, so many seconds from now."""
    earliest = time.time() + 60

    header = start(**chosen, retry_after_seconds=60.0).event().headers["retry-after"]

    assert header.endswith(" GMT")
    assert earliest <= parsedate_to_datetime(header).timestamp() <= time.time() + 61


def test_retry_after_comes_with_503_when_poison_asks_for_it(start: Start) -> None:
    """A poisoned event asks to be tried again."""
    wire = start(poison_marker="ada@", poison_mode="503", retry_after_seconds=7.0)

    assert wire.event().headers["retry-after"] == "7"


def test_an_affiliate_event_is_refused_when_a_required_field_is_missing(start: Start) -> None:
    """The refusal names the field; webhook events have no required ones."""
    wire = start(affiliate_required=("email", "phone"))

    refused = wire.event(AFFILIATE_LEAD, path=AFFILIATE)
    whole = {**AFFILIATE_LEAD, "fields": {"email": "ada@example.com", "phone": "000"}}

    assert (refused.status, refused.json["error_description"]) == (422, "fields must hold phone.")
    assert wire.event(whole, path=AFFILIATE).status == 201
    assert wire.event().status == 201


def test_an_event_gets_409_when_it_was_accepted_before(start: Start) -> None:
    """Other fields do not make it another event; without an event_id nobody can tell."""
    wire = start(repeat_conflict=True)
    first = numbered(1)

    statuses = [wire.event(event).status for event in (first, {**first, "fields": {}}, numbered(2), LEAD, LEAD)]

    assert statuses == [201, 409, 201, 201, 201]


def test_the_same_event_is_refused_again_when_a_share_is_refused(start: Start) -> None:
    """The body decides, not chance, so a repeat meets the same fate; about the share of them is refused."""
    wire = start(refuse_share=0.5)

    first = [wire.event(numbered(n)).status for n in range(60)]
    again = [wire.event(numbered(n)).status for n in range(60)]

    assert first == again
    assert 15 < first.count(422) < 45


def test_shares_fall_alike_when_the_seed_is_the_same(start: Start) -> None:
    """A run can be repeated; another seed makes another run."""
    chosen = Faults(error_share=0.5)
    runs = [
        [wire.event().status for _ in range(40)]
        for wire in (start(setup=Setup(seed=seed, faults=chosen)) for seed in (1, 1, 2))
    ]

    assert runs[0] == runs[1] != runs[2]
    assert 8 < runs[0].count(503) < 32


def test_faults_change_while_it_runs_when_the_control_is_told(wire: Wire) -> None:
    """What is named changes, the rest stays."""
    wire.post("/_sandbox/faults", {"down": True})
    changed = wire.post("/_sandbox/faults", {"error_retry_after": "seconds", "refuse_sources": ["capture-9"]}).json

    assert (changed["down"], changed["refuse_sources"], changed["latency"]) == (True, ["capture-9"], 0.0)
    assert changed == wire.get("/_sandbox/faults")
    assert wire.event().headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"eror_share": 0.1}, "error_share", id="a slip in the name"),
        pytest.param({"error_share": 1.5}, "error_share", id="more than all"),
        pytest.param({"error_share": "0.5"}, "error_share", id="a text for a number"),
        pytest.param({"down": 1}, "down", id="a number for a switch"),
        pytest.param({"retry_after": "soon"}, "retry_after", id="no such form"),
        pytest.param({"refuse_sources": "capture-1"}, "refuse_sources", id="a text for a list"),
        pytest.param([], "object", id="no object"),
    ],
)
def test_a_change_is_refused_when_the_table_does_not_take_it(shared: Wire, changes: Any, told: str) -> None:
    """The refusal names the fault, or the nearest one, and nothing changes."""
    before = shared.get("/_sandbox/faults")

    reply = shared.post("/_sandbox/faults", changes)

    assert reply.status == 400
    assert told in reply.json["error_description"]
    assert shared.get("/_sandbox/faults") == before


def test_a_change_is_refused_when_it_is_no_json(shared: Wire) -> None:
    """Half a change is none."""
    assert shared.send("POST", "/_sandbox/faults", JSON, b'{"down": true').status == 400


def test_faults_stay_when_a_change_is_refused() -> None:
    """Changing makes new faults, and leaves the old ones alone."""
    before = Faults(latency=1.0)

    with pytest.raises(FaultError, match="latency"):
        amended(before, {"latency": -1})

    assert amended(before, {"down": True}) == Faults(latency=1.0, down=True)
    assert before == Faults(latency=1.0)


def test_a_token_still_comes_when_events_are_down(start: Start) -> None:
    """The faults of events leave tokens alone."""
    assert start(down=True, html=True, error_share=1.0).send("GET", TOKEN, {}).status == 405
