"""A file that its owner alone can read, and that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click


@contextmanager
def replacing(path: Path, *, option: str) -> Iterator[Callable[[str], None]]:
    """What writes a text that takes the place of `path`, 0600. Nothing is left where it is not called.

    `option` is what named the file. A link is not followed, nor is one replaced.

    Raises:
        click.UsageError: It cannot be written, or at `path` is no file of this user's. So may what is given.
    """
    with _told(option):
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        _judge(path)
        file = open(beside, "x", encoding="utf-8", errors="replace", opener=_private)  # noqa: SIM115 - see below

    def write(text: str) -> None:
        with _told(option):
            file.write(text)
            file.close()
            _judge(path)
            beside.replace(path)

    try:
        yield write
    finally:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            beside.unlink()


def _judge(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(0, "what is there is no file of this user's, but a link, a directory or another's")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


@contextmanager
def _told(option: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # no name at all is a ValueError
        why = error.strerror if isinstance(error, OSError) else "it has no such name"
        raise click.UsageError(f"The file of {option} cannot be written: {why}. Name another one.") from None
