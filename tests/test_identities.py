"""Identities that are wrong, as real data has them: several runs of the whole target over one ledger.

No lead is lost for another's, nothing is sent again in silence, and no value of a record stands in a log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from target_driftrock.errors import ExitCode
from tests.stage import LEADS, Done, Stage, record, schema, staged, state, wired

pytestmark = pytest.mark.usefixtures("nothing_left")

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
ADAS_NUMBER, BOBS_NUMBER = "+44 20 7946 0018", "+44 20 7946 0999"
COLLISION = "its event_id is another's"
UNDECIDED = "other content under a known event_id: set on_changed, or mend event_id"
PROPERTIES = {
    "id": {"type": ["null", "integer", "number", "string"]},
    "email": {"type": ["null", "string"], "maxLength": 40},
    "phone": {"type": ["null", "string"]},
    "name": {"type": ["null", "string"]},
    "person": {"type": ["null", "integer"]},
}
SCHEMA = schema(properties=PROPERTIES)
BY_EMAIL = {**LEADS, "event_name": "Signed up", "fields": {"email": "{email}"}}
Message = Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs over one ledger. None of them may log a value of what it reads."""

    stage: Stage

    def __call__(self, *messages: Message, **settings: Any) -> Done:
        """The whole of a run."""
        done = self.stage.run(*messages, **settings)
        assert not [value for value in _values(messages) if value in done.log]
        return done

    @property
    def kept(self) -> list[str]:
        """Why rows are kept, by the alphabet."""
        return sorted(reason for _, reason, _ in self.stage.kept())

    @property
    def kept_ids(self) -> list[Any]:
        """The ids of the records that are kept."""
        return sorted(json.loads(row)["record"].get("id") for _, _, row in self.stage.kept())


@pytest.fixture
def run(stage: Stage) -> Runs:
    """Runs whose API takes everything."""
    return Runs(stage)


def _values(messages: Iterable[Message]) -> Iterator[str]:
    """The texts of records that would be known again; short ones may stand in a log by chance."""
    for message in messages:
        read = json.loads(message) if isinstance(message, bytes) else message
        for value in read.get("record", {}).values():
            if isinstance(value, str) and len(value.strip()) > 4:
                yield value


def ids(done: Done) -> list[str]:
    """The ids of all that has arrived since the sandbox was started, by the alphabet."""
    return sorted(event["event_id"] for event in done.events)


def said(done: Done, level: str, *words: str) -> bool:
    """Whether a line of this level holds all these words."""
    lines = [line for line in done.log.splitlines() if line.startswith(level)]
    return any(all(word in line for word in words) for line in lines)


def line(record: str, stream: str = "leads") -> bytes:
    """A RECORD message whose record is written in these words."""
    return f'{{"type": "RECORD", "stream": "{stream}", "record": {record}}}\n'.encode()


# An empty cell in an event_id.


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param('""', id="empty"),
        pytest.param('" "', id="a-space"),
        pytest.param('"\\u00a0\\t"', id="a-space-that-does-not-break"),
        pytest.param('"\\u200b"', id="zero-width"),
        pytest.param("null", id="null"),
        pytest.param(None, id="missing"),
    ],
)
@pytest.mark.parametrize(
    ("template", "right"),
    [
        ("lead:{Lead ID}", "lead:L-7"),
        ("{Lead ID}", "L-7"),
        ("{Lead ID}:{email}", f"L-7:{EVE}"),
        ("{row}/{Lead ID}", "3/L-7"),
    ],
)
def test_each_record_is_kept_when_a_cell_of_its_event_id_is_empty(
    template: str, right: str, cell: str | None, run: Runs
) -> None:
    """File taps write empty cells as empty texts: two people without a number are not one event."""
    properties = {"row": {"type": "integer"}, "Lead ID": {"type": ["null", "string"]}, "email": {"type": "string"}}
    empty = "" if cell is None else f', "Lead ID": {cell}'

    done = run(
        schema(keys=["row"], properties=properties),
        line(f'{{"row": 1, "email": "{ADA}"{empty}}}'),
        line(f'{{"row": 2, "email": "{BOB}"{empty}}}'),
        line(f'{{"row": 3, "email": "{EVE}", "Lead ID": "L-7"}}'),
        state(at=3),
        streams=[{**BY_EMAIL, "event_id": template}],
    )

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == [right]
    assert done.states == [b'{"at": 3}']
    assert len(run.kept) == 2
    assert set(run.kept) <= {"event_id is empty", "event_id is null"}
    assert said(done, "INFO", "2 of streams[0] (leads): event_id is")


# One number in three spellings.


@pytest.mark.parametrize(
    ("spellings", "text"),
    [
        pytest.param(["42", "42.0", "42.00"], "42", id="a-whole-number"),
        pytest.param(["100", "1e2", "1.0E+2"], "100", id="an-exponent"),
        pytest.param(["0", "-0", "0.0"], "0", id="zero"),
        pytest.param(["1.5", "1.50", "15e-1"], "1.5", id="a-fraction"),
        pytest.param(["9" * 20, "9" * 20 + ".0", "9" * 20 + "0e-1"], "9" * 20, id="twenty-digits"),
        pytest.param(["1" * 40, "1" * 40 + ".0", "1" * 40 + "00e-2"], "1" * 40, id="forty-digits"),
    ],
)
@pytest.mark.parametrize(
    ("template", "form"),
    [(None, "leads:{}"), ("{id}", "{}"), ("L-{id}", "L-{}")],
    ids=["the-key", "alone", "in-a-text"],
)
@pytest.mark.parametrize("is_one_run", [True, False], ids=["in-one-run", "in-three-runs"])
def test_it_is_one_event_when_its_number_has_three_spellings(
    spellings: list[str], text: str, template: str | None, form: str, run: Runs, *, is_one_run: bool
) -> None:
    """A column of integers that went through floats is the same column."""
    records = [line(f'{{"id": {spelling}, "email": "{ADA}"}}') for spelling in spellings]
    mapping = {**BY_EMAIL, **({} if template is None else {"event_id": template})}
    inputs = [records] if is_one_run else [[each] for each in records]

    dones = [run(SCHEMA, *each, streams=[mapping]) for each in inputs]

    assert {done.code for done in dones} == {ExitCode.RESOLVED}
    assert ids(dones[-1]) == [form.format(text)]
    assert run.kept == []
    assert said(dones[-1], "INFO", "already delivered + 0 changed")


