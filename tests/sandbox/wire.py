"""A caller of the sandbox that shares nothing with the target: plain sockets and the standard library's HTTP."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

WEBHOOK = "/v2/event"
AFFILIATE = "/v2/affiliate_event"
TOKEN = "/oauth2/token"

LEAD: Mapping[str, Any] = {
    "event_type": "lead",
    "event_name": "User signed up",
    "source_id": "capture-1",
    "fields": {"email": "ada@example.com", "question_1": "Yes"},
}
AFFILIATE_LEAD: Mapping[str, Any] = {**LEAD, "affiliate_id": "partner-1"}
EVENT_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Authorization": "Bearer sandbox",
}
TOKEN_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "Basic " + b64encode(b"an-id:a-secret").decode(),
}
JSON: Mapping[str, str] = {"Content-Type": "application/json"}
GRANT = b"grant_type=client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its headers by lower-case name, and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Wire:
    """Calls to one sandbox, each over a connection of its own."""

    url: str
    patience: float = 5.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """One request, one answer. Raises what the socket raises."""
        connection = HTTPConnection(*self.address, timeout=self.patience)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(status=answer.status, headers=names, body=answer.read())
        finally:
            connection.close()

    def event(self, event: Mapping[str, Any] = LEAD, *, path: str = WEBHOOK, **headers: str) -> Reply:
        """Send an event as the public pages show it."""
        changed = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return self.send("POST", path, {**EVENT_HEADERS, **changed}, json.dumps(event).encode())

    def token(self) -> Reply:
        """Ask for a token as the public pages show it."""
        return self.send("POST", TOKEN, TOKEN_HEADERS, GRANT)

    def hang(self, event: Mapping[str, Any] = LEAD) -> socket.socket:
        """Send an event, and leave the answer unread."""
        body = json.dumps(event).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in EVENT_HEADERS.items())
        caller = socket.create_connection(self.address, timeout=self.patience)
        caller.sendall(f"POST {WEBHOOK} HTTP/1.1\r\nHost: localhost\r\n{head}".encode())
        caller.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return caller

    def raw(self, request: bytes) -> bytes:
        """Everything that comes back for these bytes until the connection ends."""
        with socket.create_connection(self.address, timeout=self.patience) as caller:
            caller.sendall(request)
            return b"".join(iter(lambda: caller.recv(65536), b""))

    def get(self, path: str) -> Any:
        """What the control says."""
        return self.send("GET", path, {}).json

    def post(self, path: str, value: Any = None) -> Reply:
        """Tell the control something."""
        return self.send("POST", path, JSON, json.dumps(value).encode())

    def counts(self) -> Any:
        """The figures so far."""
        return self.get("/_sandbox/counts")

    def arrivals(self) -> Any:
        """What arrived, the newest first."""
        return self.get("/_sandbox/arrivals")
