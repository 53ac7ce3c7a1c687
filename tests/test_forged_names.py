"""Names that would end a line, move a cursor or turn the text around, wherever a name can come from.

What is looked at are the bytes that a terminal, a log or a browser would get.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.program import written
from tests.stage import LEADS, Stage, record, schema, staged
from tests.warm import Warm, warmed

FORGED = "OOPS"
LINES = f"\n{FORGED}\r{FORGED}\u2028{FORGED}\u2029{FORGED}\x85{FORGED}\v{FORGED}\f{FORGED}"
"""As many ways to end a line as there are."""
CODES = "\x1b[2J\x9b2J\x07\x7f\u202e\u2066\u200b\u200e\ufeff"
ODD = f"a{LINES}{CODES}"
"""Short enough for a name, and no value by its looks."""
QUOTED = rb"\nOOPS"
"""What is seen of it, wherever it is told."""
FINE = {"email": {"type": ["string", "null"]}, "id": {"type": "integer"}}


class Told(Protocol):
    """Do the whole of a run."""

    def __call__(self, *options: str, lines: bytes = b"", **environ: str) -> bytes:
        """Give all that it wrote, once nothing in it is found to do harm."""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """What becomes the program, again and again."""
    with warmed(tmp_path_factory.mktemp("warm")) as warm:
        yield warm


@pytest.fixture
def told(warm: Warm, tmp_path: Path) -> Told:
    """Runs of the program at the level DEBUG."""

    def tell(*options: str, lines: bytes = b"", **environ: str) -> bytes:
        everything = {"HOME": "/nonexistent", "LOGLEVEL": "DEBUG", **environ}
        warm.run(*options, lines=lines, folder=tmp_path, environ=everything)
        out, err = ((warm.files / name).read_bytes() for name in ("out", "err"))
        assert_harmless(out)
        assert_harmless(err)
        return out + err

    return tell


def assert_harmless(printed: bytes) -> None:
    """No line begins with the forged text, and nothing but line breaks and tabs is unseen."""
    text = printed.decode()
    unseen = {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}}
    assert not unseen - set("\n\t"), text
    assert not [line for line in text.splitlines() if line.lstrip().startswith(FORGED)], text


def assert_structured_is_harmless(printed: bytes) -> None:
    """The same of what a reader of structured logs shows of them. What stands there beside them is no log."""
    for line in printed.splitlines():
        if line.startswith(b'{"level"'):
            assert_harmless(json.loads(line)["message"].encode())


@pytest.fixture
def structured(tmp_path: Path) -> Mapping[str, str]:
    """What Meltano sets where it wants structured logs."""
    asked = tmp_path / "logging.json"
    asked.write_text(json.dumps({"formatters": {"structured": {"()": "singer_sdk.logging.StructuredFormatter"}}}))
    return {"SINGER_SDK_LOG_CONFIG": str(asked)}


NAMED = {
    **LEADS,
    "stream": ODD,
    "event_type": "lead",
    "source_id": "{source}",
    "event_id": "{id}",
    "on_changed": "skip",
}
ALL = {**FINE, "source": {}, ODD: {"type": ["integer", "null"]}, "below": {"properties": {ODD: {"type": "integer"}}}}


def _input() -> bytes:
    """Events that are delivered, refused, held and lost, and records that are invalid, of a stream of that name."""
    return written(
        [
            schema(ODD, properties=ALL, keys=["id"]),
            *(record(number, ODD, source=f"{ODD}{number % 3}", email=f"{ODD}@example.com") for number in range(30)),
            record(101, ODD, source=ODD, **{ODD: "a"}),
            record(102, ODD, source=ODD, below={ODD: "a"}),
            record(103, ODD, source=[ODD]),
            schema("keyed", properties=ALL, keys=[ODD]),
            record(1, "keyed", source=ODD),
            {"type": "STATE", "value": {"a": 1}},
        ]
    )


KEYED = {**LEADS, "stream": "keyed"}
LOOKS = [
    ("rejects", "--table"),
    ("rejects", "--answers"),
    ("report",),
    ("report", "--json"),
    ("report", "--csv"),
    ("report", "--unknown"),
    ("report", "--unknown", "--json"),
    ("trace", ODD),
    ("trace", "101"),
]


def test_no_name_does_harm_when_it_comes_by_a_record(tmp_path: Path, told: Told, structured: Mapping[str, str]) -> None:
    """Whatever becomes of its record, and whoever looks at it later."""
    with staged(tmp_path, refuse_share=0.4, gateway_share=0.3, refuse_sources=[f"{ODD}1"]) as stage:
        config = stage.config(
            streams=[NAMED, KEYED], on_unknown="hold", max_reject_percent=100, api_key="sandbox", max_outage_seconds=5
        )
        assert QUOTED in told(config, lines=_input())
        assert_structured_is_harmless(told(config, lines=_input(), **structured))
        assert QUOTED in told(config, "check", "--input=/dev/stdin", lines=_input())
        assert QUOTED in told(config, "preview", lines=_input())
        assert QUOTED in told(config, "preview", "--table", "--show-values", lines=_input())
        told(config, "preview", f"--html={tmp_path / 'page.html'}", "--show-values", lines=_input())
        assert QUOTED in b"".join(told(config, *options) for options in LOOKS)
        page = stage.wire.send("GET", "/", {}).body

    for each in (page, (tmp_path / "page.html").read_bytes()):
        assert QUOTED in each
        assert_harmless(each)


_NEVER_TOLD = ("choices", "types", "no-message")
"""What is said of these names no name at all."""


def schemas() -> Iterator[Any]:
    """What is wrong with mappings, settings and SCHEMAs of such names."""
    for name, message, settings in (
        ("unmapped", schema(ODD), {}),
        ("listed", schema(properties={ODD: {}}, keys=()), {"streams": [{**LEADS, "fields": {"a": "{a}"}}]}),
        ("near", schema(properties={f"email{ODD}": {}}, keys=()), {"streams": [{**LEADS, "person_id": "{email}"}]}),
        ("missing", schema(), {"streams": [{**LEADS, "person_id": f"{{{ODD}}}", "fields": {ODD: f"{{{ODD}.b}}"}}]}),
        ("when", schema(), {"streams": [{**LEADS, "when": {ODD: 1}}]}),
        ("a-constant", schema(properties={ODD: {}}), {"streams": [{**LEADS, "fields": {ODD: ODD}}]}),
        ("another-form", schema(properties={ODD: {}}), {"streams": [{**LEADS, "person_id": f"{{{{ {ODD} }}}}"}]}),
        ("a-position", schema(keys=[f"{ODD}_row"], properties={f"{ODD}_row": {}}), {}),
        ("a-missing-key", schema(keys=[ODD]), {}),
        ("a-mapping-behind-another", schema(), {"streams": [{**LEADS, "stream": "*"}, {**LEADS, "stream": ODD}]}),
        ("a-stream-map", schema(), {"stream_maps": {ODD: {ODD: ODD}, "leads": {ODD: f"record['{FORGED}']"}}}),
        ("a-failing-map", schema(), {"stream_maps": {"leads": {ODD: "int(email)"}}}),
        ("an-unmet-map", schema(), {"stream_maps": {ODD: {"a": "1"}}}),
        ("a-kept-key", schema(keys=[ODD], properties={ODD: {}}), {"stream_maps": {"leads": {"__else__": None}}}),
        (
            "flattening",
            schema(properties={ODD: {"type": "object", "properties": {"b": {}}}, f"{ODD}__b": {}}, keys=()),
            {"flattening_enabled": True, "flattening_max_depth": 2},
        ),
        ("a-setting", schema(), {ODD: 1, f"{ODD}max_event": 1, "streams": [{**LEADS, ODD: 1}]}),
        ("an-attribute", schema(), {"streams": [{**LEADS, "stream": ODD, f"event_i{ODD}": 1, "when": {ODD: {}}}]}),
        ("formerly", schema(), {"streams": [{**LEADS, "formerly": {ODD: "a", "event_id": 1}}]}),
        ("choices", schema(), {"environment": ODD, "on_changed": ODD, "api_url": f"https://{ODD}", "ledger": ODD}),
        ("templates", schema(), {"streams": [{**LEADS, "fields": {ODD: f"{{{ODD}!r}}", f"{ODD}b": f"{{{ODD}"}}]}),
        ("types", {**schema(), "schema": {"properties": {"a": {"type": ODD}}}}, {}),
        ("a-broken-schema", {**schema(ODD), "schema": {"properties": 1}}, {}),
        ("no-schema", record(1, ODD), {}),
        ("no-message", {"type": ODD, ODD: ODD}, {}),
    ):
        yield pytest.param([message, record(1, email="a", **{ODD: 1})], settings, name not in _NEVER_TOLD, id=name)


@pytest.mark.parametrize(("messages", "settings", "is_told"), list(schemas()))
def test_no_name_does_harm_when_something_is_wrong_with_it(
    messages: list[Any],
    settings: dict[str, Any],
    *,
    is_told: bool,
    stage: Stage,
    told: Told,
    structured: Mapping[str, str],
) -> None:
    """Neither in a log, plain or structured, nor in what the commands find."""
    config, lines = stage.config(**settings), written(messages)

    found = [
        told(config, lines=lines),
        told(config, "check", "--input=/dev/stdin", lines=lines),
        told(config, "preview", lines=lines),
    ]
    assert_structured_is_harmless(told(config, lines=lines, **structured))

    assert (QUOTED in b"".join(found)) is is_told


def test_no_name_does_harm_when_an_identity_of_it_is_mended(stage: Stage, told: Told) -> None:
    """How it was made is told as a setting that can be copied."""
    lines = written([schema(ODD, keys=[ODD], properties={**FINE, ODD: {}}), record(1, ODD, **{ODD: 1})])
    told(stage.config(streams=[{**LEADS, "stream": ODD, "event_name": ODD}]), lines=lines)

    config = stage.config(streams=[{**LEADS, "stream": ODD, "event_id": "{id}"}])

    assert b"formerly" in told(config, lines=lines)
    assert b"formerly" in told(config, "check", "--input=/dev/stdin", lines=lines)


@pytest.mark.parametrize("command", [(), ("check",), ("rejects",)], ids=["a-run", "check", "rejects"])
@pytest.mark.parametrize(
    ("options", "environ"),
    [
        pytest.param(["--config=ENV"], {f"TARGET_DRIFTROCK_{ODD}": "1"}, id="a-variable"),
        pytest.param(["--config=ENV"], {f"TARGET_DRIFTROCK_MAX_EVENT{ODD}": "1"}, id="a-variable-like-a-setting"),
        pytest.param(["--config=config.json"], {f"TARGET_DRIFTROCK_{ODD}": "1"}, id="a-variable-beside-a-file"),
        pytest.param(["--config=config.json"], {"TARGET_DRIFTROCK_LOGLEVEL": ODD}, id="a-level"),
        pytest.param(["--config=config.json"], {"SSL_CERT_FILE": ODD, "HTTPS_PROXY": ODD}, id="surroundings"),
        pytest.param([f"--config={ODD}"], {}, id="a-file"),
        pytest.param([f"--config=missing/{ODD}"], {}, id="a-file-that-is-missing"),
        pytest.param([f"--config={ODD}", "--config=ENV"], {"TARGET_DRIFTROCK_STREAMS": ODD}, id="both"),
        pytest.param(["--config=config.json", f"--input={ODD}/"], {}, id="an-input"),
        pytest.param([f"--{ODD}"], {}, id="an-option"),
        pytest.param([f"--max={ODD}", f"--last={ODD}", f"--month={ODD}", f"--since={ODD}"], {}, id="values"),
        pytest.param(["--config=config.json", ODD], {}, id="an-argument"),
    ],
)
def test_no_name_does_harm_when_the_command_line_or_a_variable_has_it(
    command: tuple[str, ...], options: list[str], environ: dict[str, str], stage: Stage, told: Told
) -> None:
    """What is wrong with a file, a variable or an option is told by its name."""
    stage.config()
    (stage.folder / ODD).write_text(json.dumps([ODD]))

    told(*command, *options, lines=b"", **environ)


@pytest.mark.parametrize(
    "options", [[f"--record=missing/{ODD}"], [f"--host={ODD}"], [f"--port={ODD}"], [f"--html-status={ODD}"], [ODD]]
)
def test_no_name_does_harm_when_the_sandbox_cannot_start_with_it(options: list[str], stage: Stage, told: Told) -> None:
    """Its complaints go the way of all others."""
    told("sandbox", *options)
