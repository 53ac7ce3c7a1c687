"""Identities that are mended: what must be said before anything is sent, and what is known by what was said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_driftrock.events.event import Event
from target_driftrock.events.identity import KnownWay, Way
from target_driftrock.mapping.stream import CompiledStream
from target_driftrock.mapping.ways import forgotten, mended
from tests.mapping.examples import ORIGIN, compiled, lead_mapping

LABEL = "streams[0] (leads)"
CANARY = "CANARY@example.com"

Known = Mapping[Way, KnownWay]


def mapped(*attributes: dict[str, Any], **named: Any) -> CompiledStream:
    """A stream with a mapping for each of these; those before the last take a stage each."""
    last = len(attributes) - 1
    return compiled(
        *(
            lead_mapping(index=index, when={"stage": (index,)} if index < last else {}, **each)
            for index, each in enumerate(attributes)
        ),
        **named,
    )


def known(*streams: CompiledStream, delivered: int = 1) -> Known:
    """What a ledger remembers after runs with these, each of whose mappings delivered so much, in their order.

    Where a mapping says how its identities were made before, it has taken the place of that way.
    """
    ways: dict[Way, KnownWay] = {}
    for mapping in (mapping for stream in streams for mapping in stream.mappings):
        if mapping.way is None:
            continue
        for former in mapping.former_ways:
            if former in ways:
                ways[former] = KnownWay(ways[former].delivered, successor=mapping.way)
        successor = ways[mapping.way].successor if mapping.way in ways else None
        ways[mapping.way] = KnownWay(delivered, successor)
    return ways


BY_KEY: dict[str, Any] = {}
BY_ID: dict[str, Any] = {"event_id": "{id}"}
MENDED: dict[str, Any] = {"event_id": "L-{id}"}


@pytest.mark.parametrize(
    ("before", "after", "names", "former"),
    [
        pytest.param(BY_ID, MENDED, "event_id", '{"event_id": "{id}"}', id="an id is mended"),
        pytest.param(BY_KEY, BY_ID, "event_id", '{"event_id": "leads:{id}"}', id="the key's id becomes a template"),
        pytest.param(
            BY_KEY,
            {"event_id": "leads:{id}"},
            "event_id",
            '{"event_id": "leads:{id}"}',
            id="the very same, but for a `:`",
        ),
        pytest.param(
            {"event_id": "leads:{id}"}, BY_KEY, "event_id", '{"event_id": "leads:{id}"}', id="and back to the key"
        ),
        pytest.param(
            {"event_name": "Signed up"},
            {"event_name": "Lead created"},
            "event_name",
            '{"event_name": "Signed up"}',
            id="an event is renamed",
        ),
        pytest.param(
            BY_KEY, {"event_name": "Lead"}, "event_name", '{"event_name": "leads"}', id="an event gets a name"
        ),
        pytest.param(
            {"event_name": "a: {stage}"},
            {"event_name": "{stage}"},
            "event_name",
            '{"event_name": "a: {stage}"}',
            id="a name with a template",
        ),
        pytest.param(
            BY_KEY, {"source_id": "capture-2"}, "source_id", '{"source_id": "capture-1"}', id="another capture"
        ),
        pytest.param(BY_KEY, {"event_type": "action"}, "event_type", '{"event_type": "lead"}', id="another type"),
        pytest.param(
            BY_KEY,
            {"affiliate_id": "{partner}"},
            "affiliate_id",
            '{"affiliate_id":null}',
            id="an affiliate, where none was",
        ),
        pytest.param(
            {"affiliate_id": "{partner}"}, BY_KEY, "affiliate_id", '{"affiliate_id": "{partner}"}', id="no affiliate"
        ),
        pytest.param(
            {"event_id": "{id}", "event_name": "Signed up", "source_id": "a"},
            {"event_id": "L-{id}", "event_name": "Lead", "source_id": "b"},
            "event_id and event_name and source_id",
            '{"event_id": "{id}","event_name": "Signed up","source_id": "a"}',
            id="three at once",
        ),
    ],
)
def test_it_is_told_what_to_type_when_an_identity_is_mended(
    before: dict[str, Any], after: dict[str, Any], names: str, former: str
) -> None:
    """The attributes, how much would be sent again, and what goes on from there; then nothing is told any more."""
    state = known(mapped(before), delivered=1234)

    (told,) = mended(state, mapped(after))

    assert told == (
        f"{LABEL}: {names} made other identities before, so 1,234 events of stream leads that were delivered then "
        f"would be sent again. Add `formerly: {former}` to this mapping to go on from them, or set `formerly: null` to "
        "send all again."
    )
    assert mended(state, mapped({**after, "formerly": (_typed(told),)})) == []
    assert mended(state, mapped({**after, "forgets_former": True})) == []


def _typed(told: str) -> dict[str, Any]:
    """What a person types who does as told."""
    found = re.search(r"`formerly: (\{.+?\})`", told)
    assert found is not None
    former: dict[str, Any] = json.loads(found[1])
    return former


def test_one_event_is_told_as_one_when_only_one_was_delivered() -> None:
    """In words that a person would use."""
    (told,) = mended(known(mapped(BY_ID)), mapped(MENDED))

    assert "so 1 event of stream leads that was delivered then" in told


def test_no_value_is_told_when_an_identity_is_mended() -> None:
    """What is remembered of a way is what the settings say."""
    before, after = mapped({"event_id": "{email}"}), mapped({"event_id": "{id}:{email}"})
    made = before.map({"id": 1, "email": CANARY}, ORIGIN)

    assert isinstance(made, Event)
    assert made.way in known(before)
    assert CANARY not in f"{made.way}{mended(known(before), after)}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([BY_ID], [BY_ID], id="nothing changed"),
        pytest.param([BY_ID], [{**BY_ID, "fields": {"email": "{email}"}}], id="other fields"),
        pytest.param([BY_ID], [{**BY_ID, "person_id": "{email}"}], id="another person_id"),
        pytest.param([BY_ID], [{**BY_ID, "created_at": "{at}", "ga_client_id": "{ga}"}], id="other content"),
        pytest.param([BY_ID], [BY_ID, {"event_type": "action", **BY_ID}], id="one is added beside it"),
        pytest.param([BY_ID], [{"event_type": "action", **BY_ID}, BY_ID], id="one is added before it"),
        pytest.param([BY_ID, {"event_type": "action", **BY_ID}], [BY_ID], id="one is taken away"),
        pytest.param(
            [BY_ID, {"event_type": "action", **BY_ID}], [{"event_type": "action", **BY_ID}], id="the first is"
        ),
        pytest.param([BY_ID, MENDED], [MENDED, BY_ID], id="two change places"),
        pytest.param([BY_ID], [BY_ID, BY_ID], id="one becomes two with the same identity"),
        pytest.param([BY_ID], [{"skip": True}], id="all is skipped"),
        pytest.param([BY_ID], [{**BY_ID, "on_changed": None}], id="another word on changes"),
    ],
)
def test_nothing_is_told_when_no_mapping_takes_another_s_place(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    """Mappings come and go; only a new one in the place of an old one sends everything again."""
    state = known(mapped(*before))

    assert mended(state, mapped(*after)) == []
    assert forgotten(state, mapped(*after)) == {}


def test_nothing_is_told_when_nothing_was_delivered_in_the_old_way() -> None:
    """A mapping that was wrong from its first run on is mended without a word."""
    assert mended(known(mapped(BY_ID), delivered=0), mapped(MENDED)) == []


def test_nothing_is_told_when_the_ledger_knows_no_way() -> None:
    """A first run."""
    assert mended({}, mapped(BY_ID)) == []


def test_nothing_is_told_when_the_old_way_is_another_stream_s() -> None:
    """Two streams under one alias are mended each for itself."""
    state = known(mapped(BY_ID, scope="eu"))

    assert mended(state, mapped(MENDED, scope="us")) == []
    assert len(mended(state, mapped(MENDED, scope="eu"))) == 1


# Key properties.


@pytest.mark.parametrize(
    ("before", "after", "former"),
    [
        pytest.param(["id"], ["email"], "leads:{id}", id="another"),
        pytest.param(["id"], ["id", "stage"], "leads:{id}", id="one more"),
        pytest.param(["id", "stage"], ["id"], "leads:{id}:{stage}", id="one less"),
        pytest.param(["stage", "id"], ["id"], "leads:{id}:{stage}", id="one less, in another order"),
    ],
)
def test_it_is_told_when_the_key_properties_change(before: list[str], after: list[str], former: str) -> None:
    """A tap that gets another key makes other ids, without a word in the settings."""
    state = known(mapped(BY_KEY, key_properties=before))

    (told,) = mended(state, mapped(BY_KEY, key_properties=after))

    assert told.startswith(f"{LABEL}: event_id made other identities before")
    assert f'`formerly: {{"event_id": "{former}"}}`' in told
    assert mended(state, mapped({"formerly": (_typed(told),)}, key_properties=after)) == []


@pytest.mark.parametrize("after", [["id", "stage"], ["stage", "id"], ["id", "stage", "id"]], ids=":".join)
def test_nothing_is_told_when_the_key_properties_only_change_places(after: list[str]) -> None:
    """They are a set."""
    state = known(mapped(BY_KEY, key_properties=["id", "stage"]))

    assert mended(state, mapped(BY_KEY, key_properties=after)) == []


# Over several runs.


def test_it_is_told_when_formerly_is_taken_away_too_soon() -> None:
    """While deliveries of the old way remain; when they are forgotten, it may go."""
    first, second = mapped(BY_ID), mapped({**MENDED, "formerly": (BY_ID,)})
    state = known(first, second)
    old = first.mappings[0].way
    assert old is not None

    assert mended(state, second) == []
    assert len(mended(state, mapped(MENDED))) == 1
    assert mended({**state, old: KnownWay(0, state[old].successor)}, mapped(MENDED)) == []


def test_it_is_told_when_a_mend_is_taken_back() -> None:
    """What was delivered since then would be sent again under the old identity."""
    state = known(mapped(BY_ID), mapped({**MENDED, "formerly": (BY_ID,)}))

    (told,) = mended(state, mapped(BY_ID))

    assert '`formerly: {"event_id": "L-{id}"}`' in told
    assert mended(state, mapped({**BY_ID, "formerly": (MENDED,)})) == []


def test_it_is_told_when_a_mend_that_forgot_is_taken_back() -> None:
    """What was sent again would be sent a third time."""
    first, second = mapped(BY_ID), mapped({**MENDED, "forgets_former": True})
    (old,), (new,) = known(first), known(second)
    assert forgotten(known(first), second) == {old: new}

    state = {old: KnownWay(0, successor=new), new: KnownWay(3)}

    assert mended(state, second) == []
    assert '`formerly: {"event_id": "L-{id}"}`' in mended(state, mapped(BY_ID))[0]


def test_all_former_ways_are_wanted_when_an_identity_is_mended_again() -> None:
    """Each left deliveries; an array says them all."""
    third = {"event_id": "X-{id}"}
    state = known(mapped(BY_ID), mapped({**MENDED, "formerly": (BY_ID,)}))

    (told,) = mended(state, mapped({**third, "formerly": (MENDED,)}))

    assert 'Make `formerly` of this mapping an array, and add `{"event_id": "{id}"}` to it' in told
    assert mended(state, mapped({**third, "formerly": (MENDED, BY_ID)})) == []


# Several mappings of one stream.

WON: dict[str, Any] = {"event_type": "conversion", "event_name": "Won", "event_id": "{id}:won"}
LOST: dict[str, Any] = {"event_type": "action", "event_name": "Lost", "event_id": "{id}:lost"}


@pytest.mark.parametrize(
    ("after", "labels"),
    [
        pytest.param([{**WON, "event_name": "Bought"}, LOST], [0], id="the first"),
        pytest.param([WON, {**LOST, "event_id": "L:{id}"}], [1], id="the second"),
        pytest.param([{**WON, "event_name": "Bought"}, {**LOST, "event_id": "L:{id}"}], [0, 1], id="both"),
        pytest.param([{**LOST, "event_id": "L:{id}"}, WON], [0], id="one, and they change places"),
        pytest.param(
            [WON, {"event_name": "Left"}, {**LOST, "event_id": "L:{id}"}], [2], id="one, with a new one beside"
        ),
    ],
)
def test_the_mapping_most_like_the_old_one_is_told_when_there_are_several(
    after: list[dict[str, Any]], labels: list[int]
) -> None:
    """Each with what was delivered in its own way, and each can be mended as it says."""
    state = known(mapped(WON, LOST), delivered=7)

    told = mended(state, mapped(*after))

    assert [fault.partition(" ")[0] for fault in told] == [f"streams[{index}]" for index in labels]
    assert all("so 7 events of" in fault for fault in told)
    formerly = {index: {"formerly": (_typed(fault),)} for index, fault in zip(labels, told, strict=True)}
    assert mended(state, mapped(*(each | formerly.get(index, {}) for index, each in enumerate(after)))) == []


def test_only_the_one_without_a_word_is_told_when_another_says_its_former_identity() -> None:
    """Whoever has said it has nothing to mend."""
    renamed = {**WON, "event_name": "Bought", "formerly": ({"event_name": "Won"},)}
    state = known(mapped(WON, LOST))

    (told,) = mended(state, mapped(renamed, {**LOST, "event_id": "L:{id}"}))

    assert told.startswith("streams[1] ")


def test_only_its_own_way_is_forgotten_when_one_of_several_says_so() -> None:
    """A null is for the mapping in which it stands: another mend beside it is told."""
    before = mapped(WON, LOST)
    won, _ = (mapping.way for mapping in before.mappings)
    renamed, mended_id = {**WON, "event_name": "Bought", "forgets_former": True}, {**LOST, "event_id": "L:{id}"}

    after = mapped(renamed, mended_id)

    assert forgotten(known(before), after) == {won: after.mappings[0].way}
    (told,) = mended(known(before), after)
    assert told.startswith("streams[1] ")


def test_both_are_wanted_when_two_mappings_become_one() -> None:
    """One mapping may have two pasts."""
    both = {"event_type": "action", "event_name": "{stage}", "event_id": "{id}:{stage}"}
    state = known(mapped(WON, LOST), delivered=7)

    (told,) = mended(state, mapped(both))
    (then_told,) = mended(state, mapped({**both, "formerly": (_typed(told),)}))

    assert "so 14 events of" in told
    assert "so 7 events of" in then_told
    assert mended(state, mapped({**both, "formerly": (WON, LOST)})) == []


# The former identities of an event are those that it had.

RECORDS: Sequence[dict[str, Any]] = (
    {"id": 42, "email": "ada@example.com", "stage": "a:b"},
    {"id": 42.0, "email": "50%@example.com", "stage": " "},
    {"id": "a:b%3A", "email": "bob@example.com", "stage": None},
)


@pytest.mark.parametrize("record", RECORDS, ids=["plain", "a percent", "a colon"])
@pytest.mark.parametrize(
    ("before", "former"),
    [
        pytest.param({"event_id": "{id}"}, {"event_id": "{id}"}, id="a template"),
        pytest.param({"event_id": "{id}:{email}"}, {"event_id": "{id}:{email}"}, id="a template of two"),
        pytest.param({}, {"event_id": "leads:{id}"}, id="the key"),
        pytest.param({}, {"event_id": None}, id="the key, by a null"),
        pytest.param(
            {"event_name": "Was {email}", "event_id": "{id}"},
            {"event_name": "Was {email}", "event_id": "{id}"},
            id="a name",
        ),
        pytest.param({"source_id": "old-{email}"}, {"source_id": "old-{email}", "event_id": None}, id="a capture"),
        pytest.param({"affiliate_id": "{email}"}, {"affiliate_id": "{email}", "event_id": None}, id="an affiliate"),
        pytest.param({"event_type": "action"}, {"event_type": "action", "event_id": None}, id="a type"),
    ],
)
def test_an_event_is_known_by_what_it_was_when_the_mapping_says_how_it_was_made(
    before: dict[str, Any], former: dict[str, Any], record: dict[str, Any]
) -> None:
    """The former identity is the one that the earlier settings really made, digit for digit."""
    was = mapped(before).map(record, ORIGIN)

    now = mapped({"event_name": "Now", "event_id": "now:{id}", "formerly": ({"event_name": "leads", **former},)})
    made = now.map(record, ORIGIN)

    assert isinstance(was, Event)
    assert isinstance(made, Event)
    assert was.identity in made.former
    assert was.way in made.former_ways
    assert (made.identity in made.former, made.content == was.content) == (False, True)


@settings(max_examples=100, deadline=None)
@given(
    record=st.fixed_dictionaries(
        {
            "a": st.none() | st.integers() | st.text(alphabet="ab:%25A3 "),
            "b": st.booleans() | st.text(alphabet="ab:%25A3 ") | st.decimals(allow_nan=False, allow_infinity=False),
        }
    )
)
def test_an_event_is_known_by_its_key_when_its_values_are_anything(record: dict[str, Any]) -> None:
    """A `:` or `%` within a value is encoded in the key's own id, and not in what a template makes of it."""
    keys = ("b", "a")
    was = mapped({}, key_properties=keys).map(record, ORIGIN)
    now = mapped({"event_id": "x{a}{b}x", "formerly": ({"event_id": "leads:{a}:{b}"},)}, key_properties=keys)
    made = now.map(record, ORIGIN)

    if isinstance(was, Event) and isinstance(made, Event):
        assert was.identity in made.former


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_event_is_known_by_each_of_its_pasts_when_there_are_several(place: int) -> None:
    """In the order in which they are said."""
    pasts = ({"event_id": "{id}"}, {"event_id": "L-{id}"}, {"event_name": "Lead", "event_id": "{email}"})
    was = mapped(pasts[place]).map(RECORDS[0], ORIGIN)

    made = mapped({"event_id": "X-{id}", "formerly": pasts}).map(RECORDS[0], ORIGIN)

    assert isinstance(was, Event)
    assert isinstance(made, Event)
    assert made.former[place] == was.identity


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"id": 1, "old": None}, id="null"),
        pytest.param({"id": 1, "old": ""}, id="empty"),
        pytest.param({"id": 1, "old": " \u200b"}, id="blank"),
        pytest.param({"id": 1}, id="missing"),
        pytest.param({"id": 1, "old": float("nan")}, id="NaN"),
    ],
)
def test_an_event_has_no_past_when_its_record_had_been_refused(record: dict[str, Any]) -> None:
    """Nothing came of it in the old way, so it is not looked for there; it is an event now."""
    made = mapped({"event_id": "{id}", "formerly": ({"event_id": "lead:{old}"},)}).map(record, ORIGIN)

    assert isinstance(made, Event)
    assert made.former == ()


