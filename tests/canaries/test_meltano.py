"""The same values through Meltano, which prints the target's log in its own forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import meltano
from tests.acceptance.meltano import PATIENCE
from tests.canaries.cases import MAPPING, TAP
from tests.canaries.values import PERSONAL, SECRETS, found
from tests.program import written
from tests.stage import wired

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.meltano,
    pytest.mark.skipif(meltano.missing() is not None, reason=str(meltano.missing())),
]


@pytest.mark.parametrize("form", ["colored", "json"])
@pytest.mark.parametrize("capabilities", [["structured-logging"], []], ids=["structured", "plain"])
def test_nothing_is_seen_when_meltano_prints_the_log(tmp_path: Path, form: str, capabilities: list[str]) -> None:
    """A run in part of which events are refused, at the level DEBUG."""
    secrets = {f"TARGET_DRIFTROCK_{name.upper()}": SECRETS[name] for name in ("client_id", "client_secret")}
    with wired(refuse_share=0.5) as wire:
        project = meltano.project(tmp_path / "project", wire, streams=[MAPPING], capabilities=capabilities, **secrets)
        (project.root / "demo/leads.singer").write_bytes(written(TAP))
        process = project.start(f"--log-format={form}", "run", "file-to-sandbox", TARGET_DRIFTROCK_LOGLEVEL="DEBUG")
        process.wait(PATIENCE)

    assert "Records: 4 read = 3 mapped + 1 invalid" in project.log
    assert not found(project.log.encode(), {**PERSONAL, **SECRETS})
