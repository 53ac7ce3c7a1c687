"""Whether a record is what its SCHEMA says, told by path and rule, never by value."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jsonschema_rs
import msgspec
from jsonschema_rs import ValidationErrorKind as Kind

from target_driftrock.bounds import DEPTH, NARROWINGS, SCHEMA_RULES, is_deeper
from target_driftrock.events.columns import is_added
from target_driftrock.events.event import Value
from target_driftrock.mapping.masking import BARE
from target_driftrock.naming import shown
from target_driftrock.records.weight import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_ASSERTIONS = frozenset(
    {
        *("type", "enum", "const", "required", "pattern", "maxLength", "minLength"),
        *("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
        *("maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties"),
    }
)
"""Keywords that hold no further schema, and mean the same in every draft once `_limits` has rewritten Draft 4's."""


class SchemaTooLarge(Exception):
    """To compile a SCHEMA, or to judge one record by it, could take hours, and all memory."""


class Fault(Value, frozen=True, kw_only=True, gc=False):
    """What is wrong with a record: where, by which rule, and with which value."""

    _shown = ("path", "rule")

    path: str
    rule: str
    value: Any = None

    @property
    def text(self) -> str:
        """Where, and by which rule."""
        return f"{self.path}: {self.rule}"


class RecordValidator:
    """Judges the records of one SCHEMA, in the loosest reading that any draft gives it.

    Numbers are exact, `1.0` is an integer, a `$ref` within the SCHEMA is followed. Not checked: `format`,
    `not`, `if`, `dependencies`, a `$ref` to elsewhere (nothing is ever fetched), and each keyword whose
    value no draft allows. `oneOf` is read as `anyOf`, since without `format` its branches may overlap.

    With `names`, only these top-level properties are judged, and without, all `but` some: a lead is not refused for a
    column that nobody sends. What loaders add (`_sdc_*`) is never judged. Where a schema comes again within itself on
    several ways, it is read there as if it allowed anything. `hides` says which names are not to be told.

    Raises:
        SchemaTooLarge: See there.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        *,
        names: Collection[str] | None = None,
        but: Collection[str] = (),
        hides: Callable[[str], bool] = BARE.hides,
    ) -> None:
        self._judged = None if names is None else frozenset(names)
        self._passed_over = frozenset(but)
        self._hides = hides
        self._narrowings = 0
        try:
            reading = self._read(schema)
        except RecursionError:
            raise SchemaTooLarge from None
        self._compiled = _compile(reading.root)
        self._names = frozenset(reading.names)

    def fault(self, record: dict[str, Any]) -> Fault | None:
        """The first fault, or None.

        Its path is a JSON pointer (RFC 6901). A name that the SCHEMA does not list, or that is hidden, is shown as `*`:
        it may be personal, too.
        """
        try:
            if self._judged is None and self._compiled.is_valid(record):
                return None  # as nearly all are, with what is not judged: no copy is made of them
            return self._fault(self._judged_part(record))
        except ValueError:  # a stream map made a date, or a set: judged by what becomes of it in JSON
            pass
        try:
            judged = self._judged_part(record)
            return self._fault(msgspec.to_builtins(judged, builtin_types=(Decimal,), str_keys=True))
        except (TypeError, ValueError):
            return Fault(path="/", rule="not JSON")

    def _read(self, schema: dict[str, Any]) -> _Reading:
        if is_deeper(schema, DEPTH):
            raise SchemaTooLarge
        start = self._narrowed(schema, schema)
        reading = _Reading(schema, start)
        weights = Weights(reading.root)
        if weights.is_branching:
            reading = _Reading(schema, start, goes_back=False)
            weights = Weights(reading.root)
        if weights.rules > SCHEMA_RULES:
            raise SchemaTooLarge
        return reading

    def _judged_part(self, record: Mapping[str, Any]) -> dict[str, Any]:
        if self._judged is None:
            return {name: value for name, value in record.items() if self._judges(name)}
        return {name: record[name] for name in self._judged if name in record}

    def _judges(self, name: str) -> bool:
        """Whether a top-level property of this name is judged."""
        if self._judged is not None:
            return name in self._judged
        return name not in self._passed_over and not is_added(name)

    def _narrowed(self, schema: dict[str, Any], document: dict[str, Any], *via: str) -> dict[str, Any]:
        """The SCHEMA as it judges these properties alone; what it says of their number, or of all names, goes.

        `via` are the references that led to it.
        """
        self._narrowings += 1
        if self._narrowings > NARROWINGS:
            raise SchemaTooLarge
        if isinstance(reference := schema.get("$ref"), str):
            target = None if reference in via else _resolve(reference, document)
            return self._narrowed(target, document, *via, reference) if isinstance(target, dict) else {}
        is_whole = self._judged is None and not self._passed_over
        narrowed = {keyword: value for keyword, value in schema.items() if is_whole or keyword not in _OF_THE_WHOLE}
        if isinstance(required := schema.get("required"), list):
            narrowed["required"] = [name for name in required if isinstance(name, str) and self._judges(name)]
        for keyword in ("allOf", "anyOf", "oneOf"):
            if branches := _branches(schema, keyword):
                narrowed[keyword] = [
                    self._narrowed(each, document, *via) if isinstance(each, dict) else each for each in branches
                ]
        return narrowed

    def _fault(self, record: Any) -> Fault | None:
        if self._compiled.is_valid(record):
            return None
        error = _deepest(next(iter(self._compiled.iter_errors(record))))
        path = "".join(f"/{self._shown(part)}" for part in error.instance_path)
        match error.kind:
            case Kind.Required(name):
                return Fault(path=f"{path}/{self._told(name)}", rule=error.kind.name)
            case Kind.AdditionalProperties():
                path = f"{path}/*"
        return Fault(path=path or "/", rule=error.kind.name, value=error.instance)

    def _shown(self, part: str | int) -> str:
        if isinstance(part, int):
            return str(part)
        return self._told(part) if part in self._names else "*"

    def _told(self, name: str) -> str:
        return "*" if self._hides(name) else shown(_escape(name))


_OF_THE_WHOLE = frozenset({"minProperties", "maxProperties", "propertyNames"})


def _deepest(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """Where no branch of an `anyOf` fits: the fault of the one that fits the furthest down."""
    match error.kind:
        case Kind.AnyOf(branches):
            return max([error, *(_deepest(fault) for branch in branches for fault in branch)], key=_depth)
        case _:
            return error


def _depth(error: jsonschema_rs.ValidationError) -> tuple[int, int]:
    """At one place, a branch of the right type is nearer than one of another."""
    match error.kind:
        case Kind.Type():
            nearness = 0
        case Kind.AnyOf():
            nearness = 1
        case _:
            nearness = 2
    return len(error.instance_path), nearness


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _compile(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:  # noqa: FBT001 - true and false are schemas
    return jsonschema_rs.Draft7Validator(schema, offline=True)


def _is_sound(keyword: str, value: Any) -> bool:
    try:
        _compile({keyword: value})
    except jsonschema_rs.ValidationError:
        return False
    return True


def unsound(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The top-level properties, each with the keyword, by which no record is judged since no draft knows its value."""
    listed = schema.get("properties")
    for name, rules in listed.items() if isinstance(listed, dict) else ():
        for keyword in _SLIPS if isinstance(rules, dict) else ():
            if keyword in rules and rules[keyword] != _ANY and not _is_sound(keyword, rules[keyword]):
                yield name, keyword


