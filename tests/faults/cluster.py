"""A PostgreSQL server of our own, which may be stopped and crashed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.trial import NotPlayed

USER = "postgres"
"""Whose server it is where we are root, whose none may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A server in a folder, on a port of this machine."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> str:
        """Where a ledger connects to."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Of its first process."""
        return int((self.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])

    def start(self) -> None:
        """Come back when it takes connections."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str) -> None:
        """`fast` ends its sessions; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def demote(self) -> None:
        """Start it anew as a standby, of no server in particular."""
        self.stop("fast")
        (self.folder / "data" / "standby.signal").touch()
        self.start()

    def promote(self) -> None:
        """Make a primary of a standby."""
        self._run("pg_ctl", "promote", "-w")

    def make(self) -> None:
        """Its files."""
        self._run("initdb", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        before = ("runuser", "-u", USER, "--") if os.geteuid() == 0 else ()
        subprocess.run(
            [*before, self.programs / program, "-D", self.folder / "data", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server that runs while the `with` lasts.

    Raises:
        NotPlayed: PostgreSQL is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise NotPlayed("no initdb in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="faults-server-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        server = Cluster(folder=Path(folder), programs=found[-1].parent, port=_free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
