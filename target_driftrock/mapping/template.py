"""The text of an attribute, with the properties of a record in braces: `"Stage: {stage}"`."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from target_driftrock.mapping.path import Reader, Record, reader
from target_driftrock.mapping.writing import Wrong, as_text


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

    def reader(self) -> Reader:
        """What fills the template from a record.

        It gives the value itself for one name alone, else a text; None where any named property is null, and
        `Wrong` where a value in a text has no JSON form. It raises nothing.
        """
        if self.is_constant:
            return constant(self.form.format())
        readers = tuple(map(reader, self.names))
        return readers[0] if self.is_one_name else _text_reader(self.form, readers)


def constant(value: Any) -> Reader:
    """What gives `value` for every record."""
    return lambda _: value


def _text_reader(form: str, readers: tuple[Reader, ...]) -> Reader:
    def read(record: Record) -> str | Wrong | None:
        texts = []
        for find in readers:
            value = find(record)
            if value is None:
                return None
            text = as_text(value)
            if isinstance(text, Wrong):
                return text
            texts.append(text)
        return form.format(*texts)

    return read


def _pieces(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(text))
    except ValueError:
        raise TemplateInvalid(
            "its braces do not match: a name stands in one pair, and a brace itself is written {{ or }}"
        ) from None


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")
