"""Where in a directory a ledger's files lie, and whose they must be: what others could put there is not opened.

Whoever may write to a directory can put files and links there under the names that SQLite opens, and exchange one for
another at any moment. So none is used that everybody may write to. Where some others may, such as a group, the files
lie in a directory within that is this user's alone. That is opened first and judged as it is then, and what is looked
at, made and locked is reached from there, whatever bears its name meanwhile. SQLite takes names alone, so of what it
has opened it is seen afterwards whether it was the same (`Home.confirm`).
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from target_driftrock.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

DATABASE = "ledger.sqlite3"
LOCK = "lock"
PRIVATE = "ledger.private"
AHEAD = (f"{DATABASE}-wal", f"{DATABASE}-shm")
"""What whoever writes has open beside a database that is written ahead."""
_NAMES = (DATABASE, *AHEAD, f"{DATABASE}-journal", LOCK)
_ROOT = 0
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_PLACE = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
"""Of a directory that need not be read."""


def home(folder: Path) -> Path:
    """Where the files lie: in the directory of our own within, as soon as there is one, whoever may write then."""
    private = folder / PRIVATE
    return private if os.path.lexists(private) else folder


def files_in(folder: Path) -> list[Path]:
    """The ledger's files that are there, and whatever else bears their names."""
    return [file for name in _NAMES if os.path.lexists(file := folder / name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The directory in which the files lie, open: the same one for as long, whatever its path leads to meanwhile."""

    path: Path
    descriptor: int

    def found(self, name: str) -> os.stat_result | None:
        """What bears this name; of a link, the link itself."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, mode: str) -> FileIO:
        """One of the files, in a binary mode, unbuffered. No link is followed, and what is made is ours alone.

        Raises:
            SettingsInvalid: It is another's, or no file.
            OSError: It cannot be opened.
        """
        opener = partial(self._opener, name)
        opened: FileIO = open(self.path / name, mode, buffering=0, opener=opener)  # type: ignore[assignment] # noqa: SIM115
        try:
            _judge_file(self.path / name, os.fstat(opened.fileno()))
        except BaseException:
            opened.close()
            raise
        return opened

    def confirm(self, *names: str) -> None:
        """What SQLite has opened by these names are the files in here.

        Raises:
            SettingsInvalid: They are not: something was exchanged.
        """
        opened = set(_opened())
        for name in names:
            found = self.found(name)
            if found is None or (found.st_dev, found.st_ino) not in opened:
                raise _refused(_EXCHANGED, path=self.path)

    def _opener(self, name: str, _: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=self.descriptor)


@contextmanager
def entered(folder: Path, *, makes: bool = False) -> Iterator[Home]:
    """The directory in which the files lie, judged with all that is there. Root's files are as good: it may do all.

    `makes`: where others may write to `folder`, the one within is made, and closed to whoever it was opened to.

    Raises:
        SettingsInvalid: Others may have put something there, or could.
        OSError: It cannot be opened, or looked at.
    """
    with ExitStack() as descriptors:
        outer = Home(path=folder, descriptor=_entered(descriptors, folder))
        found = os.fstat(outer.descriptor)
        _judge_directory(folder, found)
        if makes and _is_shared(found):
            with suppress(FileExistsError):
                os.mkdir(PRIVATE, 0o700, dir_fd=outer.descriptor)
        where = _within(outer, descriptors, closes=makes) or outer
        for name in _NAMES:
            if (file := where.found(name)) is not None:
                _judge_file(where.path / name, file)
        if (where is not outer or _is_shared(found)) and outer.found(DATABASE) is not None:
            raise _refused(_BESIDE, database=folder / DATABASE, private=folder / PRIVATE)
        yield where


def mode_of(path: Path) -> int:
    """What `stat` says of what a path leads to; 0 where nothing is there.

    From Python 3.14 on, `Path.is_file` says no of what cannot be looked at, too: it would be told as no ledger at all.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        return path.stat().st_mode
    except ValueError:  # a NUL in the name
        return 0
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return 0
        raise


def judge(folder: Path) -> None:
    """Whether all that would be opened in a directory, if there is one, is ours: see `entered`."""
    if stat.S_ISDIR(mode_of(folder)):
        with entered(folder):
            pass


def prepare(folder: Path) -> None:
    """Make a directory, and an empty database in it, that nobody else can read or write; judged as it then is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with entered(folder, makes=True) as where:
        with suppress(FileExistsError):
            where.open(DATABASE, "xb").close()  # SQLite gives its other files the same permissions
        for name in _NAMES:
            _make_private(where, name)


def _entered(descriptors: ExitStack, path: Path | str, flags: int = 0, *, within: int | None = None) -> int:
    descriptor = os.open(path, _PLACE | flags, dir_fd=within)
    descriptors.callback(os.close, descriptor)
    return descriptor


def _within(outer: Home, descriptors: ExitStack, *, closes: bool) -> Home | None:
    """The directory within, if there is one, judged.

    Whoever mounts a volume for a group, as Kubernetes does, gives it all that lies there: `closes` takes it back.
    """
    path = outer.path / PRIVATE
    try:
        within = _entered(descriptors, PRIVATE, os.O_NOFOLLOW, within=outer.descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        raise _refused(_NO_DIRECTORY, folder=path) from None
    found = os.fstat(within)
    if found.st_uid != os.geteuid():
        raise _refused(_ANOTHERS, path=path, owner=found.st_uid, us=os.geteuid())
    _judge_directory(path, found)
    if closes:
        with ExitStack() as readable:
            os.fchmod(_opened_again(readable, within), 0o700)
    return Home(path=path, descriptor=within)


def _opened_again(descriptors: ExitStack, directory: int) -> int:
    """As it must be to change its permissions."""
    descriptor = os.open(".", os.O_RDONLY, dir_fd=directory)
    descriptors.callback(os.close, descriptor)
    return descriptor


def _make_private(where: Home, name: str) -> None:
    """Without opening it: SQLite loses its locks when any descriptor of its file is closed."""
    found = where.found(name)
    if found is not None and found.st_mode & 0o077 and found.st_uid == os.geteuid():
        os.chmod(name, 0o600, dir_fd=where.descriptor)  # it was copied here


def _judge_directory(folder: Path, found: os.stat_result) -> None:
    if found.st_mode & stat.S_IWOTH:
        raise _refused(_EVERYBODY, folder=folder)


def _is_shared(found: os.stat_result) -> bool:
    """Whether anybody but us and root may write there."""
    return bool(found.st_mode & stat.S_IWGRP) or found.st_uid not in {_ROOT, os.geteuid()}


def _judge_file(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise _refused(_NO_FILE, file=file)
    if found.st_uid not in {_ROOT, os.geteuid()}:
        raise _refused(_ANOTHERS, path=file, owner=found.st_uid, us=os.geteuid())


def _opened() -> Iterator[tuple[int, int]]:
    """What this process has open, by device and number."""
    for descriptor in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, no files
        with suppress(OSError):  # the listing's own is closed
            found = os.fstat(int(descriptor))
            yield found.st_dev, found.st_ino


def _refused(text: str, **told: object) -> SettingsInvalid:
    """Names are told as a shell reads them, since commands are made of them."""
    return SettingsInvalid([text.format(**{name: shlex.quote(str(value)) for name, value in told.items()})])


_EXCHANGED = (
    "ledger: {path} was exchanged for another directory while the ledger was opened: find out who may write beside it, "
    "and run this again."
)
_EVERYBODY = (
    "ledger: everybody may write to the directory {folder}, and so put files of their own in place of the ledger's: "
    "name a directory that outlives the run, such as {folder}/ledger, which is made for this user alone, or, where "
    "{folder} is there for the ledger alone, run `chmod o-w {folder}`."
)
_NO_DIRECTORY = "ledger: {folder} must be a directory, and no link: find out who put it there, and take it away."
_NO_FILE = (
    "ledger: {file} must be a file, and no link or second name of one: find out who put it there, and take it away."
)
_ANOTHERS = (
    "ledger: {path} belongs to user {owner}, and this run is user {us}: run it as that user; or, if you know what lies "
    "there, run `chown -R {us} {path}` as root; or else take it away."
)
_BESIDE = (
    "ledger: {database} lies in a directory that others may write to, or beside {private}, where the ledger belongs: "
    "if it is the ledger, run `mkdir -m 700 {private} && mv {database}* {private}`; else take it away."
)
