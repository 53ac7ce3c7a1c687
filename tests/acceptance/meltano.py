"""The project's own meltano.yml, in a folder of the test's, beside a sandbox: nothing is installed, nothing leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from hub.definition import LOCK, definition
from tests.sandbox.wire import Wire

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("target-driftrock")
MELTANO = ROOT / ".venvs/meltano/bin/meltano"
TAP_POSTGRES = ROOT / ".venvs/tap-postgres/bin/tap-postgres"
PATIENCE = 120.0
"""Seconds until a run is given up."""

SANDBOX = "target-driftrock--sandbox"
_EXECUTABLES = {"target-driftrock": COMMAND, "tap-postgres": TAP_POSTGRES}


def missing() -> str | None:
    """What is not installed that the tests need, and what installs it."""
    if not COMMAND.exists():
        return f"{COMMAND.name} is not installed beside this Python: make setup"
    absent = [path.name for path in (MELTANO, TAP_POSTGRES) if not path.exists()]
    return f"{', '.join(absent)} not installed: make meltano" if absent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Meltano project at `root`, whose sandbox plugin sends to the sandbox behind `wire`."""

    root: Path
    wire: Wire
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, where: Path | None = None, **variables: str) -> subprocess.Popen[bytes]:
        """Meltano with these arguments, as the head of a process group of its own. What it prints is in `log`."""
        with self.log_file.open("wb") as log:
            return subprocess.Popen(
                [MELTANO, *arguments],
                cwd=where or self.root,
                env=self._environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str, where: Path | None = None, **variables: str) -> str:
        """All that Meltano printed. Fails where its exit code is not 0."""
        process = self.start(*arguments, where=where, **variables)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
        assert process.returncode == 0, self.log
        return self.log

    @property
    def log_file(self) -> Path:
        """Where the latest start prints to."""
        return self.root / "meltano.log"

    @property
    def log(self) -> str:
        """What the latest start has printed so far."""
        return self.log_file.read_text()

    def bookmarks(self, tap: str) -> Any:
        """What Meltano has stored as the state of `tap` into the sandbox, or None."""
        found = subprocess.run(
            [MELTANO, "--environment=dev", "state", "get", f"dev:{tap}-to-{SANDBOX}"],
            cwd=self.root,
            env=self._environment(),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        return json.loads(found.stdout or "null")["singer_state"]["bookmarks"]

    def accepted(self) -> list[dict[str, Any]]:
        """The events that the sandbox took, the first one first, with exact numbers."""
        answer = self.wire.send("GET", "/_sandbox/arrivals?limit=10000", {})
        arrivals = json.loads(answer.body, parse_float=Decimal)
        return [arrival["event"] for arrival in reversed(arrivals) if arrival["outcome"] == "accepted"]

    def _environment(self) -> dict[str, str]:
        """Nothing of the developer's own, but where programs are."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
            "MELTANO_AUTO_INSTALL": "false",
            "NO_COLOR": "1",
            "TARGET_DRIFTROCK__SANDBOX_API_URL": self.wire.url,
            "TARGET_DRIFTROCK__SANDBOX_LEDGER": str(self.root / "ledger"),
            **self.variables,
        }


def project(
    root: Path,
    wire: Wire,
    *,
    streams: Sequence[Mapping[str, Any]] | None = None,
    capabilities: Sequence[str] | None = None,
    **variables: str,
) -> Project:
    """A project made of the repository's: its plugins' executables are the installed ones, and have no `pip_url`.

    `streams` take the place of the mappings, and `capabilities` of what the target says that it can do. What the
    target writes of its number is in `target.pid`.
    """
    root.mkdir()
    shutil.copytree(ROOT / "demo", root / "demo")
    shutil.copytree(ROOT / "plugins", root / "plugins")
    if capabilities is not None:
        locked = root / LOCK.relative_to(ROOT)
        locked.write_text(json.dumps(definition() | {"plugin_type": "loaders", "capabilities": list(capabilities)}))
    described = yaml.safe_load((ROOT / "meltano.yml").read_text())
    for plugin in (*described["plugins"]["extractors"], *described["plugins"]["loaders"]):
        plugin.pop("pip_url", None)
        if plugin["name"] in _EXECUTABLES:
            plugin["executable"] = str(_wrapped(plugin["name"], root))
        if plugin["name"] == "target-driftrock" and streams is not None:
            plugin["config"]["streams"] = [dict(mapping) for mapping in streams]
    (root / "meltano.yml").write_text(yaml.safe_dump(described, sort_keys=False))
    return Project(root=root, wire=wire, variables=variables)


def _wrapped(name: str, root: Path) -> Path:
    """A script that becomes the installed executable, so that Meltano's child can be told by its process id."""
    script = root / name
    script.write_text(f'#!/bin/sh\necho $$ > "{root}/{name}.pid"\nexec "{_EXECUTABLES[name]}" "$@"\n')
    script.chmod(0o700)
    return script
