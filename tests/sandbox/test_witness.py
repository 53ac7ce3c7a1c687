"""What the sandbox remembers: arrivals, the record, the counts and the page."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_driftrock.sandbox import counts
from target_driftrock.sandbox.arrivals import KEPT_BYTES
from target_driftrock.sandbox.server import Setup
from tests.program import finished
from tests.sandbox.conftest import Start
from tests.sandbox.wire import AFFILIATE, AFFILIATE_LEAD, EVENT_HEADERS, JSON, LEAD, WEBHOOK, Wire
from tests.waiting import until


def serial(number: Any, **attributes: Any) -> dict[str, Any]:
    """A lead with a serial number."""
    return {**LEAD, **attributes, "fields": {"serial": number}}


def test_counts_are_told_when_events_arrived(wire: Wire) -> None:
    """Each figure stands for what came, accepted or not."""
    wire.token()
    for event in (LEAD, {**LEAD, "event_id": "1"}, {**LEAD, "event_id": "1"}, {**LEAD, "event_type": "none"}):
        wire.event(event)
    wire.event(AFFILIATE_LEAD, path=AFFILIATE)
    wire.event(authorization="Bearer unknown")
    wire.send("POST", "/elsewhere", {})

    told = wire.counts()

    assert (told["token_requests"], told["token_by_status"]) == (1, {"200": 1})
    assert (told["requests"], told["accepted"], told["refused"]) == (7, 4, 3)
    assert told["by_status"] == {"201": 4, "401": 1, "404": 1, "422": 1}
    assert told["by_outcome"] == {"accepted": 4, "refused": 3}
    assert told["by_source"] == {"capture-1": {"accepted": 4, "refused": 0}}
    assert (told["distinct_event_ids"], told["repeats"], told["unauthorized"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("event", "path", "repeats"),
    [
        pytest.param({}, WEBHOOK, 1, id="the same"),
        pytest.param({"fields": {}, "person_id": "9"}, WEBHOOK, 1, id="other content"),
        pytest.param({"event_id": "2"}, WEBHOOK, 0, id="another event_id"),
        pytest.param({"event_name": "Other"}, WEBHOOK, 0, id="another event_name"),
        pytest.param({"event_type": "action"}, WEBHOOK, 0, id="another event_type"),
        pytest.param({"source_id": "capture-2"}, WEBHOOK, 0, id="another source_id"),
        pytest.param({"affiliate_id": "partner-1"}, AFFILIATE, 0, id="another endpoint"),
    ],
)
def test_a_repeat_is_counted_when_the_same_event_is_accepted_again(
    wire: Wire, event: dict[str, Any], path: str, repeats: int
) -> None:
    """An event is the same by its identity, not by its content."""
    first = {**LEAD, "event_id": "1"}
    wire.event(first)

    assert wire.event({**first, **event}, path=path).status == 201
    assert wire.counts()["repeats"] == repeats


def test_no_repeat_is_counted_when_events_have_no_event_id(wire: Wire) -> None:
    """Without an event_id nobody can say that two events are one."""
    wire.event()
    wire.event()

    assert wire.counts()["repeats"] == 0


def test_losses_are_told_when_serial_numbers_are_missing(wire: Wire) -> None:
    """What lies between the smallest and the largest accepted one and never came is lost; a refused one never came."""
    for number in (3, "5", 5, 9, True, "x", None):
        wire.event(serial(number))
    wire.event(serial(7, event_type="none"))

    assert wire.counts()["serial"] == {
        "smallest": 3,
        "largest": 9,
        "distinct": 3,
        "lost": 4,
        "gaps": [4, 6, 7, 8],
        "repeats": 1,
    }


def test_another_property_numbers_events_when_it_is_named(start: Start) -> None:
    """The sender's own numbering can be used."""
    wire = start(setup=Setup(serial="line"))
    for line in (1, 3):
        wire.event({**LEAD, "fields": {"line": line, "serial": 8}})

    assert wire.counts()["serial"]["gaps"] == [2]