@pytest.mark.parametrize("texts", [("42", "42.0"), ("042", "42"), ("1e2", "100")], ids=":".join)
def test_texts_are_two_events_when_only_numbers_would_be_one(texts: tuple[str, str], run: Runs) -> None:
    """`42` and `42.0` as texts may be two customers."""
    one, other = texts

    done = run(SCHEMA, line(f'{{"id": "{one}", "email": "{ADA}"}}'), line(f'{{"id": "{other}", "email": "{BOB}"}}'))

    assert done.code == ExitCode.RESOLVED
    assert set(ids(done)) == {f"leads:{one}", f"leads:{other}"}


# The order of key properties.


@pytest.mark.parametrize(
    ("before", "after", "event_id"),
    [
        pytest.param(["order", "line"], ["line", "order"], "leads:2:1", id="two"),
        pytest.param(["sku", "order", "line"], ["line", "sku", "order"], "leads:2:1:a", id="three"),
        pytest.param(["order", "line"], ["line", "order", "line"], "leads:2:1", id="one-of-them-twice"),
        pytest.param(["order", "order"], ["order"], "leads:1", id="one-twice-before"),
    ],
)
@pytest.mark.parametrize("is_one_run", [True, False], ids=["in-one-run", "in-the-next-run"])
def test_it_is_one_event_when_the_key_properties_change_places(
    before: list[str], after: list[str], event_id: str, run: Runs, *, is_one_run: bool
) -> None:
    """Some taps build the list from a set, whose order is another in each run."""
    properties = {"order": {"type": "integer"}, "line": {"type": "integer"}, "sku": {"type": "string"}}
    row = {"type": "RECORD", "stream": "leads", "record": {"order": 1, "line": 2, "sku": "a"}}
    first, second = ([schema(keys=keys, properties=properties), row] for keys in (before, after))

    dones = [run(*first, *second)] if is_one_run else [run(*first), run(*second)]

    assert {done.code for done in dones} == {ExitCode.RESOLVED}
    assert ids(dones[-1]) == [event_id]
    assert run.kept == []


# A position as key.


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        pytest.param(["_sdc_source_lineno"], "leads:{_sdc_source_lineno}", id="a-line"),
        pytest.param(
            ["_sdc_source_file", "_sdc_source_lineno"],
            "leads:{_sdc_source_file}:{_sdc_source_lineno}",
            id="a-file-s-line",
        ),
        pytest.param(["__sdc_row"], "leads:{__sdc_row}", id="a-sheet-s-row"),
        pytest.param(["row_number"], "leads:{row_number}", id="a-row-s-number"),
    ],
)
def test_nothing_is_sent_when_the_key_is_where_a_row_stood(keys: list[str], kept: str, run: Runs) -> None:
    """One new row on top would make every row another's; who only ever adds at the end keeps such ids by saying so."""
    properties = {**{key: {"type": ["integer", "string"]} for key in keys}, "email": {"type": "string"}}
    row = {"type": "RECORD", "stream": "leads", "record": {**dict.fromkeys(keys, 1), "email": ADA}}
    messages = [schema(keys=keys, properties=properties), row, state(at=1)]

    refused = run(*messages, streams=[BY_EMAIL])
    own = run(*messages, streams=[{**BY_EMAIL, "event_id": "{email}"}])

    assert refused.code == ExitCode.SETTINGS
    assert (refused.events, refused.states) == ([], [])
    assert said(refused, "ERROR", "event_id is missing", keys[-1], f'event_id: "{kept}"')
    assert own.code == ExitCode.RESOLVED
    assert ids(own) == [ADA]


@pytest.mark.parametrize("key", ["line", "order_line", "arrow", "browser", "row_id"])
def test_ids_are_made_of_a_key_when_it_only_sounds_like_a_position(key: str, run: Runs) -> None:
    """An order's lines tell apart what was bought."""
    row = {"type": "RECORD", "stream": "leads", "record": {key: 7, "email": ADA}}

    done = run(schema(keys=[key], properties={key: {"type": "integer"}, "email": {"type": "string"}}), row)

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:7"]


# The same id, and another person.

PEOPLE: list[Any] = [
    pytest.param({}, {"email": ADA}, {"email": BOB}, id="by-an-address"),
    pytest.param({}, {"phone": ADAS_NUMBER}, {"phone": BOBS_NUMBER}, id="by-a-number"),
    pytest.param({"person_id": "{person}"}, {"person": 7}, {"person": 8}, id="by-a-person-id"),
    pytest.param(
        {"person_id": "{person}"},
        {"person": 7, "email": ADA},
        {"person": 8, "email": ADA},
        id="by-the-strongest-of-two",
    ),
    pytest.param(
        {},
        {"email": ADA, "phone": ADAS_NUMBER},
        {"email": BOB, "phone": ADAS_NUMBER},
        id="by-an-address-before-a-number",
    ),
    pytest.param(
        {}, {"email": ADA, "name": "Ada Lovelace"}, {"email": BOB, "name": "Ada Lovelace"}, id="with-the-same-name"
    ),
]


