"""What the settings become: frozen groups. Durations are seconds; templates stay text here."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from target_driftrock.naming import shown

if TYPE_CHECKING:
    from urllib.parse import SplitResult

Scalar = str | int | float | Decimal | bool | None
"""What a `when` compares with, and what a constant field holds. A number with a fraction is an exact Decimal."""


EVENT_TYPES = ("lead", "conversion", "action")
"""The API's words for what an event is."""


class Environment(enum.Enum):
    """Whose API is meant. `sandbox` is a `target-driftrock sandbox` on this machine."""

    PRODUCTION = "production"
    STAGING = "staging"
    SANDBOX = "sandbox"


DEFAULT_URLS: Mapping[Environment, str] = {
    Environment.PRODUCTION: "https://external-apis.driftrock.com",
    Environment.STAGING: "https://api-staging.driftrock.com",
    Environment.SANDBOX: "http://127.0.0.1:8377",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Which API, and where. `url` has no slash at its end."""

    environment: Environment
    url: str

    @property
    def name(self) -> str:
        """What the identity of an event knows the API by.

        The environment's name, unless `url` has another origin than that environment's own.
        """
        if origin(self.url) == origin(DEFAULT_URLS[self.environment]):
            return self.environment.value
        return origin(self.url)


DEFAULT_PORTS = {"https": 443, "http": 80}
"""By scheme."""


def origin(url: str) -> str:
    """Scheme, host and port of a URL, the port always written out."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{port(parts)}"


def port(url: SplitResult) -> int:
    """The port of a URL, or that of its scheme; 0 where neither is known."""
    return url.port or DEFAULT_PORTS.get(url.scheme, 0)


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine by its text alone: `localhost`, 127.0.0.0/8 or ::1. No name is looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_allowed(url: str) -> bool:
    """Whether credentials and events may go to `url`: over HTTPS, or to this machine itself."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """For OAuth 2.0 client credentials, RFC 6749 section 4.4."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """The older long-lived bearer key."""

    key: str = field(repr=False)


Credentials = ClientCredentials | ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and how many."""

    max_concurrency: int = 16
    max_events: int | None = None
    max_events_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for an answer, and for an API that gives none of use."""

    read_timeout: float = 60.0
    max_outage: float = 900.0


class OnChanged(enum.Enum):
    """What becomes of an event that was delivered before, with other content."""

    SKIP = "skip"
    SEND = "send"


class NewLedger(enum.Enum):
    """Whether a run may make the ledger."""

    ALLOW = "allow"
    REFUSE = "refuse"


class OnUnknown(enum.Enum):
    """What becomes of an event whose answer was lost."""

    RETRY = "retry"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What a run leaves behind, and where. `ledger` is a directory or a PostgreSQL URL, which holds credentials."""

    ledger: str = field(repr=False)
    new_ledger: NewLedger = NewLedger.ALLOW
    ledger_retention_days: int | None = None
    on_unknown: OnUnknown = OnUnknown.RETRY
    max_reject_percent: float = 5.0

    @property
    def bears_refusals(self) -> bool:
        """No share of refusals is too much."""
        return self.max_reject_percent >= 100  # noqa: PLR2004 - percent


Table = Mapping[str, Scalar]
"""What stands for which text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a property in `when` is compared with beside equality; all of it must hold.

    `but` are the values that it must not equal. `bounds` are a sign (`<`, `<=`, `>`, `>=`) and a number each.
    """

    but: tuple[Scalar, ...] = ()
    bounds: tuple[tuple[str, int | float | Decimal], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMapping:
    """One item of `streams`, its templates as text.

    `index` is its place, from 0. An attribute that is None was not given. Without `has_identity` the
    mapping said `event_id: null`. `fields` is `"*"` or templates (or constants) by name. `formerly` are the attributes
    of its identity as they were before it was mended; `forgets_former` says that all may be sent again.
    """

    index: int
    stream: str
    skip: bool = False
    when: Mapping[str, tuple[Scalar, ...] | Comparison] = field(default_factory=dict)
    event_type: str | None = None
    event_name: str | None = None
    source_id: str | None = None
    affiliate_id: str | None = None
    event_id: str | None = None
    has_identity: bool = True
    person_id: str | None = None
    ga_client_id: str | None = None
    created_at: str | None = None
    metadata: str | Mapping[str, Scalar] | None = None
    fields: Literal["*"] | Mapping[str, Scalar] | None = None
    on_changed: OnChanged | None = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    formerly: tuple[Mapping[str, str | Mapping[str, Table] | None], ...] = ()
    forgets_former: bool = False

    @property
    def label(self) -> str:
        """How logs, errors and receipts name this mapping."""
        return mapping_label(self.index, self.stream)


def mapping_label(index: int, stream: str) -> str:
    """The label of the mapping at this place, from 0: a key, and safe to print."""
    return f"streams[{index}] ({shown(stream)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. `source_id` at the top is already filled into the mappings that name none."""

    api: Api
    credentials: Credentials
    pace: Pace
    patience: Patience
    keeping: Keeping
    mappings: tuple[StreamMapping, ...]
    batch_size_rows: int = 100
    validate_records: bool = True
