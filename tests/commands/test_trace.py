"""What became of the events with one id, by the ledger's digests alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from target_driftrock.commands.trace import lines
from target_driftrock.events.outcome import AlreadyDelivered, Delivered, Held, HeldAs, Invalid
from target_driftrock.ledger.interface import Answered, Change, Concluded, Intent, Lost, Standing, Withdrawn
from target_driftrock.ledger.reading import Selection, TracedEvent, TracedRow, reading
from target_driftrock.ledger.settling import settle
from tests.commands.ledgers import PLACES, collided, delivered, invalid, lead, rejected, write
from tests.stage import Stage, record, schema

ONE = lead(1)
OTHER = lead(1, source="capture-2")
CHANGE = lead(1, email="ada@example.com")
REPLAYED = structs.replace(ONE, origin=structs.replace(ONE.origin, kept_row="0f" * 16))
UNDECIDED = "other content under a known event_id: set on_changed, or mend event_id"
POISONED = Held(reason="it fails while others do well")
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)

Place = Callable[[Path], AbstractContextManager[str]]


def told(found: tuple[Sequence[TracedEvent], Sequence[TracedRow]]) -> list[str]:
    """The lines without their times."""
    events, rows = found
    return list(lines([replace(event, at=0.0) for event in events], [replace(row, at=0.0) for row in rows]))


WAITS = "a row of it waits: see `target-driftrock rejects`."
ROW = WAITS.replace("a row of it", "the row")
NONE = "no row of it waits."
WHEN = "1970-01-01T00:00:00Z, by run"

CASES: dict[str, tuple[list[Change], list[str]]] = {
    "delivered": (
        [Intent(ONE), Concluded(part=ONE, outcome=Delivered())],
        [f"Delivered: {WHEN} 1, tried once; {NONE}"],
    ),
    "delivered at last": (
        [Intent(ONE), Answered(ONE), Intent(ONE), Lost(ONE), Intent(ONE), Concluded(part=ONE, outcome=Delivered())],
        [f"Delivered: {WHEN} 1, tried 3 times; {NONE}"],
    ),
    "rejected": ([Intent(ONE), rejected(ONE)], [f"Not delivered, refused or held: {WHEN} 1, tried once; {WAITS}"]),
    "poisoned": (
        [Intent(ONE), Concluded(part=ONE, outcome=POISONED)],
        [f"Not delivered, refused or held: {WHEN} 1, tried once; {WAITS}"],
    ),
    "to be tried again": (
        [Intent(ONE), Answered(ONE)],
        [f"Not delivered, to be tried again: {WHEN} 1, tried once; {NONE}"],
    ),
    "taken back": (
        [Intent(ONE), Withdrawn(ONE)],
        [f"Not delivered, to be tried again: {WHEN} 1, tried 0 times; {NONE}"],
    ),
    "killed": ([Intent(ONE)], [f"Unknown, a request was about to begin: {WHEN} 1, tried once; {NONE}"]),
    "lost": ([Intent(ONE), Lost(ONE)], [f"Unknown, the answer was lost: {WHEN} 1, tried once; {NONE}"]),
    "held": (
        [Intent(ONE), Lost(ONE), Concluded(part=ONE, outcome=UNKNOWN)],
        [f"Unknown, the answer was lost, held for a person to decide: {WHEN} 1, tried once; {WAITS}"],
    ),
    "rejected when it was sent again": (
        [Intent(REPLAYED), rejected(REPLAYED)],
        [f"Not delivered, refused or held: {WHEN} 1, tried once; {WAITS}"],
    ),
    "a collision": (
        [delivered(ONE), collided(CHANGE)],
        [
            f"Delivered: {WHEN} 1, tried 0 times; {NONE}",
            f"Kept as collision (its event_id is another's): {WHEN} 1, stream leads; {ROW}",
        ],
    ),
    "an undecided one": (
        [collided(CHANGE, HeldAs.UNDECIDED)],
        [f"Kept as undecided ({UNDECIDED}): {WHEN} 1, stream leads; {ROW}"],
    ),
    "invalid": (
        [Concluded(part=invalid(1), outcome=Invalid(reason="schema: /email type"))],
        [f"Kept as invalid (schema: /email type): {WHEN} 1, stream leads; {ROW}"],
    ),
    "another id of the same record": (
        [rejected(lead(1, event_id="e-1"))],
        ["Not known: the ledger remembers no event with this id, and no row of it waits."],
    ),
    "another id": (
        [Intent(lead(2)), Concluded(part=lead(2), outcome=AlreadyDelivered())],
        ["Not known: the ledger remembers no event with this id, and no row of it waits."],
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_an_event_is_told_when_its_id_is_known(
    place: Place, tmp_path: Path, changes: list[Change], expected: list[str]
) -> None:
    """Whether it was delivered, by which run, how often it was tried, and whether a row of it waits."""
    with place(tmp_path) as location:
        write(location, changes)
        with reading(location) as ledger:
            assert told(ledger.trace("leads:1")) == expected


def test_the_latest_run_is_told_when_several_dealt_with_it(tmp_path: Path) -> None:
    """The requests of all of them count."""
    place = str(tmp_path / "ledger")
    write(place, [Intent(ONE), rejected(ONE)])
    write(place, [Intent(ONE), Concluded(part=ONE, outcome=Delivered())])

    with reading(place) as ledger:
        assert told(ledger.trace("leads:1")) == [f"Delivered: {WHEN} 2, tried 2 times; {NONE}"]


def test_each_content_has_its_line_when_an_event_has_several(tmp_path: Path) -> None:
    """What was dealt with longest ago stands in front, and what waits without a request behind all."""
    place = str(tmp_path / "ledger")
    write(place, [collided(lead(1, email="eve@example.com"))])
    write(place, [Intent(ONE), rejected(ONE)])
    write(place, [Intent(CHANGE), Lost(CHANGE)])
    write(place, [Intent(ONE), rejected(ONE)])

    with reading(place) as ledger:
        assert told(ledger.trace("leads:1")) == [
            f"Unknown, the answer was lost: {WHEN} 3, tried once; {NONE}",
            f"Not delivered, refused or held: {WHEN} 4, tried 2 times; {WAITS}",
            f"Kept as collision (its event_id is another's): {WHEN} 1, stream leads; {ROW}",
        ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("is_sent", "waits"), [(False, NONE), (True, WAITS)], ids=["settled", "to be sent again"])
def test_a_change_is_told_when_a_person_said_that_it_is_one(
    place: Place,
    tmp_path: Path,
    is_sent: bool,  # noqa: FBT001 - a table's column
    waits: str,
) -> None:
    """Beside what was delivered; whether a row waits to be sent again."""
    with place(tmp_path) as location:
        write(location, [delivered(ONE), collided(CHANGE)])
        settle(location, Selection(), sends=lambda _: is_sent, wait=0)

        with reading(location) as ledger:
            found = told(ledger.trace("leads:1"))

    assert found == [
        f"Delivered: {WHEN} 1, tried 0 times; {NONE}",
        f"Not sent, as a change of what was delivered: {WHEN} 1, tried 0 times; {waits}",
    ]


def test_each_event_has_its_line_when_they_share_an_id(tmp_path: Path) -> None:
    """An id says nothing of the capture: two captures, two events."""
    place = str(tmp_path / "ledger")
    write(place, [Intent(ONE), Concluded(part=ONE, outcome=Delivered()), Intent(OTHER), rejected(OTHER)])

    with reading(place) as ledger:
        assert sorted(told(ledger.trace("leads:1"))) == [
            f"Delivered: {WHEN} 1, tried once; {NONE}",
            f"Not delivered, refused or held: {WHEN} 1, tried once; {WAITS}",
        ]


def test_every_standing_has_its_words_when_it_is_told() -> None:
    """No two of them the same."""
    events = [TracedEvent(standing=each, tries=1, run=1, at=0.0, is_kept=False) for each in Standing]

    assert len({*lines(events, [])}) == len(Standing)


# The command.


@pytest.mark.parametrize(
    ("event_id", "given", "code"),
    [
        pytest.param("leads:1", b"", 0, id="known"),
        pytest.param("-", b"leads:1\n", 0, id="from the input"),
        pytest.param("leads:2", b"", 1, id="not known"),
        pytest.param("-", b"leads:2", 1, id="from the input, not known"),
        pytest.param("-", b"", 2, id="nothing"),
    ],
)
def test_the_exit_code_tells_when_an_id_is_known(stage: Stage, event_id: str, given: bytes, code: int) -> None:
    """0 or 1, without credentials; the id is not repeated."""
    stage.run(schema(), record(1))

    ended = stage.finished("trace", stage.config(environment="production"), event_id, given=given)

    assert ended.code == code
    assert "leads:" not in ended.out + ended.err
    assert ended.out.startswith({0: "Delivered: ", 1: "Not known", 2: ""}[code])


def test_it_ends_with_2_when_there_is_no_ledger(stage: Stage) -> None:
    """Not with 1: nobody could know."""
    assert stage.finished("trace", stage.config(), "leads:1").code == 2
