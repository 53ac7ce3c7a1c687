"""The command line itself: what it says, what it imports, and how it ends. What a run does is in `acceptance`."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from target_driftrock import cli
from target_driftrock.errors import ExitCode
from target_driftrock.target import TargetDriftrock
from tests.program import interpreted


def command(name: str) -> click.Command:
    """The command of that name."""
    found = cli.program.get_command(click.Context(cli.program), name)
    assert found is not None
    return found


def test_every_option_of_the_sdk_is_there_when_no_command_is_named() -> None:
    """Meltano and whoever knows another target find the same names, each taking as much."""
    ours = {option.name: option for option in cli.program.params}

    for theirs in TargetDriftrock.get_singer_command().params:
        option = ours[theirs.name]
        assert isinstance(theirs, click.Option)
        assert isinstance(option, click.Option)
        assert (option.opts, option.multiple, option.is_flag) == (theirs.opts, theirs.multiple, theirs.is_flag)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param([], 2, "error: No settings are given: give --config FILE", id="nothing"),
        pytest.param(["--confg", "x"], 2, "There is no such option. Did you mean --config?", id="an option"),
        pytest.param(["chek"], 2, "There is no such command. Did you mean check?", id="a near command"),
        pytest.param(["frobnicate"], 2, "There is no such command. See `target-driftrock --help`.", id="a far command"),
        pytest.param(["preview", "--max", "0"], 2, "See `target-driftrock preview --help`.", id="a number"),
        pytest.param(["check", "leads.singer"], 2, "See `target-driftrock check --help`.", id="a stray argument"),
        pytest.param(["sandbox", "--prt", "1"], 2, "Did you mean --port?", id="an option of the sandbox"),
        pytest.param(["sandbox", "--port", "99999"], 2, "--port", id="a value for the sandbox"),
        pytest.param(["--config", "nowhere.json"], 2, "error: The file of --config cannot be", id="a file of settings"),
        pytest.param(["--format", "xml", "--about"], 2, "it must be one of json, jsonschema, markdown.", id="a form"),
    ],
)
def test_one_plain_line_says_what_is_wrong_when_the_command_line_is(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No usage text and no traceback before it, and where to read on behind it."""
    assert cli.run(arguments) == code

    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("error: ")
    assert told in err


