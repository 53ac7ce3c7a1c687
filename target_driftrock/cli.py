"""The program: the Singer target where no command is named, and its commands.

Whatever is not needed to read the command line is imported by the command that needs it: the SDK takes half a
second, and a run needs nothing of the sandbox.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import click

from target_driftrock import redaction
from target_driftrock.errors import ExitCode, RunStopped, faults
from target_driftrock.naming import escaped
from target_driftrock.signals import Signals

if TYPE_CHECKING:
    from rich.console import Console

    from target_driftrock.ledger.reading import Selection
    from target_driftrock.settings import Settings
    from target_driftrock.target import TargetDriftrock

log = logging.getLogger(__name__)

NAME = "target-driftrock"
COLLECTIONS = 10_000, 20, 20
"""New objects until the youngest are searched for garbage, and how many such searches until the older ones are."""
_NOT_KNOWN = 1
_RUNS_SHOWN = 10
_PIPE_WIDTH = 200
"""Columns of a table that goes into a pipe or a file."""
_SOUGHT = {
    "person": "With --delete: the rows of this person_id",
    "email": "With --delete: the rows with this address anywhere in them",
    "phone": "With --delete: the rows with this telephone number anywhere in them",
    "event": "With --delete: the rows of this event_id, and the id of a lost answer; with --changed: only these",
}
_ONE_SOUGHT = "--person, --email, --phone and --event"
_WITH_CHANGED = "--stream, --reason, --since and --event"


def main() -> None:
    """The console script. Ends the process with one of the documented codes."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a Ctrl-C before the run is no traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    redaction.install(())
    sys.exit(_flushed(run(sys.argv[1:])))


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code. What stopped it stands on standard error, a fault a line."""
    try:
        with program().make_context(NAME, list(arguments)) as context:
            return context.command.invoke(context) or ExitCode.RESOLVED
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        command = NAME if error.ctx is None else error.ctx.command_path
        _complain([f"{_usage(error)} See `{command} --help`."])
        return ExitCode.SETTINGS
    except click.ClickException as error:
        _complain([error.format_message()])
        return error.exit_code
    except RunStopped as stop:
        _complain(faults(stop))
        return stop.exit_code
    except BrokenPipeError:
        return ExitCode.STATE_UNREAD
    except Exception:
        log.critical("A defect of target-driftrock: please report the lines below, which hold no data.", exc_info=True)
        return ExitCode.DEFECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options that may stand before a command or after it."""

    config: tuple[str, ...] = ()
    input: str | None = None


def program() -> click.Group:
    """The whole command line: the SDK's own options, and beside them our commands."""
    return click.Group(
        name=NAME,
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version.",
            ),
            click.Option(["--about"], is_flag=True, help="Print what there is to set."),
            click.Option(
                ["--format", "about_format"],
                type=click.Choice(["json", "markdown"], case_sensitive=False),
                help="The form in which --about prints it.",
            ),
            *_shared_options(),
        ],
        callback=_deliver,
        invoke_without_command=True,
        help=(
            "Send the records of any Singer tap to Driftrock as events.\n\n"
            "Without a command it reads a tap's messages, delivers them, and writes STATE to standard output."
        ),
        context_settings={"help_option_names": ["--help"]},
        commands=[
            _check_command(),
            _preview_command(),
            _sandbox_command(),
            _rejects_command(),
            _trace_command(),
            _report_command(),
        ],
    )


def _config_option() -> click.Parameter:
    return click.Option(
        ["--config"],
        multiple=True,
        metavar="FILE",
        help="A JSON file of settings, or ENV for environment variables. May be given several times.",
    )


def _shared_options() -> list[click.Parameter]:
    return [
        _config_option(),
        click.Option(
            ["--input", "file_input"], metavar="FILE", help="A file of a tap's messages, instead of standard input."
        ),
    ]


def _check_command() -> click.Command:
    return click.Command(
        "check",
        params=_shared_options(),
        callback=_check,
        short_help="Say whether settings, ledger, host and credentials would do.",
        help=(
            "Say whether settings, ledger, host and credentials would do. No event is sent.\n\n"
            "With --input it also holds the mapping against each SCHEMA in it, and the events against each other."
        ),
    )


def _preview_command() -> click.Command:
    return click.Command(
        "preview",
        params=[
            *_shared_options(),
            click.Option(["--max", "limit"], type=click.IntRange(1), metavar="N", help="Stop after so many records."),
        ],
        callback=_preview,
        short_help="Print every event as it would be sent.",
        help=(
            "Print every event as it would be sent, a line of JSON each, and everything that is wrong, such as two "
            "persons' events under one event_id. Nothing is sent.\n\nA summary stands at the end, on standard error."
        ),
    )