_SLIPS = ("type", "pattern")
_ANY = "any"
"""A type of Draft 3."""


class _Reading:
    """One SCHEMA rewritten as a Draft 7 schema that always compiles, and allows no less.

    It begins at `start`; references are into the document. One that leads back to what it is within is followed only if
    the reading `goes_back`.
    """

    def __init__(self, document: dict[str, Any], start: dict[str, Any], *, goes_back: bool = True) -> None:
        self.names: set[str] = set()
        self._document = document
        self._goes_back = goes_back
        self._keys: dict[str, str] = {}
        self._definitions: dict[str, Any] = {}
        self.root = {"allOf": [self._read(start)], "definitions": self._definitions}
        """The whole, with all that it refers to under `definitions`."""

    def _read(self, schema: Any) -> dict[str, Any] | bool:
        if not isinstance(schema, dict):
            return schema is not False
        if isinstance(reference := schema.get("$ref"), str):
            return self._follow(reference)
        return {**_assertions(schema), **dict(self._objects(schema)), **dict(self._arrays(schema)), **self._all(schema)}

    def _follow(self, reference: str) -> dict[str, Any] | bool:
        if reference not in self._keys:
            target = _resolve(reference, self._document)
            if target is None:
                return True
            self._keys[reference] = key = str(len(self._keys))
            self._definitions[key] = self._read(target)
        elif not (self._goes_back or self._keys[reference] in self._definitions):
            return True
        return {"$ref": f"#/definitions/{self._keys[reference]}"}

    def _objects(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        are_objects = isinstance(properties, dict) and isinstance(patterns, dict)
        if isinstance(properties, dict):
            self.names.update(properties)
            yield "properties", {name: self._read(item) for name, item in properties.items()}
        if isinstance(patterns, dict):
            sound = {pattern: self._read(item) for pattern, item in patterns.items() if _is_sound("pattern", pattern)}
            yield "patternProperties", sound
            are_objects = are_objects and len(sound) == len(patterns)
        if are_objects and "additionalProperties" in schema:  # else it would judge what they were to allow
            yield "additionalProperties", self._read(schema["additionalProperties"])
        if "propertyNames" in schema:
            yield "propertyNames", self._read(schema["propertyNames"])

    def _arrays(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        items = schema.get("items", True)
        if isinstance(items, list) and items:  # no draft says what an empty list means
            yield "items", [self._read(item) for item in items]
            yield "additionalItems", self._read(schema.get("additionalItems"))
        elif "prefixItems" not in schema:  # Draft 2020-12: beside those, `items` is for the rest
            yield "items", self._read(items)
        if "contains" in schema and "minContains" not in schema:  # Draft 2019-09: none may be enough
            yield "contains", self._read(schema["contains"])

    def _all(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        parts: list[Any] = [self._read(part) for part in _branches(schema, "allOf")]
        either = (_branches(schema, keyword) for keyword in ("anyOf", "oneOf"))
        parts += ({"anyOf": [self._read(branch) for branch in branches]} for branches in either if branches)
        return {"allOf": parts} if parts else {}


def _branches(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    branches = schema.get(keyword)
    return branches if isinstance(branches, list) else []


def _assertions(schema: Mapping[str, Any]) -> dict[str, Any]:
    stated = {keyword: value for keyword, value in schema.items() if keyword in _ASSERTIONS}
    stated |= _limits(schema) | _values_with_null(schema)
    return {keyword: value for keyword, value in stated.items() if _is_sound(keyword, value)}


def _values_with_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An `enum` that leaves out the null of its own `type`: taps write the values, and mean that there may be none."""
    listed, types = schema.get("enum"), schema.get("type")
    if not isinstance(listed, list) or not isinstance(types, list) or "null" not in types:
        return {}
    return {"enum": [*listed, None]} if None not in listed else {}


def _limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Draft 4's `exclusiveMaximum: true` beside a `maximum`, as later drafts write it."""
    return {
        exclusive: schema[limit]
        for limit, exclusive in (("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum"))
        if schema.get(exclusive) is True and limit in schema
    }


def _resolve(reference: str, document: dict[str, Any]) -> Any:
    """What a JSON pointer within the document (RFC 6901 section 6) points at, or None."""
    start, *names = unquote(reference).split("/")
    target: Any = document
    for name in (name.replace("~1", "/").replace("~0", "~") for name in names):
        target = _member(target, name)
    return target if start == "#" else None


def _member(value: Any, name: str) -> Any:
    match value:
        case dict():
            return value.get(name)
        case list() if name.isdecimal() and int(name) < len(value):
            return value[int(name)]
        case _:
            return None
