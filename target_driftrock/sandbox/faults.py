"""The named faults: one table, from which the options, their help, the JSON control and the page in docs/ are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=1e9, title="seconds")]
Share = Annotated[float, Meta(ge=0, le=1, title="share")]
Rate = Annotated[int, Meta(ge=0, title="number")]
Status5xx = Annotated[int, Meta(ge=500, le=599, title="status")]
Status3xx4xx = Annotated[int, Meta(ge=300, le=499, title="status")]
Status2xx5xx = Annotated[int, Meta(ge=200, le=599, title="status")]
Names = Annotated[tuple[str, ...], Meta(title="name,name")]
Text = Annotated[str, Meta(title="text")]
Switch = Annotated[bool, Meta(title="true|false")]
RetryAfter = Literal["none", "seconds", "date"]
Poison = Literal["403", "500", "503", "silence"]


class FaultError(ValueError):
    """A fault that the table does not have, or a value that it does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Every fault with its value; by default none happens. Each annotation ends with the sentence that explains it."""

    latency: Annotated[Seconds, "Every token and event waits so long for its answer."] = 0.0
    slow_share: Annotated[Share, "Share of events whose answer is late by slow_seconds more."] = 0.0
    slow_seconds: Annotated[Seconds, "How late a slow answer is."] = 2.0

    token_lifetime: Annotated[Seconds, "How long a token lives, as its expires_in says."] = 3600.0
    revoke_every: Annotated[Seconds, "A token is revoked at this age, whatever its expires_in says; 0 is never."] = 0.0
    token_delay: Annotated[Seconds, "A token is good only so long after it was given."] = 0.0
    unauthorized_share: Annotated[Share, "Share of events that get 401, whatever their token: one node is ill."] = 0.0
    token_down: Annotated[Switch, "The token endpoint answers 503."] = False
    token_latency: Annotated[Seconds, "A token waits so long for its answer, besides latency."] = 0.0

    rate_limit: Annotated[Rate, "Events let through within any second, the others get 429; 0 is no limit."] = 0
    retry_after: Annotated[RetryAfter, "Form of the Retry-After that comes with a 429."] = "none"
    retry_after_seconds: Annotated[Seconds, "What every Retry-After asks for."] = 1.0

    error_share: Annotated[Share, "Share of events that get error_status, and are not accepted."] = 0.0
    error_status: Annotated[Status5xx, "The status that error_share answers with."] = 503
    error_retry_after: Annotated[RetryAfter, "Form of the Retry-After of error_share, down and token_down."] = "none"
    down: Annotated[Switch, "Every event gets 503, and is not accepted."] = False
    html: Annotated[Switch, "Every event gets html_status with a page of HTML, and is not accepted."] = False
    html_status: Annotated[Status2xx5xx, "The status of the pages that html answers with."] = 200

    closed: Annotated[Switch, "Every token and event request has its connection reset instead of an answer."] = False
    reset_before_share: Annotated[Share, "Share of events whose connection is reset before they are accepted."] = 0.0
    reset_after_share: Annotated[Share, "Share of events accepted, whose connection is reset before any answer."] = 0.0
    silent_share: Annotated[Share, "Share of events accepted and never answered."] = 0.0
    gateway_share: Annotated[Share, "Share of events accepted, for which a gateway answers gateway_status."] = 0.0
    gateway_status: Annotated[Status2xx5xx, "The status, with a page of HTML, that gateway_share answers with."] = 504

    refuse_sources: Annotated[Names, "Captures (source_id) whose events are refused with refuse_status."] = ()
    refuse_status: Annotated[Status3xx4xx, "The status that refuse_sources answers with."] = 422
    refuse_share: Annotated[Share, "Share of events refused with 422, the same body always alike."] = 0.0
    affiliate_required: Annotated[Names, "Fields without which an affiliate event is refused with 422."] = ()
    repeat_conflict: Annotated[Switch, "An event that was accepted before gets 409."] = False

    poison_marker: Annotated[Text, "An event with this text in its body is not accepted, but meets poison_mode."] = ""
    poison_mode: Annotated[Poison, "403 like a firewall, 500, 503 with a Retry-After in seconds, or no answer."] = "500"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault of the table, for whoever shows it."""

    name: str
    takes: str
    default: Any
    sentence: str


def amended(faults: Faults, changes: Mapping[str, Any]) -> Faults:
    """`faults` with `changes`, whose values have their JSON types. Raises FaultError, which names the nearest fault."""
    if unknown := changes.keys() - _HINTS:
        name = min(unknown)
        raise FaultError(f"No fault is named {name}; the nearest is {get_close_matches(name, _HINTS, 1, 0)[0]}.")
    try:
        return msgspec.convert({**asdict(faults), **changes}, Faults)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        raise FaultError(f"{place.rstrip('`')}: {problem}.") from None


def table() -> tuple[Row, ...]:
    """Every fault, in the order in which it should be shown."""
    return tuple(
        Row(name=row.name, takes=_takes(row.name), default=row.default, sentence=_HINTS[row.name].__metadata__[-1])
        for row in fields(Faults)
    )


def markdown() -> str:
    """The table as docs/sandbox.md shows it."""
    lines = ["| fault | takes | default | what happens |", "|---|---|---|---|"]
    for row in table():
        default = "" if row.default in ("", ()) else f"`{msgspec.json.encode(row.default).decode()}`"
        lines.append(f"| `{row.name}` | {row.takes.replace('|', ' or ')} | {default} | {row.sentence} |")
    return "\n".join(lines) + "\n"


def _takes(name: str) -> str:
    hint = _HINTS[name].__origin__
    if get_origin(hint) is Literal:
        return "|".join(get_args(hint))
    return str(_HINTS[name].__metadata__[0].title)


_HINTS: Mapping[str, Any] = get_type_hints(Faults, include_extras=True)
