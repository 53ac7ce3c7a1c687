"""A mapping in plain sentences."""

from __future__ import annotations

from typing import Any

import pytest

from target_driftrock.mapping.sentences import Row, Sentence, rows, sentences
from target_driftrock.settings import Comparison, OnChanged, StreamMapping

LEAD: dict[str, Any] = {
    "index": 0,
    "stream": "leads",
    "event_type": "lead",
    "source_id": "website",
    "fields": {"email": "{email}"},
}


def told(sentence: Sentence) -> str:
    """As one reads it, what is quoted in backquotes."""
    text = "".join(f" `{text}`" if is_quoted else f" {text}" for text, is_quoted in sentence)
    return text.strip().replace(" ,", ",")


def said(**attributes: Any) -> list[str]:
    """What is said of a mapping."""
    return [told(sentence) for sentence in sentences(StreamMapping(**{**LEAD, **attributes}))]


def test_what_becomes_of_a_record_is_said_when_a_mapping_is_plain() -> None:
    """Whatever it does not say is said, too."""
    assert said() == [
        "Each record of the stream `leads` becomes a lead called as its stream is at the capture `website`",
        "It is known by its stream and key, and sent once",
        "It is dated when it arrives",
    ]


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        pytest.param({"stream": "crm-*"}, "Each record of streams like `crm-*` becomes a lead", id="a glob"),
        pytest.param({"skip": True}, "Each record of the stream `leads` is left out: nothing is sent", id="skipped"),
        pytest.param(
            {"when": {"stage": ("won", None), "sure": (True,), "rank": (3,)}},
            "Each record of the stream `leads`, whose `stage` is `won` or `nothing`, and whose `sure` is `true`, and "
            "whose `rank` is `3`, becomes a lead",
            id="a condition",
        ),
        pytest.param(
            {
                "when": {
                    "stage | lower": ("won",),
                    "owner": Comparison(but=("test", None)),
                    "amount": Comparison(but=(5,), bounds=((">", 0), ("<=", 9))),
                }
            },
            "whose `stage | lower` is `won`, and whose `owner` is neither `test` nor `nothing`, and whose `amount` is "
            "not `5` and is more than `0` and is at most `9`, becomes a lead",
            id="comparisons",
        ),
        pytest.param({"event_type": "action"}, "becomes an action called", id="an action"),
        pytest.param({"event_type": "{type}"}, "becomes a lead, conversion or action, as `{type}` says", id="any type"),
        pytest.param({"event_name": "For {form}"}, "called `For {form}` at the capture", id="a name"),
        pytest.param(
            {"affiliate_id": "{partner}"}, "affiliate endpoint, for the affiliate `{partner}`", id="affiliate"
        ),
        pytest.param({"event_id": "{id}:{stage}"}, "It is known by `{id}:{stage}`, and sent once", id="an id"),
        pytest.param({"has_identity": False}, "Nothing tells it from its repeat", id="no id"),
        pytest.param({"person_id": "{contact}"}, "It is about the person `{contact}`", id="a person"),
        pytest.param({"created_at": "{at}"}, "It is dated `{at}`", id="a time"),
        pytest.param(
            {"on_changed": OnChanged.SKIP}, "under a known event_id is not sent", id="changes that are not sent"
        ),
        pytest.param({"on_changed": OnChanged.SEND}, "under a known event_id is sent as well", id="changes that are"),
    ],
)
def test_it_is_said_when_a_mapping_says_it(attributes: dict[str, Any], sentence: str) -> None:
    """Each attribute in words, templates as they stand."""
    assert sentence in "\n".join(said(**attributes))


def test_what_is_sent_is_listed_when_a_mapping_names_it() -> None:
    """Of what each is made; a constant is no template."""
    mapping = StreamMapping(
        **{**LEAD, "ga_client_id": "{ga}", "metadata": {"a": "{b}"}, "fields": {"email": "{email}", "n": 3, "x": None}}
    )

    assert list(rows(mapping)) == [
        Row("ga_client_id", "{ga}", is_constant=False),
        Row("metadata.a", "{b}", is_constant=False),
        Row("fields.email", "{email}", is_constant=False),
        Row("fields.n", "3", is_constant=True),
        Row("fields.x", "nothing", is_constant=True),
    ]
    assert [row.name for row in rows(StreamMapping(**{**LEAD, "fields": "*", "metadata": "{all}"}))] == [
        "metadata",
        "fields",
    ]
