"""What is kept of refused and held parts: once, as it was read, until it is delivered after all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from target_driftrock.events.event import Event, Origin, Refusal
from target_driftrock.events.outcome import AlreadyDelivered, Changed, Delivered, Held, Invalid, Rejected, Settled
from target_driftrock.ledger import tables
from target_driftrock.ledger.interface import Change, Concluded, Forgotten
from tests.contract.places import opened
from tests.delivery.examples import event
from tests.ledger.rows import alter, kept, rows

INVALID = Invalid(reason="schema: /email type")
REJECTED = Rejected(status=422, excerpt=b"a body")
POISONED = Held(reason="it fails while others do well", status=503, excerpt=b"another body")
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)


def origin(position: int = 1, *, key: str | None = "leads:1", row: str | None = None, number: int = 1) -> Origin:
    """Of the record with this number, read at some position."""
    return Origin(position=position, stream="leads", record=b"record %d" % number, schema=b"schema", key=key, row=row)


def an_event(found: Origin, event_id: str | None = "leads:1") -> Event:
    """An event of a record."""
    return structs.replace(event(1, event_id=event_id, person="person-1"), origin=found)


def a_refusal(found: Origin) -> Refusal:
    """A part of a record that could not become an event."""
    return Refusal(origin=found, mapping="stream leads", reason=INVALID.reason)


def tell(location: str, *changes: Change) -> None:
    """What one run commits, each change by itself."""
    with opened(location) as ledger:
        for change in changes:
            ledger.commit([change])


def concluded(part: Event | Refusal, outcome: Settled) -> Concluded:
    """The outcome of a part."""
    return Concluded(part=part, outcome=outcome)


@pytest.mark.parametrize(
    ("part", "outcome", "expected"),
    [
        pytest.param(a_refusal(origin()), INVALID, ("invalid", "schema: /email type", None, b""), id="invalid"),
        pytest.param(an_event(origin()), REJECTED, ("rejected", "status 422", 422, b"a body"), id="rejected"),
        pytest.param(
            an_event(origin()),
            POISONED,
            ("held", "it fails while others do well", 503, b"another body"),
            id="held as poisoned",
        ),
        pytest.param(an_event(origin()), UNKNOWN, ("held", "its answer was lost", None, b""), id="held as unknown"),
    ],
)
def test_a_record_is_kept_as_it_was_read_when_it_is_refused_or_held(
    location: str, part: Event | Refusal, outcome: Settled, expected: tuple[object, ...]
) -> None:
    """With its SCHEMA, its reason by rule, the status, and the start of the API's answer."""
    tell(location, concluded(part, outcome))

    (row,) = rows(location, tables.kept)
    assert (row["kind"], row["reason"], row["status"], row["excerpt"]) == expected
    assert (row["stream"], row["mapping"], row["record"]) == ("leads", part.mapping, b"record 1")
    assert rows(location, tables.schemas) == [{"digest": row["schema"], "line": b"schema"}]


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        pytest.param([an_event(origin()), an_event(origin(2, number=2, key="deals:9"))], 1, id="the same event"),
        pytest.param([an_event(origin()), an_event(origin(), "leads:2")], 2, id="two events of one record"),
        pytest.param([a_refusal(origin()), a_refusal(origin(2, number=2))], 1, id="the same key"),
        pytest.param([a_refusal(origin()), a_refusal(origin(2, key="leads:2"))], 2, id="another key"),
        pytest.param([a_refusal(origin(key=None)), a_refusal(origin(2, key=None))], 1, id="no key, the same record"),
        pytest.param(
            [a_refusal(origin(key=None)), a_refusal(origin(2, key=None, number=2))], 2, id="no key, another record"
        ),
        pytest.param(
            [an_event(origin(key=None), None), an_event(origin(2, key=None), None)], 1, id="no identity, no key"
        ),
        pytest.param([an_event(origin(), None), an_event(origin(2), None)], 1, id="no identity, the same key"),
    ],
)
def test_nothing_is_kept_twice_when_it_is_refused_again(
    location: str, parts: list[Event | Refusal], count: int
) -> None:
    """By the event's identity; without one by the record's key properties; without them by the record."""
    for part in parts:
        tell(location, concluded(part, REJECTED if isinstance(part, Event) else INVALID))

    assert len(rows(location, tables.kept)) == count


def test_a_kept_row_is_replaced_when_its_event_is_refused_again(location: str) -> None:
    """The record and the reason are the latest; how long it waits is told from the first time."""
    tell(location, concluded(an_event(origin()), REJECTED))
    (first,) = rows(location, tables.kept)

    tell(location, concluded(an_event(origin(2, number=2)), replace(POISONED, status=500)))

    (second,) = rows(location, tables.kept)
    assert (second["record"], second["kind"], second["status"]) == (b"record 2", "held", 500)
    assert second["first_at"] == first["first_at"]
    assert second["at"] > first["at"]
    assert second["run"] == first["run"] + 1


@pytest.mark.parametrize("outcome", [Delivered(), AlreadyDelivered(), Changed()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(concluded(an_event(origin()), REJECTED), id="rejected"),
        pytest.param(concluded(an_event(origin()), UNKNOWN), id="held"),
        pytest.param(concluded(a_refusal(origin()), INVALID), id="invalid, before it became an event"),
    ],
)
def test_a_kept_row_goes_when_its_record_is_mended_at_its_source(
    location: str, before: Concluded, outcome: Settled
) -> None:
    """Read again in another run and delivered, or found delivered; in the same run too."""
    mended = concluded(an_event(origin(5, number=2)), outcome)
    tell(location, before)
    tell(location, mended)
    assert rows(location, tables.kept) == []

    tell(location, before, mended)
    assert rows(location, tables.kept) == []