@given(numbers=st.sets(st.integers(-50, 50), min_size=1), limit=st.integers(0, 20))
def test_gaps_are_the_missing_integers_when_numbers_have_holes(numbers: set[int], limit: int) -> None:
    """Numbers and gaps together are a whole range."""
    missing = sorted(set(range(min(numbers), max(numbers))) - numbers)

    assert counts.gaps(numbers, limit) == missing[:limit]


def test_gaps_are_found_at_once_when_they_are_huge() -> None:
    """A hole is never walked through to its end."""
    assert counts.gaps({1, 10**18}, 2) == [2, 3]


def test_the_most_at_once_is_told_when_requests_overlap(start: Start) -> None:
    """The peak stays when the requests are gone."""
    wire = start(silent_share=1.0)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(wire.hang())
        until(lambda: wire.counts()["requests"] == 3)

    assert wire.counts()["max_concurrent_requests"] == 3
    wire.token()
    assert wire.counts()["max_concurrent_token_requests"] == 1


def test_arrivals_are_told_newest_first_when_they_are_asked_for(wire: Wire) -> None:
    """Each arrival has its number, time, connection, endpoint, outcome, status and event."""
    for number in range(3):
        wire.event(serial(number))

    newest, middle = wire.get("/_sandbox/arrivals?limit=2")

    assert (newest["number"], middle["number"]) == (3, 2)
    assert newest["event"] == serial(2)
    assert (newest["endpoint"], newest["outcome"], newest["status"]) == (WEBHOOK, "accepted", 201)
    assert newest["connection"] != middle["connection"]
    assert newest["time"].endswith("Z")


@pytest.mark.parametrize("limit", ["-1", "x", "10001", "1.5", "٣", ""])
def test_arrivals_are_refused_when_the_limit_is_no_number(shared: Wire, limit: str) -> None:
    """A wrong limit is told, not guessed about."""
    assert shared.send("GET", f"/_sandbox/arrivals?limit={quote(limit)}", {}).status == 400


def test_numbers_stay_exact_when_they_arrive(wire: Wire) -> None:
    """An event is kept in the very digits in which it came, on one line."""
    number = b"1.00000000000000000000000000000000001e+2"
    body = json.dumps({**LEAD, "fields": {"value": 0}}, indent=1).encode().replace(b": 0", b": " + number)

    wire.send("POST", WEBHOOK, EVENT_HEADERS, body)

    assert number in wire.send("GET", "/_sandbox/arrivals", {}).body


def test_everything_is_forgotten_when_the_control_resets_it(wire: Wire) -> None:
    """Counts and arrivals begin anew, and what was accepted before is no repeat."""
    wire.event(serial(1, event_id="1"))

    wire.post("/_sandbox/reset")
    wire.event(serial(2, event_id="1"))

    told = wire.counts()
    assert (told["requests"], told["repeats"], told["serial"]["smallest"]) == (1, 0, 2)
    assert len(wire.arrivals()) == 1


def test_each_arrival_is_a_line_when_a_record_is_kept(start: Start, tmp_path: Path) -> None:
    """Lines are there as soon as the answer is, whatever became of the event; only the owner reads them."""
    record = tmp_path / "arrivals.jsonl"
    wire = start(setup=Setup(record=record))
    broken = b'{"fields": {"email": "ada@example.com\n\xff"'

    wire.send("POST", WEBHOOK, EVENT_HEADERS, json.dumps(LEAD, indent=2).replace("\n", "\r\n").encode())
    wire.send("POST", WEBHOOK, EVENT_HEADERS, broken)
    wire.event({**LEAD, "event_type": "none"})
    lines = [json.loads(line) for line in record.read_text().splitlines()]

    assert [(line["outcome"], line["status"]) for line in lines] == [
        ("accepted", 201),
        ("refused", 400),
        ("refused", 422),
    ]
    assert lines[0]["event"] == LEAD
    assert lines[1]["body"] == broken.decode(errors="replace")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_the_record_grows_when_another_sandbox_keeps_it(start: Start, tmp_path: Path) -> None:
    """A record is never written over."""
    setup = Setup(record=tmp_path / "arrivals.jsonl")

    start(setup=setup).event()
    start(setup=setup).event()

    assert len((tmp_path / "arrivals.jsonl").read_text().splitlines()) == 2


