"""The table of filters: what there is, what each takes and gives, and examples, which are tests and docs in one."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from target_driftrock.mapping.filters import words
from target_driftrock.mapping.filters.dates import date
from target_driftrock.mapping.filters.numerals import number
from target_driftrock.mapping.filters.reading import UNREADABLE, Filter, Scene
from target_driftrock.mapping.filters.telephone import phone
from target_driftrock.mapping.grammar import Argument
from target_driftrock.settings import Scalar


class Role(enum.Enum):
    """When a filter has its say."""

    READS = enum.auto()
    """Where there is a value: null passes it, and a blank is null."""
    FILLS = enum.auto()
    """Where there is none."""
    RESCUES = enum.auto()
    """Where one before it could not read the value."""


class Example(NamedTuple):
    """What a filter makes of a value; UNREADABLE where the record is invalid."""

    written: str
    value: Any
    result: Any


def _may_be(_: Scalar) -> bool:
    return True


def _is_text(value: Scalar) -> bool:
    return isinstance(value, str)


def _is_as_made_by(change: Callable[[str], str]) -> Callable[[Scalar], bool]:
    return lambda value: isinstance(value, str) and change(value) == value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A filter. `make` raises `ArgumentInvalid` where it is not written so."""

    name: str
    make: Callable[[Sequence[Argument], Scene], Filter]
    about: str
    examples: tuple[Example, ...]
    role: Role = Role.READS
    gives: Callable[[Scalar], bool] = _may_be
    """Whether a value of the settings can be what it gives."""


EXAMPLE_TABLES: Mapping[str, Mapping[str, Scalar]] = {
    "stages": {"won": "Closed", "lost": None, "3": True},
    "any": {"a": "A", "*": "other"},
}
"""What `lookup` looks into in the examples."""

