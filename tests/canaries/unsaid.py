"""What the canary run does not come by, and why that is well."""

from __future__ import annotations

from collections.abc import Mapping

UNSAID: Mapping[str, str] = {}
