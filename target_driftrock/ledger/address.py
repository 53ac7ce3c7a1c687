"""A PostgreSQL URL, read as libpq reads it. What libpq would drop in silence is a fault that names the option."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import unquote

from target_driftrock.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
SESSION = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
    "statement_timeout": "15000",
    "lock_timeout": "15000",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "log_parameter_max_length_on_error": "0",
}
"""A dead machine frees its lock within a minute; a statement that hangs is a lost ledger within 15 seconds. A run
that waits for its tap is idle, and what looks at every row takes its time: no limit of the server's own ends those.
The server's log has no record beside an error."""
_SCHEMA = "schema"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_OPTION = re.compile(r"[a-z_]{1,40}")
_ALIASES = {"ssl": "sslmode", "requiressl": "sslmode"}
_OURS = frozenset({"application_name", "fallback_application_name", "client_encoding"})
"""By the names another run, and `report`, tell who has the ledger."""
_SET = re.compile(r"(?:-c\s*|--)([A-Za-z_.-]+)")
"""What `options` set at the server."""
_HIGHEST_PORT = 65_535


def read_url(url: str) -> tuple[dict[str, str], str | None]:
    """What the URL tells libpq, by option, and the schema that it names.

    Raises:
        SettingsInvalid: It is none, or holds what would come to nothing; or the driver is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise SettingsInvalid(["ledger must be a directory, or a URL that begins with postgresql://."])
    user, path, members = _split(rest)
    if "@" in path:
        raise _fault(_TOO_MANY)
    base = _options(f"postgresql://{user}{path}")
    names = [unquote(member.partition("=")[0]) for member in members]
    _judge_names(base, names)
    others = [member for member, name in zip(members, names, strict=True) if name != _SCHEMA]
    options = _options(f"postgresql://{user}{path}?{'&'.join(others)}")
    _judge_ports(options)
    _judge_session(options)
    return options, _schema(members, names)


def _split(rest: str) -> tuple[str, str, list[str]]:
    """Who, up to the `@`; where, and which database; and the options. As libpq does, who may hold any sign but `/`."""
    user, at, after = rest.partition("@")
    if not at or "/" in user:
        user, at, after = "", "", rest
    path, _, query = after.partition("?")
    return f"{user}{at}", path, query.split("&") if query else []


def _options(url: str) -> dict[str, str]:
    try:
        from psycopg import ProgrammingError  # noqa: PLC0415 - a ledger in a directory needs no driver
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError:
        raise SettingsInvalid([_NO_DRIVER]) from None
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:  # its text quotes the URL
        raise _fault(_NO_URL) from None


def known_options() -> frozenset[str]:
    """The names that libpq knows. The driver is installed."""
    from psycopg.pq import Conninfo  # noqa: PLC0415

    return frozenset(option.keyword.decode() for option in Conninfo.get_defaults())


def _judge_names(base: Mapping[str, str], names: Sequence[str]) -> None:
    known = known_options() | _ALIASES.keys() | {_SCHEMA}
    said = Counter([*base, *(_ALIASES.get(name, name) for name in names)])
    for name in names:
        if name not in known:
            raise _fault(f"its URL has an option that PostgreSQL's driver does not know, {_shown(name)}: mend it")
        if name in _OURS:
            raise _fault(f"its URL sets {name}, which this program sets itself: take that out")
    for name, times in said.items():
        if times > 1:
            raise _fault(f"its URL has {name} twice: keep one")


def _judge_ports(options: Mapping[str, str]) -> None:
    ports = options.get("port", "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT) for port in ports):
        raise _fault("a port in its URL is no number from 1 to 65535")
    hosts = max(len(options.get(name, "").split(",")) for name in ("host", "hostaddr"))
    if len(ports) not in {1, hosts}:
        raise _fault("its URL must name one port for all its hosts, or one for each")


def _judge_session(options: Mapping[str, str]) -> None:
    for name in _SET.findall(options.get("options", "")):
        setting = name.lower().replace("-", "_")
        if setting == "search_path":
            raise _fault("the options in its URL set search_path: take that out, and name the schema by schema=NAME")
        if setting in SESSION.keys() | _OURS:
            raise _fault(f"the options in its URL set {setting}, which this program sets itself: take that out")


def _schema(members: Sequence[str], names: Sequence[str]) -> str | None:
    if _SCHEMA not in names:
        return None
    schema = unquote(members[names.index(_SCHEMA)].partition("=")[2])
    if not _IDENTIFIER.fullmatch(schema):
        raise _fault("its schema must be a plain name of letters, digits and underscores")
    return schema


def _shown(name: str) -> str:
    """A name may be a part of a secret that holds an `&`."""
    return name if _OPTION.fullmatch(name) else "which is no plain name"


def _fault(what: str) -> SettingsInvalid:
    return SettingsInvalid([f"ledger: {what}."])


_SIGNS = "in a name or a password a sign such as @, / or % is written %40, %2F, %25"
_NO_URL = f"it is no usable PostgreSQL URL: it looks like postgresql://user@host/name, and {_SIGNS}"
_TOO_MANY = f"its URL has an @ too many: {_SIGNS}"
_NO_DRIVER = (
    "ledger: PostgreSQL needs its driver beside this program: `pipx inject target-driftrock 'psycopg[binary]>=3.3'` "
    "where pipx installed it, else `pip install 'psycopg[binary]>=3.3'` in its own environment; in Meltano's pip_url, "
    "`target-driftrock[postgres]`."
)
