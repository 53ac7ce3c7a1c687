"""`preview`: what it prints of an input, by the way that a run takes."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from target_driftrock.commands.preview import Preview
from target_driftrock.commands.search import GROUP
from target_driftrock.mapping.attribute import NO_TIME
from target_driftrock.target import TargetDriftrock
from tests.commands.inputs import ANOTHER, LATER, LEADS, NOBODY, record, schema, singer, target

INVALID = record(9, email=7)


def previewed(
    source: io.BytesIO, previewing: TargetDriftrock | None = None, *, limit: int | None = None
) -> tuple[Preview, list[dict[str, Any]]]:
    """What came of an input: the preview, and the lines that it printed."""
    printed: list[bytes] = []
    preview = Preview(previewing or target(), write=printed.append, limit=limit)
    preview.read(source)
    return preview, [json.loads(line) for line in printed]


def test_what_cannot_be_seen_is_escaped_when_a_line_is_printed() -> None:
    """In names and values alike, and as JSON reads it: neither a line separator nor an escape begins anything."""
    hidden = "a\u2028b\u00a0c\x9bd\u202e\U000e0041"
    printed: list[bytes] = []
    Preview(target(), write=printed.append).read(singer(schema(), record(1, email=f"José {hidden}")))

    (line,) = printed
    assert json.loads(line)["event"]["fields"]["email"] == f"José {hidden}"
    assert line.count(rb"a\u2028b\u00a0c\u009bd\u202e\udb40\udc41") == 1
    assert "José" in line.decode()


def test_each_event_is_printed_as_it_would_be_sent_when_an_input_is_right() -> None:
    """With its line, its endpoint and its mapping."""
    preview, lines = previewed(singer(schema(), record(1), record(2, at=None)))

    assert lines == [
        {
            "line": 2,
            "endpoint": "/v2/event",
            "mapping": "streams[0] (leads)",
            "event": {
                "event_type": "lead",
                "event_name": "leads",
                "source_id": "capture-1",
                "fields": {"email": "ada-1@example.com"},
                "event_id": "leads:1",
                "created_at": "2026-03-04T05:06:07.000Z",
            },
        },
        {
            "line": 3,
            "endpoint": "/v2/event",
            "mapping": "streams[0] (leads)",
            "event": {
                "event_type": "lead",
                "event_name": "leads",
                "source_id": "capture-1",
                "fields": {"email": "ada-2@example.com"},
                "event_id": "leads:2",
            },
        },
    ]
    assert preview.exit_code == 0
    assert list(preview.summary()) == [
        "Records: 2 read = 2 mapped + 0 invalid + 0 filtered + 0 unmapped.",
        "Events: 2. Nothing was sent (exit 0).",
    ]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "SSL_CERT_FILE"])
def test_each_event_is_printed_when_the_network_could_not_be_used(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Nothing is sent, so nothing of it matters."""
    monkeypatch.setenv(variable, "socks5://proxy.example.com")

    preview, lines = previewed(singer(schema(), record(1)), target(environment="production", api_key="key"))

    assert [line["event"]["event_id"] for line in lines] == ["leads:1"]
    assert preview.exit_code == 0


def test_numbers_stay_exact_when_an_event_is_printed() -> None:
    """What is printed is the very body, not a reading of it."""
    printed: list[bytes] = []
    mapping = {**LEADS, "fields": {"value": "{value}"}}
    source = singer(schema(value={"type": "number"}), record(1, value="VALUE"))
    text = source.getvalue().replace(b'"VALUE"', b"1.10")

    Preview(target(mapping), write=printed.append).read(io.BytesIO(text))

    assert b'"fields":{"value":1.10}' in printed[0]


def test_the_affiliate_endpoint_is_printed_when_a_mapping_names_an_affiliate() -> None:
    """The endpoint is the one that a run would post to."""
    _, lines = previewed(singer(schema(), record(1)), target({**LEADS, "affiliate_id": "partner-1"}))

    assert lines[0]["endpoint"] == "/v2/affiliate_event"


