"""mysqlclient under gevent: while a statement runs, other greenlets do.

mysqlclient waits in C, which stops gevent's loop: twenty SLEEP(0.2) in one process take 4 seconds. Its connection can
also send a statement and read the answer later; in between, this one waits in the loop. A small one costs the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

# What connecting imports must be there before: it happens in threads, and two of them at one import wait for each other
# for ever when importlib's locks are gevent's.
import MySQLdb.constants
import MySQLdb.converters  # noqa: F401
from gevent import monkey
from MySQLdb import OperationalError, ProgrammingError
from MySQLdb.connections import Connection
from sqlalchemy import Engine, event

from densefog_plugins.models.database.aside import aside
from densefog_plugins.models.database.waits import READ, Wait

R = TypeVar("R")

#: Errors of the MySQL client library: the connection was lost.
SERVER_LOST = 2013
#: Seconds in which a connection from the pool must answer a ping.
PING_TIMEOUT = 5.0
#: Seconds until a server that does not answer is given up, when the connection's arguments do not say.
READ_TIMEOUT = 60.0

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
        self._in_transaction = False
        self._wait: Wait | None = None
        self._wait_for_ping: Wait | None = None
        self._timeout = float(kwargs.get("read_timeout", READ_TIMEOUT))
        self._aside(lambda: Connection.__init__(self, *args, **kwargs))

    def query(self, query: bytes | bytearray) -> None:
        """Run a statement; its result is there afterwards."""
        self._in_transaction = True
        if _get_ident() != self._home:
            super().query(query)
            return
        if self._wait is None:
            self._wait = self._make_wait(self._timeout)
        self._query(query if type(query) is bytes else bytes(query), self._wait)

    def commit(self) -> None:
        """Commit; mysqlclient's own waits in C, as do the following ones."""
        self.query(b"COMMIT")
        self._in_transaction = False

    def rollback(self) -> None:
        """Roll back what there is; the pool asks for it each time that it takes a connection back."""
        if self._in_transaction:
            self.query(b"ROLLBACK")
            self._in_transaction = False

    def autocommit(self, on: bool) -> None:
        """Switch autocommit."""
        if self.get_autocommit() != bool(on):
            self.query(b"SET autocommit = %d" % on)

    def ping(self, *reconnect: bool) -> None:
        """Raise OperationalError when the connection is lost."""
        if _get_ident() != self._home:
            super().ping(*reconnect)
            return
        if self._wait_for_ping is None:
            self._wait_for_ping = self._make_wait(min(self._timeout, PING_TIMEOUT))
        self._query(b"DO 0", self._wait_for_ping)

    def next_result(self) -> int:
        """Go on to the next result of several; -1 when there is none.

        Whether its bytes have come is known to the client library only: waiting on the socket could last for ever.
        """
        return self._aside(super().next_result) if self.more_results() else -1

    def close(self) -> None:
        """Close it; a second time does nothing."""
        for wait in (self._wait, self._wait_for_ping):
            if wait is not None:
                wait.close()
        self._wait = self._wait_for_ping = None
        if self.open:
            super().close()

    def _make_wait(self, timeout: float) -> Wait:
        message = f"the database did not answer within {timeout:g} s"
        return Wait(self.fileno(), READ, timeout, lambda: OperationalError(SERVER_LOST, message))

    def _query(self, query: bytes, wait: Wait) -> None:
        if self._busy:
            raise ProgrammingError("a database connection is used by two greenlets at once")
        self._busy = True
        try:
            self.send_query(query)
            try:
                wait()
            except BaseException:
                self.close()
                raise
            self.read_query_result()
        finally:
            self._busy = False

    def _aside(self, work: Callable[[], R]) -> R:
        """Do what can only wait in C in a thread of gevent's pool."""
        if _get_ident() != self._home:
            return work()
        return aside(work)
