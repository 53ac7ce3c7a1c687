"""What Driftrock's public pages demand of a token request and of an event. Pure: bytes and headers in, verdicts out.

A refusal names the attribute that is wrong and never its value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "/oauth2/token"  # noqa: S105  # a path
WEBHOOK = "/v2/event"
AFFILIATE = "/v2/affiliate_event"

EVENT_TYPES = ("lead", "conversion", "action")
DEPTH = 100
"""How many objects and arrays may stand within each other."""

_CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_TOO_DEEP = "The text is nested too deep."
_GRANT = b"grant_type=client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, read whole."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def authorization(self) -> str:
        """The header, empty when there is none."""
        return self.headers.get("Authorization", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that the contract does not allow: the status, and the two texts of its JSON body."""

    status: int
    error: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that keeps the contract. Its attributes are personal data, so no repr shows them."""

    endpoint: str
    attributes: Mapping[str, Any] = field(repr=False)

    @property
    def source_id(self) -> str:
        """The capture that the event belongs to."""
        return str(self.attributes["source_id"])

    @property
    def identity(self) -> bytes:
        """A digest that is equal for two events that are the same event, whatever their fields say."""
        names = ("source_id", "affiliate_id", "event_type", "event_name", "event_id")
        parts = (self.endpoint, *map(self.attributes.get, names))
        return blake2b(repr(parts).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of an event: what its value must be, in words and as a test, and where it belongs."""

    must_be: str
    allows: Callable[[Any], bool]
    required_by: tuple[str, ...] = ()
    taken_by: tuple[str, ...] = (WEBHOOK, AFFILIATE)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_event_type(value: Any) -> bool:
    return isinstance(value, str) and value in EVENT_TYPES


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str) or not _CREATED_AT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_BOTH = (WEBHOOK, AFFILIATE)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_SCHEMES = frozenset({"basic", "bearer"})
ATTRIBUTES: Mapping[str, Attribute] = {
    "event_type": Attribute(must_be="lead, conversion or action", allows=_is_event_type, required_by=_BOTH),
    "event_name": Attribute(must_be="a string that is not blank", allows=_is_filled, required_by=_BOTH),
    "source_id": Attribute(must_be="a string that is not blank", allows=_is_filled, required_by=_BOTH),
    "fields": Attribute(must_be="an object", allows=_is_object, required_by=_BOTH),
    "affiliate_id": Attribute(
        must_be="a string that is not blank", allows=_is_filled, required_by=(AFFILIATE,), taken_by=(AFFILIATE,)
    ),
    "event_id": Attribute(must_be="a string", allows=_is_text),
    "person_id": Attribute(must_be="a string", allows=_is_text),
    "ga_client_id": Attribute(must_be="a string", allows=_is_text),
    "created_at": Attribute(must_be="a moment in the form 2019-12-02T10:00:00.000Z", allows=_is_moment),
    "metadata": Attribute(must_be="an object", allows=_is_object, taken_by=(WEBHOOK,)),  # listed for webhooks alone
}


def parsed(body: bytes) -> Any:
    """The value of a strict JSON text: UTF-8, no name twice, no NaN, no lone surrogate, at most `DEPTH` deep.

    Raises:
        ValueError: It is none.
    """
    text = body.decode("utf-8")
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if _is_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def event_of(request: Request) -> Event | Refusal:
    """The event that a request carries, or the first thing that is wrong with the request."""
    if request.method != "POST":
        return Refusal(status=405, error="method_not_allowed", description="An event is sent with POST.")
    if _media_type(request.headers.get("Content-Type", "")) != "application/json":
        return Refusal(status=415, error="unsupported_media_type", description="Content-Type must be application/json.")
    if "application/json" not in map(_media_type, request.headers.get("Accept", "").split(",")):
        return Refusal(status=406, error="not_acceptable", description="Accept must name application/json.")
    try:
        value = parsed(request.body)
    except ValueError:
        return Refusal(status=400, error="invalid_json", description="The body is not strict JSON in UTF-8.")
    if not isinstance(value, dict):
        return _invalid("The body must be a JSON object.")
    fault = _attribute_fault(request.path, value)
    return _invalid(fault) if fault else Event(endpoint=request.path, attributes=value)


def token_refusal(request: Request) -> Refusal | None:
    """What is wrong with the form of a token request, its credentials left aside (RFC 6749, sections 4.4 and 5.2)."""
    if request.method != "POST":
        return Refusal(status=405, error="invalid_request", description="A token is requested with POST.")
    if request.query:
        return _malformed("The URL must carry no parameters: credentials belong in the Authorization header.")
    if _media_type(request.headers.get("Content-Type", "")) != "application/x-www-form-urlencoded":
        return _malformed("Content-Type must be application/x-www-form-urlencoded.")
    if request.body == _GRANT:
        return None
    names = {name for name, _ in parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)}
    if names & {"client_id", "client_secret", "username", "password"}:
        return _malformed("The body must carry no credentials: they belong in the Authorization header.")
    return _malformed(f"The body must be exactly {_GRANT.decode()}.")


def credentials_of(authorization: str) -> tuple[str, str] | None:
    """Client id and secret of a Basic header in UTF-8 (RFC 7617), or None unless it holds both."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, _, client_secret = pair.partition(":")
    return (client_id, client_secret) if client_id and client_secret else None


def shown_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers as somebody may see them: of what lets somebody in, its scheme and its length."""
    return tuple((name, _masked(name, value)) for name, value in headers.items())


def _masked(name: str, value: str) -> str:
    if name.lower() not in _SECRET_HEADERS:
        return value
    scheme, gap, rest = value.partition(" ")
    known = f"{scheme} " if gap and scheme.lower() in _SCHEMES else ""
    return f"{known}••• ({len(rest if known else value)} characters)"


def bearer_of(authorization: str) -> str:
    """The token of a Bearer header (RFC 6750), empty when there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _attribute_fault(endpoint: str, event: Mapping[str, Any]) -> str:
    for name in event:
        attribute = ATTRIBUTES.get(name)
        if attribute is None or endpoint not in attribute.taken_by:
            return f"{name} is no attribute of {endpoint}."
    for name, attribute in ATTRIBUTES.items():
        if name not in event:
            if endpoint in attribute.required_by:
                return f"{name} is required."
        elif not attribute.allows(event[name]):
            return f"{name} must be {attribute.must_be}."
    return ""


def _invalid(description: str) -> Refusal:
    return Refusal(status=422, error="invalid_event", description=description)


def _malformed(description: str) -> Refusal:
    return Refusal(status=400, error="invalid_request", description=description)


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name stands twice in one object.")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