@pytest.mark.parametrize(
    ("mapping", "invalid", "where", "reason"),
    [
        pytest.param(LEADS, record(1, email=7), "stream leads", "schema: /email: type", id="against its SCHEMA"),
        pytest.param(LEADS, record(1, at="soon"), "streams[0] (leads)", f"created_at {NO_TIME.rule}", id="no time"),
        pytest.param(
            LEADS,
            {"type": "RECORD", "stream": "leads", "record": {"email": "ada@example.com"}},
            "streams[0] (leads)",
            "event_id is null (key property id)",
            id="without its key",
        ),
    ],
)
def test_line_mapping_and_rule_are_printed_when_a_record_is_invalid(
    mapping: dict[str, Any], invalid: dict[str, Any], where: str, reason: str
) -> None:
    """The rest is shown all the same, and the exit code is that of a run with rejects."""
    preview, lines = previewed(singer(schema(), record(5), invalid), target(mapping))

    assert lines[1] == {"line": 3, "stream": "leads", "mapping": where, "invalid": reason}
    assert preview.exit_code == 6
    assert f"error: 1 invalid of {where}: {reason}." in list(preview.summary())
    assert "Records: 2 read = 1 mapped + 1 invalid + 0 filtered + 0 unmapped." in list(preview.summary())


def test_the_rest_is_shown_when_the_first_ten_records_are_invalid() -> None:
    """A run would stop there; whoever mends a mapping wants to see everything."""
    preview, lines = previewed(singer(schema(), *[INVALID] * 12, record(1)))

    assert (len(lines), preview.exit_code) == (13, 6)
    assert "event" in lines[-1]


def test_records_are_counted_as_filtered_when_no_event_comes_of_them() -> None:
    """Whether `when` keeps them out, or the stream is skipped."""
    mapping = {**LEADS, "when": {"email": "ada-1@example.com"}}
    source = singer(schema(), record(1), record(2), schema("audit"), record(3, "audit"))

    preview, lines = previewed(source, target(mapping, {"stream": "audit", "skip": True}))

    assert (len(lines), preview.exit_code) == (1, 0)
    assert "Records: 3 read = 1 mapped + 0 invalid + 2 filtered + 0 unmapped." in list(preview.summary())


def test_a_mapping_fault_is_told_once_when_its_schema_comes_again() -> None:
    """The other streams go on; what would have come of this one is unmapped."""
    source = singer(schema("deals"), record(1, "deals"), schema("deals"), record(2, "deals"), schema(), record(1))

    preview, lines = previewed(source)

    assert (lines[0]["line"], lines[0]["stream"]) == (1, "deals")
    assert lines[0]["error"].startswith("streams: no mapping names the stream deals")
    assert [line["line"] for line in lines] == [1, 6]
    assert preview.exit_code == 2
    assert sum(line.startswith("error: ") for line in preview.summary()) == 1
    assert "Records: 3 read = 1 mapped + 0 invalid + 0 filtered + 2 unmapped." in list(preview.summary())


def test_records_are_mapped_again_when_a_right_schema_follows_a_wrong_one() -> None:
    """As the tap mends it in the middle."""
    wrong = {**schema(), "schema": {"properties": {"id": {"type": "integer"}}}}

    preview, lines = previewed(singer(wrong, record(1), schema(), record(2)))

    assert [("event" in line, line["line"]) for line in lines] == [(False, 1), (False, 1), (True, 4)]
    assert preview.exit_code == 2


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param(io.BytesIO(singer(schema(), record(1)).getvalue() + b"{no json\n"), 3, id="malformed"),
        pytest.param(io.BytesIO(singer(schema(), record(1), record(2)).getvalue()[:-9]), 3, id="cut"),
        pytest.param(singer(schema(), record(1), record(2, "deals")), 3, id="no schema"),
        pytest.param(singer(schema(), record(1), {"type": "BATCH", "stream": "leads"}), 3, id="a batch"),
    ],
)
def test_reading_ends_with_the_line_s_number_when_the_input_is_not_singer(source: io.BytesIO, line: int) -> None:
    """All before it is shown."""
    preview, lines = previewed(source)

    assert "event" in lines[0]
    assert (lines[1]["line"], set(lines[1])) == (line, {"line", "error"})
    assert preview.exit_code == 5


