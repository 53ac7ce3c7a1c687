"""The program: the Singer target where no command is named, and beside it the commands, each found by its name.

What a command needs is imported when it is named: the SDK takes half a second, and a run needs nothing of the sandbox.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import Any

import click

from target_driftrock import redaction
from target_driftrock.errors import ExitCode, RunStopped, Unwritable, faults, scarcity, unwritten
from target_driftrock.given import Given, config_option, input_option, load_target
from target_driftrock.naming import escaped, nearest
from target_driftrock.settings import editor_jsonschema
from target_driftrock.signals import Signals

log = logging.getLogger(__name__)

NAME = "target-driftrock"
COMMANDS = {
    "check": "Say whether settings, ledger, host and credentials would do.",
    "init": "Print a mapping to begin with, by what a tap says of its streams.",
    "preview": "Print every event as it would be sent.",
    "rejects": "Print what was refused or held, to send it again; settle it; or erase it.",
    "report": "Print the receipts of the latest runs.",
    "sandbox": "Run a double of Driftrock's API on this machine.",
    "trace": "Say what became of an event.",
}
"""What `--help` says of each. The module of this name in `commands/` has the command, under the same name."""


def main() -> None:
    """Do what the process was started for. Ends it with one of the documented codes."""
    try:
        redaction.install(())
    except Exception as error:  # noqa: BLE001 - nothing is there yet that could log it, and Python shows its text
        _complain([_DEFECT, *redaction.describe(error)])
        sys.exit(ExitCode.DEFECT)
    try:
        code = _flushed(run(sys.argv[1:]))
    except Exception as error:  # noqa: BLE001 - Python itself would end with 1
        code = _defect(error)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code. What stopped it stands on standard error, a fault a line."""
    try:
        with program.make_context(NAME, list(arguments)) as context:
            return context.command.invoke(context) or ExitCode.RESOLVED
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        command = NAME if error.ctx is None else error.ctx.command_path
        _complain([f"{_usage(error, arguments)} See `{command} --help`."])
        return ExitCode.SETTINGS
    except click.ClickException as error:
        _complain([error.format_message()])
        return error.exit_code
    except RunStopped as stop:
        _complain(faults(stop))
        return stop.exit_code
    except BrokenPipeError:
        return ExitCode.STATE_UNREAD
    except Exception as error:  # noqa: BLE001 - told with its traceback
        if (lacking := scarcity(error)) is not None:
            _complain(faults(lacking))
            return lacking.exit_code
        return _defect(error)


def _defect(error: Exception) -> int:
    log.critical(_DEFECT, exc_info=error)
    return ExitCode.DEFECT


_DEFECT = "A defect of target-driftrock: please report the lines below, which hold no data."


class Program(click.Group):
    """The whole command line. A command is imported when it is asked for, and not to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """The names, in order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"target_driftrock.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


def _print_version(context: click.Context, _: click.Parameter, value: Any) -> None:
    if not value:
        return
    load_target().print_version(print_fn=click.echo)
    context.exit()


@click.group(NAME, cls=Program, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.option("--about", is_flag=True, help="Print what there is to set.")
@click.option(
    "--format",
    "about_format",
    type=click.Choice(["json", "jsonschema", "markdown"], case_sensitive=False),
    help="The form in which --about prints it.",
)
@config_option
@input_option
@click.pass_context
def program(context: click.Context, *, about: bool, about_format: str | None) -> int | None:
    """Send the records of any Singer tap to Driftrock as events.

    Without a command it reads a tap's messages, delivers them, and writes STATE to standard output.
    """
    if context.invoked_subcommand is not None:
        return None
    if about and about_format == "jsonschema":
        click.echo(editor_jsonschema(), nl=False)
        return None
    if about:
        load_target().print_about(about_format)
        return None
    given: Given = context.obj
    for doubt in given.variable_doubts():  # before the settings, which may lack just what such a variable holds
        log.warning("%s", doubt)
    settings = given.settings()
    target = load_target()
    with Signals() as signals, given.opened() as source:
        return target(config=settings, signals=signals).run(source)


def _usage(error: click.UsageError, arguments: Sequence[str]) -> str:
    """What is wrong with the command line. Nothing of an argument is repeated: it may be anything, a secret too."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        near = nearest(error.command_name, COMMANDS)
        return "There is no such command." + (f" Did you mean {near}?" if near else "")
    if isinstance(error, click.NoSuchOption):
        near = next(iter(error.possibilities or ()), None)
        return "There is no such option." + (f" Did you mean {near}?" if near else "")
    message = error.format_message()
    if message.startswith("Got unexpected extra argument"):
        switch = None if error.ctx is None else _switch_with_value(error.ctx.command, arguments)
        return "There is an argument too many" + (f": {switch} is a switch, and takes none." if switch else ".")
    expected = _expected(error.param) if type(error) is click.BadParameter else None
    if expected is not None:
        return f"{message.partition(':')[0]}: it must be {expected}."
    return message if message.endswith((".", "?")) else f"{message}."


def _switch_with_value(command: click.Command, arguments: Sequence[str]) -> str | None:
    """The first option that takes no value, and has something behind it that is none."""
    options = (each for each in command.params if isinstance(each, click.Option) and each.is_flag)
    switches = {name for option in options for name in option.opts}
    return next((name for name, behind in pairwise(arguments) if name in switches and not behind.startswith("-")), None)


def _expected(parameter: click.Parameter | None) -> str | None:
    """What its kind takes; None for a text, of which a sentence of ours says what is wrong."""
    match parameter and parameter.type:
        case click.Choice(choices=choices):
            return f"one of {', '.join(choices)}"
        case click.IntRange(min=least, max=most):
            bounds = ("" if least is None else f" from {least}") + ("" if most is None else f" to {most}")
            return f"a whole number{bounds}"
        case click.types.IntParamType():
            return "a whole number"
        case click.types.FloatParamType():
            return "a number"
        case click.Path():
            return "the name of a file"
    return None


def _complain(faults: Iterable[str]) -> None:
    with suppress(OSError):  # nobody reads standard error
        for fault in faults:
            click.echo(f"error: {escaped(fault)}", err=True)


def _flushed(code: int) -> int:
    """The exit code, once standard output is written out; where it cannot be, that one's, if all was well otherwise."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again, and complains
        stop = unwritten(error)
        if not code and isinstance(stop, Unwritable):  # a reader that left knows it
            _complain(faults(stop))
        return code or stop.exit_code
    return code
