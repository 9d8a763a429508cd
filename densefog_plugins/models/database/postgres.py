"""psycopg with a limit to waiting, in gevent's loop or without it.

psycopg itself waits without an end, and under gevent in C when it was imported before the standard library was made
cooperative.

PgBouncer refuses start-up ``options``, and in transaction mode a session's ``SET`` would reach other clients. So what
a statement needs goes before it, in one message, as ``SET LOCAL``.
"""

from __future__ import annotations

import select
from collections.abc import Generator
from typing import Any, Self, TypeVar

import psycopg
from gevent import monkey
from psycopg.waiting import Ready, Wait
from sqlalchemy import Engine, event

from densefog_plugins.models.database.aside import aside
from densefog_plugins.models.database.waits import Wait as InLoop

R = TypeVar("R")

#: Goes before each statement of `IndexCursor`. Sent together they are one transaction.
BY_INDEX = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; "

_get_ident = monkey.get_original("_thread", "get_ident")
_poll = monkey.get_original("select", "poll")


def set_up(engine: Engine, *, cooperative: bool, by_index: bool, prepared: str) -> None:
    """Limit the waiting of the engine's connections; ``read_timeout`` is taken out of what is given to psycopg.

    Args:
        engine: of psycopg.
        cooperative: wait in gevent's loop.
        by_index: read by an index, in its order; each statement is a transaction.
        prepared: ``on``, ``off``, or ``auto``: prepare statements unless a pooler is in between.
    """

    @event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, args: tuple[Any, ...], params: dict[str, Any]) -> PatientConnection:
        timeout = float(params.pop("read_timeout"))
        kind = CooperativeConnection if cooperative else PatientConnection
        if cooperative:
            # Resolving a host's name waits in C.
            connection: PatientConnection = aside(lambda: kind.connect(*args, **params))
        else:
            connection = kind.connect(*args, **params)
        connection.home, connection.read_timeout = _get_ident(), timeout
        connection.behind_pooler = _is_pooled(connection)
        if prepared == "off" or (prepared == "auto" and connection.behind_pooler):
            connection.prepare_threshold = None
        if by_index:
            connection.cursor_factory = IndexCursor
        return connection


def _is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Return whether a pooler is in between: the process that answers is not the one that the log-in named."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.rollback()
    return row is None or row[0] != connection.info.backend_pid


class IndexCursor(psycopg.ClientCursor[Any]):
    """A cursor whose statements read by an index; it binds parameters itself, since several statements take none."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401
        """Run a statement behind `BY_INDEX`, and stand at its own result."""
        super().execute(BY_INDEX + query, *args, **kwargs)
        while self.nextset():
            pass
        return self


class PatientConnection(psycopg.Connection[Any]):
    """A connection that gives up when no answer comes.

    A wait that is interrupted closes the connection: otherwise the next statement would read the answer to this one.

    Attributes:
        read_timeout: seconds without a byte from the server.
        behind_pooler: whether its session is not this client's alone.
        home: the thread in whose loop it may wait.
    """

    read_timeout = 60.0
    behind_pooler = False
    home: int | None = None

    def wait(self, gen: Generator[Wait, Ready | int, R], *args: object, **kwargs: object) -> R:
        """Run one of psycopg's generators, which say what they wait for."""
        try:
            state = next(gen)
            while True:
                state = gen.send(self._ready(state))
        except StopIteration as done:
            result: R = done.value
            return result

    def _ready(self, state: Wait) -> Ready:
        try:
            self._wait(self.pgconn.socket, state)
        except BaseException:
            self.pgconn.finish()
            raise
        # That it is ready for more than it is costs psycopg a call that does nothing.
        return Ready.RW if state & Wait.W else Ready.R

    def _wait(self, descriptor: int, state: Wait) -> None:
        if not _is_ready(descriptor, state, self.read_timeout):
            raise self._late()

    def _late(self) -> psycopg.OperationalError:
        return psycopg.OperationalError(f"the database did not answer within {self.read_timeout:g} s")


class CooperativeConnection(PatientConnection):
    """A connection that waits in the loop of the thread that made it, and in C when another thread uses it."""

    _reader: InLoop | None = None

    def close(self) -> None:
        """Close it, and before that what watches its socket."""
        self._forget()
        super().close()

    def _wait(self, descriptor: int, state: Wait) -> None:
        if _get_ident() != self.home:
            super()._wait(descriptor, state)
        elif state != Wait.R:
            # A socket can nearly always be written to: to ask is cheaper than a trip through the loop.
            if _is_ready(descriptor, state, 0):
                return
            # gevent's bits for reading and writing are psycopg's.
            writer = InLoop(descriptor, int(state), self.read_timeout, self._late)
            try:
                writer()
            finally:
                writer.close()
        else:
            if self._reader is None:
                self._reader = InLoop(descriptor, int(state), self.read_timeout, self._late)
            try:
                self._reader()
            except BaseException:
                self._forget()
                raise

    def _forget(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _is_ready(descriptor: int, state: Wait, seconds: float) -> bool:
    """Wait in C, at most so long."""
    poll = _poll()
    poll.register(descriptor, (select.POLLIN if state & Wait.R else 0) | (select.POLLOUT if state & Wait.W else 0))
    return bool(poll.poll(seconds * 1000))
