"""The session of what runs here, and transactions that join each other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from densefog_core.context import current_scope
from densefog_core.errors import DBLockTimeoutError
from densefog_core.errors.iaas_error import ActionsPartialSuccessError
from densefog_plugins.models.database import Database, database
from densefog_plugins.models.dialects import is_lock_timeout

_logger = logging.getLogger("densefog.models")

#: Execution option of what sessions do; the job store answers lock timeouts itself.
_OPTION = "densefog_session"


class _Engines(NamedTuple):
    """One engine with two sets of options; they share its pool."""

    reading: Engine
    writing: Engine


_engines: WeakKeyDictionary[Database, _Engines] = WeakKeyDictionary()


def _engines_of(found: Database) -> _Engines:
    engines = _engines.get(found)
    if engines is None:
        event.listen(found.engine, "handle_error", _translate)
        writing = found.engine.execution_options(**{_OPTION: True})
        engines = _engines.setdefault(found, _Engines(writing.execution_options(read_only=True), writing))
    return engines


def _translate(context: ExceptionContext) -> None:
    """Raise DBLockTimeoutError where a session's statement could not have a lock."""
    error, connection = context.sqlalchemy_exception, context.connection
    if connection is None or not isinstance(error, DBAPIError) or not is_lock_timeout(error):
        return
    if connection.get_execution_options().get(_OPTION):
        raise DBLockTimeoutError from context.original_exception


class ScopedSession(Session):
    """A session that knows what it has open.

    On SQLite a transaction that writes takes the one write lock when it begins, and one that reads must not wait for it: so
    the first statement decides which of the two it is, and within `transaction` all of them write.

    Attributes:
        depth: how many `transaction` blocks are around what runs here.
        doomed: what ended a joined block; the outermost one must not commit.
        wrote: whether rows were written or locked since the last commit.
    """

    def __init__(self, found: Database) -> None:
        super().__init__(expire_on_commit=False)
        self._engines = _engines_of(found)
        self._chosen: Engine | None = None
        self.depth = 0
        self.doomed: BaseException | None = None
        self.wrote = False
        event.listen(self, "after_transaction_end", _forget)

    def get_bind(self, mapper: Any = None, *, clause: Any = None, **options: Any) -> Engine:  # noqa: ANN401
        """Return the engine for a statement; no ``clause`` means a flush."""
        reads = getattr(clause, "is_select", False) and getattr(clause, "_for_update_arg", None) is None
        self.wrote = self.wrote or not reads
        if self._chosen is None:
            self._chosen = self._engines.reading if reads and not self.depth else self._engines.writing
        return self._chosen


def _forget(session: ScopedSession, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session._chosen, session.wrote = None, False


class _Held(NamedTuple):
    thread: int
    session: ScopedSession


_session: ContextVar[_Held | None] = ContextVar("densefog_session", default=None)
_locking: ContextVar[bool] = ContextVar("densefog_locking", default=False)


def _here() -> ScopedSession | None:
    """Return the session of this thread or greenlet; what `carry` brought from another one is not it."""
    held = _session.get()
    return held.session if held is not None and held.thread == threading.get_ident() else None


def current_session() -> ScopedSession:
    """Return the session of this request, job or thread; made when first asked for.

    The session of a request or job is closed when that ends; one made outside of both, or in a thread or greenlet of its own,
    when the outermost `transaction` around it ends.
    """
    found = _here()
    if found is None:
        found = ScopedSession(database())
        _session.set(_Held(threading.get_ident(), found))
        scope = current_scope()
        if scope is not None:
            scope.on_teardown(partial(_end, found))
    return found


def close_session() -> None:
    """Close this context's session; an open transaction is rolled back, and logged when it had changed something."""
    found = _here()
    if found is not None:
        _end(found)


def _end(found: ScopedSession) -> None:
    if _here() is found:
        _session.set(None)
    if found.depth or found.wrote or found.new or found.dirty or found.deleted:
        _logger.warning("a session ends with an open transaction; it is rolled back")
    found.close()


def in_transaction() -> bool:
    """Return whether a `transaction` is open here."""
    found = _here()
    return found is not None and bool(found.depth)


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Call ``callback`` once, when the session commits next; a rollback forgets it."""
    callbacks: list[Callable[[], object]] = session.info.setdefault("after_commit", [])
    if not callbacks:
        event.listen(session, "after_transaction_end", partial(_call_back, callbacks), once=False)
    callbacks.append(callback)


class transaction(ContextDecorator):  # noqa: N801 - used like a function, as a decorator and in a with statement
    """Commit what the block writes, all or nothing; joins the transaction that is open already, if there is one.

    Works as a decorator and as a context manager, which gives the session::

        with transaction() as session:
            session.add(volume)
            enqueue("CreateVolumes", {"resource_ids": [volume.id]})

        @transaction
        def create(...): ...

    An ActionsPartialSuccessError that has results says that something was done: it commits, and is raised all the same. When
    any other exception ends a block that joined, the outermost one rolls back even if that exception was caught in between.

    Raises:
        DBLockTimeoutError: a row lock was not to be had in time.
        RuntimeError: a block that joined failed, and the outermost one ended as if it had not.
    """
