"""The name of a ledger's directory, as a person writes it. What was meant for something else is a fault."""

from __future__ import annotations

import os
import re
from pathlib import Path

from target_driftrock.errors import SettingsInvalid


def read_folder(text: str) -> Path:
    """The whole path. `~` and `~user` are home directories, where they stand first; any other sign is itself.

    Raises:
        SettingsInvalid: It is no name of a directory. It is not shown: a password may stand in what was meant.
    """
    if _VARIABLE.search(text):
        raise SettingsInvalid([_UNEXPANDED])
    if _MEANT_FOR_A_SERVER.search(text):
        raise SettingsInvalid([_NO_NAME])
    expanded = os.path.expanduser(text)  # noqa: PTH111 - to pathlib, ./~ is a home directory too
    if expanded.startswith("~"):
        raise SettingsInvalid([_NO_HOME])
    return Path(expanded).absolute()


_VARIABLE = re.compile(r"\$(\w|\{|\()")
_MEANT_FOR_A_SERVER = re.compile(
    r"""
    ^[a-z][a-z0-9+.-]*:      # a scheme: postgresql:name, sqlite:name
    | ^[^/]*:[^/]*@ | ^//    # user:password@host, and a URL's rest
    | (^|\s)(host(addr)?|port|dbname|user|password|passfile|service|sslmode|options)\s*=  # libpq's keywords
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_NAME = (
    "ledger is neither the name of a directory, which needs ./ before it where it has a colon or an equals sign in it, "
    "nor a PostgreSQL URL, which looks like postgresql://user@host/name: write one of the two."
)
_UNEXPANDED = (
    "ledger has a variable ($) in it, which nobody expands here: write the path out, or have a shell or Meltano do it."
)
_NO_HOME = "ledger begins with ~, and there is no such home directory: write the path out, or ./ before the name."
