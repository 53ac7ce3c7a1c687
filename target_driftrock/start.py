"""The console script: signals are taken before anything is imported that takes its time."""

from __future__ import annotations

from target_driftrock.signals import end_at_once


def main() -> None:
    """Ends the process with one of the documented codes."""
    end_at_once()
    from target_driftrock import cli

    cli.main()
