"""Where settings come from: files, and environment variables. A `.env` file is not read: a shell or Meltano does that.

Reading tells apart what is no setting at all; whether a value is right is for `parsing` to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from target_driftrock.errors import SettingsInvalid
from target_driftrock.settings.table import TABLE, Kind, Row

PREFIX = "TARGET_DRIFTROCK_"
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # exact, as in records
_WANTED = {
    Kind.INTEGER: "a whole number",
    Kind.DECIMAL: "a number",
    Kind.BOOLEAN: "true or false (1 or 0, yes or no, on or off)",
    Kind.OBJECT: "a JSON object",
    Kind.ARRAY: "a JSON array",
}


def read_files(paths: Sequence[str], environ: Mapping[str, str]) -> dict[str, object]:
    """The settings out of one or more `--config` options. A later file wins; a null in it says nothing.

    The path `ENV` stands for the environment variables, which win over every file, as the SDK has it.

    Raises:
        SettingsInvalid: Naming each file that cannot be read, and where it stops being JSON; never its content.
    """
    if not paths:
        raise SettingsInvalid(["No settings are given: say --config FILE, or --config=ENV for environment variables."])
    settings: dict[str, object] = {}
    faults: list[str] = []
    for path in paths:
        if path == "ENV":
            continue
        try:
            settings |= _read_file(path)
        except SettingsInvalid as invalid:
            faults += invalid.faults
    if "ENV" in paths:
        try:
            settings |= from_environment(environ)
        except SettingsInvalid as invalid:
            faults += invalid.faults
    if faults:
        raise SettingsInvalid(faults)
    return settings


def from_environment(environ: Mapping[str, str], prefix: str = PREFIX) -> dict[str, object]:
    """The settings out of environment variables, each a setting's name in capitals behind `prefix`.

    Numbers are numbers, arrays and objects are JSON. An empty variable counts as not given; one that names no setting
    is passed over, since Meltano and shells set more than we know.

    Raises:
        SettingsInvalid: Naming each variable that does not hold what it should; never its value.
    """
    texts = {row: environ[_variable(row, prefix)] for row in TABLE if environ.get(_variable(row, prefix))}
    values = {row: _from_text(row.kind, text) for row, text in texts.items()}
    faults = [
        f"{_variable(row, prefix)} must be {_WANTED[row.kind]}." for row, value in values.items() if value is None
    ]
    if faults:
        raise SettingsInvalid(faults)
    return {row.name: value for row, value in values.items()}


def _variable(row: Row, prefix: str) -> str:
    return prefix + row.name.upper()


def _from_text(kind: Kind, text: str) -> object:
    """A variable's text as the kind that the setting wants, or None where it is not of that kind."""
    match kind:
        case Kind.STRING | Kind.OPTIONS:
            return text
        case Kind.BOOLEAN:
            return _BOOLEANS.get(text.strip().lower())
        case Kind.INTEGER:
            return _number(text, int)
        case Kind.DECIMAL:
            return _number(text, Decimal)
        case Kind.OBJECT:
            return _json(text, dict)
        case Kind.ARRAY:
            return _json(text, list)


def _number(text: str, kind: type[int | Decimal]) -> object:
    try:
        return msgspec.convert(text.strip(), kind, strict=False)
    except msgspec.ValidationError:
        return None


def _json(text: str, kind: type[dict[str, Any] | list[Any]]) -> object:
    try:
        value = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return value if isinstance(value, kind) else None


def _read_file(path: str) -> dict[str, object]:
    """One file's settings, without those that are null."""
    if path.lstrip().startswith("{"):  # the message would print what is in there
        raise SettingsInvalid(["--config takes the name of a file, or ENV: it was given the settings themselves."])
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        settings = _DECODER.decode(text)
    except OSError as error:
        raise SettingsInvalid([f"{path} cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise SettingsInvalid([f"{path} is not UTF-8: save it in that encoding."]) from None
    except msgspec.DecodeError:
        raise SettingsInvalid([f"{path} is not JSON{_place(text)}: mend it there."]) from None
    if not isinstance(settings, dict):
        raise SettingsInvalid([f"{path} must hold a JSON object, from the settings' names to their values."])
    return {name: value for name, value in settings.items() if value is not None}


def _place(text: str) -> str:
    """Where a text stops being JSON. Only the standard library tells line and column, and it lets NaN pass."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return f" (line {error.lineno}, column {error.colno})"
    except ValueError:
        return " (it has NaN or Infinity in it)"
    return " (a text in it has half of a surrogate pair)"


def _refuse(_: str) -> None:
    raise ValueError
