"""The text of an attribute, with the properties of a record in braces: `"Stage: {stage}"`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from target_driftrock.mapping.filters.chain import chain
from target_driftrock.mapping.filters.reading import PLAIN, Scene
from target_driftrock.mapping.grammar import Place, TemplateInvalid, pieces, place
from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import is_blank
from target_driftrock.mapping.writing import Wrong, as_identifier, as_text

__all__ = ["Template", "TemplateInvalid", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template, split: its form is filled with what its places give, in their order."""

    text: str
    places: tuple[Place, ...]
    form: str = field(repr=False)
    """For `str.format`: an empty pair of braces for each place."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """Split `text` at its braces; `{{` and `}}` are braces. Whether there are such filters `reader` sees.

        Raises:
            TemplateInvalid: for braces that do not match or hold nothing, and for names and arguments that should stand
                in quotes.
        """
        found = pieces(text)
        form = "".join(_escaped(literal) + ("" if inner is None else "{}") for literal, inner in found)
        return cls(text=text, places=tuple(place(inner) for _, inner in found if inner is not None), form=form)

    @property
    def names(self) -> tuple[str, ...]:
        """The properties that it names."""
        return tuple(each.name for each in self.places)

    @property
    def is_constant(self) -> bool:
        """Whether it names no property."""
        return not self.places

    @property
    def is_one_name(self) -> bool:
        """Whether it is one name, with its filters, and nothing else, so that it gives the value as it is, typed."""
        return self.form == "{}"

    @property
    def has_filters(self) -> bool:
        """Whether a value passes a filter in it."""
        return any(each.calls for each in self.places)

    @property
    def spelled(self) -> str:
        """The same in one spelling, whatever spaces it was written with."""
        return "".join(
            _escaped(literal) + ("" if inner is None else f"{{{place(inner)}}}") for literal, inner in pieces(self.text)
        )

    def reader(self, *, identifies: bool = False, has_blanks: bool = True, scene: Scene = PLAIN) -> Reader:
        """What fills the template from a record.

        It gives the value itself for one name alone, else a text; None where any named property is null, and
        `Wrong` where a value in a text has no JSON form, or a filter cannot read one. It raises nothing.

        Where it `identifies`, numbers stand in a text as they are compared: `42.0` as `42`. Where a text `has_blanks`,
        these are nothing, with the space beside them: `"{first} {last}"` gives `Ada`. Else a blank within makes the
        whole text blank: `lead:` would be one identity for all who have no number.

        Raises:
            TemplateInvalid: A filter is unknown, or not written as it must be.
        """
        if self.is_constant:
            return constant(self.form.format())
        readers = tuple(
            chain(each, scene, whole=self.is_one_name) if each.calls else reader(each.name) for each in self.places
        )
        if self.is_one_name:
            return readers[0]
        write = as_identifier if identifies else as_text
        fill = _filling(self.form) if has_blanks else _nothing
        return _text_reader(self.form, readers, write=_unless_wrong(write) if self.has_filters else write, fill=fill)


def constant(value: Any) -> Reader:
    """What gives `value` for every record."""
    return lambda _: value


def _text_reader(
    form: str,
    readers: tuple[Reader, ...],
    *,
    write: Callable[[Any], str | Wrong],
    fill: Callable[[list[str]], str],
) -> Reader:
    """`fill` makes the text where one of the values is blank."""

    def read(record: Record) -> str | Wrong | None:
        texts = []
        has_blank = False
        for find in readers:
            value = find(record)
            if value is None:
                return None
            text = write(value)
            if isinstance(text, Wrong):
                return text
            has_blank = has_blank or is_blank(text)
            texts.append(text)
        return fill(texts) if has_blank else form.format(*texts)

    return read


def _unless_wrong(write: Callable[[Any], str | Wrong]) -> Callable[[Any], str | Wrong]:
    """`write`, past which goes what a filter could not read."""
    return lambda value: value if type(value) is Wrong else write(value)


def _nothing(_: list[str]) -> str:
    return ""


def _filling(form: str) -> Callable[[list[str]], str]:
    """What fills a form without its blanks: of the space around them one is left between two words."""
    first, *literals = _literals(form)

    def fill(texts: list[str]) -> str:
        filled = first
        for text, literal in zip(texts, literals, strict=True):
            is_beside_space = is_blank(text) and (not filled or filled[-1].isspace())
            filled += literal.lstrip() if is_beside_space else ("" if is_blank(text) else text) + literal
        return filled.strip()

    return fill


def _literals(form: str) -> list[str]:
    """What stands before each name, and at the end."""
    literals = [""]
    for literal, name, *_ in Formatter().parse(form):
        literals[-1] += literal  # a doubled brace ends a piece without a name
        if name is not None:
            literals.append("")
    return literals


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")