def _sandbox_command() -> click.Command:
    """Hands its arguments on: its options come of a table that only its own module knows."""
    return click.Command(
        "sandbox",
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        callback=_sandbox,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        short_help="Run a double of Driftrock's API on this machine.",
    )


def _rejects_command() -> click.Command:
    return click.Command(
        "rejects",
        params=[
            _config_option(),
            click.Option(["--stream"], metavar="NAME", help="Only of this stream."),
            click.Option(["--reason"], metavar="TEXT", help="Only with this in the reason, such as `status 422`."),
            click.Option(
                ["--since"], metavar="DATE", callback=_day, help="Only refused on that day (UTC) or later: 2026-01-31."
            ),
            click.Option(
                ["--held"], is_flag=True, help="Only held, collisions and undecided ones: for a person to decide."
            ),
            click.Option(["--table"], is_flag=True, help="The table for people, which is what a terminal gets anyway."),
            click.Option(
                ["--answers"],
                is_flag=True,
                help="Instead, what the API answered, a line of JSON for each row: personal data.",
            ),
            click.Option(
                ["--changed"],
                is_flag=True,
                help=(
                    "Settle collisions and undecided ones: they are changes of what was delivered under their "
                    f"event_id. With {_WITH_CHANGED}: whatever these say."
                ),
            ),
            click.Option(["--delete"], is_flag=True, help="Erase what one of the next four options says."),
            *(
                click.Option([f"--{name}"], metavar="VALUE", help=f"{what}. A - reads it from the input.")
                for name, what in _SOUGHT.items()
            ),
        ],
        callback=_rejects,
        short_help="Print what was refused or held, to send it again; settle it; or erase it.",
        help=(
            "Print what was refused or held as a tap's messages, to send it again once the cause is mended: "
            "target-driftrock rejects --config FILE | target-driftrock --config FILE. On a terminal: a table.\n\n"
            "With --changed it settles, with --delete it erases. Nothing is sent."
        ),
    )


def _trace_command() -> click.Command:
    return click.Command(
        "trace",
        params=[_config_option(), click.Argument(["event_id"], metavar="EVENT_ID")],
        callback=_trace,
        short_help="Say what became of an event.",
        help=(
            "Say whether the event with this id was delivered, when, how often it was tried, and by which run. A - "
            "reads the id from the input. Ends with 1 if it is not known. Nothing is sent."
        ),
    )


def _report_command() -> click.Command:
    return click.Command(
        "report",
        params=[
            _config_option(),
            click.Option(
                ["--last"], type=click.IntRange(1), metavar="N", help="So many runs; ten, if no month is named."
            ),
            click.Option(["--month"], metavar="YYYY-MM", callback=_month, help="The runs that began in a month (UTC)."),
            click.Option(["--json", "is_json"], is_flag=True, help="A line of JSON each."),
            click.Option(
                ["--unknown"],
                is_flag=True,
                help="Instead, the ids of the events whose answer was lost in these runs, with capture and time.",
            ),
        ],
        callback=_report,
        short_help="Print the receipts of the latest runs.",
        help="Print the receipts of the latest runs. Nothing is sent.",
    )


