"""What may be logged: the last line of defence between a record and standard error.

Our own lines are constant sentences with arguments that were chosen to be seen; only secrets are taken out of them.
Of everybody else's lines (libraries, and the SDK under our own logger's name) nothing is shown that could be a value:
from WARNING on, the sentence as it stands in their source, without arguments. Of an exception, a warning, a failed
task or destructor: what it is and where it came from, never its text. A `RunStopped` is ours, and its text is safe.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from target_driftrock.errors import RunStopped, faults
from target_driftrock.naming import escaped
from target_driftrock.wording import moment

log = logging.getLogger(__name__)

LEVEL_VARIABLES = ("TARGET_DRIFTROCK_LOGLEVEL", "LOGLEVEL")
"""Where the level is read from; the first that is set counts."""
_TALKATIVE = ("TRACE", "VERBOSE")
"""What other programs have below DEBUG, or call it."""
_OWN_CODE = str(Path(__file__).parent) + os.sep
_WITHHELD = "(text withheld)"
_FRAMES = 30
"""How many of the innermost frames of a traceback are shown."""


def install(secrets: Iterable[str], environ: Mapping[str, str] = os.environ) -> None:
    """Set up logging to standard error, and every hook through which an exception or a warning gets there.

    May be called again, when more secrets are known. The level comes from `LEVEL_VARIABLES`; an odd one is INFO, and
    a warning. Nothing else may add a handler to the root logger.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(StructuredFormatter(secrets) if _wants_structure(environ) else SafeFormatter(secrets))
    handler.addFilter(is_shown)
    is_first = sys.excepthook is not log_uncaught
    variable = next((name for name in LEVEL_VARIABLES if environ.get(name, "").strip()), None)
    level = _level(environ[variable].strip().upper()) if variable else logging.INFO
    logging.basicConfig(level=level or logging.INFO, handlers=[handler], force=True)
    logging.raiseExceptions = False  # else a handler that fails prints the record's arguments
    logging.captureWarnings(capture=True)  # done once, so that nobody's later call takes the next line's place
    warnings.showwarning = log_warning
    sys.excepthook = log_uncaught
    sys.unraisablehook = log_unraisable
    threading.excepthook = log_uncaught_in_thread
    if level is None and is_first:
        log.warning("%s is not a log level: use DEBUG, INFO, WARNING, ERROR or CRITICAL. INFO is used.", variable)


@contextmanager
def installed(secrets: Iterable[str]) -> Iterator[None]:
    """As `install`, while the `with` lasts, in a process that is somebody else's and only lent."""
    root = logging.getLogger()
    handlers, level, is_raising = list(root.handlers), root.level, logging.raiseExceptions
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    try:
        install(secrets)
        yield
    finally:
        logging.captureWarnings(capture=False)
        logging.raiseExceptions = is_raising
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks


def _level(name: str) -> int | None:
    """The number of a level's name, or of its number, or None where there is no such level."""
    if re.fullmatch("[0-9]{1,2}", name):
        return min(int(name), logging.CRITICAL) or None
    return logging.DEBUG if name in _TALKATIVE else logging.getLevelNamesMapping().get(name) or None


def is_shown(record: logging.LogRecord) -> bool:
    """Whether a record is ours, or important enough although it is not."""
    return _is_own(record) or record.levelno >= logging.WARNING


def _is_own(record: logging.LogRecord) -> bool:
    """Whether our own code wrote it. The logger's name cannot tell: the SDK logs under the plugin's."""
    return record.pathname.startswith(_OWN_CODE)