@pytest.mark.parametrize("on_changed", [None, "skip", "send"])
@pytest.mark.parametrize(("attributes", "ada", "bob"), PEOPLE)
def test_both_leads_are_there_when_an_id_is_another_person_s_in_the_next_run(
    attributes: dict[str, Any], ada: dict[str, Any], bob: dict[str, Any], on_changed: str | None, run: Runs
) -> None:
    """Ids begin anew after a table was truncated: one is delivered, one is held, whatever is said of changes."""
    streams = [{**LEADS, **attributes}]
    run(SCHEMA, record(1, **ada), streams=streams, on_changed=on_changed)

    done = run(SCHEMA, record(1, **bob), state(at=1), streams=streams, on_changed=on_changed)

    assert done.code == ExitCode.REJECTS
    assert ids(done) == ["leads:1"]
    assert run.kept == [COLLISION]
    assert done.states == [b'{"at": 1}']
    assert said(done, "WARNING", "1 event of streams[0] (leads) held: another person's event", "rejects --held")


@pytest.mark.parametrize(("attributes", "ada", "bob"), PEOPLE)
def test_both_leads_are_there_when_an_id_is_another_person_s_in_the_same_run(
    attributes: dict[str, Any], ada: dict[str, Any], bob: dict[str, Any], run: Runs
) -> None:
    """A key that is too short: the first comes through, the other waits, and a full refresh changes nothing of it."""
    messages = [SCHEMA, record(1, **ada), record(1, **bob)]
    streams = [{**LEADS, **attributes}]

    once = run(*messages, streams=streams)
    again = run(*messages, streams=streams)

    assert (once.code, again.code) == (ExitCode.RESOLVED, ExitCode.RESOLVED)
    assert ids(again) == ["leads:1"]
    assert once.events == again.events
    assert run.kept == [COLLISION]
    assert said(once, "INFO", "All is settled but 1 event held for your decision")
    assert said(again, "INFO", "1 already delivered + 0 changed", "1 held")


def test_nobody_s_delivery_takes_away_another_s_row_when_both_come_again(run: Runs) -> None:
    """A collision stays until its identity is mended; each person has a row of their own."""
    run(SCHEMA, record(1, email=ADA))
    run(SCHEMA, record(1, email=BOB))

    done = run(SCHEMA, record(1, email=EVE), record(1, email=BOB), record(1, email=ADA), record(2, email=EVE))

    assert ids(done) == ["leads:1", "leads:2"]
    assert run.kept == [COLLISION, COLLISION]


# The same id and person, with changes.

CHANGES: list[Any] = [
    pytest.param({}, {"email": ADA, "phone": None}, {"email": ADA, "phone": ADAS_NUMBER}, id="a-number-is-added"),
    pytest.param(
        {},
        {"email": ADA, "name": "Ada"},
        {"email": " ADA@Example.COM ", "name": "Ada Lovelace"},
        id="spelled-otherwise",
    ),
    pytest.param(
        {"person_id": "{person}"}, {"person": 7, "email": ADA}, {"person": 7, "email": EVE}, id="another-address"
    ),
    pytest.param(
        {}, {"phone": ADAS_NUMBER, "name": "Ada"}, {"phone": "020 7946 0018", "name": None}, id="a-name-is-gone"
    ),
]


@pytest.mark.parametrize(("attributes", "before", "after"), CHANGES)
def test_a_change_is_told_when_nobody_said_what_becomes_of_it(
    attributes: dict[str, Any], before: dict[str, Any], after: dict[str, Any], run: Runs
) -> None:
    """An update is no collision: it is not sent, and a warning says how many, and what to say."""
    streams = [{**LEADS, **attributes}]
    run(SCHEMA, record(1, **before), streams=streams)

    done = run(SCHEMA, record(1, **after), state(at=2), streams=streams)

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:1"]
    assert run.kept == []
    assert done.states == [b'{"at": 2}']
    assert said(done, "WARNING", "1 event of streams[0] (leads) changed after delivery", "on_changed: skip")
    assert said(done, "INFO", "Changed, not sent: 1 of streams[0] (leads): the same person.")


@pytest.mark.parametrize("where", ["setting", "mapping"])
@pytest.mark.parametrize(("attributes", "before", "after"), CHANGES)
def test_a_change_is_not_sent_when_that_is_said(
    attributes: dict[str, Any], before: dict[str, Any], after: dict[str, Any], where: str, run: Runs
) -> None:
    """Then nobody is warned any more; the receipt counts it."""
    own = {"on_changed": "skip"} if where == "mapping" else {}
    settings = {"streams": [{**LEADS, **attributes, **own}], "on_changed": "skip" if where == "setting" else "send"}
    run(SCHEMA, record(1, **before), **settings)

    done = run(SCHEMA, record(1, **after), **settings)

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:1"]
    assert run.kept == []
    assert "WARNING" not in done.log
    assert said(done, "INFO", "0 already delivered + 1 changed")


