"""What becomes of one event request: the faults in the way, then the contract, then the faults behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from hashlib import blake2b

import msgspec

from target_driftrock.sandbox import contract
from target_driftrock.sandbox.contract import Event, Refusal, Request
from target_driftrock.sandbox.faults import Faults, RetryAfter


class Outcome(StrEnum):
    """What became of a request, and how its sender learnt of it."""

    ACCEPTED = "accepted"
    ACCEPTED_RESET = "accepted_reset"
    ACCEPTED_SILENT = "accepted_silent"
    ACCEPTED_GATEWAY = "accepted_gateway"
    REFUSED = "refused"
    FAILED = "failed"
    RESET = "reset"
    SILENT = "silent"


ACCEPTANCES = frozenset({Outcome.ACCEPTED, Outcome.ACCEPTED_RESET, Outcome.ACCEPTED_SILENT, Outcome.ACCEPTED_GATEWAY})
RESETS = frozenset({Outcome.ACCEPTED_RESET, Outcome.RESET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back over the connection."""

    status: int
    body: bytes
    content_type: str = "application/json"
    reason: str = ""
    """Why it is not a 2xx, in words."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome, its answer unless there is none, and the event if the contract was kept."""

    outcome: Outcome
    answer: Answer | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a verdict asks of the world: chance in [0, 1) by a fault's name, pace, tokens, the past, the time of day."""

    seed: int
    roll: Callable[[str], float]
    has_room: Callable[[int], bool]
    admits_bearer: Callable[[str], bool]
    was_accepted: Callable[[Event], bool]
    now: Callable[[], float]


ACCEPTED = Answer(status=201, body=b'{"status":"accepted"}')
_PAGE = b"<!doctype html><title>Sign in</title><h1>Sign in</h1>"
_HEADERS: Mapping[int, Mapping[str, str]] = {
    302: {"Location": "/elsewhere"},
    401: {"Cache-Control": "no-store", "WWW-Authenticate": "Bearer"},
    405: {"Allow": "POST"},
}
FORBIDDEN = Refusal(status=403, error="forbidden", description="The event was stopped on its way.")
UNAUTHORIZED = Refusal(status=401, error="invalid_grant", description="Invalid credentials")


def judge(request: Request, faults: Faults, world: Circumstances) -> Verdict:
    """What becomes of `request`. Asking uses up chance and pace, and keeps nothing."""
    if verdict := _in_the_way(request, faults, world):
        return verdict
    event = contract.event_of(request)
    if isinstance(event, Refusal):
        return Verdict(outcome=Outcome.REFUSED, answer=refused(event))
    if refusal := _refusal(event, request, faults, world):
        return Verdict(outcome=Outcome.REFUSED, answer=refused(refusal), event=event)
    if _happens(faults.reset_after_share, "reset_after_share", world):
        return Verdict(outcome=Outcome.ACCEPTED_RESET, event=event)
    if _happens(faults.silent_share, "silent_share", world):
        return Verdict(outcome=Outcome.ACCEPTED_SILENT, event=event)
    if _happens(faults.gateway_share, "gateway_share", world):
        return Verdict(outcome=Outcome.ACCEPTED_GATEWAY, answer=page(faults.gateway_status), event=event)
    return Verdict(outcome=Outcome.ACCEPTED, answer=ACCEPTED, event=event)


def delay(faults: Faults, world: Circumstances) -> float:
    """Seconds that the answer to one event waits."""
    return faults.latency + (faults.slow_seconds if _happens(faults.slow_share, "slow_share", world) else 0.0)


