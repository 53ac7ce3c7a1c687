"""What is held since its identity is in doubt is settled by hand: it is a change of what was delivered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from target_driftrock.commands.changes import REPLAY, lines, sent
from target_driftrock.errors import LedgerUnavailable, SettingsInvalid
from target_driftrock.events.event import Event
from target_driftrock.events.identity import Way
from target_driftrock.events.outcome import Held, HeldAs, Invalid
from target_driftrock.ledger import tables
from target_driftrock.ledger.digests import Digests
from target_driftrock.ledger.interface import Change, Concluded, Intent, Lost, Standing
from target_driftrock.ledger.reading import Selection
from target_driftrock.ledger.settling import PAGE, TO_SEND, Settlement, settle
from target_driftrock.ledger.tables import CODES, STANDINGS
from target_driftrock.ledger.write_batch import Keys
from tests.commands.ledgers import PLACES, collided, delivered, invalid, lead, rejected, write, writing
from tests.delivery import examples
from tests.ledger.rows import rows
from tests.stage import Done, Stage, record, schema

Place = Callable[[Path], AbstractContextManager[str]]
over_both = pytest.mark.parametrize("place", PLACES)

ADA, BOB, EVE = (lead(1, email=f"{name}@example.com") for name in ("ada", "bob", "eve"))
OTHER = lead(1, source="capture-2", email="ada@example.com")
UNKNOWN = Held(reason="its answer was lost", is_unknown=True)


def never(_: str) -> bool:
    """No mapping sends its changes."""
    return False


def always(_: str) -> bool:
    """Every mapping sends its changes."""
    return True


def digests_of(location: str) -> Digests:
    """What a ledger makes its digests with."""
    (salt,) = (row["value"] for row in rows(location, tables.facts) if row["name"] == "salt")
    return Digests(salt)


def row_of(location: str, event: Event) -> dict[str, Any] | None:
    """What is known of an event's content."""
    key = Keys(digests_of(location), api=examples.API).row(event)
    found = [row for row in rows(location, tables.deliveries) if (row["identity"], row["content"]) == key]
    return found[0] if found else None


def standing(location: str, event: Event) -> Standing | None:
    """Where an event's content stands."""
    row = row_of(location, event)
    return None if row is None else STANDINGS[row["standing"]]


DONE, NONE, LEFT = (Settlement(settled=settled, to_send=0, left=left) for settled, left in ((1, 0), (0, 0), (0, 1)))
CHANGED, REFUSED = Standing.CHANGED, Standing.REFUSED

CASES: dict[str, tuple[list[Change], Selection, tuple[Settlement, Standing | None]]] = {
    "a collision": ([delivered(ADA), collided(BOB)], Selection(), (DONE, CHANGED)),
    "an undecided one": ([delivered(ADA), collided(BOB, HeldAs.UNDECIDED)], Selection(), (DONE, CHANGED)),
    "the other one only perhaps delivered": ([Intent(ADA), Lost(ADA), collided(BOB)], Selection(), (DONE, CHANGED)),
    "the other one held, its answer lost": (
        [Concluded(part=ADA, outcome=UNKNOWN), collided(BOB)],
        Selection(reason="another's"),
        (DONE, CHANGED),
    ),
    "by its stream": ([delivered(ADA), collided(BOB)], Selection(stream="leads"), (DONE, CHANGED)),
    "of another stream": ([delivered(ADA), collided(BOB)], Selection(stream="deals"), (NONE, None)),
    "since long ago": ([delivered(ADA), collided(BOB)], Selection(since=1.0), (DONE, CHANGED)),
    "since tomorrow": ([delivered(ADA), collided(BOB)], Selection(since=time.time() + 86_400), (NONE, None)),
    "by its id": ([delivered(ADA), collided(BOB)], Selection(event="leads:1"), (DONE, CHANGED)),
    "of another id": ([delivered(ADA), collided(BOB)], Selection(event="leads:2"), (NONE, None)),
    "nothing delivered": ([collided(BOB)], Selection(), (LEFT, None)),
    "only another event delivered": ([delivered(OTHER), collided(BOB)], Selection(), (LEFT, None)),
    "only refused content beside it": ([rejected(ADA), collided(BOB)], Selection(), (LEFT, None)),
    "rejected, and not meant": ([delivered(ADA), rejected(BOB)], Selection(), (NONE, REFUSED)),
    "rejected, and not meant by a time": ([delivered(ADA), rejected(BOB)], Selection(since=1.0), (NONE, REFUSED)),
    "rejected, by its reason": ([delivered(ADA), rejected(BOB)], Selection(reason="422"), (DONE, CHANGED)),
    "rejected, the other one only perhaps delivered": (
        [Intent(ADA), Lost(ADA), rejected(BOB)],
        Selection(reason="422"),
        (LEFT, REFUSED),
    ),
    "held, its answer lost, by its id": (
        [delivered(ADA), Concluded(part=BOB, outcome=UNKNOWN)],
        Selection(event="leads:1"),
        (DONE, CHANGED),
    ),
    "invalid, by its stream": (
        [delivered(ADA), Concluded(part=invalid(1, email=1), outcome=Invalid(reason="schema: /email type"))],
        Selection(stream="leads"),
        (LEFT, None),
    ),
    "only its own content delivered": (
        [delivered(BOB), rejected(BOB)],
        Selection(reason="422"),
        (LEFT, Standing.DELIVERED),
    ),
    "delivered meanwhile": ([delivered(ADA), delivered(BOB), collided(BOB)], Selection(), (DONE, Standing.DELIVERED)),
}


