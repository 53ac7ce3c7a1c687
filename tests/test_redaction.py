"""The last line of defence: values driven through every way that leads to standard error."""

from __future__ import annotations

import json
import logging
import textwrap
from pathlib import Path

import pytest

from target_driftrock import redaction
from target_driftrock.errors import SettingsInvalid
from target_driftrock.records.ending import causes_of
from target_driftrock.redaction import SafeFormatter, describe, is_shown
from tests.program import Ended, interpreted

CANARY = "canary@example.com"
OWN = str(Path(redaction.__file__).parent / "sinks.py")
FOREIGN = "/venv/singer_sdk/sinks/core.py"


def line(message: str, *args: object, pathname: str = OWN, level: int = logging.INFO) -> logging.LogRecord:
    """A log record of the code in a file, under the logger that the SDK shares with us."""
    return logging.LogRecord("target-driftrock", level, pathname, 7, message, args, None)


def run(code: str, **environ: str) -> Ended:
    """A process that installs the defence and then runs some code, to which `value` is data and no literal."""
    head = "import os; from target_driftrock import redaction\nredaction.install([])\nvalue = os.environ['CANARY']\n"
    return interpreted(head + textwrap.dedent(code).lstrip(), CANARY=CANARY, PYTHONWARNINGS="", **environ)


def failing() -> Exception:
    """An exception with values in its text, in its cause's and in that one's context."""
    try:
        try:
            int(CANARY)
        except ValueError as error:
            raise KeyError(CANARY) from error
    except KeyError as error:
        return error
    raise AssertionError


def test_own_line_is_shown_with_its_arguments_when_it_is_logged() -> None:
    """Our sentences say what they were written to say, at the time in UTC."""
    record = line("Delivered %d of %d events.", 2, 3)
    record.created = 1_600_000_000.5

    assert is_shown(record)
    assert SafeFormatter([]).format(record) == "2020-09-13T12:26:40Z INFO Delivered 2 of 3 events."


def test_own_line_is_shown_without_arguments_when_they_do_not_fit() -> None:
    """A slip of ours loses no line and prints no argument."""
    assert SafeFormatter([]).format(line("Delivered %d events.", CANARY)).endswith("INFO Delivered %d events.")


def test_secrets_are_hidden_when_a_line_or_an_error_has_them() -> None:
    """A registered secret is `***`, the longer one first; an empty one hides nothing."""
    formatter = SafeFormatter(["", "key", "key-of-mine"])
    record = line("Sent %s and %s.", "key-of-mine", "key")
    error = SettingsInvalid(["It is key-of-mine."])
    record.exc_info = (type(error), error, None)

    assert formatter.format(record).endswith("Sent *** and ***.\nSettingsInvalid: It is ***.")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("a\nERROR all is lost", r"a\nERROR all is lost", id="a line break"),
        pytest.param("a\r\u2028\x85b", r"a\r\u2028\u0085b", id="other line breaks"),
        pytest.param("\x1b[2J\0", r"\u001b[2J\u0000", id="a terminal's commands"),
        pytest.param("\ud800", r"\ud800", id="half a character"),
    ],
)
def test_a_line_stays_one_line_when_a_name_in_it_would_end_it(name: str, expected: str) -> None:
    """Whoever forgets to show a name as what it is forges no line of the log."""
    text = SafeFormatter([]).format(line("Stream %s.", name))

    assert text.endswith(f"INFO Stream {expected}.")


def test_the_frames_stand_on_lines_of_their_own_when_an_error_s_text_has_line_breaks() -> None:
    """Several faults of the settings are one text."""
    record = line("It ended.")
    error = SettingsInvalid(["One\n.", "Two."])
    record.exc_info = (type(error), error, None)

    assert SafeFormatter([]).format(record).splitlines()[1:] == [r"SettingsInvalid: One\n. Two."]


def test_a_secret_is_hidden_when_it_would_be_escaped() -> None:
    """It is taken out of the line as it was given."""
    assert SafeFormatter(["key\tof mine"]).format(line("Sent %s.", "key\tof mine")).endswith("INFO Sent ***.")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_foreign_line_is_dropped_when_it_is_below_warning(level: int) -> None:
    """The SDK logs records at DEBUG under our own logger: what counts is whose code it is."""
    assert not is_shown(line("Read %s.", CANARY, pathname=FOREIGN, level=level))


def test_foreign_line_has_no_arguments_when_it_is_shown() -> None:
    """Of a library's warning only its own sentence is shown, and where it stands."""
    code = """
    import logging
    library = logging.getLogger("library")
    library.info("It is %s.", value)
    library.warning("Retrying %s.", value)
    library.warning(f"Retrying {value}.")
    library.warning(value)
    library.warning(ValueError(value))
    logging.getLogger("target-driftrock").error("Refused " + value)
    """
    result = run(code, TARGET_DRIFTROCK_LOGLEVEL="DEBUG")

    assert [text.partition(" ")[2] for text in result.err.splitlines()] == [
        "WARNING library: Retrying %s. (<string>:7)",
        "WARNING library: (text withheld) (<string>:8)",
        "WARNING library: (text withheld) (<string>:9)",
        "WARNING library: (text withheld) (<string>:10)",
        "ERROR target-driftrock: (text withheld) (<string>:11)",
    ]


