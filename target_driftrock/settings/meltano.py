"""What Meltano makes of settings, and tells of itself, seen in the variables that it sets for whatever it starts.

It takes the keys of an object in meltano.yml apart at their dots, makes a variable of each beside that of the setting,
and hands on no key that has a dot in it by itself: of JSON in quotes, or one whose value is null.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from target_driftrock.naming import shown
from target_driftrock.settings.table import TABLE, Kind

_STARTS = "MELTANO_LOADER_NAME"
"""What Meltano sets where it starts a target, whose settings it hands over in a file."""
_LEVEL = "MELTANO_CLI_LOG_LEVEL"
_LOGGING = "SINGER_SDK_LOG_CONFIG"
"""A file that Meltano writes for each plugin, by which it is to set up its log."""
_OBJECTS = tuple(row.name for row in TABLE if row.kind is Kind.OBJECT)
_ALWAYS = ("_EVENT_TYPE", "_SKIP")
"""How variables end that Meltano makes of `streams` as an object: a mapping has one of these attributes."""


def is_at_work(environ: Mapping[str, str]) -> bool:
    """Whether Meltano started this."""
    return _STARTS in environ


def log_doubts(environ: Mapping[str, str]) -> Iterator[str]:
    """What a person should know of Meltano's own log."""
    if is_at_work(environ) and (environ.get(_LEVEL, "").lower() == "debug" or _asks_for_all(environ)):
        yield _LOGS_RECORDS


def _asks_for_all(environ: Mapping[str, str]) -> bool:
    """Whether plugins are to log as Meltano does at its option `--log-level=debug`, of which it sets no variable."""
    try:
        configuration = msgspec.json.decode(Path(environ[_LOGGING]).read_bytes())
        return str(configuration["root"]["level"]) == "DEBUG"
    except (OSError, ValueError, LookupError, TypeError):
        return False


def made_variables(environ: Mapping[str, str], prefix: str) -> set[str]:
    """The variables that Meltano made of objects' keys: none of them is a person's slip."""
    if not is_at_work(environ):
        return set()
    made = {_variable(name, key, prefix) for name in _OBJECTS for key in _object(environ, name, prefix)}
    return made.union(_of_streams(environ, prefix))


def has_streams_as_object(environ: Mapping[str, str], prefix: str) -> bool:
    """Whether `streams` is an object in meltano.yml: there is no variable then that would have it."""
    return is_at_work(environ) and bool(_of_streams(environ, prefix))


def lost_keys(environ: Mapping[str, str], prefix: str) -> Iterator[str]:
    """The keys that Meltano keeps back, a sentence each; a command hears of them, too, which gets them."""
    if not is_at_work(environ):
        return
    for name in _OBJECTS:
        value = _object(environ, name, prefix)
        whole = {key for key in value if _variable(name, key, prefix) not in environ}
        for key in _with_dots(value, whole):
            yield f"{name} has the key {shown(key)}, and Meltano hands on no key with a dot in it: {_MEND}."


def _with_dots(value: Mapping[str, Any], keys: Collection[str]) -> Iterator[str]:
    """Which of these keys, and of those within them, have a dot."""
    for key in value:
        if "." in key and key in keys:
            yield key
        elif isinstance(inner := value[key], dict):
            yield from _with_dots(inner, inner)


def _of_streams(environ: Mapping[str, str], prefix: str) -> set[str]:
    own = f"{prefix}STREAMS"
    made = {variable for variable in environ if variable.startswith(f"{own}_")}
    is_object = not environ.get(own) and any(variable.endswith(_ALWAYS) for variable in made)
    return made if is_object else set()


def _object(environ: Mapping[str, str], name: str, prefix: str) -> dict[str, Any]:
    """The object that a setting's variable holds. One that holds another thing is judged elsewhere."""
    try:
        value = msgspec.json.decode(environ.get(f"{prefix}{name.upper()}", ""))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _variable(name: str, key: str, prefix: str) -> str:
    """The variable that Meltano makes of a key."""
    return f"{prefix}{name.upper()}_{re.sub('[^A-Za-z0-9]', '_', key).upper()}"


_MEND = (
    "write the setting as JSON in quotes, with ? for a dot in a stream's name; what is to be done by the name of a "
    "property with a dot, the mappings in streams can do"
)
_LOGS_RECORDS = (
    "Meltano's log level is debug: Meltano itself writes every record of the tap, personal data included, to the "
    "terminal and into files that others can read (`meltano logs dir` says where): run it with --log-level=info, and "
    "delete those files."
)
