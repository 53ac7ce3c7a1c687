"""What the last line of a run says."""

from __future__ import annotations

from typing import Any

import pytest

from target_driftrock.records.ending import settled

SOME_READ: dict[str, Any] = {"read": 6, "refused": 0, "held": 0, "are_rows_waiting": False}


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        pytest.param({}, "All is resolved (exit 0).", id="all is delivered"),
        pytest.param(
            {"are_rows_waiting": True}, "All that was read is resolved (exit 0).", id="rows of earlier runs wait"
        ),
        pytest.param(
            {"refused": 3, "are_rows_waiting": True},
            "All is settled but 3 events refused, as told above (exit 0).",
            id="some are refused",
        ),
        pytest.param(
            {"held": 1, "are_rows_waiting": True},
            "All is settled but 1 event held for your decision, as told above (exit 0).",
            id="one is held",
        ),
        pytest.param(
            {"refused": 1, "held": 2, "are_rows_waiting": True},
            "All is settled but 1 event refused and 2 events held for your decision, as told above (exit 0).",
            id="both",
        ),
        pytest.param(
            {"read": 0}, "No record came: if some should have, see the tap's log (exit 0).", id="nothing is read"
        ),
    ],
)
def test_the_last_line_says_what_is_left_when_nothing_stopped_the_run(figures: dict[str, Any], expected: str) -> None:
    """So that a good end is not said of what waits, nor of a tap that died at once."""
    assert settled(**{**SOME_READ, **figures}) == expected
