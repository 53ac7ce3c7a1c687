"""Where settings come from: files, and environment variables. A `.env` file is not read: a shell or Meltano does that.

Reading tells apart what is no setting at all; whether a value is right is for `parsing` to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

import msgspec

from target_driftrock.bounds import DEPTH, LINE_BYTES, exact, is_deeper
from target_driftrock.errors import SettingsInvalid
from target_driftrock.naming import nearest, shown
from target_driftrock.settings import meltano
from target_driftrock.settings.streams import EXAMPLE
from target_driftrock.settings.table import DROPPED, SCHEMA_KEY, TABLE, Kind, Row

PREFIX = "TARGET_DRIFTROCK_"
_OTHERS = ("_", "LOGLEVEL", "TEST_")
"""How names go on behind the prefix that are no settings: of inherited plugins, of the log, of the tests."""
_MISSPELT = 0.8
"""How alike a variable and a setting must be, from 0 to 1, for a slip of the pen to be more likely than another use."""
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_DECODER = msgspec.json.Decoder(float_hook=exact)  # exact, as in records
_WANTED = {
    Kind.INTEGER: "a whole number",
    Kind.DECIMAL: "a number",
    Kind.BOOLEAN: "true or false (1 or 0, yes or no, on or off)",
    Kind.OBJECT: "a JSON object",
    Kind.ARRAY: f"a JSON array, such as [{EXAMPLE}]",
}


def read_files(paths: Sequence[str], environ: Mapping[str, str]) -> dict[str, object]:
    """The settings out of one or more `--config` options. A later file wins; a null in it says nothing.

    The path `ENV` stands for the environment variables, which win over every file, as the SDK has it.

    Raises:
        SettingsInvalid: Telling each file that cannot be read, and where it stops being JSON, never its content, nor
            its name, which may be what was meant to stand in it; and each variable that is wrong, see
            `from_environment`; and each key that Meltano keeps back.
    """
    if not paths:
        raise SettingsInvalid(["No settings are given: give --config FILE, or --config=ENV for environment variables."])
    settings: dict[str, object] = {}
    faults: list[str] = []
    for number, path in enumerate(paths, 1):
        if path == "ENV":
            continue
        try:
            settings |= _read_file(path, "The file of --config" if len(paths) == 1 else f"File {number} of --config")
        except SettingsInvalid as invalid:
            faults += invalid.faults
    if "ENV" in paths:
        try:
            settings |= from_environment(environ)
        except SettingsInvalid as invalid:
            faults += invalid.faults
        if meltano.has_streams_as_object(environ, PREFIX):
            settings["streams"] = {}  # for whoever judges it to say so
    elif meltano.is_at_work(environ):
        faults += _misspelt(environ, PREFIX)
    faults += meltano.lost_keys(environ, PREFIX)
    if faults:
        raise SettingsInvalid(faults)
    return settings


def from_environment(environ: Mapping[str, str], prefix: str = PREFIX) -> dict[str, object]:
    """The settings out of environment variables, each a setting's name in capitals behind `prefix`.

    Numbers are numbers, arrays and objects are JSON. An empty variable counts as not given. One that names no setting
    is passed over (`variable_doubts` tells of it), unless it almost names one.

    Raises:
        SettingsInvalid: Naming each variable that does not hold what it should, or is misspelt; never a value.
    """
    texts = {row: environ[_variable(row, prefix)] for row in TABLE if environ.get(_variable(row, prefix))}
    values = {row: _from_text(row.kind, text) for row, text in texts.items()}
    faults = [
        f"{_variable(row, prefix)} must be {_WANTED[row.kind]}." for row, value in values.items() if value is None
    ]
    faults += _misspelt(environ, prefix)
    if faults:
        raise SettingsInvalid(faults)
    return {row.name: value for row, value in values.items()}


def variable_doubts(paths: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What variables show that a person should know, a sentence each. `paths` are those of `--config`.

    It is that they look like settings and have no effect, and that Meltano logs every record.
    """
    if "ENV" not in paths and not meltano.is_at_work(environ):
        return list(_unread(environ)) if paths else []
    without_effect = [
        f"{shown(variable)} is set, and has no effect{f': {DROPPED[name]}' if name in DROPPED else _NO_SETTING}."
        for variable, name in _unknown(environ, PREFIX)
        if name in DROPPED or _meant(name) is None
    ]
    return [*without_effect, *meltano.log_doubts(environ)]


