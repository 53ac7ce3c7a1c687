"""Whether a key property says where a row stood in a file, which is no identity: one new row on top moves them all.

What file and spreadsheet taps emit: `_sdc_source_lineno` (tap-csv, tap-s3-csv), `_smart_source_lineno`
(tap-spreadsheets-anywhere), `_sdc_line_number` (tap-file), `__sdc_row` (tap-google-sheets),
`_line` and `_row` (files that Fivetran loaded).
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_POSITIONS = frozenset(
    {
        *("row", "lineno", "linenumber", "linenum", "rowno", "rownumber", "rownum", "rowindex", "lineindex"),
        *("recordnumber", "recordno", "recordnum", "recordindex", "rowcount", "zeile", "zeilennummer"),
    }
)


def is_position(name: str) -> bool:
    """Whether a property of this name holds a position, by its last words: `source_row`, `LineNo`, but not `arrow`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    if words[-1] == "line":
        return name.startswith("_")  # an order's `line` tells its lines apart; a loader's own column is a position
    return words[-1] in _POSITIONS or "".join(words[-2:]) in _POSITIONS