@pytest.mark.parametrize(("attributes", "before", "after"), CHANGES)
def test_each_content_is_sent_once_when_changes_are_to_be_sent(
    attributes: dict[str, Any], before: dict[str, Any], after: dict[str, Any], run: Runs
) -> None:
    """With the same event_id; a second full refresh sends nothing, nor does the first content that comes back."""
    settings: dict[str, Any] = {"streams": [{**LEADS, **attributes}], "on_changed": "send"}
    messages = [SCHEMA, record(1, **before), record(1, **after)]

    once = run(*messages, **settings)
    again = run(*messages, **settings)
    back = run(SCHEMA, record(1, **after), record(1, **before), **settings)

    assert [done.code for done in (once, again, back)] == [ExitCode.RESOLVED] * 3
    assert ids(once) == ids(back) == ["leads:1", "leads:1"]
    assert once.events[0] != once.events[1]
    assert run.kept == []
    assert "WARNING" not in back.log
    assert said(once, "INFO", "Changes that were sent: 1 of the delivered of streams[0] (leads).")
    assert said(again, "INFO", "2 already delivered")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"name": "{name}"}, {"name": "{name}", "city": "{phone}"}, id="a-field-is-added"),
        pytest.param({"name": "{name}"}, {"First name": "{name}"}, id="a-field-is-renamed"),
        pytest.param({"name": "{name}", "source": "A"}, {"name": "{name}", "source": "B"}, id="a-constant-changes"),
    ],
)
def test_it_is_a_change_when_the_mapping_of_the_same_record_changed(
    before: dict[str, str], after: dict[str, str], run: Runs
) -> None:
    """Though nobody is named: a record that was read before, to the letter, is nobody else's."""
    rows = [SCHEMA, record(1, name="Ada Lovelace", phone="London")]
    run(*rows, streams=[{**LEADS, "fields": before}])

    done = run(*rows, streams=[{**LEADS, "fields": after}])

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:1"]
    assert run.kept == []
    assert said(done, "INFO", "Changed, not sent: 1 of streams[0] (leads): the same record, mapped in another way.")


# A key that is too short, where nobody is named.

REPORT = {"ad": {"type": "integer"}, "day": {"type": "string"}, "country": {"type": "string"}, "spend": {}}


def report(*countries: str, ad: int = 1, spend: int = 0) -> list[dict[str, Any]]:
    """A report's rows, whose key leaves out the country."""
    rows = [
        {"ad": ad, "day": "2026-03-01", "country": country, "spend": spend + number}
        for number, country in enumerate(countries)
    ]
    return [
        schema("report", keys=["ad", "day"], properties=REPORT),
        *({"type": "RECORD", "stream": "report", "record": row} for row in rows),
    ]


INSIGHTS = {**LEADS, "stream": "report", "event_type": "action"}


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param([report("DE", "FR", "GB")], id="in-one-run"),
        pytest.param([report("DE"), report("FR"), report("GB")], id="one-in-each-run"),
        pytest.param([report("DE", "FR"), report("DE", "FR", "GB")], id="and-the-first-again"),
        pytest.param([report("DE"), report("DE", spend=5), report("DE", spend=6)], id="an-update-for-all-we-know"),
    ],
)
def test_rows_wait_for_a_decision_when_nobody_says_whether_they_are_changes(
    inputs: list[list[dict[str, Any]]], run: Runs
) -> None:
    """The first is delivered, and the others are kept: two countries of a report look like an update."""
    dones = [run(*messages, streams=[INSIGHTS]) for messages in inputs]

    assert ids(dones[-1]) == ["report:1:2026-03-01"]
    assert run.kept == [UNDECIDED, UNDECIDED]
    assert said(dones[-1], "WARNING", "of streams[0] (report) held: other content", "on_changed: skip or send")
    assert said(dones[0], "WARNING", "its events name nobody") is False  # `check` and `preview` say so


@pytest.mark.parametrize(("on_changed", "delivered"), [("skip", 1), ("send", 3)])
def test_rows_are_changes_when_it_is_said_though_nobody_is_named(on_changed: str, delivered: int, run: Runs) -> None:
    """And what waited for that word goes, once it is read again."""
    run(*report("DE", "FR", "GB"), streams=[INSIGHTS])
    assert len(run.kept) == 2

    done = run(*report("DE", "FR", "GB"), streams=[INSIGHTS], on_changed=on_changed)

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["report:1:2026-03-01"] * delivered
    assert run.kept == []


@pytest.mark.parametrize(("rows", "code"), [(10, ExitCode.RESOLVED), (11, ExitCode.REJECTS), (30, ExitCode.REJECTS)])
def test_a_run_ends_with_6_when_most_of_a_report_is_held(rows: int, code: int, run: Runs) -> None:
    """What is held for its identity counts as refused: ten of eleven are more than five percent."""
    done = run(*report(*(f"country {number}" for number in range(rows))), streams=[INSIGHTS])

    assert done.code == code
    assert len(done.events) == 1
    assert len(run.kept) == rows - 1


# Two streams under one alias.


def test_both_shards_leads_are_delivered_when_two_streams_share_an_alias(run: Runs) -> None:
    """Each counts its leads from 1; a full refresh sends neither again."""
    maps = {"eu": {"__alias__": "leads"}, "us": {"__alias__": "leads"}}
    messages = [
        *(schema(stream, properties=PROPERTIES) for stream in maps),
        *(record(1, stream, email=email) for stream, email in (("eu", ADA), ("us", BOB))),
        record(2, "eu", email=EVE),
    ]

    once = run(*messages, stream_maps=maps)
    again = run(*messages, stream_maps=maps)

    assert (once.code, again.code) == (ExitCode.RESOLVED, ExitCode.RESOLVED)
    assert ids(again) == ["eu:1", "eu:2", "us:1"]
    assert {event["event_name"] for event in again.events} == {"leads"}
    assert run.kept == []


