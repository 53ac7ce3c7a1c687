"""The command `sandbox`: options in, a server until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from target_driftrock.sandbox import background
from target_driftrock.sandbox.access import Keys
from target_driftrock.sandbox.faults import FaultError, Faults, Row, amended, table
from target_driftrock.sandbox.server import PORT, Sandbox, Setup, is_loopback


class CannotServe(click.ClickException):
    """An address or a file that cannot be had; the message says what to do."""

    exit_code = 2


def _fault_option(row: Row) -> Callable[[Any], Any]:
    name = f"--{row.name.replace('_', '-')}"
    if row.default is False:
        return click.option(name, row.name, is_flag=True, default=None, help=row.sentence)
    if isinstance(row.default, tuple):
        return click.option(name, row.name, metavar=row.takes.upper(), callback=_listed, help=row.sentence)
    choice = click.Choice(row.takes.split("|")) if "|" in row.takes else type(row.default)
    default = f" [default: {row.default}]" if row.default else ""
    metavar = None if "|" in row.takes else row.takes.upper()
    return click.option(name, row.name, type=choice, metavar=metavar, help=row.sentence + default)


def _listed(_context: click.Context, _option: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [name for name in text.split(",") if name]


def _fault_options(command: Callable[..., None]) -> Callable[..., None]:
    for row in reversed(table()):
        command = _fault_option(row)(command)
    return command


def _loopback(_context: click.Context, _option: click.Parameter, host: str) -> str:
    if not is_loopback(host):
        raise click.BadParameter(
            "the sandbox keeps personal data and asks for no account: it listens on loopback only."
        )
    return host


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port; 0 picks a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, callback=_loopback, help="A loopback address.")
@click.option("--client-id", help="The only client id that gets a token; without it any does.")
@click.option("--client-secret", help="The secret that goes with it.")
@click.option("--api-key", default="sandbox", show_default=True, help="The API key that is taken instead of a token.")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="File to which each arrival is appended."
)
@click.option("--serial", default="serial", show_default=True, help="Property of fields that numbers events.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes every share fall on the same events again.")
@_fault_options
def sandbox(  # noqa: PLR0917
    port: int,
    host: str,
    client_id: str | None,
    client_secret: str | None,
    api_key: str,
    record: Path | None,
    serial: str,
    seed: int,
    **faults: Any,
) -> None:
    """Run Driftrock's API as a double on this machine: no account is needed, and nothing leaves.

    It demands of tokens and events what Driftrock's public pages demand, shows at / what arrived, and fails on request
    in the ways below. GET and POST /_sandbox/faults show and change them while it runs, as JSON.
    """
    if (client_id is None) != (client_secret is None):
        raise click.UsageError("--client-id and --client-secret go together: give both, or neither.")
    try:
        chosen = amended(Faults(), {name: value for name, value in faults.items() if value is not None})
    except FaultError as error:
        raise click.UsageError(str(error)) from None
    keys = Keys(client_id=client_id, client_secret=client_secret, api_key=api_key)
    received = _serve(Setup(faults=chosen, keys=keys, seed=seed, serial=serial, record=record), host=host, port=port)
    click.get_current_context().exit(128 + received)


def _serve(setup: Setup, *, host: str, port: int) -> int:
    """Until a signal comes, which one."""
    received: list[int] = []
    try:
        double = Sandbox(setup)
    except OSError as error:
        raise CannotServe(
            f"The record cannot be written ({error.strerror}): choose another file with --record."
        ) from None
    try:
        background.run(double, host=host, port=port, listening=partial(_listening, received))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotServe(
                f"Port {port} of {host} is taken: end what listens there, or choose another with --port."
            ) from None
        raise CannotServe(f"Nothing can listen on port {port} of {host} ({error.strerror}).") from None
    return received[0]


def _listening(received: list[int], url: str, end: asyncio.Event) -> None:
    def stop(number: int) -> None:
        received.append(number)
        end.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    click.echo(f"Sandbox ready at {url} (what arrives is shown there; Ctrl-C ends it).", err=True)
