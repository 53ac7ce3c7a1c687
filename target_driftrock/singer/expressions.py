"""What is wrong with an expression of a stream map for every record, as far as it can be told before any comes."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from singer_sdk.mapper import CustomStreamMap

from target_driftrock.events.columns import is_added
from target_driftrock.mapping.masking import BARE, Mask
from target_driftrock.naming import escaped, hint, shown

_RECORD = ("record", "_")
_GIVEN = frozenset({*_RECORD, "config", "__stream_name__", "__original_stream_name__"})
_HIDDEN = ("_", "func_")
"""How the attributes begin that the SDK's evaluator gives nobody."""
_PYTHON = "an expression is written as in Python, with ==, and, or, not, None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What an expression may name: the stream's properties, and all there may be where it `is_open`."""

    properties: Collection[str] = ()
    config: Collection[str] = ()
    is_open: bool = True
    mask: Mask = BARE
    """How the properties' names are told."""

    @property
    def told(self) -> list[str]:
        """Those of the properties that may be told."""
        return self.mask.told(self.properties)


def faults(text: str, names: Names, *, own: str | None = None) -> Iterator[str]:
    """What is wrong with an expression, a clause each. `own` is the property that it makes; None for a filter."""
    node = _parsed(text)
    if isinstance(node, str):
        yield node
        return
    found = dict.fromkeys(_Judge(names, own).faults(node, _asked_for(node)))
    if isinstance(node, ast.Name) and _unknown(node.id, ()) in found:
        found = {f"{_unknown(node.id, ())}; a text stands in quotes of its own, \"'{node.id}'\"": None}
    yield from found


def named(text: str) -> Iterator[str]:
    """What an expression may mean by a name: its names, and its texts."""
    node = _parsed(text)
    for each in () if isinstance(node, str) else ast.walk(node):
        match each:
            case ast.Name(id=name) | ast.Constant(value=str(name)):
                yield name


def _parsed(text: str) -> ast.expr | str:
    """The expression, or what is wrong with its syntax."""
    if not text.strip():
        return "the expression is empty: write one, or null"
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash that is none, say
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a NUL is a ValueError
        return f"the expression has a syntax error: {_PYTHON}"
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        return f"it is a statement and no expression: {_PYTHON}"
    if isinstance(body[0].value, ast.Set):
        return "braces make a set here: name a property without them"
    return body[0].value


@dataclass(frozen=True, slots=True)
class _Judge:
    """Walks an expression as the SDK's evaluator would."""

    names: Names
    own: str | None

    def faults(self, node: ast.AST, bound: frozenset[str]) -> Iterator[str]:
        """What no record could make right. `bound` are names that need not be listed: variables, mostly."""
        if isinstance(node, ast.expr) and not _can_be_evaluated(node):
            is_call = isinstance(node, ast.Call)
            yield "only what has a name can be called" if is_call else f"stream maps have no {type(node).__name__}"
            return
        bound |= _variables(node)
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                yield from self._name_faults(name, bound)
            case ast.Call(func=ast.Name(id=name), args=given):
                yield from self._function_faults(name, given, bound)
            case ast.Attribute(attr=name) if name.startswith(_HIDDEN):
                yield f"stream maps do not give .{shown(name)}: write ['{escaped(name)}']"
            case ast.Attribute(attr="format" | "format_map" as name):
                yield f"stream maps do not give .{name}: write an f-string"
            case ast.Subscript(value=ast.Name(id=place), slice=ast.Constant(value=str(name))) if place not in bound:
                yield from self._item_faults(place, name, bound)
            case ast.operator() | ast.unaryop() | ast.cmpop() if type(node) not in _evaluator().operators:
                yield f"stream maps have no {type(node).__name__}"
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.Call) and child is node.func and isinstance(child, ast.Name)):
                yield from self.faults(child, bound)

    def _name_faults(self, name: str, bound: frozenset[str]) -> Iterator[str]:
        if name == "self" and self._has_no_self():
            yield "self is the property's own value, and the stream has no such property: name another"
        elif name == "fake" and not importlib.util.find_spec("faker"):
            yield "fake needs the package faker, which is not installed"
        elif name not in bound and name not in {"self", "fake"} and not self._is_known(name):
            yield _unknown(name, [*self.names.told, *_evaluator().functions])

    def _function_faults(self, name: str, given: list[ast.expr], bound: frozenset[str]) -> Iterator[str]:
        if name in _evaluator().functions:
            return
        if name in bound or name in self.names.properties:
            yield f"{shown(name)} is no function"
        elif hasattr(str, name) and not name.startswith(_HIDDEN):  # as SQL has it
            text = given[0].id if given and isinstance(given[0], ast.Name) else "value"
            yield f"{name} is no function: write it behind the text, as in {text}.{name}()"
        else:
            near = hint(name, _evaluator().functions)
            yield f"there is no function {shown(name)}{f'; {near}' if near else ''}"

    def _item_faults(self, place: str, name: str, bound: frozenset[str]) -> Iterator[str]:
        """`record['name']`, and `config['name']`, which an expression asks for by a text of its own."""
        if place in _RECORD and name not in bound and not self._is_listed(name):
            yield _unknown(name, self.names.told)
        elif place == "config" and name not in self.names.config:
            near = hint(name, self.names.config)
            yield f"stream_map_config has no {shown(name)}{f'; {near}' if near else ''}"

    def _has_no_self(self) -> bool:
        return not self.names.is_open and "self" not in self.names.properties and not self._is_listed(self.own or "")

    def _is_known(self, name: str) -> bool:
        return name in _GIVEN or name in _evaluator().functions or self._is_listed(name)

    def _is_listed(self, name: str) -> bool:
        return self.names.is_open or name in self.names.properties or is_added(name)


def _unknown(name: str, names: Collection[str]) -> str:
    near = hint(name, names)
    return f"{shown(name)} is not listed in the SCHEMA{f'; {near}' if near else ''}"


def _can_be_evaluated(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name | ast.Attribute):
        return False
    return type(node) in _evaluator().nodes or isinstance(node, ast.Starred)


def _asked_for(node: ast.AST) -> frozenset[str]:
    """The properties of which the expression itself looks whether a record has them: `'utm' in record`."""
    return frozenset(
        each.left.value
        for each in ast.walk(node)
        if isinstance(each, ast.Compare)
        and isinstance(each.left, ast.Constant)
        and isinstance(each.left.value, str)
        and isinstance(each.ops[0], ast.In | ast.NotIn)
        and isinstance(each.comparators[0], ast.Name)
        and each.comparators[0].id in _RECORD
    )


def _variables(node: ast.AST) -> frozenset[str]:
    """What a comprehension binds."""
    if not isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        return frozenset()
    targets = (each for loop in node.generators for each in ast.walk(loop.target))
    return frozenset(each.id for each in targets if isinstance(each, ast.Name))


@cache
def _evaluator() -> Any:
    """The SDK's own, for what it knows: functions, operators, and the forms of an expression."""
    plain = CustomStreamMap(
        stream_alias="",
        map_config={},
        faker_config={},
        raw_schema={"properties": {}},
        key_properties=[],
        map_transform={},
        flattening_options=None,
    )
    return plain.expr_evaluator
