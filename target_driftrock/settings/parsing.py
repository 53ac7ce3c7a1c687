"""From what was given to `Settings`, or to everything that is wrong with it, told at once.

First all faults are gathered, then the groups are made of what has none. No fault carries a value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import jsonschema_rs

from target_driftrock.errors import SettingsInvalid
from target_driftrock.naming import nearest, shown
from target_driftrock.settings import streams as items
from target_driftrock.settings.groups import (
    DEFAULT_URLS,
    Api,
    ApiKey,
    ClientCredentials,
    Credentials,
    Environment,
    Keeping,
    NewLedger,
    OnChanged,
    OnUnknown,
    Pace,
    Patience,
    Settings,
    StreamMapping,
    is_allowed,
    is_loopback,
)
from target_driftrock.settings.table import DROPPED, TABLE, Kind, Row, schema_of
from target_driftrock.wording import either

_CHANGED = {choice.value for choice in OnChanged}
_CHOICES: Mapping[str, type[Enum]] = {"on_unknown": OnUnknown, "new_ledger": NewLedger}
_NUMERAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LOCAL = "localhost, 127.0.0.1 or [::1]"


def parse(
    config: Mapping[str, object],
    *,
    template_faults: Callable[[StreamMapping], Sequence[str]],
) -> Settings:
    """The settings, their defaults filled in. A null or an empty text counts as not given.

    `template_faults` tells what is wrong with a mapping's templates, in sentences that name the mapping; it is asked
    for every mapping that is otherwise right.

    Raises:
        SettingsInvalid: With every fault, none of which shows a value.
    """
    given = _given(config)
    mappings = _mappings(given)
    faults = [*_faults(given), *(fault for mapping in mappings for fault in template_faults(mapping))]
    if faults:
        raise SettingsInvalid(faults)
    values = {row.attribute or row.name: _converted(row, given[row.name]) for row in TABLE if row.name in given}
    return Settings(
        api=_api(given),
        credentials=_credentials(given),
        pace=Pace(**_slots(Pace, values)),
        patience=Patience(**_slots(Patience, values)),
        keeping=Keeping(**_slots(Keeping, values)),
        mappings=tuple(mappings),
        **_slots(Settings, values),
    )


def sdk_config(config: Mapping[str, object]) -> dict[str, Any]:
    """What the SDK itself may read: its own settings that we keep, defaults filled in. No credentials, no mappings."""
    given = {row.name: row.default for row in TABLE} | _given(config)
    return {row.name: given[row.name] for row in TABLE if row.is_builtin and given[row.name] is not None}


def secret_values(config: Mapping[str, object]) -> tuple[str, ...]:
    """What must never be printed, for `redaction.install`: told before `parse`, which may find faults."""
    values = (
        value
        for row in TABLE
        if row.is_secret and isinstance(value := config.get(row.name), str) and row.secret_mark in value
    )
    public = Environment.SANDBOX.value  # the sandbox's own key, which its page names, and a word of many messages
    return tuple(value for value in values if not value == config.get("environment") == public)


def _given(config: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None and value != ""}


def _slots(group: type[Pace | Patience | Keeping | Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    """What of the values belongs into a group."""
    return {slot.name: values[slot.name] for slot in fields(group) if slot.name in values}


def _converted(row: Row, value: Any) -> Any:
    if row.name in _CHOICES:
        return _CHOICES[row.name](value)
    return _counted(value) if row.kind is Kind.DECIMAL else value


def _faults(given: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown_settings(given)
    for row in TABLE:
        if row.name in given:
            yield from _row_faults(row, given[row.name])
    if "environment" not in given:
        yield f"environment is missing: set it to {either([environment.value for environment in Environment])}."
    if "ledger" not in given:
        yield "ledger is missing: name a directory that outlives the run, or a PostgreSQL URL."
    yield from _credential_faults(given)
    yield from _api_url_faults(given)
    if given.get("flattening_enabled") is True and "flattening_max_depth" not in given:
        yield "flattening_enabled needs flattening_max_depth: set how many levels to flatten."
    if "streams" in given:
        yield from items.streams_faults(given["streams"], given.get("source_id"))
    else:
        yield "streams is missing: give an array of mappings, which says what becomes of each stream's records."


def _unknown_settings(given: Mapping[str, Any]) -> Iterator[str]:
    names = [row.name for row in TABLE]
    for name in sorted(given.keys() - set(names)):
        if name in DROPPED:
            yield f"{name} has no effect here ({DROPPED[name]}): take it away."
        elif meant := nearest(name, names):
            yield f"{shown(name)} is not a setting: did you mean {meant}?"
        else:
            yield f"{shown(name)} is not a setting: take it away. target-driftrock --about lists those that there are."


def _row_faults(row: Row, value: Any) -> Iterator[str]:
    """What is wrong with one value by its row alone. An array is judged by its items, elsewhere."""
    if row.kind is Kind.STRING:
        yield from _text_faults(row.name, value)
    elif row.kind is not Kind.ARRAY and not _is_right(row, value):
        is_quoted = isinstance(value, str) and row.kind not in {Kind.OPTIONS, Kind.DECIMAL}
        yield f"{row.name} must be {_wanted(row)}{', without quotes' if is_quoted else ''}."


def _text_faults(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{name} must be text: put it in quotes."
    elif value != value.strip():
        yield f"{name} begins or ends with a space or a line break: take it away."
    elif not value.isprintable():
        yield f"{name} has a line break or another unprintable character in it: take it out."


def _is_right(row: Row, value: Any) -> bool:
    """Whether its schema takes the value; and of whole numbers, whether it is written as one: JSON Schema takes 8.0."""
    if row.kind is Kind.INTEGER and not isinstance(value, int):
        return False
    try:
        return _validator(row).is_valid(_counted(value) if row.kind is Kind.DECIMAL else value)
    except ValueError:  # no JSON, such as half of a surrogate pair
        return False


@cache
def _validator(row: Row) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema_of(row))


def _wanted(row: Row) -> str:
    match row.kind:
        case Kind.OPTIONS:
            return either(row.options)
        case Kind.BOOLEAN:
            return "true or false"
        case Kind.INTEGER:
            return f"a whole number {_bounds(row)}"
        case Kind.DECIMAL:
            return f"a number {_bounds(row)}"
        case _:
            return "an object"


def _counted(value: Any) -> Any:
    """A number as a float, infinite where none can hold it; its text, too, as Meltano writes what a variable says."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMERAL.fullmatch(value)):
        return value
    try:
        return float(value)
    except (OverflowError, ValueError):  # a whole number beyond a float, a signalling NaN
        return math.inf