@pytest.mark.parametrize(
    ("listed", "keys"),
    [
        pytest.param({"lead_no": {"type": "integer"}, "email": {"type": "string"}}, ["lead_no"], id="another-key"),
        pytest.param(
            {"lead_no": {"type": "integer"}, "email": {"type": "string"}, "id": {"type": "null"}},
            ["lead_no"],
            id="another-key-and-type",
        ),
        pytest.param(
            {"lead_no": {"type": "integer"}, "email": {"type": "string"}}, ["email", "lead_no"], id="two-key-properties"
        ),
    ],
)
def test_each_record_is_judged_by_its_own_schema_when_two_streams_share_an_alias(
    listed: dict[str, Any], keys: list[str], run: Runs
) -> None:
    """The SDK keeps one sink for both, and the last SCHEMA is the one that counts."""
    maps = {"eu": {"__alias__": "leads"}, "us": {"__alias__": "leads"}}

    done = run(
        schema("eu", properties=PROPERTIES),
        schema("us", keys=keys, properties=listed),
        record(1, "eu", email=ADA),
        line(f'{{"lead_no": 1, "email": "{BOB}"}}', "us"),
        record(2, "eu", email=EVE),
        stream_maps=maps,
        streams=[BY_EMAIL],
    )

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["eu:1", "eu:2", f"us:{BOB}:1" if len(keys) > 1 else "us:1"]
    assert run.kept == []


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        pytest.param({"copy": {"__source__": "leads"}}, ["copy:1", "leads:1"], id="a-copy"),
        pytest.param(
            {"leads": {"__alias__": "people"}, "copy": {"__source__": "leads"}},
            ["copy:1", "leads:1"],
            id="beside-an-alias",
        ),
        pytest.param(
            {"a": {"__source__": "leads"}, "b": {"__source__": "leads"}}, ["a:1", "b:1", "leads:1"], id="two-copies"
        ),
        pytest.param({"copy": {"__source__": "le*"}}, ["copy.leads:1", "leads:1"], id="a-copy-by-a-glob"),
    ],
)
def test_each_map_has_ids_of_its_own_when_a_stream_becomes_several(
    maps: dict[str, Any], expected: list[str], run: Runs
) -> None:
    """One record, several events: none of them is a repeat of another."""
    streams = [{**BY_EMAIL, "stream": "*"}]

    once = run(SCHEMA, record(1, email=ADA), stream_maps=maps, streams=streams)
    again = run(SCHEMA, record(1, email=ADA), stream_maps=maps, streams=streams)

    assert (once.code, again.code) == (ExitCode.RESOLVED, ExitCode.RESOLVED)
    assert ids(again) == expected
    assert run.kept == []


