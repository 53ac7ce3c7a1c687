"""What the program says when a run stops, read out of its source: each text by the class of the reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from target_driftrock import errors

PACKAGE = Path(errors.__file__).parent
GAP = "…"
"""Stands where a message has a name, a number or a cause."""


def reasons() -> set[str]:
    """The names of all reasons for which a run stops, of whatever module."""
    return {each.__name__ for each in _below(errors.RunStopped)}


def _below(cls: type) -> Iterator[type]:
    each: type
    for each in cls.__subclasses__():
        yield each
        yield from _below(each)


def said(names: set[str]) -> Iterator[tuple[str, str]]:
    """Each text that is given to one of these reasons where it is raised or made, with the reason's name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for cls, call in _calls(tree):
            if cls in names and call.args:
                yield from ((cls, text) for text in _texts(call.args[0], constants))


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
                    yield node.name, call
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def _texts(node: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    """What an expression may come to, as far as it stands in the source."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else GAP for each in values)
        case ast.Name(id=name) if name in constants:
            yield from _texts(constants[name], constants)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, constants)
            yield from _texts(other, constants)
        case ast.Call(func=ast.Attribute(value=text, attr="format")):
            yield from (re.sub(r"\{\w*\}", GAP, each) for each in _texts(text, constants))