def test_the_page_shows_what_arrived_when_it_is_opened(wire: Wire) -> None:
    """Every value is on it, escaped, and nothing of it can run or load."""
    evil = '<script>alert("x")</script>'
    wire.event({**LEAD, "event_name": evil, "event_id": "leads:42", "fields": {evil: 1.50}})
    wire.send("POST", WEBHOOK, EVENT_HEADERS, b'"\xff')

    reply = wire.send("GET", "/", {})
    text = reply.body.decode()

    assert reply.status == 200
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.headers["cache-control"] == "no-store"
    assert evil not in text
    assert text.index("leads:42") > text.index("400 refused")
    assert all(part in text for part in ("&lt;script&gt;", "lead", "capture-1", "201 accepted"))
    assert "src=" not in text
    assert set(re.findall(r'href="([^"?#]*)', text)) == {"", "data:,", "/_sandbox/event"}


def test_the_page_says_so_when_nothing_arrived(wire: Wire) -> None:
    """An empty page explains itself."""
    assert b"Nothing has arrived yet." in wire.send("GET", "/", {}).body


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/", {"Host": "attacker.example.com"}, 421, id="the page under another name"),
        pytest.param("GET", "/_sandbox/arrivals", {"Host": "attacker.example.com:80"}, 421, id="arrivals likewise"),
        pytest.param("GET", "/_sandbox/counts", {"Host": "[broken"}, 421, id="no name"),
        pytest.param("GET", "/_sandbox/counts", {"Host": "localhost"}, 200, id="localhost"),
        pytest.param("GET", "/_sandbox/counts", {"Host": "[::1]:8377"}, 200, id="IPv6"),
        pytest.param("GET", "/_sandbox/revoke", {}, 405, id="another method"),
        pytest.param("GET", "/favicon.ico", {}, 204, id="the icon that a browser asks for"),
    ],
)
def test_the_control_answers_its_own_machine_when_it_is_asked_in_its_form(
    shared: Wire, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """A page of another site cannot read what arrived, whatever its name resolves to."""
    assert shared.send(method, path, headers).status == status
    assert shared.counts()["requests"] == 0


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/_sandbox/faults", "/_sandbox/revoke", "/_sandbox/reset"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({**FORM, "Origin": "https://attacker.example.com"}, 403, id="a form of another site"),
        pytest.param({**JSON, "Origin": "https://attacker.example.com"}, 403, id="another site"),
        pytest.param({**JSON, "Origin": "http://localhost:1"}, 403, id="another program of this machine"),
        pytest.param({**JSON, "Origin": "null"}, 403, id="a page without a name"),
        pytest.param(FORM, 415, id="a form that does not say whose"),
        pytest.param({"Content-Type": "text/plain"}, 415, id="plain text"),
        pytest.param({}, 415, id="no type"),
    ],
)
def test_the_control_obeys_nobody_when_another_site_s_page_may_have_asked(
    wire: Wire, path: str, headers: dict[str, str], status: int
) -> None:
    """A browser sends a form to any address, for whoever made the page, and asks nobody."""
    wire.event()
    before = wire.get("/_sandbox/faults"), wire.counts()["requests"]

    reply = wire.send("POST", path, headers, b'{"down": true}')

    assert reply.status == status
    assert (wire.get("/_sandbox/faults"), wire.counts()["requests"]) == before
    assert wire.event().status == 201


