"""What the promises say of two contents that bear one identity, in the words of the promises: not the code's own."""

from __future__ import annotations

from target_driftrock.events.identity import Who


def is_same_person(one: Who, other: Who) -> bool | None:
    """By the strongest kind that both name; None where there is none."""
    for ours, theirs in zip(one, other, strict=True):
        if ours is not None and theirs is not None:
            return ours == theirs
    return None
