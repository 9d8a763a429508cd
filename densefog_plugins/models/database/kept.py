"""A connection that a thread outside of gevent's loop keeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


class Kept:
    """Lends a connection and keeps it afterwards.

    A heartbeat that opened one for each beat would lose its jobs when the server has no more to give. SQLAlchemy's own
    pools are not for its thread: their locks are gevent's. A deque needs none.

    Args:
        engine: one without a pool.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Connection] = deque(maxlen=1)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend one for the block; one that is broken is not kept."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
        try:
            yield connection
        finally:
            if connection.invalidated or self._idle:
                connection.close()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()