def test_the_control_obeys_its_own_page_when_a_browser_asks(wire: Wire) -> None:
    """Which says where it comes from."""
    host, port = wire.address
    own = {**JSON, "Origin": f"http://{host}:{port}"}

    assert wire.send("POST", "/_sandbox/faults", own, b'{"down": true}').status == 200
    assert wire.send("GET", "/_sandbox/counts", own).status == 200


@pytest.mark.parametrize("path", ["/", "/_sandbox/arrivals", "/_sandbox/counts"])
def test_nothing_is_shown_when_another_site_s_page_asks(shared: Wire, path: str) -> None:
    """Whoever it says that it is, it is not this sandbox."""
    assert shared.send("GET", path, {"Origin": "http://attacker.example.com"}).status == 403


DEEP = b'{"fields": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.mark.parametrize("path", [WEBHOOK, "/elsewhere"])
def test_all_that_arrived_is_shown_when_somebody_sent_what_is_nested_deep(wire: Wire, path: str) -> None:
    """Whoever sent it need not have had a token."""
    wire.event(serial(1, event_id="leads:42"))

    wire.send("POST", path, {"Content-Type": "application/json"}, DEEP)

    assert b"leads:42" in wire.send("GET", "/", {}).body
    assert [arrival["number"] for arrival in wire.arrivals()] == [2, 1]


def test_the_oldest_go_when_large_bodies_arrive(wire: Wire) -> None:
    """What is remembered is bounded by its bytes as well, whoever sent it; the counts go on."""
    sent = 40
    wire.event(serial(1))
    for _ in range(sent):
        wire.send("POST", "/elsewhere", {}, b"x" * 2**20)

    arrivals = wire.get(f"/_sandbox/arrivals?limit={sent + 1}")

    assert arrivals[0]["number"] == sent + 1
    assert 1 < len(arrivals) < sent
    assert sum(len(arrival["body"]) for arrival in arrivals) <= KEPT_BYTES
    assert wire.counts()["requests"] == sent + 1


def test_the_page_stays_short_when_values_are_long(wire: Wire) -> None:
    """It is made anew every two seconds; the whole is told by the control."""
    wire.event({**LEAD, "fields": {"note": "x" * 900_000}})

    assert len(wire.send("GET", "/", {}).body) < 20_000
    assert len(wire.arrivals()[0]["event"]["fields"]["note"]) == 900_000


def test_nobody_else_reads_the_record_when_its_file_was_there_before(start: Start, tmp_path: Path) -> None:
    """It is made its owner's alone before anything is written."""
    record = tmp_path / "arrivals.jsonl"
    record.touch(mode=0o666)
    record.chmod(0o666)

    start(setup=Setup(record=record)).event()

    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert len(record.read_text().splitlines()) == 1


def a_link(record: Path, other: Path) -> None:
    """To a file of ours."""
    record.symlink_to(other)


def a_link_to_nothing(record: Path, other: Path) -> None:
    """Where a file of ours would be made."""
    record.symlink_to(other.with_name("made"))


def another_name(record: Path, other: Path) -> None:
    """Of a file of ours."""
    os.link(other, record)


def a_pipe(record: Path, other: Path) -> None:
    """Whose other end nobody has."""
    os.mkfifo(record)


def another_s(record: Path, other: Path) -> None:
    """Who can read it."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a file away")
    record.touch(mode=0o600)
    os.chown(record, 1000, 1000)


@pytest.mark.parametrize("plant", [a_link, a_link_to_nothing, another_name, a_pipe, another_s])
def test_a_record_is_refused_when_it_is_no_file_of_this_user(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    """And what it leads to stays as it is."""
    record, other = tmp_path / "arrivals.jsonl", tmp_path / "other"
    other.write_text("untouched")
    other.chmod(0o644)
    plant(record, other)

    ended = finished("sandbox", "--port", "0", "--record", str(record), folder=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert "--record" in ended.err
    assert "no link" in ended.err
    assert (other.read_text(), stat.S_IMODE(other.stat().st_mode)) == ("untouched", 0o644)
    assert {path.name for path in tmp_path.iterdir()} == {record.name, other.name}