def test_foreign_line_is_withheld_when_its_source_is_not_running() -> None:
    """A record from elsewhere, as from a queue, cannot be held against its source."""
    assert "(text withheld)" in SafeFormatter([]).format(line(CANARY, pathname=FOREIGN, level=logging.ERROR))


def test_exception_is_shown_without_texts_when_it_has_causes() -> None:
    """Classes and places tell where a defect is; texts and source lines tell whose data it met."""
    lines = list(describe(failing()))

    assert lines[0] == "KeyError"
    assert lines[2] == "Caused by ValueError"
    assert lines[1].startswith(f"  {__file__}:")
    assert lines[1].endswith(" in failing")
    assert CANARY not in "\n".join(lines)
    assert "int(" not in "\n".join(lines)


def test_a_defect_has_no_text_when_the_process_is_only_lent(caplog: pytest.LogCaptureFixture) -> None:
    """A notebook's logging is not ours: it prints whatever an exception says."""

    def stage() -> None:
        raise failing()

    assert [str(cause) for cause in causes_of(stage)] != []
    (record,) = caplog.records

    told = logging.Formatter().format(record)
    assert CANARY not in told
    assert all(name in told for name in ("KeyError", "Caused by ValueError", " in failing"))
    assert SafeFormatter([]).format(record).splitlines()[1:] == list(describe(record.exc_info[1]))  # type: ignore[index, arg-type]


def test_suppressed_cause_stays_hidden_when_an_exception_is_shown() -> None:
    """`from None` is respected, and a chain that bites its tail ends."""
    error, other = ValueError(CANARY), KeyError(CANARY)
    error.__context__, other.__context__ = other, error
    assert list(describe(error)) == ["ValueError", "Caused by KeyError"]

    error.__suppress_context__ = True
    assert list(describe(error)) == ["ValueError"]


def test_group_is_shown_by_its_members_classes_when_tasks_failed() -> None:
    """A group's own text is withheld as well."""
    group = ExceptionGroup(CANARY, [ValueError(CANARY), SettingsInvalid(["Say more."])])

    assert list(describe(group)) == ["ExceptionGroup", "  with ValueError", "  with SettingsInvalid: Say more."]


def test_innermost_frames_are_kept_when_the_stack_is_deep() -> None:
    """An endless recursion does not fill the log."""

    def dive(depth: int) -> None:
        if not depth:
            raise ValueError(CANARY)
        dive(depth - 1)

    with pytest.raises(ValueError, match=CANARY) as raised:
        dive(100)

    assert len(list(describe(raised.value))) == 31


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("raise ValueError(value)", "CRITICAL The program ends by", id="uncaught"),
        pytest.param("raise KeyboardInterrupt(value)", "KeyboardInterrupt", id="interrupted"),
        pytest.param(
            """
            import threading
            def work(text): raise ValueError(text)
            thread = threading.Thread(target=work, args=(value,), name=value)
            thread.start()
            thread.join()
            """,
            "CRITICAL A thread ends by",
            id="in a thread",
        ),
        pytest.param(
            """
            class Record:
                def __repr__(self): return value
                def __del__(self): raise ValueError(value)
            Record()
            """,
            "ERROR An exception was ignored",
            id="in a destructor",
        ),
        pytest.param("import warnings; warnings.warn(value)", "WARNING UserWarning at <string>:4.", id="a warning"),
        pytest.param(
            """
            import logging, warnings
            logging.captureWarnings(True)
            warnings.warn(value)
            """,
            "WARNING UserWarning at <string>:",
            id="a warning captured once more",
        ),
        pytest.param(
            """
            import asyncio
            async def fail(text): raise ValueError(text)
            async def main():
                loop = asyncio.get_running_loop()
                task = loop.create_task(fail(value), name=value)
                await asyncio.sleep(0)
                del task
                loop.call_soon(int, value)
                await asyncio.sleep(0)
            asyncio.run(main())
            """,
            "ERROR asyncio: (text withheld)",
            id="in a task and a callback",
        ),
        pytest.param(
            """
            import logging
            try:
                int(value)
            except ValueError:
                logging.getLogger("library").exception("It failed.")
            """,
            "ERROR library: It failed.",
            id="a library's traceback",
        ),
        pytest.param(
            """
            import logging
            class Odd:
                def __str__(self): raise RuntimeError(value)
            logging.getLogger("library").warning("It is %s.", Odd())
            logging.getLogger().handlers[0].setStream(None)
            logging.getLogger("library").warning("It is %s.", value)
            """,
            "WARNING library: It is %s.",
            id="a line that cannot be written",
        ),
    ],
)
def test_no_value_is_printed_when_something_goes_wrong(code: str, expected: str) -> None:
    """Whatever way an exception or a warning takes to standard error, its text does not arrive there."""
    result = run(code)

    assert expected in result.err
    assert CANARY not in result.err + result.out
    assert "Traceback" not in result.err
    assert not result.out


