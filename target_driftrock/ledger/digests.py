"""Salted digests: what the ledger holds instead of who it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from target_driftrock.events.event import Capture, Origin
    from target_driftrock.events.identity import Who

IDENTITY_BYTES = 12
CONTENT_BYTES = 6
"""Contents are told apart under one identity alone, and so are persons: few bytes are enough, and make small rows."""
WHO_BYTES = 6
RECORD_BYTES = 6
EVENT_BYTES = 8

WhoDigests = tuple[bytes | None, bytes | None, bytes | None]
"""As in `Who`; None for a kind that is not named, no bytes at all for one that was erased."""


class Digests:
    """Digests under one ledger's salt (hexadecimal), which mean nothing without it."""

    def __init__(self, salt: str) -> None:
        self._keyed = hashlib.blake2b(digest_size=16, key=bytes.fromhex(salt))

    def of(self, data: bytes) -> bytes:
        """The digest of some bytes: 16 of them."""
        digest = self._keyed.copy()
        digest.update(data)
        return digest.digest()

    def identity(self, api: str, identity: bytes) -> bytes:
        """The digest of an event at an API."""
        return self.of(b"identity\0" + identity + api.encode())[:IDENTITY_BYTES]

    def content(self, identity: bytes, content: bytes) -> bytes:
        """The digest of a content, over the digest of its event: equal contents of two events cannot be linked."""
        return self.of(identity + content)[:CONTENT_BYTES]

    def who(self, over: bytes, who: Who) -> WhoDigests:
        """The digests of a person, over an event's or a record's digest: one person's rows cannot be linked."""
        person, email, phone = who
        return (
            None if person is None else self._named(b"person\0" + over, person),
            None if email is None else self._named(b"email\0" + over, email),
            None if phone is None else self._named(b"phone\0" + over, phone),
        )

    def record(self, identity: bytes, record: bytes) -> bytes:
        """The digest of a record as read, over the digest of its event."""
        return self.of(b"record\0" + identity + record)[:RECORD_BYTES]

    def read(self, stream: str, record: bytes) -> bytes:
        """The digest of a stream's record as read, of which a kept row is."""
        return self.of(b"read\0" + stream.encode(errors="surrogatepass") + b"\0" + record)[:RECORD_BYTES]

    def event(self, event_id: str) -> bytes:
        """The digest of an `event_id`, for a person who asks by it."""
        return self.text("event", event_id)[:EVENT_BYTES]

    def text(self, kind: str, value: str) -> bytes:
        """The digest of an id of some kind."""
        return self.of(f"{kind}\0{value}".encode(errors="surrogatepass"))  # a tap's key may hold half a pair

    def capture(self, api: str, capture: Capture) -> bytes:
        """The digest of a capture at an API."""
        parts = (api, capture.endpoint.value, capture.source_id, capture.affiliate_id)
        return self.of(b"capture\0" + msgspec.json.encode(parts))

    def source(self, origin: Origin) -> bytes | None:
        """Of a record's stream and key properties; None where it has none."""
        return None if origin.key is None else self.text("source", origin.key)

    def kept(self, identity: bytes, content: bytes) -> bytes:
        """The key of the row in which an event is kept: its content is part of it."""
        return self.of(b"kept\0" + identity + content)

    def kept_record(self, origin: Origin) -> bytes:
        """The key of the row in which a record without an event, or an event without an identity, is kept."""
        return self.text("record", origin.stream + "\0" + (origin.digest or origin.record).hex())

    def _named(self, over: bytes, value: str) -> bytes:
        return self.of(over + value.encode(errors="surrogatepass"))[:WHO_BYTES]
