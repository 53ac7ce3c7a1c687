"""Standard input and output, as the commands use them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200
"""Columns of a table that goes into a pipe or a file."""


def write(line: bytes) -> None:
    """Print a line as it is, its break included.

    Raises:
        BrokenPipeError: Standard output is closed.
    """
    if sys.stdout is None:
        raise BrokenPipeError
    sys.stdout.buffer.write(line)


def is_terminal() -> bool:
    """Whether standard output is one."""
    return sys.stdout is not None and sys.stdout.isatty()


def console() -> Console:
    """Where tables are printed."""
    from rich.console import Console

    return Console(width=None if is_terminal() else _PIPE_WIDTH)


def sought(value: str) -> str:
    """The value, or for a `-` the first line of standard input: there it is in no list of processes or commands."""
    if value == "-":
        if sys.stdin is None:
            raise click.UsageError("Standard input is closed: there is nothing to read for the -.")
        value = sys.stdin.buffer.readline().decode(errors="replace").rstrip("\r\n")
    if not value:
        raise click.UsageError("The value to look for is empty.")
    return value
