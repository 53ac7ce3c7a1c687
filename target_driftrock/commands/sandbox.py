"""`sandbox`: the command stands in its own package, which shares no code with the rest."""

from __future__ import annotations

from target_driftrock.sandbox.command import sandbox

__all__ = ["sandbox"]
