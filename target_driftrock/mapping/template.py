"""The text of an attribute, with the properties of a record in braces: `"Stage: {stage}"`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.values import is_blank
from target_driftrock.mapping.writing import Wrong, as_identifier, as_text


class TemplateInvalid(ValueError):
    """The text is no template; the message says why, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template, split: its form is filled with the named properties, in their order."""

    text: str
    names: tuple[str, ...]
    form: str = field(repr=False)
    """For `str.format`: an empty pair of braces for each name."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """Split `text` as `string.Formatter` does; `{{` and `}}` are braces.

        Raises:
            TemplateInvalid: for braces that do not match or hold nothing, and for conversions (`!r`) and
                format specs (`:x`), which a template does not have.
        """
        names, form, again = [], "", ""
        for literal, name, spec, conversion in _pieces(text):
            form += _escaped(literal)
            again += _escaped(literal)
            if name is None:
                continue
            if not name and not spec and not conversion:
                raise TemplateInvalid("{} names no property: write its name between the braces")
            names.append(name)
            form += "{}"
            again += f"{{{name}}}"
        if again != text:  # also `{a:}`, where the empty spec is not told apart from none
            raise TemplateInvalid(
                "a ':' or '!' in braces would be a format or a conversion, which templates do not have; "
                "a property with one in its name cannot be written: rename it with a stream map"
            )
        return cls(text=text, names=tuple(names), form=form)

    @property
    def is_constant(self) -> bool:
        """Whether it names no property."""
        return not self.names

    @property
    def is_one_name(self) -> bool:
        """Whether it is one name and nothing else, so that it gives the value as it is, typed."""
        return self.form == "{}"

    def reader(self, *, identifies: bool = False, has_blanks: bool = True) -> Reader:
        """What fills the template from a record.

        It gives the value itself for one name alone, else a text; None where any named property is null, and
        `Wrong` where a value in a text has no JSON form. It raises nothing.

        Where it `identifies`, numbers stand in a text as they are compared: `42.0` as `42`. Where a text `has_blanks`,
        these are nothing, with the space beside them: `"{first} {last}"` gives `Ada`. Else a blank within makes the
        whole text blank: `lead:` would be one identity for all who have no number.
        """
        if self.is_constant:
            return constant(self.form.format())
        readers = tuple(map(reader, self.names))
        if self.is_one_name:
            return readers[0]
        write = as_identifier if identifies else as_text
        fill = _filling(self.form) if has_blanks else _nothing
        return _text_reader(self.form, readers, write=write, fill=fill)


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


def _pieces(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(text))
    except ValueError:
        raise TemplateInvalid(
            "its braces do not match: a name stands in one pair, and a brace itself is written {{ or }}"
        ) from None


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")