# Identities that are mended.


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """A mapping before and after, what is told, and what is said of it then."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    names: str
    formerly: Mapping[str, Any]
    made: str = "leads:{}"
    """The ids that the new mapping makes."""


MENDS = {
    "an-event-is-renamed": Mend(
        before={"event_name": "Signed up"},
        after={"event_name": "Lead created"},
        names="event_name",
        formerly={"event_name": "Signed up"},
    ),
    "an-id-is-mended": Mend(
        before={"event_id": "{id}"},
        after={"event_id": "L-{id}"},
        names="event_id",
        formerly={"event_id": "{id}"},
        made="L-{}",
    ),
    "the-key-s-id-becomes-a-template": Mend(
        before={}, after={"event_id": "L-{id}"}, names="event_id", formerly={"event_id": "leads:{id}"}, made="L-{}"
    ),
    "a-template-becomes-the-key-s-id": Mend(
        before={"event_id": "L-{id}"}, after={}, names="event_id", formerly={"event_id": "L-{id}"}
    ),
    "another-capture": Mend(
        before={}, after={"source_id": "capture-2"}, names="source_id", formerly={"source_id": "capture-1"}
    ),
    "an-affiliate-is-named": Mend(
        before={}, after={"affiliate_id": "P1"}, names="affiliate_id", formerly={"affiliate_id": None}
    ),
    "another-type": Mend(
        before={}, after={"event_type": "action"}, names="event_type", formerly={"event_type": "lead"}
    ),
    "two-attributes": Mend(
        before={"event_id": "{id}", "event_name": "Signed up"},
        after={"event_id": "L-{id}", "event_name": "Lead created"},
        names="event_id and event_name",
        formerly={"event_id": "{id}", "event_name": "Signed up"},
        made="L-{}",
    ),
}
mends = pytest.mark.parametrize("mend", [pytest.param(mend, id=name) for name, mend in MENDS.items()])
TWO = [SCHEMA, record(1, email=ADA), record(2, email=BOB)]
THREE = [*TWO, record(3, email=EVE)]


def _streams(attributes: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    return {"streams": [{**LEADS, "fields": {"email": "{email}"}, **attributes, **others}]}


@mends
def test_nothing_is_sent_when_an_identity_is_mended_without_a_word(mend: Mend, run: Runs) -> None:
    """All that was delivered would be sent again: it is told which attribute, how many, and what to say."""
    before = run(*TWO, **_streams(mend.before))

    done = run(*THREE, state(at=3), **_streams(mend.after))

    assert done.code == ExitCode.SETTINGS
    assert done.events == before.events
    assert done.states == []
    assert run.kept == []
    assert said(done, "ERROR", f"{mend.names} made other identities before", "2 events of stream leads", "formerly")


@mends
def test_only_what_is_new_is_sent_when_a_mended_identity_says_what_it_was(mend: Mend, run: Runs) -> None:
    """At once and in every run after it; what was sent before the mend stays known under the new identity."""
    before = run(*TWO, **_streams(mend.before))
    after = _streams(mend.after, formerly=mend.formerly)

    dones = [run(*THREE, **after) for _ in range(2)]

    assert [done.code for done in dones] == [ExitCode.RESOLVED] * 2
    assert [event for event in dones[-1].events if event not in before.events] == dones[-1].events[2:]
    assert [event["event_id"] for event in dones[-1].events[2:]] == [mend.made.format(3)]
    assert run.kept == []
    assert said(dones[0], "INFO", "1 delivered + 2 already delivered")
    assert said(dones[1], "INFO", "0 delivered + 3 already delivered")


@mends
def test_all_is_sent_once_more_when_a_mended_identity_forgets_what_it_was(mend: Mend, run: Runs) -> None:
    """`formerly: null` says so; and once it was done it may stand there, or be taken away."""
    run(*TWO, **_streams(mend.before))

    once = run(*THREE, **_streams(mend.after, formerly=None))
    again = run(*THREE, **_streams(mend.after, formerly=None))
    without = run(*THREE, **_streams(mend.after))

    assert [done.code for done in (once, again, without)] == [ExitCode.RESOLVED] * 3
    assert len(once.events) == len(without.events) == 5
    assert sorted(event["event_id"] for event in once.events[2:]) == [mend.made.format(number) for number in (1, 2, 3)]


@mends
def test_a_run_is_refused_when_a_mend_is_taken_back_or_its_word_is(mend: Mend, run: Runs) -> None:
    """As long as deliveries of another way remain that nobody speaks of."""
    run(*TWO, **_streams(mend.before))
    mended = run(*THREE, **_streams(mend.after, formerly=mend.formerly))

    without = run(*THREE, **_streams(mend.after))
    back = run(*THREE, **_streams(mend.before))

    assert (without.code, back.code) == (ExitCode.SETTINGS, ExitCode.SETTINGS)
    assert back.events == mended.events
    assert said(without, "ERROR", mend.names, "formerly")
    assert said(back, "ERROR", mend.names, "formerly")


def test_a_run_is_refused_when_a_mend_that_forgot_is_taken_back(run: Runs) -> None:
    """What came since then would be sent under the old id."""
    run(*TWO, **_streams({"event_id": "{id}"}))
    run(*THREE, **_streams({"event_id": "L-{id}"}, formerly=None))

    back = run(*THREE, **_streams({"event_id": "{id}"}))

    assert back.code == ExitCode.SETTINGS
    assert len(back.events) == 5
    assert said(back, "ERROR", "event_id", "3 events", 'formerly: {"event_id": "L-{id}"}')


@pytest.mark.parametrize(
    ("before", "after", "former"),
    [
        pytest.param(["id"], ["email", "id"], "leads:{id}", id="one-more"),
        pytest.param(["email", "id"], ["id"], "leads:{email}:{id}", id="one-less"),
        pytest.param(["id"], ["email"], "leads:{id}", id="another"),
    ],
)
def test_it_is_told_when_a_tap_has_other_key_properties(
    before: list[str], after: list[str], former: str, run: Runs
) -> None:
    """Without a word in the settings all ids are others; what is told makes them known again."""
    rows = [record(1, email="ada:50%@example.com"), record(2, email=BOB)]
    run(schema(keys=before, properties=PROPERTIES), *rows)

    told = run(schema(keys=after, properties=PROPERTIES), *rows)
    mended = run(
        schema(keys=after, properties=PROPERTIES),
        *rows,
        record(3, email=EVE),
        **_streams({"fields": "*"}, formerly={"event_id": former}),
    )

    assert told.code == ExitCode.SETTINGS
    assert len(told.events) == 2
    assert said(told, "ERROR", "event_id made other identities before", f'formerly: {{"event_id": "{former}"}}')
    assert mended.code == ExitCode.RESOLVED
    assert [event["fields"]["email"] for event in mended.events[2:]] == [EVE]


def test_another_s_lead_is_sent_when_the_old_id_had_not_told_the_two_apart(run: Runs) -> None:
    """That is what was wrong with it: the collision is a new event under the mended id, and its row goes."""
    mapping = {"fields": "*", "event_id": "{name}"}
    rows = [SCHEMA, record(1, name="Form A", email=ADA), record(2, name="Form A", email=BOB)]
    first = run(*rows, **_streams(mapping))
    assert (ids(first), run.kept) == (["Form A"], [COLLISION])

    done = run(*rows, **_streams({**mapping, "event_id": "{name}:{id}"}, formerly={"event_id": "{name}"}))

    assert done.code == ExitCode.RESOLVED
    assert [event["fields"]["email"] for event in done.events] == [ADA, BOB]
    assert ids(done) == ["Form A", "Form A:2"]
    assert run.kept == []


@pytest.mark.parametrize(
    ("later", "code", "arrived"),
    [
        pytest.param({"email": ADA, "phone": ADAS_NUMBER}, ExitCode.RESOLVED, 1, id="the-same-person-changed"),
        pytest.param({"email": BOB, "phone": None}, ExitCode.RESOLVED, 2, id="another-is-a-new-event"),
        pytest.param({"email": ADA, "phone": None}, ExitCode.RESOLVED, 1, id="the-very-same"),
    ],
)
def test_a_record_is_compared_with_its_past_when_its_identity_was_mended(
    later: dict[str, Any], code: int, arrived: int, run: Runs
) -> None:
    """By content and by person, as any other."""
    run(SCHEMA, record(1, email=ADA), **_streams({"fields": "*", "event_id": "{id}"}))

    done = run(
        SCHEMA, record(1, **later), **_streams({"fields": "*", "event_id": "L-{id}"}, formerly={"event_id": "{id}"})
    )

    assert done.code == code
    assert len(done.events) == arrived


SALE = {"event_type": "conversion", "event_name": "Won", "event_id": "{id}:won"}
WON = {**SALE, "when": {"name": "won"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([{}], [WON, {}], id="one-is-added-before"),
        pytest.param([{}], [{}, SALE], id="one-is-added-behind"),
        pytest.param([WON, {}], [{}], id="one-is-taken-away"),
        pytest.param([WON, {}], [WON, {"person_id": "{person}"}], id="its-content-changes"),
    ],
)
def test_no_word_is_wanted_when_a_mapping_comes_or_goes(
    before: list[dict[str, Any]], after: list[dict[str, Any]], run: Runs
) -> None:
    """Nobody's place is taken, and nothing is sent again."""
    rows = [SCHEMA, record(1, email=ADA, name="won"), record(2, email=BOB, name="open")]
    streams = [[{**LEADS, "fields": {"email": "{email}"}, **each} for each in mappings] for mappings in (before, after)]
    run(*rows, streams=streams[0])

    done = run(SCHEMA, rows[2], streams=streams[1])

    assert done.code == ExitCode.RESOLVED
    assert len(done.events) == 2