def test_an_event_has_one_past_when_two_ways_made_the_same() -> None:
    """It is looked up once."""
    same = ({"event_id": "{id}"}, {"event_id": "{id}", "event_name": "leads"})

    made = mapped({"event_id": "L-{id}", "formerly": same}).map(RECORDS[0], ORIGIN)

    assert isinstance(made, Event)
    assert len(made.former) == 1


def test_an_event_has_no_past_of_its_own_when_formerly_says_what_is_so_now() -> None:
    """What is said twice is no mend."""
    made = mapped({"event_id": "{id}", "formerly": ({"event_id": "{id}"},)}).map(RECORDS[0], ORIGIN)

    assert isinstance(made, Event)
    assert (made.former, made.former_ways) == ((), ())


# Tables.

SAID: dict[str, Any] = {"won": "Closed"}
BY_TABLE: dict[str, Any] = {"event_name": "{stage | lookup: stages}", "event_id": "{id}:{stage}"}


def tabled(table: dict[str, Any], **attributes: Any) -> CompiledStream:
    """A stream whose events are named by a table."""
    return mapped({**BY_TABLE, "tables": {"stages": table, "others": {"x": len(table)}}, **attributes})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(SAID, {"won": "Won"}, id="an entry is changed"),
        pytest.param({**SAID, "lost": "Lost"}, SAID, id="an entry is taken away"),
        pytest.param({**SAID, "*": "Other"}, {**SAID, "*": "Other", "lost": "Lost"}, id="one is taken from the rest"),
        pytest.param({**SAID, "*": "Other"}, SAID, id="the rest is taken away"),
    ],
)
def test_it_is_told_when_a_table_makes_other_identities(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The template is as it was, and what it gives is not; `formerly` takes the table as it was."""
    ledger = known(tabled(before))

    (told,) = mended(ledger, tabled(after))

    assert _typed(told) == {"tables": {"stages": before}}
    assert mended(ledger, tabled(after, formerly=(_typed(told),))) == []


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({**SAID, "lost": "Lost"}, id="an entry is added"),
        pytest.param({**SAID, "*": "Other"}, id="the rest is added"),
        pytest.param(dict(SAID), id="the same"),
    ],
)
def test_nothing_is_told_when_a_table_only_grows(after: dict[str, Any]) -> None:
    """What had an identity has the same one: a new stage is no mend."""
    ledger = known(tabled(SAID))

    assert mended(ledger, tabled(after)) == []
    assert mended(ledger, tabled(after, tables={"stages": after})) == []


def test_nothing_is_told_when_one_table_grows_beside_one_that_takes_everything() -> None:
    """Each is judged by itself."""
    both = {"event_name": "{stage | lookup: stages}", "source_id": "{place | lookup: places}"}
    places = {"here": "capture-1", "*": "capture-2"}

    ledger = known(mapped({**both, "tables": {"stages": SAID, "places": places}}))

    grown = {"stages": {**SAID, "lost": "Lost"}, "places": places}
    assert mended(ledger, mapped({**both, "tables": grown})) == []


def test_it_is_told_once_when_an_identity_is_mended_after_its_table_grew() -> None:
    """What was delivered before it grew is known by the same word of `formerly`."""
    grown = tabled({**SAID, "lost": "Lost"})
    ledger = known(tabled(SAID), grown)
    mend = {"event_id": "L-{id}:{stage}"}

    (told,) = mended(ledger, tabled({**SAID, "lost": "Lost"}, **mend))

    assert _typed(told) == {"event_id": "{id}:{stage}"}
    assert mended(ledger, tabled({**SAID, "lost": "Lost"}, **mend, formerly=(_typed(told),))) == []


@pytest.mark.parametrize("spelling", ["{id|trim}", "{ id | trim }", "{'id' | trim}", "{id  |  trim}"])
def test_nothing_is_told_when_a_template_is_only_spelled_otherwise(spelling: str) -> None:
    """Spaces and quotes make no other identities."""
    assert mended(known(mapped({"event_id": "{id | trim}"})), mapped({"event_id": spelling})) == []


def test_it_is_told_when_a_filter_is_added() -> None:
    """`Ada` and `ada` are two."""
    (told,) = mended(known(mapped({"event_id": "{id}"})), mapped({"event_id": "{id | lower}"}))

    assert _typed(told) == {"event_id": "{id}"}


def test_an_event_is_known_by_what_its_table_said_when_that_was_changed() -> None:
    """The former identity is made with the table as it was."""
    record = {"id": 1, "stage": "won"}
    before = tabled(SAID).map(record, ORIGIN)

    after = tabled({"won": "Won"}, formerly=({"tables": {"stages": SAID}},)).map(record, ORIGIN)

    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert after.former == (before.identity,)