TABLE = (
    Row(
        name="trim",
        make=words.changed(words.trimmed),
        gives=_is_as_made_by(words.trimmed),
        about="Without the white space at both ends, that which nobody sees included.",
        examples=(
            Example("trim", " Ada\u00a0", "Ada"),
            Example("trim", "  ", None),
            Example("trim", {"a": 1}, UNREADABLE),
        ),
    ),
    Row(
        name="lower",
        make=words.changed(str.lower),
        gives=_is_as_made_by(str.lower),
        about="In small letters.",
        examples=(Example("lower", "Ada@Example.ORG", "ada@example.org"), Example("lower", ["A"], UNREADABLE)),
    ),
    Row(
        name="upper",
        make=words.changed(str.upper),
        gives=_is_as_made_by(str.upper),
        about="In capitals.",
        examples=(Example("upper", "gb-4711", "GB-4711"), Example("upper", {}, UNREADABLE)),
    ),
    Row(
        name="replace",
        make=words.replace,
        gives=_is_text,
        about="The first text, wherever it stands, by the second.",
        examples=(
            Example("replace: '-', ''", "47-11-0", "47110"),
            Example("replace: _, ' '", "free_trial", "free trial"),
            Example("replace: a, b", [], UNREADABLE),
        ),
    ),
    Row(
        name="default",
        make=words.default,
        about="Null and blank become the value: a number, `true` and `false` as such, and in quotes a text.",
        role=Role.FILLS,
        examples=(
            Example("default: direct", None, "direct"),
            Example("default: 0", " ", 0),
            Example("default: '0'", None, "0"),
            Example("default: direct", "mail", "mail"),
        ),
    ),
    Row(
        name="else",
        make=words.otherwise,
        about="What a filter before it cannot read becomes null, or the text, and is counted; the record goes on.",
        role=Role.RESCUES,
        examples=(
            Example("phone: GB | else", "none", None),
            Example("number | else: odd", "1,50", "odd"),
            Example("number | else", "1.50", Decimal("1.50")),
            Example("number | else | default: 0", "1,50", 0),
        ),
    ),
    Row(
        name="number",
        make=number,
        gives=lambda value: isinstance(value, int | float | Decimal) and not isinstance(value, bool),
        about="A number, with a decimal point, or with `number: comma` a comma. Groups are of three digits, by the"
        " other sign, a space or an apostrophe; a sign or an ISO 4217 code of a currency may stand at one end, a minus"
        " in front.",
        examples=(
            Example("number", "$1,234.50", Decimal("1234.50")),
            Example("number: comma", "1.234,50 €", Decimal("1234.50")),
            Example("number: comma", "-1 234", -1234),
            Example("number", "CHF 1'234.5", Decimal("1234.5")),
            Example("number", 12, 12),
            Example("number", "1,50", UNREADABLE),
            Example("number", "0,123", UNREADABLE),
            Example("number: comma", "1.5", UNREADABLE),
            Example("number", "5 Mio", UNREADABLE),
            Example("number", True, UNREADABLE),
        ),
    ),
    Row(
        name="date",
        make=date,
        gives=_is_text,
        about="A date of a form, in [`strptime`'s codes](#dates), with its zone behind it where that is not UTC; or"
        " `date: excel` of a spreadsheet's serial, or `date: epoch` of seconds or milliseconds.",
        examples=(
            Example("date: %d.%m.%Y", "5.3.1980", "1980-03-05"),
            Example("date: '%b %d, %Y'", "Mar 05, 1980", "1980-03-05"),
            Example("date: %d/%m/%Y %H:%M, Europe/Berlin", "15/01/2026 10:30", "2026-01-15T10:30:00+01:00"),
            Example("date: %Y-%m-%d %H:%M", "2026-01-15 10:30", "2026-01-15T10:30:00Z"),
            Example("date: excel", 46037, "2026-01-15"),
            Example("date: excel", "46037.4375", "2026-01-15T10:30:00Z"),
            Example("date: epoch", 1773230400, "2026-03-11T12:00:00Z"),
            Example("date: %d.%m.%Y", "31.02.2026", UNREADABLE),
            Example("date: %d/%m/%Y %H:%M, Europe/Berlin", "29/03/2026 02:30", UNREADABLE),
            Example("date: %d/%m/%Y %H:%M, Europe/Berlin", "25/10/2026 02:30", UNREADABLE),
            Example("date: excel", 60, UNREADABLE),
            Example("date: epoch", 46037, UNREADABLE),
        ),
    ),
    Row(
        name="boolean",
        make=words.boolean,
        gives=lambda value: isinstance(value, bool),
        about="Yes and no by [closed lists](#yes-and-no), upper and lower case alike.",
        examples=(
            Example("boolean", "Ja", True),
            Example("boolean", "0", False),
            Example("boolean", 1, True),
            Example("boolean", "perhaps", UNREADABLE),
            Example("boolean", 2, UNREADABLE),
        ),
    ),
    Row(
        name="phone",
        make=phone,
        gives=lambda value: isinstance(value, str) and value.startswith("+"),
        about="A telephone number of a country, in E.164, if it is a possible one: of digits, spaces and"
        " `+ ( ) - . /` alone.",
        examples=(
            Example("phone: GB", "0044 20 7946 0018", "+442079460018"),
            Example("phone: GB", "(020) 7946-0018", "+442079460018"),
            Example("phone: GB", "+1 202 555 0100", "+12025550100"),
            Example("phone: GB", 7700900471, "+447700900471"),
            Example("phone: GB", "7946 0018", UNREADABLE),
            Example("phone: GB", "020 7946 0018 ext. 7", UNREADABLE),
        ),
    ),
    Row(
        name="sha256",
        make=words.sha256,
        gives=_is_as_made_by(str.lower),
        about="The SHA-256 of the text in UTF-8, in small hexadecimal digits.",
        examples=(
            Example("sha256", "a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
            Example("sha256", {"a": 1}, UNREADABLE),
        ),
    ),
    Row(
        name="lookup",
        make=words.lookup,
        about="What a [table of the mapping](#tables) says of the text; what that does not list is invalid, or as its"
        " `*`.",
        examples=(
            Example("lookup: stages", "won", "Closed"),
            Example("lookup: stages", "lost", None),
            Example("lookup: stages", 3, True),
            Example("lookup: any", "b", "other"),
            Example("lookup: stages", "Won", UNREADABLE),
        ),
    ),
    Row(
        name="json",
        make=words.json,
        about="What a text of JSON says, or what stands there under a path.",
        examples=(
            Example("json: contact.mails.0", '{"contact": {"mails": ["ada@example.com"]}}', "ada@example.com"),
            Example("json: a.b", '{"a": 1}', None),
            Example("json", "[1.10]", [Decimal("1.10")]),
            Example("json", "{'a': 1}", UNREADABLE),
        ),
    ),
)
FILTERS: Mapping[str, Row] = {row.name: row for row in TABLE}


def filters_table() -> str:
    """The table of docs/mapping.md: Markdown, ending in a line break."""
    lines = ["| filter | | for example |", "|---|---|---|"]
    lines += [f"| `{row.name}` | {row.about} | {'<br>'.join(_examples(row))} |" for row in TABLE]
    return "\n".join(lines) + "\n"


def _examples(row: Row) -> Iterator[str]:
    for written, value, result in row.examples:
        gives = "*invalid*" if result is UNREADABLE else _code(result)
        yield f"{_code(value)} by `{written}`: {gives}".replace("|", "\\|")


def _code(value: Any) -> str:
    return f"`{_ENCODER.encode(value).decode()}`".replace("\u00a0", "\\u00a0")


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def boolean_words() -> str:
    """The closed lists of `boolean`, a row each."""
    rows = (f"| `{said}` | {', '.join(f'`{word}`' for word in listed)} |" for said, listed in _BOOLEANS)
    return "\n".join(("| | |", "|---|---|", *rows)) + "\n"


_BOOLEANS = (("true", words.YES), ("false", words.NO))