def _unread(environ: Mapping[str, str]) -> Iterator[str]:
    """Where only files are read: the variables that were meant to be settings, by their names."""
    names = {variable: variable.removeprefix(PREFIX).lower() for variable in _ours(environ, PREFIX)}
    meant = [shown(variable) for variable, name in names.items() if _meant(name) is not None]
    if meant:
        yield f"{', '.join(meant)}: set, and not read: add --config=ENV, which has variables count."


def _misspelt(environ: Mapping[str, str], prefix: str) -> Iterator[str]:
    for variable, name in _unknown(environ, prefix):
        meant = _meant(name)
        if meant is not None and name not in DROPPED:
            yield f"{shown(variable)} is no setting's variable: did you mean {prefix}{meant.upper()}?"


def _unknown(environ: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """Each variable with our prefix that holds something and names no setting; and the name that it should be."""
    known = {row.name for row in TABLE}
    made = meltano.made_variables(environ, prefix)
    for variable in _ours(environ, prefix):
        if variable in made:
            continue
        rest = variable.removeprefix(prefix)
        if rest.lower() not in known or not rest.isupper():
            yield variable, rest.lower()


def _ours(environ: Mapping[str, str], prefix: str) -> Iterator[str]:
    """Each variable with our prefix that holds something, but for those that are no settings."""
    for variable in sorted(environ):
        rest = variable.removeprefix(prefix)
        if rest != variable and environ[variable] and not rest.startswith(_OTHERS):
            yield variable


def _meant(name: str) -> str | None:
    return nearest(name, [row.name for row in TABLE], close=_MISSPELT)


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
    except (msgspec.ValidationError, UnicodeError):  # bytes that are no text
        return None


def _json(text: str, kind: type[dict[str, Any] | list[Any]]) -> object:
    try:
        value = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError, DecimalException, RecursionError):
        return None
    return value if isinstance(value, kind) and not is_deeper(value, DEPTH) else None


def _read_file(path: str, name: str) -> dict[str, object]:
    """One file's settings, without those that are null, and what is for editors. It is called by a name of ours."""
    if path.lstrip().startswith(("{", "[", '"')):
        raise SettingsInvalid(["--config takes the name of a file, or ENV: it was given the settings themselves."])
    try:
        with Path(path).open("rb") as file:
            data = file.read(LINE_BYTES + 1)
    except OSError as error:
        raise SettingsInvalid([f"{name} cannot be read: {error.strerror}."]) from None
    settings, fault = _decoded(data)
    if fault is not None:
        raise SettingsInvalid([f"{name} {fault}."])
    if not isinstance(settings, dict):
        raise SettingsInvalid([f"{name} must hold a JSON object, from the settings' names to their values."])
    return {name: value for name, value in settings.items() if value is not None and name != SCHEMA_KEY}


def _decoded(data: bytes) -> tuple[object, str | None]:
    """What a file holds, or what is wrong with it."""
    if len(data) > LINE_BYTES:
        return None, f"is longer than {LINE_BYTES // 2**20} MiB: give a file of settings"
    try:
        text = data.decode("utf-8-sig")
        settings = _DECODER.decode(text)
    except UnicodeDecodeError:
        return None, "is not UTF-8: save it in that encoding"
    except DecimalException:
        return None, _OUT_OF_RANGE
    except RecursionError:
        return None, _TOO_DEEP
    except msgspec.DecodeError:
        return None, _json_fault(text)
    return settings, _TOO_DEEP if is_deeper(settings, DEPTH) else None


def _json_fault(text: str) -> str:
    """Where a text stops being JSON. Only the standard library tells line and column, and it lets NaN pass."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return f"is not JSON (line {error.lineno}, column {error.colno}): mend it there; YAML is for meltano.yml alone"
    except FloatingPointError:
        return "is not JSON (it has NaN or Infinity in it): mend it there"
    except ValueError:  # a whole number longer than sys.get_int_max_str_digits()
        return _OUT_OF_RANGE
    return "is not JSON (a text in it has half of a surrogate pair): mend it there"


def _refuse(_: str) -> None:
    raise FloatingPointError


_OUT_OF_RANGE = "has a number in it that is out of range: mend it there"
_TOO_DEEP = f"is nested more than {DEPTH} deep: mend it there"
_NO_SETTING = ": target-driftrock --about lists the settings that there are"