def _bounds(row: Row) -> str:
    if row.above is not None:
        return f"above {row.above}"
    return f"of {row.minimum} or more" if row.maximum is None else f"from {row.minimum} to {row.maximum}"


def _credential_faults(given: Mapping[str, Any]) -> Iterator[str]:
    has_id, has_secret, has_key = (name in given for name in ("client_id", "client_secret", "api_key"))
    if has_key and (has_id or has_secret):
        yield "api_key is given beside client_id or client_secret: keep one way or the other."
    elif has_id and not has_secret:
        yield "client_secret is missing: client_id needs it beside it."
    elif has_secret and not has_id:
        yield "client_id is missing: client_secret needs it beside it."
    elif not has_key and not has_id and given.get("environment") != Environment.SANDBOX.value:
        yield "Credentials are missing: give client_id and client_secret, or api_key (environment sandbox needs none)."
    if ":" in str(given.get("client_id", "")):
        yield "client_id must not have a colon in it (RFC 7617, section 2): check that it is the client ID alone."
    if not set(str(given.get("api_key", ""))).issubset(map(chr, range(0x21, 0x7F))):
        yield "api_key must consist of visible ASCII characters (RFC 6750, section 2.1): copy it once more."


def _api_url_faults(given: Mapping[str, Any]) -> Iterator[str]:
    url = given.get("api_url")
    if not isinstance(url, str):
        return
    parts = _split(url)
    if parts is None:
        yield f"api_url must be a URL, such as {DEFAULT_URLS[Environment.PRODUCTION]}."
        return
    if "@" in parts.netloc:
        yield "api_url must not have a user name or a password in it: give credentials as settings of their own."
    if "?" in url or "#" in url:
        yield "api_url must not have a query (?) or a fragment (#) in it: take it off."
    if not is_allowed(url):
        yield f"api_url must begin with https://, or be on this machine: http:// is for {_LOCAL} alone."
    if given.get("environment") == Environment.SANDBOX.value and not is_loopback(parts.hostname or ""):
        yield f"api_url must be on this machine ({_LOCAL}) when environment is sandbox: change one or the other."


def _split(url: str) -> SplitResult | None:
    """A URL's parts, or None where it is none: no scheme, no host, or a port that cannot be."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole and not set(url) & set(" \\") else None


def _mappings(given: Mapping[str, Any]) -> list[StreamMapping]:
    """The mappings of those items that have no faults."""
    streams = given.get("streams")
    if not isinstance(streams, list):
        return []
    source_id = given.get("source_id")
    if not isinstance(source_id, str | None):  # told already, and no template
        return []
    said = given.get("on_changed")
    on_changed = said if isinstance(said, str) and said in _CHANGED else None
    return [
        items.mapping(item, index, source_id=source_id, on_changed=on_changed)
        for index, item in enumerate(streams)
        if not items.mapping_faults(item, index, source_id=source_id)
    ]


def _api(given: Mapping[str, Any]) -> Api:
    environment = Environment(given["environment"])
    return Api(environment=environment, url=given.get("api_url", DEFAULT_URLS[environment]).rstrip("/"))


def _credentials(given: Mapping[str, Any]) -> Credentials:
    """The credentials; the sandbox takes any, so it has its own."""
    if "api_key" in given:
        return ApiKey(key=given["api_key"])
    sandbox = Environment.SANDBOX.value
    return ClientCredentials(
        client_id=given.get("client_id", sandbox),
        client_secret=given.get("client_secret", sandbox),
    )
