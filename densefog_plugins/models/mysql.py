"""mysqlclient under gevent: while a statement runs, other greenlets do.

mysqlclient waits in C, which stops gevent's loop: twenty SLEEP(0.2) in one process take 4 seconds. Its connection can
also send a statement and read the answer later; in between, this one waits in the loop. A small one costs the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent import monkey
from MySQLdb import OperationalError, ProgrammingError
from MySQLdb.connections import Connection
from sqlalchemy import Engine, event

from densefog_plugins.models.aside import aside

R = TypeVar("R")

#: Errors of the MySQL client library: the connection was lost.
SERVER_LOST = 2013
#: Seconds in which a connection from the pool must answer a ping.
PING_TIMEOUT = 5.0
#: What gevent calls readable.
READ = 1

_get_ident = monkey.get_original("_thread", "get_ident")


def make_cooperative(engine: Engine) -> None:
    """Let the engine's connections wait in gevent's loop."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, args: tuple[Any, ...], params: dict[str, Any]) -> Connection:
        return CooperativeConnection(*args, **params)


class CooperativeConnection(Connection):  # type: ignore[misc]
    """A connection that waits in the loop of the thread that made it, and in C when another thread uses it.

    A wait that is interrupted, by a timeout, by the end of its greenlet or because no answer comes, closes
    the connection: otherwise the next statement would read the answer to this one. The server finishes the statement
    all the same. The rows of a result are read in C: those of a large one should be streamed in pages.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - mysqlclient's
        self._home = _get_ident()
        self._busy = False
        self._watcher: Any = None
        self._timeout: float | None = kwargs.get("read_timeout")
        self._aside(lambda: Connection.__init__(self, *args, **kwargs))

    def query(self, query: bytes | bytearray | str) -> None:
        """Run a statement; its result is there afterwards."""
        self._query(query.encode() if isinstance(query, str) else bytes(query), self._timeout)

    def commit(self) -> None:
        """Commit; mysqlclient's own waits in C, as do the following ones."""
        self.query(b"COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        self.query(b"ROLLBACK")

    def autocommit(self, on: bool) -> None:
        """Switch autocommit."""
        if self.get_autocommit() != bool(on):
            self.query(b"SET autocommit = %d" % on)

    def ping(self, *reconnect: bool) -> None:
        """Raise OperationalError when the connection is lost."""
        self._query(b"DO 0", PING_TIMEOUT if self._timeout is None else min(self._timeout, PING_TIMEOUT))

    def next_result(self) -> int:
        """Go on to the next result of several; -1 when there is none.

        Whether its bytes have come is known to the client library only: waiting on the socket could last for ever.
        """
        return self._aside(super().next_result) if self.more_results() else -1

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        if self.open:
            super().close()

    def _query(self, query: bytes, timeout: float | None) -> None:
        if _get_ident() != self._home:
            super().query(query)
            return
        if self._busy:
            raise ProgrammingError("a database connection is used by two greenlets at once")
        self._busy = True
        try:
            self.send_query(query)
            self._wait(timeout)
            self.read_query_result()
        finally:
            self._busy = False

    def _wait(self, timeout: float | None) -> None:
        hub = gevent.get_hub()
        if self._watcher is None:
            self._watcher = hub.loop.io(self.fileno(), READ)
        late = OperationalError(SERVER_LOST, f"the database did not answer within {timeout} s")
        timer = gevent.Timeout.start_new(timeout, late)
        try:
            hub.wait(self._watcher)
        except BaseException:
            self.close()
            raise
        finally:
            timer.close()

    def _aside(self, work: Callable[[], R]) -> R:
        """Do what can only wait in C in a thread of gevent's pool."""
        if _get_ident() != self._home:
            return work()
        return aside(work)