# Everything refused.


def _too_long(number: int) -> dict[str, Any]:
    return record(number, email=f"{'long' * 20}-{number}@example.com")


@pytest.mark.parametrize(
    ("percent", "code"), [(5, ExitCode.REJECTS), (99.9, ExitCode.REJECTS), (100, ExitCode.RESOLVED)]
)
@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        pytest.param([_too_long(1), _too_long(2)], {}, id="two-against-the-schema"),
        pytest.param([_too_long(1)], {}, id="one"),
        pytest.param([record(1), record(2)], {"streams": [{**LEADS, "event_id": "{email}"}]}, id="two-without-an-id"),
        pytest.param(
            [record(1, email=ADA), record(2)],
            {"stream_maps": {"leads": {"phone": "int(email)"}}},
            id="two-that-no-map-can-take",
        ),
    ],
)
def test_a_run_is_no_success_when_everything_is_refused(
    rows: list[dict[str, Any]], settings: dict[str, Any], percent: float, code: int, run: Runs
) -> None:
    """However few there are: a job that turns down all it reads is not green. 100 percent turns that off."""
    done = run(SCHEMA, *rows, state(at=1), **settings, max_reject_percent=percent)

    assert done.code == code
    assert done.events == []
    assert len(run.kept) == len(rows)
    assert done.states == [b'{"at": 1}']
    assert said(done, "ERROR", f"{len(rows)} of {len(rows)} of stream leads") is (code == ExitCode.REJECTS)


@pytest.mark.parametrize(("percent", "code"), [(5, ExitCode.REJECTS), (100, ExitCode.RESOLVED)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_run_is_no_success_when_the_api_refuses_everything(
    count: int, percent: float, code: int, tmp_path: Path
) -> None:
    """A capture that has accepted an event before, and accepts none of these."""
    with staged(tmp_path) as stage:
        run = Runs(stage)
        run(SCHEMA, record(9, email=EVE))
        stage.wire.post("/_sandbox/faults", {"refuse_sources": ["capture-1"]})

        done = run(SCHEMA, *(record(number, email=ADA) for number in range(count)), max_reject_percent=percent)

        assert done.code == code
        assert ids(done) == ["leads:9"]
        assert run.kept == ["status 422"] * count


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([record(9, email=EVE)], id="delivered"),
        pytest.param([record(1, email=ADA)], id="delivered-before"),
        pytest.param([record(1, email=ADA, phone=ADAS_NUMBER)], id="changed"),
    ],
)
def test_a_run_is_a_success_when_one_event_was_not_refused(rows: list[dict[str, Any]], run: Runs) -> None:
    """One that is there shows that not everything is wrong."""
    run(SCHEMA, record(1, email=ADA))

    done = run(SCHEMA, *rows, _too_long(2), _too_long(3))

    assert done.code == ExitCode.RESOLVED
    assert len(run.kept) == 2


def test_one_stream_is_told_when_everything_of_it_is_refused_beside_another(run: Runs) -> None:
    """A thousand leads of another stream do not cover it up."""
    rows = [record(number, email=ADA) for number in range(30)]
    sales = [schema("sales", properties=PROPERTIES), {**_too_long(1), "stream": "sales"}]

    done = run(SCHEMA, *rows, *sales, streams=[{**LEADS, "stream": "*"}])

    assert done.code == ExitCode.REJECTS
    assert said(done, "ERROR", "1 of 1 of stream sales")


# Rows of refused leads, whose ids come back.

MENDABLE: list[Any] = [
    pytest.param({"email": f"{'x' * 40}@example.com", "phone": ADAS_NUMBER}, "schema: /email: maxLength", id="invalid"),
    pytest.param({"email": 7, "phone": ADAS_NUMBER}, "schema: /email: type", id="invalid-by-its-type"),
    pytest.param(
        {"email": None, "phone": ADAS_NUMBER, "person": "x"}, "schema: /person: type", id="by-another-property"
    ),
]


@pytest.mark.parametrize(("refused", "reason"), MENDABLE)
@pytest.mark.parametrize("is_same_run", [True, False], ids=["in-the-same-run", "in-the-next-run"])
def test_a_refused_lead_stays_when_its_id_comes_back_with_another_person(
    refused: dict[str, Any], reason: str, run: Runs, *, is_same_run: bool
) -> None:
    """A delivery of another's is no delivery of theirs."""
    before, after = record(1, **refused), record(1, email=None, phone=BOBS_NUMBER)

    dones = [run(SCHEMA, before, after)] if is_same_run else [run(SCHEMA, before), run(SCHEMA, after)]

    assert dones[-1].code == ExitCode.RESOLVED
    assert ids(dones[-1]) == ["leads:1"]
    assert run.kept == [reason]
    assert said(dones[-1], "INFO", "1 kept row waits")