@over_both
@pytest.mark.parametrize(("changes", "selection", "expected"), CASES.values(), ids=CASES)
def test_a_row_is_settled_when_it_can_be_a_change_of_something(
    place: Place,
    tmp_path: Path,
    changes: list[Change],
    selection: Selection,
    expected: tuple[Settlement, Standing | None],
) -> None:
    """It goes, and its content stands as changed; all others stay, and stand as before."""
    with place(tmp_path) as location:
        write(location, changes)
        before = len(rows(location, tables.kept))

        settled = settle(location, selection, sends=never, wait=0)

        assert (settled, standing(location, BOB)) == expected
        assert len(rows(location, tables.kept)) == before - settled.settled


@over_both
def test_a_settled_content_is_known_as_a_tried_one_when_it_was_never_sent(place: Place, tmp_path: Path) -> None:
    """About whom, of which record, by which id and in which way it was made: all but its requests."""
    made = Way("leads", '{"event_id":["id"]}')
    never_sent = structs.replace(BOB, way=made)
    with place(tmp_path) as location:
        write(location, [delivered(ADA), collided(never_sent)])

        settle(location, Selection(), sends=never, wait=0)

        known = row_of(location, never_sent)
        (way,) = rows(location, tables.ways)
        digests = digests_of(location)
    assert known is not None
    identity, at = known["identity"], known.pop("at")
    person, email, phone = digests.who(identity, BOB.who)
    assert known == {
        "identity": identity,
        "content": digests.content(identity, BOB.content),
        "event": digests.event("leads:1"),
        "person": person,
        "email": email,
        "phone": phone,
        "record": digests.record(identity, BOB.origin.digest),
        "standing": CODES[Standing.CHANGED],
        "tries": 0,
        "way": way["id"],
        "run": 1,
        "partition": None,
    }
    assert email is not None
    assert time.time() - at < 60


@over_both
def test_each_is_settled_when_there_are_more_than_a_page(place: Place, tmp_path: Path) -> None:
    """Several contents of one event among them."""
    count = 2 * PAGE + 1
    with place(tmp_path) as location:
        write(location, [delivered(lead(number, email="ada@example.com")) for number in range(count)])
        write(location, [collided(lead(number, email="bob@example.com")) for number in range(count)])
        write(location, [collided(EVE), collided(lead(count))])

        found = settle(location, Selection(), sends=never, wait=0)

        assert found == Settlement(settled=count + 1, to_send=0, left=1)
        assert len(rows(location, tables.kept)) == 1


@over_both
@pytest.mark.parametrize(
    ("change", "stands"),
    [
        pytest.param(collided(BOB), Standing.CHANGED, id="a collision"),
        pytest.param(rejected(BOB), Standing.CHANGED, id="rejected"),
        pytest.param(Concluded(part=BOB, outcome=UNKNOWN), Standing.HELD_UNKNOWN, id="held, its answer lost"),
    ],
)
def test_a_row_stays_to_be_sent_again_when_changes_are_sent(
    place: Place, tmp_path: Path, change: Change, stands: Standing
) -> None:
    """With a reason by which it can be selected; what may have arrived must not be forgotten."""
    with place(tmp_path) as location:
        write(location, [delivered(ADA), change])

        found = settle(location, Selection(event="leads:1"), sends=always, wait=0)

        assert found == Settlement(settled=1, to_send=1, left=0)
        assert [row["reason"] for row in rows(location, tables.kept)] == [TO_SEND]
        assert standing(location, BOB) == stands
        assert settle(location, Selection(event="leads:1"), sends=never, wait=0).settled == 1
        assert rows(location, tables.kept) == []