def _day(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise click.BadParameter("it must be a day, such as 2026-01-31.") from None


def _month(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    from target_driftrock.commands.report import month  # noqa: PLC0415

    if text is None:
        return None
    try:
        return month(text)
    except ValueError:
        raise click.BadParameter("it must be a month, such as 2026-01.") from None


def _print_version(context: click.Context, _: click.Parameter, value: Any) -> None:
    if not value:
        return
    load_target().print_version(print_fn=click.echo)
    context.exit()


@click.pass_context
def _deliver(
    context: click.Context, *, about: bool, about_format: str | None, config: tuple[str, ...], file_input: str | None
) -> int | None:
    context.obj = given = Given(config=config, input=file_input)
    if context.invoked_subcommand is not None:
        return None
    if about:
        load_target().print_about(about_format)
        return None
    for doubt in _variable_doubts(given):  # before the settings, which may lack just what such a variable holds
        log.warning("%s", doubt)
    settings = _read(given)
    target = load_target()
    with Signals() as signals, _opened(given) as source:
        return target(config=settings, signals=signals).run(source)


@click.pass_obj
def _check(before: Given, *, config: tuple[str, ...], file_input: str | None) -> int:
    from target_driftrock.commands.check import findings, gravest  # noqa: PLC0415

    given = _joined(before, config=config, file_input=file_input)
    found = []
    with _opened(given) as source:
        for finding in findings(
            lambda: _target(given), source, has_input=given.input is not None, variables=_variable_doubts(given)
        ):
            click.echo(finding.line)
            found.append(finding)
    return gravest(found)


@click.pass_obj
def _preview(before: Given, *, config: tuple[str, ...], file_input: str | None, limit: int | None) -> int:
    from target_driftrock.commands.preview import Preview  # noqa: PLC0415

    given = _joined(before, config=config, file_input=file_input)
    for doubt in _variable_doubts(given):
        click.echo(f"warning: {escaped(doubt)}", err=True)
    with _opened(given) as source:
        preview = Preview(_target(given), write=_write, limit=limit)
        preview.read(source)
    sys.stdout.flush()  # before the summary, where both go to one terminal
    for line in preview.summary():
        click.echo(escaped(line), err=True)
    return preview.exit_code


@click.pass_obj
def _rejects(
    before: Given,
    /,
    *,
    config: tuple[str, ...],
    stream: str | None,
    reason: str | None,
    since: float | None,
    held: bool,
    table: bool,
    answers: bool,
    changed: bool,
    delete: bool,
    **sought: str | None,
) -> None:
    from target_driftrock.ledger.reading import HELD, Selection  # noqa: PLC0415

    given = _joined(before, config=config)
    selection = Selection(stream=stream, reason=reason, since=since, kinds=HELD if held else frozenset())
    named = {name: value for name, value in sought.items() if value is not None}
    if changed:
        if held or table or answers or delete or named.keys() - {"event"}:
            raise click.UsageError(f"--changed goes with {_WITH_CHANGED}, and with nothing else.")
        _settle(given, selection, named.get("event"))
    elif delete:
        if selection != Selection() or table or answers or len(named) != 1:
            raise click.UsageError(f"--delete goes with one of {_ONE_SOUGHT}, and with nothing else.")
        _erase(given, *named.popitem())
    elif named:
        raise click.UsageError(f"{_ONE_SOUGHT} go with --delete, and --event with --changed too.")
    elif table and answers:
        raise click.UsageError("--answers goes with the options that choose rows, and not with --table.")
    else:
        _print_rejects(given, selection, is_table=table, is_answers=answers)


def _print_rejects(given: Given, selection: Selection, *, is_table: bool, is_answers: bool) -> None:
    from target_driftrock.commands import rejects  # noqa: PLC0415
    from target_driftrock.ledger.reading import reading  # noqa: PLC0415

    settings = _ledger_settings(given)
    with reading(settings.keeping.ledger) as ledger:
        if is_answers:
            rejects.write_answers(ledger.kept(selection), _write)
        elif is_table or _is_terminal():
            _console().print(rejects.table(ledger.groups(selection)))
        else:
            rejects.write_stream(ledger.kept(selection), _write)


def _settle(given: Given, selection: Selection, event: str | None) -> None:
    from target_driftrock.commands import changes  # noqa: PLC0415
    from target_driftrock.commands.keeping import for_ledger  # noqa: PLC0415
    from target_driftrock.ledger.settling import settle  # noqa: PLC0415

    if event is not None:
        selection = replace(selection, event=_or_from_input(event))
    said = _said(given)
    settings = for_ledger(said)
    sends, wait = changes.sent(said), settings.patience.max_outage
    for line in changes.lines(settle(settings.keeping.ledger, selection, sends=sends, wait=wait)):
        click.echo(line)


def _erase(given: Given, name: str, value: str) -> None:
    from target_driftrock.commands import erasure  # noqa: PLC0415
    from target_driftrock.ledger.erasing import erase  # noqa: PLC0415

    settings = _ledger_settings(given)
    try:
        sought = getattr(erasure, name)(_or_from_input(value))
    except erasure.NotSearchable as fault:
        raise click.UsageError(f"--{name} cannot be looked for: {fault}.") from None
    erased = erase(settings.keeping.ledger, sought, wait=settings.patience.max_outage)
    click.echo(
        f"Erased: {_of(erased.kept, 'kept row')}, {_of(erased.unknown, 'id')} of events whose answer was lost, "
        f"{_of(erased.forgotten, 'note')} of whom an event was about."
    )


@click.pass_obj
def _trace(before: Given, *, config: tuple[str, ...], event_id: str) -> int:
    from target_driftrock.commands.trace import lines  # noqa: PLC0415
    from target_driftrock.ledger.reading import reading  # noqa: PLC0415

    settings = _ledger_settings(_joined(before, config=config))
    with reading(settings.keeping.ledger) as ledger:
        events, rows = ledger.trace(_or_from_input(event_id))
    for line in lines(events, rows):
        click.echo(line)
    return 0 if events or rows else _NOT_KNOWN


@click.pass_obj
def _report(
    before: Given,
    *,
    config: tuple[str, ...],
    last: int | None,
    month: tuple[float, float] | None,
    is_json: bool,
    unknown: bool,
) -> None:
    from target_driftrock.commands import report  # noqa: PLC0415
    from target_driftrock.ledger.reading import reading  # noqa: PLC0415

    settings = _ledger_settings(_joined(before, config=config))
    with reading(settings.keeping.ledger) as ledger:
        runs = ledger.runs(last=last or (None if month else _RUNS_SHOWN), between=month)
        if unknown:
            events = ledger.unknown([run.id for run in runs])
            lines = report.unknown_json(events) if is_json else report.unknown_lines(events)
        elif is_json:
            lines = report.run_lines(runs)
        else:
            console = _console()
            console.print(report.run_table(runs, width=console.width))
            return
    for line in lines:
        _write(line)


@click.pass_context
def _sandbox(context: click.Context, *, arguments: tuple[str, ...]) -> None:
    from target_driftrock.sandbox.command import sandbox  # noqa: PLC0415

    with sandbox.make_context(context.command_path, list(arguments)) as inner:
        sandbox.invoke(inner)


def _joined(before: Given, *, config: tuple[str, ...], file_input: str | None = None) -> Given:
    """Options before a command and after it; the later ones win."""
    return Given(config=before.config + config, input=file_input or before.input)


def _target(given: Given) -> TargetDriftrock:
    settings = _read(given)
    return load_target()(config=settings)


@cache
def load_target() -> type[TargetDriftrock]:
    """Import the target, which brings the SDK, and have garbage searched for less often from then on.

    The import is what a start takes its time for, and a tenth of it would be the search for garbage among what it
    leaves, which is none. A run leaves little that its reference counts do not free: searched for as often as Python
    does by itself, it costs a tenth of all time.
    """
    gc.disable()
    try:
        from target_driftrock.target import TargetDriftrock  # noqa: PLC0415
    finally:
        gc.enable()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
    return TargetDriftrock


def _ledger_settings(given: Given) -> Settings:
    from target_driftrock.commands.keeping import for_ledger  # noqa: PLC0415

    return for_ledger(_said(given))


def _or_from_input(value: str) -> str:
    """The value, or for a `-` the first line of standard input: there it is in no list of processes or commands."""
    if value == "-":
        if sys.stdin is None:
            raise click.UsageError("Standard input is closed: there is nothing to read for the -.")
        value = sys.stdin.buffer.readline().decode(errors="replace").rstrip("\r\n")
    if not value:
        raise click.UsageError("The value to look for is empty.")
    return value


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if _is_terminal() else _PIPE_WIDTH)


def _read(given: Given) -> dict[str, Any]:
    """The settings, which are right. The target judges them again; here the SDK is not waited for."""
    from target_driftrock.mapping.compiler import template_faults  # noqa: PLC0415
    from target_driftrock.settings import parse  # noqa: PLC0415

    settings = _said(given)
    parse(settings, template_faults=template_faults)
    return settings


def _said(given: Given) -> dict[str, Any]:
    """The settings as they are given, right or wrong. From here on no secret in them is printed."""
    from target_driftrock.settings import read_files, secret_values  # noqa: PLC0415

    settings = read_files(given.config, os.environ)
    redaction.install(secret_values(settings))
    return settings


def _variable_doubts(given: Given) -> list[str]:
    from target_driftrock.settings import variable_doubts  # noqa: PLC0415

    return variable_doubts(given.config, os.environ)


@contextmanager
def _opened(given: Given) -> Iterator[IO[bytes] | None]:
    """The file to read from, or None for standard input."""
    if given.input in {None, "-"}:
        yield None
        return
    try:
        source = open(given.input, "rb")  # noqa: SIM115, PTH123 - closed below
    except OSError as error:
        raise click.UsageError(f"The file of --input cannot be read: {error.strerror}.") from None
    with source:
        yield source


def _write(line: bytes) -> None:
    if sys.stdout is None:
        raise BrokenPipeError
    sys.stdout.buffer.write(line)


def _usage(error: click.UsageError) -> str:
    """What is wrong with the command line. A stray argument may be anything, a secret too, so it is not repeated."""
    if not isinstance(error, click.exceptions.NoSuchCommand):
        message = error.format_message()
        if message.startswith("Got unexpected extra argument"):
            return "There is an argument too many."
        return message if message.endswith((".", "?")) else f"{message}."
    near = f" Did you mean {error.possibilities[0]}?" if error.possibilities else ""
    return f"There is no such command.{near}"


def _complain(faults: Iterable[str]) -> None:
    with suppress(OSError):  # nobody reads standard error
        for fault in faults:
            click.echo(f"error: {escaped(fault)}", err=True)


def _flushed(code: int) -> int:
    """The exit code, once standard output is written out: 141 where nobody reads it, if all was well otherwise."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again, and complains
        return code or ExitCode.STATE_UNREAD
    return code