@pytest.mark.parametrize(("refused", "reason"), MENDABLE)
@pytest.mark.parametrize("is_same_run", [True, False], ids=["in-the-same-run", "in-the-next-run"])
def test_a_refused_lead_goes_when_it_was_mended_and_is_delivered(
    refused: dict[str, Any], reason: str, run: Runs, *, is_same_run: bool
) -> None:
    """The same person under the same key: nothing is left to send again."""
    before, after = record(1, **refused), record(1, email=None, phone="020 7946 0018")

    first = run(SCHEMA, before, *([after] if is_same_run else []))
    kept = run.kept
    done = first if is_same_run else run(SCHEMA, after)

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:1"]
    assert kept == ([] if is_same_run else [reason])
    assert run.kept == []


@pytest.mark.parametrize(
    ("mended", "kept"),
    [
        pytest.param({"email": ADA, "phone": ADAS_NUMBER}, [], id="the-same-person"),
        pytest.param(
            {"email": " ADA@example.com", "phone": "020 7946 0018", "name": "Ada L."}, [], id="spelled-otherwise"
        ),
        pytest.param({"email": BOB, "phone": BOBS_NUMBER}, ["status 422"], id="another-person"),
        pytest.param({"email": BOB, "phone": ADAS_NUMBER}, ["status 422"], id="another-address"),
    ],
)
def test_a_rejected_lead_goes_when_the_same_person_s_is_delivered_under_its_id(
    mended: dict[str, Any], kept: list[str], tmp_path: Path
) -> None:
    """And stays where it is another's; what was rejected defends no identity, so either is sent."""
    streams = [{**LEADS, "affiliate_id": "P1"}]
    with staged(tmp_path, affiliate_required=("phone",)) as stage:
        run = Runs(stage)
        first = run(SCHEMA, record(9, email=EVE, phone="0170 5550123"), record(1, email=ADA), streams=streams)
        assert (ids(first), run.kept) == (["leads:9"], ["status 422"])

        done = run(SCHEMA, record(1, **mended), streams=streams)

        assert done.code == ExitCode.RESOLVED
        assert ids(done) == ["leads:1", "leads:9"]
        assert run.kept == kept


# A ledger that is lost or mistyped.


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("ledgre", id="mistyped"),
        pytest.param("volume/ledger", id="a-disk-that-is-not-there"),
        pytest.param("empty", id="an-empty-directory"),
        pytest.param("ledger.sqlite3/x", id="below-another"),
    ],
)
def test_no_ledger_is_made_when_a_new_one_is_refused(place: str, run: Runs) -> None:
    """All would be sent again: the run ends before, says where it looked, and leaves nothing behind."""
    folder = run.stage.folder
    (folder / "empty").mkdir()
    sent = run(SCHEMA, record(1, email=ADA), new_ledger="allow")
    before = sorted(folder.rglob("*"))

    done = run(SCHEMA, record(1, email=ADA), state(at=1), ledger=str(folder / place), new_ledger="refuse")

    assert done.code == ExitCode.SETTINGS
    assert done.events == sent.events
    assert done.states == []
    assert said(done, "ERROR", str(folder / place), "new_ledger")
    assert sorted(folder.rglob("*")) == before


def test_a_run_goes_on_when_a_new_ledger_is_refused_and_there_is_one(run: Runs) -> None:
    """The setting costs nothing where all is as it should be."""
    run(SCHEMA, record(1, email=ADA))

    done = run(SCHEMA, record(1, email=ADA), record(2, email=BOB), new_ledger="refuse")

    assert done.code == ExitCode.RESOLVED
    assert ids(done) == ["leads:1", "leads:2"]


# Another API than before.


def test_a_run_warns_once_when_its_ledger_knows_another_api_alone(run: Runs) -> None:
    """The host of api_url was changed, so all is sent again; whoever reads the log knows why, and what to put back."""
    run(SCHEMA, record(1, email=ADA), record(2, email=BOB))

    with wired() as elsewhere:
        first = run(SCHEMA, record(1, email=ADA), api_url=elsewhere.url)
        second = run(SCHEMA, record(1, email=ADA), api_url=elsewhere.url)
        sent = elsewhere.counts()["accepted"]

    assert (first.code, second.code, sent) == (ExitCode.RESOLVED, ExitCode.RESOLVED, 1)
    assert said(first, "WARNING", elsewhere.url, f"of 2 to {run.stage.wire.url}", "put environment and api_url back")
    assert not said(second, "WARNING", "")


def test_a_run_ends_when_a_new_ledger_is_refused_and_its_ledger_knows_another_api_alone(run: Runs) -> None:
    """Before anything is sent; at the API that it was it goes on."""
    run(SCHEMA, record(1, email=ADA))

    with wired() as elsewhere:
        done = run(SCHEMA, record(1, email=ADA), state(at=1), api_url=elsewhere.url, new_ledger="refuse")
        sent = elsewhere.counts()["requests"]
    again = run(SCHEMA, record(1, email=ADA), new_ledger="refuse")

    assert (done.code, done.states, sent) == (ExitCode.SETTINGS, [], 0)
    assert said(done, "ERROR", f"of 1 to {run.stage.wire.url}", "set new_ledger: allow")
    assert (again.code, ids(again)) == (ExitCode.RESOLVED, ["leads:1"])