def test_what_a_person_should_know_is_told_once_when_a_schema_is_right() -> None:
    """Warnings are in the summary, and do not change the exit code."""
    mapping = {key: value for key, value in LEADS.items() if key != "created_at"}

    preview, _ = previewed(singer(schema(), schema(more={"type": "string"}), record(1)), target(mapping))

    warnings = [line for line in preview.summary() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "created_at is missing" in warnings[0]
    assert preview.exit_code == 0


def test_a_key_of_stream_maps_is_a_warning_when_no_stream_met_it() -> None:
    """A filter on consent under a mistyped name would let every record pass; another tap's is well."""
    mapped = {"lead": {"__filter__": "email"}, "leads": {"email": "email"}}

    preview, _ = previewed(singer(schema(), record(1)), target(stream_maps=mapped))

    assert preview.exit_code == 0
    assert any("warning: stream_maps has the key lead," in line for line in preview.summary())
    assert not any("key leads" in line for line in preview.summary())


def test_reading_ends_when_so_many_records_were_asked_for() -> None:
    """What comes after them is not looked at, so an unmet key of `stream_maps` is not judged either."""
    source = io.BytesIO(singer(schema(), record(1), record(2), record(3)).getvalue() + b"{no json\n")

    preview, lines = previewed(source, target(stream_maps={"deals": {}}), limit=2)

    assert ([line["line"] for line in lines], preview.exit_code) == ([2, 3], 0)


def test_stream_maps_run_before_when_there_are_some() -> None:
    """A hash, and one stream split in two: what is shown is what comes out of them."""
    mapped = {
        "leads": {"email": "md5(email)"},
        "copies": {"__source__": "leads", "__filter__": "id == 2", "id": "id", "email": "email", "at": "at"},
    }

    _, lines = previewed(
        singer(schema(), record(1), record(2)), target(LEADS, {**LEADS, "stream": "copies"}, stream_maps=mapped)
    )

    assert [(line["line"], line["mapping"]) for line in lines] == [
        (2, "streams[0] (leads)"),
        (3, "streams[0] (leads)"),
        (3, "streams[1] (copies)"),
    ]
    assert "@" not in lines[0]["event"]["fields"]["email"]
    assert lines[2]["event"]["fields"]["email"] == "ada-2@example.com"


def test_an_expression_has_its_configuration_when_there_is_some() -> None:
    """What `stream_map_config` says reaches `config`."""
    made = target(
        LEADS, stream_maps={"leads": {"email": "config['prefix'] + email"}}, stream_map_config={"prefix": "new-"}
    )

    _, (line,) = previewed(singer(schema(), record(1)), made)

    assert line["event"]["fields"]["email"] == "new-ada-1@example.com"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param(singer(schema(), INVALID), 6, id="a record"),
        pytest.param(io.BytesIO(singer(schema(), INVALID).getvalue() + b"{no json\n"), 5, id="a record and a line"),
        pytest.param(
            io.BytesIO(singer(schema(), INVALID, schema("deals")).getvalue() + b"{no json\n"),
            2,
            id="a record, a line and a mapping",
        ),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_when_several_things_are_wrong(source: io.BytesIO, code: int) -> None:
    """In the order in which a run is said to end by them."""
    preview, _ = previewed(source)

    assert preview.exit_code == code
    assert f"(exit {code})" in list(preview.summary())[-1]


# Identities.


@pytest.mark.parametrize(
    ("mapping", "second", "marks", "told", "code"),
    [
        pytest.param(
            LEADS,
            record(1, email=ANOTHER),
            {"collision": "its event_id is another's"},
            "error: 1 event of streams[0] (leads) under the event_id of another person's event: a run would hold",
            6,
            id="another person's",
        ),
        pytest.param(
            NOBODY,
            record(1, email=ANOTHER),
            {"undecided": "other content under a known event_id: set on_changed, or mend event_id"},
            "error: 1 event of streams[0] (leads) with other content under an event_id that came before, and nothing "
            "says whether",
            6,
            id="perhaps another's",
        ),
        pytest.param(
            LEADS,
            record(1, at=LATER),
            {"changed": "the same person"},
            "warning: 1 event of streams[0] (leads) changed, both contents in this input: is the key too short?",
            0,
            id="the same person's",
        ),
    ],
)
def test_an_event_is_marked_when_a_run_would_not_send_it_for_its_identity(
    mapping: dict[str, Any], second: dict[str, Any], marks: dict[str, str], told: str, code: int
) -> None:
    """Beside the event, which is shown all the same; the summary says what to do, and shows no value."""
    preview, lines = previewed(singer(schema(), record(1), second), target(mapping))

    assert [line["line"] for line in lines] == [2, 3]
    assert {name: value for name, value in lines[1].items() if name not in lines[0]} == marks
    summary = list(preview.summary())
    assert len([line for line in summary if line.startswith(told)]) == 1
    assert "@" not in "".join(summary)
    assert preview.exit_code == code


@pytest.mark.parametrize(
    ("on_changed", "marks", "events"),
    [
        pytest.param("skip", [{}, {"changed": "the same person"}], "Events: 2, of them 1 changed.", id="skip"),
        pytest.param("send", [{}, {}], "Events: 2.", id="send"),
    ],
)
def test_a_change_is_no_fault_when_the_settings_say_what_becomes_of_it(
    on_changed: str, marks: list[dict[str, str]], events: str
) -> None:
    """It is shown whether it would be sent, and nobody is warned."""
    preview, lines = previewed(singer(schema(), record(1), record(1, at=LATER)), target(on_changed=on_changed))

    assert [{name: line[name] for name in line if name == "changed"} for line in lines] == marks
    assert list(preview.summary()) == [
        "Records: 2 read = 2 mapped + 0 invalid + 0 filtered + 0 unmapped.",
        f"{events} Nothing was sent (exit 0).",
    ]


def test_repeats_are_counted_when_their_content_is_the_very_same() -> None:
    """Taps read the last rows again each time: nothing is wrong with that."""
    source = singer(schema(), record(1), record(1), record(2), record(2), record(2, at=LATER))

    preview, lines = previewed(source)

    assert [set(line) & {"changed", "collision", "undecided"} for line in lines] == [*[set()] * 4, {"changed"}]
    assert list(preview.summary())[-1] == "Events: 5, of them 2 repeats and 1 changed. Nothing was sent (exit 0)."


def test_what_is_wrong_is_counted_by_mapping_when_several_have_it() -> None:
    """Each mapping has its own `event_id` to mend."""
    twice = [record(1, email=ANOTHER), record(1, email="jose@example.com")]
    source = singer(
        schema(), record(1), *twice, schema("deals"), record(1, "deals"), record(1, "deals", email="jose@example.com")
    )

    preview, _ = previewed(source, target(LEADS, {**LEADS, "stream": "deals"}))

    assert [line.partition(" under")[0] for line in preview.summary() if line.startswith("error: ")] == [
        "error: 2 events of streams[0] (leads)",
        "error: 1 event of streams[1] (deals)",
    ]


def test_two_persons_collide_when_hundreds_of_events_lie_between() -> None:
    """Events are judged in groups, and remembered from each to the next."""
    between = [record(number) for number in range(2, 2 * GROUP)]

    preview, lines = previewed(singer(schema(), record(1), *between, record(1, email=ANOTHER)))

    assert [line["line"] for line in lines] == list(range(2, 2 * GROUP + 2))
    assert [line["line"] for line in lines if "collision" in line] == [2 * GROUP + 1]
    assert preview.exit_code == 6


def test_lines_keep_their_order_when_some_wait_for_what_is_known_of_them() -> None:
    """Invalid records, faults and events stand as they were read."""
    source = singer(
        *[schema(), record(1), INVALID, record(1, email=ANOTHER), schema("deals"), INVALID, record(2)],
        *[record(2), record(3, "lost")],
    )

    _, lines = previewed(source)

    kinds = [next(kind for kind in ("collision", "event", "invalid", "error") if kind in line) for line in lines]
    assert [line["line"] for line in lines] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert kinds == ["event", "invalid", "collision", "error", "invalid", "event", "event", "error"]


class Unfinished(io.BytesIO):
    """An input after which blank lines follow until `is_over()`."""

    def __init__(self, source: io.BytesIO, is_over: Callable[[], bool]) -> None:
        super().__init__(source.getvalue())
        self._is_over = is_over

    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(size) or (b"" if self._is_over() else b"\n")


def test_a_line_is_printed_when_a_tap_has_more_to_say() -> None:
    """Within about a second, however few there are."""
    printed: list[bytes] = []
    deadline = time.monotonic() + 30
    printed_at_last_line: list[int] = []

    def is_over() -> bool:
        printed_at_last_line.append(len(printed))
        return bool(printed) or time.monotonic() > deadline

    Preview(target(), write=printed.append).read(Unfinished(singer(schema(), record(1)), is_over))

    assert printed_at_last_line[-1] == 1
