"""Servers that others wrote, as Debian packages them: nginx and haproxy before an API, tinyproxy before a network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, until

_KEPT_BY_NGINX = "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])  # where Debian has daemons


def program(name: str, *, package: str | None = None, of: str | None = None) -> str:
    """Where this program is. Where it is missing, skips the test, or fails it under TARGET_DRIFTROCK_TEST_REQUIRE_….

    It is in the `package` of its own name unless another is said, and required with `of`, if that is said.
    """
    found = shutil.which(name, path=_PATH)
    if found is not None:
        return found
    missing = f"no {name} on this machine: apt-get install {package or name}"
    if os.environ.get(f"TARGET_DRIFTROCK_TEST_REQUIRE_{(of or name).upper()}") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def nginx(folder: Path, *directives: str, above: str = "") -> Iterator[int]:
    """The server nginx with one server, of these directives, at the port that is given back; `above` is beside it."""
    port, file = free_port(), folder / "nginx.conf"
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {paths} {above}\n"
        f"server {{ listen 127.0.0.1:{port}; {' '.join(directives)} }} }}\n"
    )
    with _running([program("nginx"), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)], port):
        yield port


@contextmanager
def haproxy(folder: Path, api: int, *directives: str) -> Iterator[int]:
    """The proxy haproxy before the port `api`, with these directives, at the port that is given back."""
    port, file = free_port(), folder / "haproxy.cfg"
    lines = [
        "defaults",
        *("mode http", "timeout connect 5s", "timeout client 30s", "timeout server 30s", *directives),
        "listen all",
        *(f"bind 127.0.0.1:{port}", f"server api 127.0.0.1:{api}"),
    ]
    file.write_text("\n".join(lines) + "\n")
    with _running([program("haproxy"), "-db", "-f", str(file)], port):
        yield port


@contextmanager
def tinyproxy(folder: Path, *directives: str) -> Iterator[int]:
    """Tinyproxy with these directives, at the port that is given back."""
    port, file = free_port(), folder / "tinyproxy.conf"
    file.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 60", *directives]) + "\n")
    with _running([program("tinyproxy"), "-d", "-c", str(file)], port):
        yield port


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, f"{command[0]} has ended"
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
