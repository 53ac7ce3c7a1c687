"""The files in examples/, held to the program; `make examples` holds them to the schemas of who reads them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from target_driftrock.settings import TABLE
from target_driftrock.target import TargetDriftrock
from tests.stage import wired

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
COMPOSE: Mapping[str, Any] = yaml.safe_load((EXAMPLES / "compose.yml").read_text(encoding="utf-8"))
SETTINGS, CRONJOB = yaml.safe_load_all((EXAMPLES / "cronjob.yml").read_text(encoding="utf-8"))
JOB = CRONJOB["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(TARGET,) = POD["containers"]
WORST = 30
"""Seconds in which docs/promises.md has a run ended by a signal, whatever hangs."""
TRIED_AGAIN = {ExitCode.RESOLVED, ExitCode.TRY_LATER, ExitCode.STATE_UNREAD}


def previewed(settings: Mapping[str, Any]) -> int:
    """How many events the demo's file would become; the settings are right, or this raises."""
    lines: list[bytes] = []
    preview = Preview(TargetDriftrock(config=dict(settings)), write=lines.append)
    preview.read(io.BytesIO((ROOT / "demo/leads.singer").read_bytes()))
    assert preview.exit_code == ExitCode.RESOLVED
    return len(lines)


def named(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, by variables that have their names."""
    settings = {name.removeprefix("TARGET_DRIFTROCK_").lower(): value for name, value in variables.items()}
    assert settings.keys() <= {row.name for row in TABLE}
    return settings


# Compose.


def test_the_settings_are_right_when_compose_gives_them() -> None:
    """Those of the project, and those that its container gets by variables."""
    variables = COMPOSE["services"]["meltano"]["environment"]
    given = named({name: value for name, value in variables.items() if name.startswith("TARGET_DRIFTROCK_")})
    project = yaml.safe_load((EXAMPLES / "meltano.yml").read_text(encoding="utf-8"))
    (loader,) = project["plugins"]["loaders"]

    assert COMPOSE["services"]["meltano"]["command"] == ["run", "tap-singer-file", loader["name"]]
    assert previewed({**loader["config"], **given}) == 3


def test_only_what_stays_is_asked_whether_it_is_well() -> None:
    """And the sandbox answers where its health check asks."""
    checks = {name: service.get("healthcheck") for name, service in COMPOSE["services"].items()}
    (path,) = re.findall(r"http://127.0.0.1:8377(/[\w/]+)", " ".join(checks["sandbox"]["test"]))

    with wired() as wire:
        assert wire.send("GET", path, {}).status == 200
    assert {name for name, check in checks.items() if check} == {"sandbox", "postgres"}


# Kubernetes.


def test_the_settings_are_right_when_a_cron_job_gives_them() -> None:
    """From its file, its secret and its variables; and a ledger is not made."""
    given = named({each["name"]: each.get("value", "of-the-secret") for each in TARGET["env"]})

    assert TARGET["args"][:2] == ["--config=/settings/settings.json", "--config=ENV"]
    assert given["new_ledger"] == "refuse"
    assert previewed({**json.loads(SETTINGS["data"]["settings.json"]), **given}) == 3


def test_a_job_is_tried_again_when_its_exit_code_says_so() -> None:
    """What a person has to mend is not; and there is never a second run beside the first."""
    (codes,) = [rule["onExitCodes"] for rule in JOB["podFailurePolicy"]["rules"] if "onExitCodes" in rule]

    assert codes["containerName"] == TARGET["name"]
    assert set(codes["values"]) == set(ExitCode) - TRIED_AGAIN
    assert (POD["restartPolicy"], CRONJOB["spec"]["concurrencyPolicy"]) == ("Never", "Forbid")
    assert POD["terminationGracePeriodSeconds"] > WORST


def test_containers_may_do_nothing_when_a_cron_job_starts_them() -> None:
    """Each as the user whom the image names."""
    (user,) = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    pod = POD["securityContext"]

    assert (pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (int(user[0]), int(user[1]), int(user[1]))
    for container in (*POD["initContainers"], TARGET):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"] == "256Mi"


# Images.


def test_no_volume_is_made_without_a_name_when_an_image_is_run() -> None:
    """It would end with its container, and the ledger with it."""
    for path in (ROOT / "Dockerfile", EXAMPLES / "meltano.Dockerfile"):
        text = path.read_text(encoding="utf-8")

        assert not re.search(r"^VOLUME", text, re.MULTILINE)
        assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
        assert re.search(r"^ENTRYPOINT \[", text, re.MULTILINE)
