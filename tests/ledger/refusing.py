"""A server that speaks PostgreSQL's protocol just far enough to refuse."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ASKS_FOR_ENCRYPTION = {80877103, 80877104}
"""The codes of SSLRequest and GSSENCRequest."""


def error_response(code: str, text: str, severity: str = "FATAL") -> bytes:
    """The message ErrorResponse."""
    fields = b"".join(
        kind + value.encode() + b"\0" for kind, value in ((b"S", severity), (b"V", "FATAL"), (b"C", code), (b"M", text))
    )
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


@contextmanager
def answering(answer: bytes, *, encryption: bytes = b"N") -> Iterator[int]:
    """The port at which every connection is answered so; what it asks about encryption is answered by `encryption`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, answer, encryption), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, answer: bytes, encryption: bytes) -> None:
    with suppress(OSError):  # the server is shut down
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                _answer(connection, answer, encryption)


def _answer(connection: socket.socket, answer: bytes, encryption: bytes) -> None:
    while len(head := connection.recv(8, socket.MSG_WAITALL)) == 8:
        length, code = struct.unpack("!II", head)
        if code not in _ASKS_FOR_ENCRYPTION:
            connection.recv(length - 8, socket.MSG_WAITALL)
            connection.sendall(answer)
            return
        connection.sendall(encryption)
