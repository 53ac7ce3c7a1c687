"""The main job, on real input, without an account: a tap's messages through the installed command into the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from target_driftrock.sandbox.background import in_thread
from target_driftrock.sandbox.server import Sandbox, Setup

PROGRAM = Path(sys.executable).with_name("target-driftrock")
HERE = Path(__file__).parent
JOB = ("--config", "demo/settings.json", "--input", "demo/leads.singer")


def main() -> int:
    """Run the job, and show what came of it; its exit code."""
    folder = Path(tempfile.mkdtemp(prefix="target-driftrock-demo-"))
    record = folder / "arrivals.jsonl"
    with in_thread(Sandbox(Setup(record=record))) as url:
        ours = folder / "settings.json"  # a port that is free now, and a ledger that knows nothing yet
        ours.write_text(json.dumps({"api_url": url, "ledger": str(folder / "ledger")}), encoding="utf-8")
        command = [str(PROGRAM), *JOB, "--config", str(ours)]
        click.echo(f"A sandbox, Driftrock's API as a double, runs at {url}. Leads and conversions go into it:")
        click.echo(f"$ {' '.join(map(str, [typed(PROGRAM), *command[1:]]))}\n")
        code = subprocess.run(command, cwd=HERE.parent, check=False).returncode  # noqa: S603 - our own
    if code:
        return code
    click.echo("\nWhat arrived:")
    for line in record.read_text(encoding="utf-8").splitlines():
        click.echo(shown(line))
    click.echo(f"\nEach event in full: {record}")
    click.echo(f"A sandbox that stays, and shows them in the browser: {typed(PROGRAM)} sandbox")
    click.echo("Beside it, this delivers into that one, once, with .ledger-demo for a ledger:")
    click.echo(f"{typed(PROGRAM)} {' '.join(JOB)}")
    return 0


def shown(arrival: str) -> str:
    """One arrival in a line."""
    event = json.loads(arrival)["event"]
    endpoint = json.loads(arrival)["endpoint"]
    return f"  {event['event_type']:<11}{event['event_name']:<20}{event['event_id']:<22}POST {endpoint}"


def typed(path: Path) -> Path:
    """A path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
