"""The program: the Singer target where no command is named, and its commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from target_driftrock import redaction
from target_driftrock.errors import RunStopped
from target_driftrock.settings import read_files, secret_values
from target_driftrock.signals import Signals
from target_driftrock.target import TargetDriftrock

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """The console script. Ends the process with one of the documented codes."""
    redaction.install(())
    try:
        program()(standalone_mode=True)
    except RunStopped as stop:
        for line in str(stop).splitlines():
            click.echo(line, err=True)
        sys.exit(stop.exit_code)


def program() -> click.Group:
    """The whole command line: the SDK's own options, and beside them our commands."""
    singer = TargetDriftrock.get_singer_command()
    return click.Group(
        name=TargetDriftrock.name,
        params=[_ours(option) for option in singer.params],
        callback=_run,
        invoke_without_command=True,
        help="Send the records of any Singer tap to Driftrock as events.",
        context_settings={"help_option_names": ["--help"]},
        commands=_commands(),
    )


def _ours(option: click.Parameter) -> click.Parameter:
    """The SDK's option; its reading of settings and of the input gives way to ours."""
    if option.name == "config":
        option.callback = None
        option.is_eager = False
    if option.name == "file_input":
        option.type = click.File("rb")
    return option


@click.pass_context
def _run(
    context: click.Context,
    *,
    about: bool,
    about_format: str | None,
    config: Sequence[str],
    file_input: IO[bytes] | None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    if about:
        TargetDriftrock.print_about(about_format)
        return
    given = _read(config)
    with Signals() as signals:
        code = TargetDriftrock(config=given, signals=signals).run(file_input)
    sys.exit(code)


def _read(config: Sequence[str]) -> dict[str, Any]:
    given = read_files(config, os.environ)
    redaction.install(secret_values(given))
    return given


def _commands() -> dict[str, click.Command]:
    from target_driftrock.sandbox.command import sandbox  # noqa: PLC0415

    return {"sandbox": sandbox}
