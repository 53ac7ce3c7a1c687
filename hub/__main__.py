"""Write the definition anew: `make definition`."""

from __future__ import annotations

from hub.definition import DEFINITION, LOCK, as_json, as_yaml

if __name__ == "__main__":
    DEFINITION.write_text(as_yaml(), encoding="utf-8")
    LOCK.write_text(as_json(), encoding="utf-8")