def test_nothing_is_settled_when_a_run_has_the_ledger(tmp_path: Path) -> None:
    """It waits for its lock as a run does, and says who has it."""
    place = str(tmp_path / "ledger")
    write(place, [delivered(ADA), collided(BOB)])

    with writing(place), pytest.raises(LedgerUnavailable, match=r"is held by target-driftrock \d+"):
        settle(place, Selection(), sends=never, wait=0)

    assert len(rows(place, tables.kept)) == 1


def test_there_is_nothing_to_settle_when_there_is_no_ledger(tmp_path: Path) -> None:
    """That is said, and none is made."""
    with pytest.raises(SettingsInvalid, match="there is none in the directory"):
        settle(str(tmp_path / "ledger"), Selection(), sends=never, wait=0)

    assert not (tmp_path / "ledger").exists()


# What the settings say, and what is told.

LABEL = "streams[1] (leads)"
FIRST = {"stream": "deals"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"streams": [FIRST, {"stream": "leads"}]}, False, id="nothing"),
        pytest.param({"streams": [FIRST, {"stream": "leads", "on_changed": "send"}]}, True, id="the mapping sends"),
        pytest.param({"streams": [FIRST, {"stream": "leads", "on_changed": "skip"}]}, False, id="the mapping skips"),
        pytest.param({"on_changed": "send", "streams": [FIRST, {"stream": "leads"}]}, True, id="all send"),
        pytest.param(
            {"on_changed": "send", "streams": [FIRST, {"stream": "leads", "on_changed": None}]}, True, id="a null"
        ),
        pytest.param(
            {"on_changed": "send", "streams": [FIRST, {"stream": "leads", "on_changed": "skip"}]},
            False,
            id="all send, but for the mapping",
        ),
        pytest.param({"streams": [{**FIRST, "on_changed": "send"}, {"stream": "leads"}]}, False, id="another sends"),
        pytest.param({"streams": [{"stream": "leads", "on_changed": "send"}]}, True, id="it moved, and some send"),
        pytest.param({"streams": [{"stream": "leads"}]}, False, id="it moved, and none sends"),
        pytest.param({"on_changed": "send"}, True, id="no mappings, and all send"),
        pytest.param({"streams": "leads"}, False, id="no mappings that can be read"),
        pytest.param({"streams": ["leads", {"stream": "leads", "on_changed": "send"}]}, True, id="one that is none"),
        pytest.param({}, False, id="no settings"),
    ],
)
def test_changes_of_a_mapping_are_sent_when_the_settings_say_so(config: Mapping[str, Any], expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Read as far as they can be: nothing is sent here."""
    assert sent(config)(LABEL) is expected


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [
        pytest.param(Settlement(settled=0, to_send=0, left=0), ["Settled as changed: 0 rows."], id="none"),
        pytest.param(Settlement(settled=1, to_send=0, left=0), ["Settled as changed: 1 row."], id="one"),
        pytest.param(
            Settlement(settled=3, to_send=2, left=4),
            [
                "Settled as changed: 3 rows; 4 left, since nothing was delivered under their event_id.",
                f"2 of them stay to be sent again, since on_changed is send: {REPLAY}",
            ],
            id="some to be sent again, and some left",
        ),
    ],
)
def test_it_is_told_what_was_settled_when_it_is_done(settlement: Settlement, expected: list[str]) -> None:
    """And what to type where something is left to do."""
    assert list(lines(settlement)) == expected


# The command, and the runs around it.


WRONG = {
    "with --delete": ["--delete", "--event", "x-1"],
    "with --held": ["--held"],
    "with --table": ["--table"],
    "with a person": ["--person", "x-1"],
    "with an address": ["--email", "x-1@example.com"],
    "with a telephone number": ["--phone", "x-1"],
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_nothing_is_settled_when_it_is_not_clear_what(stage: Stage, options: list[str]) -> None:
    """Exit 2, a sentence, and no value in it."""
    collide(stage)

    code, out, err = stage.finished("rejects", stage.config(), "--changed", *options)

    assert (code, out) == (2, "")
    assert "--changed goes with --stream, --reason, --since and --event, and with nothing else." in err
    assert "x-1" not in err
    assert len(stage.kept()) == 1


def test_it_ends_with_2_when_there_is_no_ledger(stage: Stage) -> None:
    """There is nothing to settle."""
    code, out, err = stage.finished("rejects", stage.config(), "--changed")

    assert (code, out) == (2, "")
    assert "there is none in the directory" in err


BEFORE = record(1, email="ada@example.com")
AFTER = record(1, email="ada@example.org")
LATER = record(1, email="ada@example.org", note="moved")


def collide(stage: Stage, **settings: Any) -> Done:
    """A lead is delivered, and its address corrected: it is held."""
    stage.run(schema(), BEFORE, **settings)
    done = stage.run(schema(), AFTER, **settings)
    assert [reason for _, reason, _ in stage.kept()] == ["its event_id is another's"]
    return done


@pytest.mark.parametrize("settings", [{}, {"on_changed": "skip"}], ids=["nothing said", "skip"])
@pytest.mark.parametrize(
    ("options", "given"),
    [
        pytest.param((), b"", id="all"),
        pytest.param(("--stream", "leads", "--since", "2026-01-31", "--reason", "another"), b"", id="a selection"),
        pytest.param(("--event", "-"), b"leads:1\n", id="one, read from the input"),
    ],
)
def test_a_corrected_address_is_a_change_when_it_is_settled(
    stage: Stage, settings: dict[str, Any], options: tuple[str, ...], given: bytes
) -> None:
    """The record read again is changed and not held; so is a later one of the corrected person. None is sent."""
    collide(stage, **settings)

    code, out, err = stage.finished("rejects", stage.config(**settings), "--changed", *options, given=given)
    again = stage.run(schema(), AFTER, **settings)
    later = stage.run(schema(), LATER, **settings)

    assert (code, out, err) == (0, "Settled as changed: 1 row.\n", "")
    for done in (again, later):
        assert done.code == 0
        assert "1 changed" in done.log
        assert "0 held" in done.log
    assert len(later.events) == 1
    assert stage.kept() == []


def test_another_person_collides_still_when_one_was_settled(stage: Stage) -> None:
    """The word of a person is about this content, not about all that bears the id."""
    collide(stage)
    stage.finished("rejects", stage.config(), "--changed")

    stage.run(schema(), record(1, email="bob@example.com"))

    assert [reason for _, reason, _ in stage.kept()] == ["its event_id is another's"]


def replay(stage: Stage, *options: str, **settings: Any) -> Done:
    """The rows that are kept, sent again."""
    _, out, _ = stage.finished("rejects", stage.config(**settings), *options)
    return stage.run(*[line.encode() + b"\n" for line in out.splitlines()], **settings)


SENDING: dict[str, dict[str, Any]] = {
    "the setting": {"on_changed": "send"},
    "the mapping": {
        "streams": [
            {"stream": "leads", "event_type": "lead", "source_id": "capture-1", "fields": "*", "on_changed": "send"}
        ]
    },
}


@pytest.mark.parametrize("settings", SENDING.values(), ids=SENDING)
def test_a_corrected_address_is_sent_when_it_is_settled_and_changes_are_sent(
    stage: Stage, settings: dict[str, Any]
) -> None:
    """Once, by what the command says is to be typed; then its row is gone, and it is already delivered."""
    collide(stage, **settings)

    code, out, _ = stage.finished("rejects", stage.config(**settings), "--changed")
    held = replay(stage, "--reason", "settled as a change", **settings)
    again = stage.run(schema(), AFTER, **settings)

    assert code == 0
    assert out.splitlines() == [
        "Settled as changed: 1 row.",
        f"1 of them stay to be sent again, since on_changed is send: {REPLAY}",
    ]
    assert held.code == 0, held.log
    assert [event["fields"]["email"] for event in held.events] == ["ada@example.com", "ada@example.org"]
    assert stage.kept() == []
    assert "1 already delivered" in again.log
    assert len(again.events) == 2


def test_a_row_is_marked_once_when_it_collides_again(stage: Stage) -> None:
    """What it collides with stands in the line that is printed, once and as it is now, however often it was sent."""
    collide(stage)
    once = stage.finished("rejects", stage.config())[1].splitlines()[1]

    held = replay(stage)
    twice = stage.finished("rejects", stage.config())[1].splitlines()[1]

    assert "1 held" in held.log
    assert len(stage.kept()) == 1
    assert json.loads(once)["driftrock_known"][0]["event_id"] == "leads:1"
    assert twice == once
    assert twice.count("driftrock_known") == twice.count("driftrock_row") == 1
