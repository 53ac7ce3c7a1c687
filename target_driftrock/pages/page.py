"""A template filled with values: every value is escaped, all of it is seen, and nothing of it can run or load."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole page. `policy` is what a browser lets it do, for its own header where somebody serves it."""

    html: str
    policy: str


def filled(template: str, /, *, script: str | None = None, **values: Any) -> Page:
    """The template of this name with these values.

    Text in them may hold anything: it is shown, and does nothing. A `script`, by its name, may speak to the server
    that the page came from; without one the page asks nobody for anything.
    """
    style = _source("style.css")
    code = None if script is None else _source(script)
    policy = _policy(style, code)
    html = (
        _environment()
        .get_template(template)
        .render(style=Markup(style), script=code and Markup(code), policy=policy, **values)  # noqa: S704 - our own files
    )
    return Page(html=html, policy=policy)


def visible(text: str) -> str:
    """A text with an escape of JSON's for what cannot be seen: no value turns around what stands beside it."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else _escape(sign) for sign in text)


def _escape(sign: str) -> str:
    return json.dumps(sign)[1:-1]


def _policy(style: str, script: str | None) -> str:
    """Only the style and the script that stand in the page, by their hashes."""
    live = "" if script is None else f"script-src '{_hash(script)}'; connect-src 'self'; "
    form = "'none'" if script is None else "'self'"
    return f"default-src 'none'; style-src '{_hash(style)}'; {live}img-src data:; base-uri 'none'; form-action {form}"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _source(name: str) -> str:
    """A file of ours, as it stands in the page: the bars' widths are the style's, since no element may have its own."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    widths = "".join(f".w{percent}{{width:{percent}%}}" for percent in range(1, 101)) if name == "style.css" else ""
    return f"{text}{widths}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _seen(value: Any) -> Any:
    """What a template prints of a value: of our own markup all, of a text what can be seen."""
    if isinstance(value, Markup):
        return value
    return f"{value:,}" if type(value) is int else visible(str(value))
