"""Salted digests: what the ledger holds instead of who it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from target_driftrock.events.event import Capture, Origin


class Digests:
    """Digests under one ledger's salt (hexadecimal): 16 bytes each, which mean nothing without it."""

    def __init__(self, salt: str) -> None:
        self._keyed = hashlib.blake2b(digest_size=16, key=bytes.fromhex(salt))

    def of(self, data: bytes) -> bytes:
        """The digest of some bytes."""
        digest = self._keyed.copy()
        digest.update(data)
        return digest.digest()

    def payload(self, body: bytes) -> bytes:
        """The digest of what is sent."""
        return self.of(body)

    def text(self, kind: str, value: str) -> bytes:
        """The digest of an id of some kind."""
        return self.of(f"{kind}\0{value}".encode(errors="surrogatepass"))  # a tap's key may hold half a pair

    def capture(self, api: str, capture: Capture) -> bytes:
        """The digest of a capture at an API."""
        parts = (api, capture.endpoint.value, capture.source_id, capture.affiliate_id)
        return self.of(b"capture\0" + msgspec.json.encode(parts))

    def source(self, origin: Origin) -> bytes:
        """Of a record: its stream and key properties, else the whole of it."""
        return self.of(origin.record) if origin.key is None else self.text("source", origin.key)
