"""Where in a directory a ledger's files lie, and whose they must be: what others could put there is not opened.

Whoever may write to a directory can put files and links there under the names that SQLite opens. So none is used that
everybody may write to. Where some others may, such as a group, the files lie in a directory within that is this
user's alone. In there nobody puts anything between the look at a file and its use.
"""

from __future__ import annotations

import os
import shlex
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from target_driftrock.errors import SettingsInvalid

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "ledger.sqlite3"
LOCK = "lock"
PRIVATE = "ledger.private"
_NAMES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", LOCK)
_ROOT = 0


def home(folder: Path) -> Path:
    """Where the files lie: in the directory of our own within, as soon as there is one, whoever may write then."""
    private = folder / PRIVATE
    return private if os.path.lexists(private) else folder


def files_in(folder: Path) -> list[Path]:
    """The ledger's files that are there, and whatever else bears their names."""
    return [file for name in _NAMES if os.path.lexists(file := folder / name)]


def judge(folder: Path) -> None:
    """Whether all that would be opened in a directory, if there is one, is ours. Root's is as good: it may do all.

    Raises:
        SettingsInvalid: Others may have put something there, or could.
        OSError: It cannot be looked at.
    """
    if not folder.is_dir():
        return
    _judge_directory(folder)
    where = home(folder)
    if where != folder:
        _judge_private(where)
    for file in files_in(where):
        _judge_file(file)
    database = folder / DATABASE
    if (where != folder or _is_shared(folder)) and os.path.lexists(database):
        raise _refused(_BESIDE, database=database, private=folder / PRIVATE)


def prepare(folder: Path) -> None:
    """Make a directory, and an empty database in it, that nobody else can read or write; judged as it then is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    judge(folder)
    if _is_shared(folder):
        (folder / PRIVATE).mkdir(mode=0o700, exist_ok=True)
    where = home(folder)
    if where != folder:
        _close_to_others(where)
        judge(folder)
    with suppress(FileExistsError), open(where / DATABASE, "xb", opener=private_opener):
        pass  # SQLite gives its other files the same permissions
    for file in files_in(where):
        _make_private(file)


def private_opener(path: str, flags: int) -> int:
    """For `open`: no link is followed, and what is made is ours alone."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _close_to_others(folder: Path) -> None:
    """Whoever mounts a volume for a group, as Kubernetes does, gives it all that lies there."""
    descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _make_private(file: Path) -> None:
    """Without opening it: SQLite loses its locks when any descriptor of its file is closed."""
    found = file.lstat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        file.chmod(0o600)  # it was copied here


def _judge_directory(folder: Path) -> None:
    if folder.stat().st_mode & stat.S_IWOTH:
        raise _refused(_EVERYBODY, folder=folder)


def _is_shared(folder: Path) -> bool:
    """Whether anybody but us and root may write there."""
    found = folder.stat()
    return bool(found.st_mode & stat.S_IWGRP) or found.st_uid not in {_ROOT, os.geteuid()}


def _judge_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(_NO_DIRECTORY, folder=folder)
    if found.st_uid != os.geteuid():
        raise _refused(_ANOTHERS, path=folder, owner=found.st_uid, us=os.geteuid())
    _judge_directory(folder)


def _judge_file(file: Path) -> None:
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise _refused(_NO_FILE, file=file)
    if found.st_uid not in {_ROOT, os.geteuid()}:
        raise _refused(_ANOTHERS, path=file, owner=found.st_uid, us=os.geteuid())


def _refused(text: str, **told: object) -> SettingsInvalid:
    """Names are told as a shell reads them, since commands are made of them."""
    return SettingsInvalid([text.format(**{name: shlex.quote(str(value)) for name, value in told.items()})])


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