@pytest.mark.parametrize(
    ("environ", "levels"),
    [
        ({}, "INFO"),
        ({"LOGLEVEL": "debug"}, "DEBUG INFO"),
        ({"LOGLEVEL": "DEBUG", "TARGET_DRIFTROCK_LOGLEVEL": "WARNING"}, ""),
        ({"TARGET_DRIFTROCK_LOGLEVEL": CANARY}, "WARNING INFO"),
        ({"TARGET_DRIFTROCK_LOGLEVEL": "NOTSET"}, "WARNING INFO"),
        ({"TARGET_DRIFTROCK_LOGLEVEL": "0"}, "WARNING INFO"),
        ({"TARGET_DRIFTROCK_LOGLEVEL": "-10"}, "WARNING INFO"),
        ({"TARGET_DRIFTROCK_LOGLEVEL": "9" * 5000}, "WARNING INFO"),
        ({"LOGLEVEL": "trace"}, "DEBUG INFO"),
        ({"LOGLEVEL": "Verbose"}, "DEBUG INFO"),
        ({"LOGLEVEL": "10"}, "DEBUG INFO"),
        ({"LOGLEVEL": " 30 "}, ""),
        ({"LOGLEVEL": "99"}, ""),
        ({"LOGLEVEL": "debug", "TARGET_DRIFTROCK_LOGLEVEL": "  "}, "DEBUG INFO"),
    ],
    ids=[
        *("none", "the general one", "ours before it", "odd", "no level", "zero", "below zero", "digits"),
        *("trace", "verbose", "ten", "thirty", "ninety-nine", "blank"),
    ],
)
def test_level_is_read_from_the_environment_when_it_is_a_level(environ: dict[str, str], levels: str) -> None:
    """An odd level is INFO and a warning that names the variable, never its value."""
    own = "redaction.log.debug('It began.'); redaction.log.info('It ended.')"
    result = run(f"exec(compile({own!r}, redaction.__file__, 'exec'))", **environ)

    assert [text.split()[1] for text in result.err.splitlines()] == levels.split()
    assert CANARY not in result.err
    if levels.startswith("WARNING"):
        assert "TARGET_DRIFTROCK_LOGLEVEL is not a log level: use DEBUG" in result.err


def test_an_odd_level_is_told_once_when_the_defence_is_installed_again() -> None:
    """Once the secrets are known, it is installed with them."""
    result = run("redaction.install(['secret-1'])", LOGLEVEL="odd")

    assert result.err.count("LOGLEVEL is not a log level") == 1


def test_secrets_are_added_and_lines_not_doubled_when_installed_again() -> None:
    """The command installs the defence first, and once more when it knows its secrets."""
    own = "redaction.log.info('It is %s and %s.', 'secret-1', 'secret-2')"
    result = run(
        f"""
        redaction.install(["secret-1", "secret-2"])
        exec(compile({own!r}, redaction.__file__, "exec"))
        """
    )

    assert result.err.count("\n") == 1
    assert result.err.endswith("INFO It is *** and ***.\n")


def test_lines_are_objects_when_meltano_asks_for_structured_logs(tmp_path: Path) -> None:
    """Meltano shows a line at its level where it has all that its parser wants; values and secrets stay out."""
    asked = tmp_path / "logging.json"
    asked.write_text(json.dumps({"formatters": {"structured": {"()": "singer_sdk.logging.StructuredFormatter"}}}))
    own = "redaction.log.error('It is %s.', 'secret-1', exc_info=ValueError(value))"
    result = run(
        f"""
        redaction.install(["secret-1"])
        exec(compile({own!r}, redaction.__file__, "exec"))
        """,
        SINGER_SDK_LOG_CONFIG=str(asked),
    )

    (told,) = map(json.loads, result.err.splitlines())
    assert {"pid", "logger_name", "ts", "thread_name", "app_name"} < set(told)
    assert (told["level"], told["message"]) == ("error", "It is ***.\nValueError")


def test_lines_are_plain_when_a_logging_configuration_asks_for_nothing_else(tmp_path: Path) -> None:
    """Of what the variable names nothing else is heeded, and a missing file is no fault."""
    asked = tmp_path / "logging.json"
    asked.write_text(json.dumps({"formatters": {"plain": {"format": "%(message)s"}}}))

    for path in (asked, tmp_path / "missing.json"):
        own = "redaction.log.info('It ended.')"
        result = run(f"exec(compile({own!r}, redaction.__file__, 'exec'))", SINGER_SDK_LOG_CONFIG=str(path))

        assert result.err.endswith("INFO It ended.\n")
