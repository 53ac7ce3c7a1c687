"""What came of one trial, and whether that is what was promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of a trial, from the sandbox's side. `happened` says how often its fault did."""

    happened: Counter[str]
    records: int = 0
    lost: int = 0
    twice: int = 0
    uncounted: int = 0
    """Of those sent twice, how many no ledger counts as unknown."""
    unknown: int = 0
    kept: int = 0
    out_of_order: int = 0
    """Persons."""
    codes: Sequence[int] = ()
    broken: Sequence[str] = ()
    """What was promised, and is not so."""


def judged(
    found: Finding,
    *,
    codes: Sequence[int | tuple[int, ...]],
    holds: Mapping[str, bool] | None = None,
    most_twice: int = 0,
    most_uncounted: int = 0,
    most_kept: int = 0,
) -> Finding:
    """The finding, with all that is broken. `codes` are the exit codes that are right, run by run.

    `holds` is what else must be so. Whatever the fault, nothing may be lost and no person be out of order, and the
    fault must have happened.
    """
    bounds = {
        "lost": (found.lost, 0),
        "sent twice": (found.twice, most_twice),
        "sent twice and not counted as unknown": (found.uncounted, most_uncounted),
        "kept": (found.kept, most_kept),
        "persons out of order": (found.out_of_order, 0),
    }
    broken = [f"{name}: {value}, more than {most}" for name, (value, most) in bounds.items() if value > most]
    broken += [f"it did not happen: {name}" for name, count in found.happened.items() if not count]
    broken += [f"not so: {name}" for name, is_so in (holds or {}).items() if not is_so]
    if not _are_right(found.codes, codes):
        broken.append(f"exit codes {list(found.codes)}, not {list(codes)}")
    return replace(found, broken=broken)


def _are_right(codes: Sequence[int], expected: Sequence[int | tuple[int, ...]]) -> bool:
    if len(codes) != len(expected):
        return False
    among = [each if isinstance(each, tuple) else (each,) for each in expected]
    return all(code in choice for code, choice in zip(codes, among, strict=True))