def page(status: int) -> Answer:
    """What a gateway, a firewall or a login says in the API's place."""
    return Answer(
        status=status,
        body=_PAGE,
        content_type="text/html",
        headers=_HEADERS.get(status, {}),
        reason="A page of HTML, by a fault.",
    )


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer that tells a refusal; without `headers`, with those that HTTP asks for beside its status."""
    return Answer(
        status=refusal.status,
        body=msgspec.json.encode({"error": refusal.error, "error_description": refusal.description}),
        headers=_HEADERS.get(refusal.status, {}) if headers is None else headers,
        reason=refusal.description,
    )


def failed(status: int, *, form: RetryAfter, faults: Faults, now: float) -> Answer:
    """A 429 or 5xx, with Retry-After in the form asked for (RFC 9110, section 10.2.3)."""
    error = "rate_limited" if status == 429 else "unavailable"  # noqa: PLR2004
    refusal = Refusal(status=status, error=error, description="The server takes nothing now.")
    return refused(refusal, retry_after(form, faults.retry_after_seconds, now=now))


def retry_after(form: RetryAfter, seconds: float, *, now: float) -> dict[str, str]:
    """The header that asks for `seconds`, rounded up to the whole ones that it can say; `now` is seconds since 1970."""
    if form == "none":
        return {}
    if form == "seconds":
        return {"Retry-After": str(math.ceil(seconds))}
    return {"Retry-After": formatdate(math.ceil(now + seconds), usegmt=True)}


def _in_the_way(request: Request, faults: Faults, world: Circumstances) -> Verdict | None:
    """What happens before the event is looked at."""
    if faults.closed:
        return Verdict(outcome=Outcome.RESET)
    if faults.html:
        return Verdict(outcome=Outcome.FAILED, answer=page(faults.html_status))
    if faults.down:
        return _failure(503, form=faults.error_retry_after, faults=faults, world=world)
    if faults.rate_limit and not world.has_room(faults.rate_limit):
        return _failure(429, form=faults.retry_after, faults=faults, world=world)
    if _happens(faults.error_share, "error_share", world):
        return _failure(faults.error_status, form=faults.error_retry_after, faults=faults, world=world)
    if _happens(faults.reset_before_share, "reset_before_share", world):
        return Verdict(outcome=Outcome.RESET)
    is_ill = _happens(faults.unauthorized_share, "unauthorized_share", world)
    if is_ill or not world.admits_bearer(request.authorization):
        return Verdict(outcome=Outcome.REFUSED, answer=refused(UNAUTHORIZED))
    if faults.poison_marker and faults.poison_marker.encode() in request.body:
        return _poisoned(faults, world)
    return None


def _poisoned(faults: Faults, world: Circumstances) -> Verdict:
    if faults.poison_mode == "silence":
        return Verdict(outcome=Outcome.SILENT)
    if faults.poison_mode == "403":
        return Verdict(outcome=Outcome.REFUSED, answer=refused(FORBIDDEN))
    form: RetryAfter = "seconds" if faults.poison_mode == "503" else "none"
    return _failure(int(faults.poison_mode), form=form, faults=faults, world=world)


def _refusal(event: Event, request: Request, faults: Faults, world: Circumstances) -> Refusal | None:
    """What stands against an event that keeps the contract."""
    if event.source_id in faults.refuse_sources:
        return Refusal(status=faults.refuse_status, error="refused", description="source_id is refused.")
    if event.endpoint == contract.AFFILIATE:
        for name in faults.affiliate_required:
            if event.attributes["fields"].get(name) in (None, ""):
                return Refusal(status=422, error="invalid_event", description=f"fields must hold {name}.")
    if faults.refuse_share and _position(request.body, world.seed) < faults.refuse_share:
        return Refusal(status=422, error="invalid_event", description="The event is refused.")
    if faults.repeat_conflict and world.was_accepted(event):
        return Refusal(status=409, error="conflict", description="The event was accepted before.")
    return None


def _failure(status: int, *, form: RetryAfter, faults: Faults, world: Circumstances) -> Verdict:
    return Verdict(outcome=Outcome.FAILED, answer=failed(status, form=form, faults=faults, now=world.now()))


def _happens(share: float, name: str, world: Circumstances) -> bool:
    return share > 0 and world.roll(name) < share


def _position(body: bytes, seed: int) -> float:
    """Where in [0, 1) a body lies: always at the same place for one seed."""
    digest = blake2b(b"%d %b" % (seed, body), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
