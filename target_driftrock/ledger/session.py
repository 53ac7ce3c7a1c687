"""A session of PostgreSQL's driver that does not wait for ever: a server may hang and its machine still answer TCP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import Connection, OperationalError

if TYPE_CHECKING:
    from psycopg.abc import PQGen

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds for each answer: by then the server itself has ended a statement, if it can."""


class Session(Connection[Any]):
    """One that is closed when an answer takes longer than its patience."""

    patience: float = PATIENCE

    def wait(self, gen: PQGen[T], *arguments: Any, **others: Any) -> T:
        """See `Connection.wait`, on which all that it asks of a server goes."""
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **others)
        except TimeoutError:
            self.close()  # what is asked next would wait behind this
            raise OperationalError("timeout expired") from None


def _limited(gen: PQGen[T], seconds: float) -> PQGen[T]:
    """The driver goes on at every sign of the server, and ten times a second without one."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise TimeoutError
            wanted = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