class SafeFormatter(logging.Formatter):
    """One line for a record, and one for each frame of its exception; registered secrets are `***`.

    What cannot be seen in a line is escaped: whatever name is in it, it ends no line and moves no cursor.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def format(self, record: logging.LogRecord) -> str:
        """The whole text. It may be called while the code that logs is still on the stack, and only then."""
        return f"{moment(record.created)} {record.levelname} {self.text(record)}"

    def text(self, record: logging.LogRecord) -> str:
        """The sentence, and a line for each frame of its exception."""
        text = own_text(record) if _is_own(record) else foreign_text(record)
        error = record.exc_info[1] if record.exc_info else None
        lines = [text, *(describe(error) if error else ())]
        return "\n".join(escaped(self._secrets.sub("***", line) if self._secrets else line) for line in lines)


class StructuredFormatter(SafeFormatter):
    """One JSON object for a record, with the members that Meltano's parser of the SDK's structured logs wants."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole object, on one line."""
        return json.dumps(
            {
                "level": record.levelname.lower(),
                "message": self.text(record),
                "ts": record.created,
                "logger_name": record.name,
                "pid": record.process,
                "thread_name": record.threadName,
                "app_name": "singer-sdk",
            }
        )


def _wants_structure(environ: Mapping[str, str]) -> bool:
    """Whether Meltano's logging configuration asks for the SDK's structured logs. Of it, nothing else is heeded."""
    try:
        return "StructuredFormatter" in Path(environ.get("SINGER_SDK_LOG_CONFIG", "")).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def own_text(record: logging.LogRecord) -> str:
    """Our sentence with its arguments; without them where they do not fit it."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def foreign_text(record: logging.LogRecord) -> str:
    """Somebody else's sentence without its arguments, if it stands in their source as it is; and where that is."""
    text = record.msg if _is_literal(record) else _WITHHELD
    return f"{record.name}: {text} ({Path(record.pathname).name}:{record.lineno})"


def _is_literal(record: logging.LogRecord) -> bool:
    """Whether the message is a literal of the function that is logging it now: a built string can hold a value."""
    frame = inspect.currentframe()
    while frame and (frame.f_code.co_filename, frame.f_lineno) != (record.pathname, record.lineno):
        frame = frame.f_back
    return frame is not None and isinstance(record.msg, str) and record.msg in frame.f_code.co_consts


class Withheld(Exception):
    """Stands for an exception where a logging that is not ours may print it: its text is what `describe` says."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("\n".join(describe(error)))


def describe(error: BaseException) -> Iterator[str]:
    """An exception and what caused it, as lines: classes and places, no texts and no source lines."""
    if isinstance(error, Withheld):
        yield from str(error).splitlines()
        return
    met: set[int] = set()
    cause: BaseException | None = error
    while cause and id(cause) not in met:
        yield f"Caused by {_name(cause)}" if met else _name(cause)
        met.add(id(cause))
        for frame, line in deque(traceback.walk_tb(cause.__traceback__), maxlen=_FRAMES):
            yield f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}"
        if isinstance(cause, BaseExceptionGroup):
            yield from (f"  with {_name(one)}" for one in cause.exceptions)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _name(error: BaseException) -> str:
    """The class, with the text where it is one of ours."""
    name = type(error).__qualname__
    return f"{name}: {' '.join(faults(error))}" if isinstance(error, RunStopped) else name


def log_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """For `sys.excepthook`."""
    log.critical("The program ends by an exception that nothing took.", exc_info=error)


def log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    """For `threading.excepthook`. A thread that exits on purpose says nothing, as in Python's own hook."""
    if args.exc_type is not SystemExit:
        log.critical("A thread ends by an exception that nothing took.", exc_info=args.exc_value)


def log_unraisable(args: Any) -> None:
    """For `sys.unraisablehook`: Python's own prints the object, which may be a record."""
    log.error("An exception was ignored in a destructor or a callback.", exc_info=args.exc_value)


def log_warning(  # noqa: PLR0917 - the signature is Python's
    message: Warning | str,  # noqa: ARG001 - its text can hold a value
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the signature is Python's
    line: str | None = None,  # noqa: ARG001 - the same
) -> None:
    """For `warnings.showwarning`: what kind of warning, and where."""
    log.warning("%s at %s:%d.", category.__name__, filename, lineno)
