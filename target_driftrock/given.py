"""What the command line gave, to a run and to every command: where the settings are, and where the input is.

The SDK takes half a second to import, so it is imported once the settings are known to be right.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import click

from target_driftrock import redaction
from target_driftrock.settings import parse, read_files, secret_values, variable_doubts

if TYPE_CHECKING:
    from target_driftrock.target import TargetDriftrock

COLLECTIONS = 10_000, 20, 20
"""New objects until the youngest are searched for garbage, and how many such searches until the older ones are."""


@dataclass(slots=True)
class Given:
    """The options that may stand before a command or after it: those of `--config` add up, the last `--input` wins."""

    config: tuple[str, ...] = ()
    input: str | None = None

    def said(self) -> dict[str, Any]:
        """The settings as they are given, right or wrong. From here on no secret in them is printed."""
        settings = read_files(self.config, os.environ)
        redaction.install(secret_values(settings))
        return settings

    def settings(self) -> dict[str, Any]:
        """The settings, which are right. The target judges them again; here the SDK is not waited for."""
        from target_driftrock.mapping.compiler import template_faults

        settings = self.said()
        parse(settings, template_faults=template_faults)
        return settings

    def variable_doubts(self) -> list[str]:
        """What is wrong with variables, and stops nothing."""
        return variable_doubts(self.config, os.environ)

    def target(self) -> TargetDriftrock:
        """A target of these settings, which are right."""
        settings = self.settings()
        return load_target()(config=settings)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes] | None]:
        """The file to read from, or None for standard input."""
        if self.input in {None, "-"}:
            yield None
            return
        try:
            source = open(self.input, "rb")  # noqa: SIM115, PTH123 - closed below
        except OSError as error:
            raise click.UsageError(f"The file of --input cannot be read: {error.strerror}.") from None
        with source:
            yield source


def _add_config(context: click.Context, _: click.Parameter, files: tuple[str, ...]) -> None:
    context.ensure_object(Given).config += files


def _set_input(context: click.Context, _: click.Parameter, file: str | None) -> None:
    given = context.ensure_object(Given)
    given.input = file or given.input


config_option = click.option(
    "--config",
    multiple=True,
    metavar="FILE",
    callback=_add_config,
    expose_value=False,
    help="A JSON file of settings, or ENV for environment variables. May be given several times.",
)
input_option = click.option(
    "--input",
    "file_input",
    metavar="FILE",
    callback=_set_input,
    expose_value=False,
    help="A file of a tap's messages, instead of standard input.",
)


@cache
def load_target() -> type[TargetDriftrock]:
    """Import the target, which brings the SDK, and have garbage searched for less often from then on.

    The import is what a start takes its time for, and a tenth of it would be the search for garbage among what it
    leaves, which is none. A run leaves little that its reference counts do not free: searched for as often as Python
    does by itself, it costs a tenth of all time.
    """
    gc.disable()
    try:
        from target_driftrock.target import TargetDriftrock
    finally:
        gc.enable()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
    return TargetDriftrock