SECRET = "s3cret"
WRONG = [
    [f'{{"client_secret": "{SECRET}"}}'],
    [f"--{SECRET}"],
    [f"--{SECRET}=1"],
    [f"--config{SECRET}"],
    ["--config", f"client_secret: {SECRET}"],
    [f"--config=./{SECRET}", "--config", "nowhere.json"],
    [f"--version={SECRET}"],
    ["--input", SECRET, "--config", "nowhere.json"],
    ["check", SECRET],
    ["check", f"--{SECRET}"],
    ["check", "--config=ENV", "--input", SECRET],
    ["rejects", "--since", SECRET],
    ["rejects", "--delete", SECRET],
    ["rejects", f"--held={SECRET}"],
    ["report", "--month", SECRET],
    ["trace", SECRET, SECRET],
    ["sandbox", "--host", SECRET],
    ["sandbox", "--record", f"/nonexistent/{SECRET}"],
    ["sandbox", f"--client-secret={SECRET}"],
    ["sandbox", SECRET],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_nothing_of_an_argument_is_repeated_when_the_command_line_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be a secret, or settings in a shell without quotes: what is told is which option, and what is expected."""
    assert cli.run(arguments) == ExitCode.SETTINGS

    out, err = capsys.readouterr()
    assert (out, err[:7]) == ("", "error: ")
    assert SECRET not in err


def test_a_switch_is_named_when_it_is_given_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    """As `--down true`, of which the second word is no option's."""
    assert cli.run(["sandbox", "--html", "--down", "true"]) == ExitCode.SETTINGS

    assert "an argument too many: --down is a switch, and takes none." in capsys.readouterr().err


TYPED = [
    pytest.param([*way, option.opts[0]], id=" ".join([*way, option.opts[0]]))
    for way, command_of in (([], cli.program), *(([name], command(name)) for name in cli.COMMANDS))
    for option in command_of.params
    if option.type is not click.STRING and not getattr(option, "is_flag", False)
    if not isinstance(option.type, click.Path)
]


@pytest.mark.parametrize("way", TYPED)
def test_no_value_is_repeated_when_an_option_takes_another_kind(
    way: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of whatever command and kind: the message names the option, and says what it takes."""
    assert cli.run([*way, SECRET]) == ExitCode.SETTINGS

    err = capsys.readouterr().err
    assert err.startswith(f"error: Invalid value for '{way[-1]}': it must be ")
    assert SECRET not in err


def test_what_is_expected_is_told_when_a_value_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """In words, with its bounds."""
    for arguments in (
        ["sandbox", "--port", "99999"],
        ["preview", "--max", "0"],
        ["sandbox", "--seed", "x"],
        ["sandbox", "--latency", "x"],
        ["sandbox", "--retry-after", "x"],
        ["sandbox", "--record", "/"],
    ):
        cli.run(arguments)

    told = [line.partition(": it must be ")[2].partition(".")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "a whole number from 0 to 65535",
        "a whole number from 1",
        "a whole number",
        "a number",
        "one of none, seconds, date",
        "the name of a file",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["check", "--help"], ["preview", "--help"], ["sandbox", "--help"]],
    ids=" ".join,
)
def test_help_reads_as_sentences_when_it_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each option says what it does, and ends like a sentence."""
    assert cli.run(arguments) == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: target-driftrock{' ' if len(arguments) > 1 else ''}{' '.join(arguments[:-1])} ")


def test_every_help_text_is_a_sentence_when_it_is_shown() -> None:
    """Of options and of commands alike."""
    ours = [cli.program, *(command(name) for name in cli.COMMANDS if name != "sandbox")]  # whose options are a table
    texts = [option.help for command in ours for option in command.params if isinstance(option, click.Option)]
    texts += cli.COMMANDS.values()

    assert texts
    assert [text for text in texts if not (text and text[0].isupper() and text.endswith("."))] == []


def test_a_command_is_there_when_its_module_is() -> None:
    """What `--help` lists is what can be called, and each brings its own options."""
    assert {name for name in cli.COMMANDS if command(name).name == name} == cli.COMMANDS.keys()
    assert cli.program.list_commands(click.Context(cli.program)) == sorted(cli.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        pytest.param(["--help"], ("aiohttp", "requests", "singer_sdk", "sqlalchemy"), id="help"),
        pytest.param(["--config", "nowhere.json"], ("aiohttp", "singer_sdk", "sqlalchemy"), id="no settings"),
        pytest.param(["--config", "ENV"], ("aiohttp", "singer_sdk", "sqlalchemy"), id="wrong settings"),
        pytest.param(["--about"], ("target_driftrock.sandbox", "target_driftrock.commands"), id="about"),
        pytest.param(["sandbox", "--help"], ("singer_sdk", "sqlalchemy"), id="sandbox"),
        pytest.param(["rejects", "--help"], ("aiohttp", "singer_sdk", "sqlalchemy"), id="rejects"),
        pytest.param(["report", "--help"], ("aiohttp", "singer_sdk", "sqlalchemy"), id="report"),
        pytest.param(["trace", "--help"], ("aiohttp", "singer_sdk", "sqlalchemy"), id="trace"),
    ],
)
def test_nothing_is_imported_in_vain_when_the_program_starts(arguments: list[str], left_out: tuple[str, ...]) -> None:
    """A start takes its time for imports: each command brings its own."""
    done = interpreted(f"""
        import sys
        from target_driftrock import cli
        cli.run({arguments!r})
        print("in vain:", *(name for name in {left_out!r} if name in sys.modules))
    """)

    assert done.out.splitlines()[-1].split() == ["in", "vain:"]


def test_no_secret_is_printed_when_a_line_of_our_own_holds_it() -> None:
    """Settings are known to the log before anything is done with them."""
    done = interpreted("""
        import logging, os, sys
        from target_driftrock import cli
        from target_driftrock.commands import preview

        class Talking:
            def __init__(self, *_, **__):
                line = {"pathname": cli.__file__, "levelno": 40, "levelname": "ERROR", "msg": "It is s3cret."}
                logging.getLogger().handle(logging.makeLogRecord(line))
                sys.exit(0)

        preview.Preview = Talking
        os.environ |= {
            "TARGET_DRIFTROCK_ENVIRONMENT": "staging",
            "TARGET_DRIFTROCK_API_KEY": "s3cret",
            "TARGET_DRIFTROCK_LEDGER": "ledger",
            "TARGET_DRIFTROCK_STREAMS": '[{"stream": "leads", "skip": true}]',
        }
        sys.argv = ["target-driftrock", "preview", "--config", "ENV"]
        cli.main()
    """)

    assert done.err.endswith("ERROR It is ***.\n")


def test_a_defect_ends_with_70_when_a_command_fails() -> None:
    """Where it came from is told, and no text that could hold a value."""
    done = interpreted("""
        import sys
        from target_driftrock import cli
        from target_driftrock.commands import preview

        class Failing:
            def __init__(self, *_, **__):
                raise KeyError("ada@example.com")

        preview.Preview = Failing
        sys.argv = ["target-driftrock", "preview", "--config", "ENV"]
        import os
        os.environ |= {
            "TARGET_DRIFTROCK_ENVIRONMENT": "sandbox",
            "TARGET_DRIFTROCK_LEDGER": "ledger",
            "TARGET_DRIFTROCK_STREAMS": '[{"stream": "leads", "skip": true}]',
        }
        cli.main()
    """)

    assert (done.code, done.out) == (70, "")
    assert "CRITICAL A defect of target-driftrock" in done.err
    assert "KeyError" in done.err
    assert "ada@example.com" not in done.err


@pytest.mark.parametrize(
    "arguments", [["--config", "{file}"], ["preview", "--config", "{file}"]], ids=["run", "preview"]
)
def test_a_variable_that_has_no_effect_is_told_when_settings_come_of_a_file(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where the settings are wrong: it may be just what is missing in them."""
    monkeypatch.setenv("TARGET_DRIFTROCK_MAX_EVENTS", "1")
    file = tmp_path / "config.json"
    file.write_text("{}")

    assert cli.run([each.format(file=file) for each in arguments]) == ExitCode.SETTINGS

    assert "TARGET_DRIFTROCK_MAX_EVENTS: set, and not read" in caplog.text + capsys.readouterr().err
