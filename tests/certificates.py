"""A certificate of our own making, for servers on this machine."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = "subjectAltName=DNS:localhost,DNS:api.example.com,IP:127.0.0.1"


def made_in(directory: Path, *, names: str = NAMES) -> Path:
    """A PEM file of a key and its self-signed certificate for these names, which serves as its own authority.

    The standard library cannot make one: skips the test where there is no `openssl` command.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate, both = (directory / name for name in ("key.pem", "certificate.pem", "both.pem"))
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        [openssl, *request, "-subj", "/CN=localhost", "-addext", names, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def server_context(pem: Path) -> ssl.SSLContext:
    """What a server needs to show the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
