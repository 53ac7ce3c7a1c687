"""Why PostgreSQL is not to be had, in our words: its own texts quote rows and URLs, and are never shown.

An error is known by its SQLSTATE. While connecting, the driver has a text alone; where the server speaks
another language than English such a text is not known, and is taken for one that may pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, ProgrammingError

from target_driftrock.ledger.address import known_options
from target_driftrock.ledger.database import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.exc import SQLAlchemyError


def cause(error: SQLAlchemyError, options: Mapping[str, str]) -> Cause:
    """Why a server refuses. `options` are those of its URL."""
    original = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(original, "sqlstate", None)
    if code is not None and code != _OF_POOLERS:
        return _by_code(str(code))
    text = str(original or "")
    for pattern, what in _TEXTS:
        if (found := pattern.search(text)) is not None:
            return Cause(
                text=what.text.format(address=_address(original, options), option=_option(found)),
                is_of_the_setting=what.is_of_the_setting,
            )
    if code is not None:
        return _by_code(str(code))
    is_of_the_url = isinstance(error, ProgrammingError)  # the driver has not asked the server yet
    return Cause(text=type(original or error).__name__, is_of_the_setting=is_of_the_url)


def _by_code(code: str) -> Cause:
    known = _CODES.get(code) or _CLASSES.get(code[:2])
    if known is None:
        return Cause(text=code)
    return Cause(text=f"{code}: {known.text}", is_of_the_setting=known.is_of_the_setting)


def _address(error: object, options: Mapping[str, str]) -> str:
    """Where it was tried, as the URL says, or the driver where the URL does not."""
    tried = getattr(error, "pgconn", None)
    host, port = (options.get(name) or getattr(tried, name, b"").decode(errors="replace") for name in ("host", "port"))
    return f"{host or 'the host'}, port {port or '5432'}"


def _option(found: re.Match[str]) -> str:
    """The option that a text names, if it is one: whatever else stands there is not shown."""
    name = found.groupdict().get("option")
    return f"option {name}" if name in known_options() else "options"


def _setting(text: str) -> Cause:
    return Cause(text=text, is_of_the_setting=True)


def _passing(text: str) -> Cause:
    return Cause(text=text)


_PASSWORD = _setting(
    "the server refuses the password, or knows no such user: mend them in the URL, where a sign such as @, / or % is "
    "written %40, %2F, %25"
)
_ROLE = _setting("there is no such role: mend the user in the URL")
_DATABASE = _setting("there is no such database: mend its name in the URL, or have it made")
_VALUE = _setting("the URL's {option} cannot be used: mend the value")
_NOT_TAKEN = _setting("the URL sets what the server does not take: mend its options and client_encoding")
_NO_ENTRY = _setting("the server's pg_hba.conf does not let this user in from here: have a line added to it")
_TOO_MANY = _passing("too many connections to the server: end some, or have it allow more")
_NOT_READY = _passing("the server is starting up, shutting down or recovering")
READ_ONLY = _passing(
    "the server is read-only, perhaps a standby: name the primary, or several hosts and target_session_attrs=read-write"
)
_LOST = _passing("the connection was lost")
_RIGHTS = _setting(
    "the URL's user has no right to use what lies there: grant it USAGE on the schema and on its sequence, and "
    "SELECT, INSERT, UPDATE and DELETE on its tables, or name another schema"
)

_OF_POOLERS = "08P01"
"""They have one code for all that they refuse: the text says what."""

_CODES: Mapping[str, Cause] = {
    "28000": _NO_ENTRY,
    "28P01": _PASSWORD,
    "3D000": _DATABASE,
    "42501": _RIGHTS,
    "25006": READ_ONLY,
    "53100": _passing("the server's disk is full"),
    "53200": _passing("the server is out of memory"),
    "53300": _TOO_MANY,
    "55P03": _passing("another program holds a lock on the tables"),
    "57014": _passing("a statement took too long"),
    "57P01": _passing("the server ended the session"),
    "57P02": _passing("the server has crashed"),
    "57P03": _NOT_READY,
    "57P05": _passing("the server ended the session"),
}
_CLASSES: Mapping[str, Cause] = {
    "08": _LOST,
    "42": _setting(
        "what lies there is no ledger, or not a whole one: put a backup in its place, or name another schema"
    ),
}
"""By the first two characters of an SQLSTATE."""


_TEXTS = [
    (re.compile(pattern, re.DOTALL), what)
    for pattern, what in (
        # What only a person mends. Of several hosts one that says such a thing is enough, so these stand in front.
        (r"password authentication failed", _PASSWORD),
        (r"no password supplied", _setting("the server asks for a password, and the URL holds none")),
        (r'role "[^"]*" does not exist|no such user', _ROLE),
        (r'database "[^"]*" does not exist|no such database', _DATABASE),
        (r"is not permitted to log in", _setting("the URL's role may not log in: give it LOGIN, or name another user")),
        (
            r"permission denied for database",
            _setting("the URL's user may not connect to the database: grant it CONNECT"),
        ),
        (r"pg_hba\.conf .*(SSL encryption|SSL on)", _NO_ENTRY),
        (
            r"pg_hba\.conf .*(no encryption|SSL off)",
            _setting(
                "the server's pg_hba.conf does not let this user in from here without TLS: set sslmode=require in the "
                "URL, or have a line added to it"
            ),
        ),
        (r"pg_hba\.conf", _NO_ENTRY),
        (
            r"authentication failed for user|authentication method",
            _setting("the server does not let this user in by the way of authentication that it asks for"),
        ),
        (
            r"but SSL was required|SSL is not enabled|GSSAPI encryption required",
            _setting("the URL asks for encryption, and the server has none: mend sslmode, or give the server TLS"),
        ),
        (
            r"(SSL|TLS)( connection)?( is)? required",
            _setting("the server takes TLS connections alone: set sslmode=require in the URL"),
        ),
        (
            r"certificate verify failed|server certificate for|certificate .*host name",
            _setting(
                "the server's TLS certificate is not trusted, or another host's: mend sslrootcert, sslmode or the host"
            ),
        ),
        (
            r"(certificate|private key|certificate revocation list)( store)? file|weak sslmode",
            _setting("a file that sslrootcert, sslcert, sslkey or sslcrl names cannot be used, or is missing"),
        ),
        (r"bad value for (?P<option>\w+)", _VALUE),
        (r'invalid integer value .*for connection option "(?P<option>\w+)"', _VALUE),
        (r"invalid (?P<option>\w+) value", _VALUE),
        (r"could not parse network address", _setting("the URL's option hostaddr is no address: mend the value")),
        (
            r"definition of service .*not found|service file",
            _setting("there is no such service in the file of services: mend it, or take it out of the URL"),
        ),
        (r"unrecognized configuration parameter|invalid value for parameter", _NOT_TAKEN),
        (r"permission denied to set parameter|unsupported startup parameter|invalid command-line", _NOT_TAKEN),
        (
            r"received invalid response|expected authentication request",
            _setting("what answers at {address} is no PostgreSQL server: mend host and port"),
        ),
        (
            r"session is not read-only|not in hot standby",
            _setting("target_session_attrs asks for a standby, and a ledger is written to: take it out of the URL"),
        ),
        (r"failed: Permission denied", _setting("this user has no right to use the socket at {address}")),
        (
            r"statement pooling mode",
            _setting(
                "it is reached through a pooler that lends its sessions for a statement, and takes no transactions: "
                "name the server's own port, or a pool in session mode"
            ),
        ),
        # What may pass.
        (
            r"query_wait_timeout",
            _passing("the pooler has no session free, and a run needs two as it begins: give it a larger pool"),
        ),
        (
            r"failed to resolve host|could not translate host name",
            _passing("no machine is known by the name in {address}"),
        ),
        (r"too many (clients|connections)|remaining connection slots|no more connections allowed", _TOO_MANY),
        (r"the database system is", _NOT_READY),
        (r"read-only|hot standby", READ_ONLY),
        (r"SSL error|SSL SYSCALL", _passing("no TLS connection to {address}")),
        (r"Connection refused", _passing("connection refused at {address}: check that the server runs there")),
        (r"No such file or directory", _passing("no server has a socket at {address}: check that it runs there")),
        (r"timeout expired|[Tt]imed out", _passing("no answer in time from {address}")),
        (r"No route to host|unreachable|Cannot assign requested address", _passing("there is no way to {address}")),
        (r"closed the connection|terminated abnormally|could not (receive|send) data|reset by peer", _LOST),
        (r"Broken pipe|connection is (lost|closed)|connection has been closed", _LOST),
    )
]