def test_other_rows_stay_when_one_goes(location: str) -> None:
    """Another event of the same record waits on: of a deal each stage is one."""
    tell(
        location,
        concluded(an_event(origin(), "leads:1:won"), REJECTED),
        concluded(a_refusal(origin(2, key="leads:2", number=2)), INVALID),
        concluded(an_event(origin(3, number=3), "leads:1:lost"), Delivered()),
    )

    assert set(kept(location)) == {"record 1", "record 2"}


@pytest.mark.parametrize("size", [pytest.param(2, id="in one group"), pytest.param(1, id="apart")])
@pytest.mark.parametrize("order", [pytest.param(1, id="refused first"), pytest.param(-1, id="delivered first")])
@pytest.mark.parametrize("key", [pytest.param("leads:1", id="keyed"), pytest.param(None, id="keyless")])
@pytest.mark.parametrize("event_id", [pytest.param("a", id="with identity"), pytest.param(None, id="without")])
def test_the_refused_part_of_a_record_is_kept_when_its_other_part_is_delivered(
    location: str, event_id: str | None, key: str | None, order: int, size: int
) -> None:
    """A stream split in two sends one half and keeps the other, in either order."""
    both = origin(key=key)
    changes = [concluded(a_refusal(both), INVALID), concluded(an_event(both, event_id), Delivered())][::order]

    with opened(location) as ledger:
        for start in range(0, 2, size):
            ledger.commit(changes[start : start + size])

    assert len(rows(location, tables.kept)) == 1


def test_an_excerpt_is_cut_when_the_answer_was_long(location: str) -> None:
    """2,000 characters, whatever their length in bytes; what is no text is replaced."""
    tell(location, concluded(an_event(origin()), Rejected(status=400, excerpt=("é" * 3_000).encode() + b"\xff")))
    tell(location, concluded(an_event(origin(2, number=2), "b"), Rejected(status=400, excerpt=b"\xff")))

    found = kept(location)
    assert found["record 1"]["excerpt"].decode() == "é" * 2_000
    assert found["record 2"]["excerpt"].decode() == "\ufffd"


def test_what_no_database_takes_is_replaced_when_a_row_is_kept(location: str) -> None:
    """A NUL or half a surrogate pair in a name or an id must not stop a run for ever."""
    odd = structs.replace(origin(key="leads:\ud800\0"), stream="le\0ads\ud800")

    tell(
        location,
        concluded(structs.replace(a_refusal(odd), mapping="\0", reason="schema: /\0"), Invalid(reason="\ud800\0")),
    )

    (row,) = rows(location, tables.kept)
    assert (row["stream"], row["mapping"], row["reason"]) == ("le\ufffdads?", "\ufffd", "?\ufffd")


def test_nothing_is_kept_when_a_later_request_was_begun_for_the_same_event(location: str) -> None:
    """What becomes of the later one decides."""
    refused = Concluded(part=an_event(origin()), outcome=REJECTED, is_superseded=True)

    tell(location, refused)
    assert rows(location, tables.kept) == []

    tell(location, concluded(an_event(origin()), REJECTED), refused)
    assert len(rows(location, tables.kept)) == 1


# Sent again from the kept rows.


def _key(location: str) -> str:
    (row,) = rows(location, tables.kept)
    return str(row["key"].hex())


def test_a_row_goes_when_all_that_came_of_it_is_delivered(location: str) -> None:
    """Not before: the other parts of its record may still be refused."""
    tell(location, concluded(an_event(origin()), REJECTED))
    again = origin(7, row=_key(location))

    tell(location, concluded(an_event(again), Delivered()))
    assert len(rows(location, tables.kept)) == 1

    tell(location, Forgotten(_key(location)))
    assert rows(location, tables.kept) == []


@pytest.mark.parametrize(
    "part", [pytest.param(an_event(origin(), "mended"), id="rejected"), pytest.param(a_refusal(origin()), id="invalid")]
)
def test_a_row_stays_under_its_key_when_it_is_refused_again(location: str, part: Event | Refusal) -> None:
    """With the new reason and the old age, though its mapping makes another event of it now."""
    tell(location, concluded(an_event(origin()), UNKNOWN))
    key = _key(location)
    again = structs.replace(part, origin=origin(7, row=key))

    tell(location, concluded(again, REJECTED if isinstance(part, Event) else INVALID))

    (row,) = rows(location, tables.kept)
    assert row["key"].hex() == key
    assert row["kind"] == ("rejected" if isinstance(part, Event) else "invalid")
    assert row["at"] > row["first_at"]


def test_a_row_of_the_record_goes_when_its_event_comes_from_another_row(location: str) -> None:
    """What was kept before the event was known is not kept beside it."""
    tell(location, concluded(a_refusal(origin()), INVALID))
    tell(location, concluded(an_event(origin(2, row="ab" * 16)), Delivered()))

    assert rows(location, tables.kept) == []


def test_nothing_goes_when_the_row_that_was_sent_again_is_gone(location: str) -> None:
    """A row may be erased while it is on its way."""
    tell(location, concluded(an_event(origin()), REJECTED), Forgotten("ab" * 16))

    assert len(rows(location, tables.kept)) == 1


def test_how_many_rows_wait_is_known_when_a_run_ends(location: str) -> None:
    """And since when the oldest does."""
    with opened(location) as ledger:
        assert ledger.rejects_waiting() == (0, None)
        ledger.commit([concluded(an_event(origin()), REJECTED)])
    alter(location, tables.kept.update().values(first_at=1000.0))

    with opened(location) as ledger:
        ledger.commit([concluded(a_refusal(origin(key="leads:2")), INVALID)])
        assert ledger.rejects_waiting() == (2, 1000.0)
