"""The session of what runs here, and transactions that join each other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from densefog_core.actions.records import Request
from densefog_core.context import Scope, current_scope
from densefog_core.current import current_app, find_app
from densefog_core.errors import DBLockTimeoutError
from densefog_core.errors.iaas_error import ActionsPartialSuccessError
from densefog_plugins.models.database.database import Database, database
from densefog_plugins.models.database.dialects import is_lock_timeout

if TYPE_CHECKING:
    from densefog_core.app import App

_logger = logging.getLogger("densefog.models")

#: Execution option of what sessions do; the job store answers lock timeouts itself.
_OPTION = "densefog_session"
#: Where a session keeps what `after_commit` was given.
_CALLBACKS = "densefog_after_commit"


class _Engines(NamedTuple):
    """One engine with two sets of options; they share its pool."""

    reading: Engine
    writing: Engine


_engines: WeakKeyDictionary[Database, _Engines] = WeakKeyDictionary()


def _engines_of(found: Database) -> _Engines:
    engines = _engines.get(found)
    if engines is None:
        if found.embedded:
            # It creates its tables, which must not have to wait for the transaction that enqueues the first job.
            _ = current_app().store
        event.listen(found.engine, "handle_error", _translate)
        writing = found.engine.execution_options(**{_OPTION: True})
        engines = _engines.setdefault(found, _Engines(writing.execution_options(read_only=True), writing))
    return engines


def _translate(context: ExceptionContext) -> None:
    """Raise DBLockTimeoutError where a session's statement could not have a lock."""
    error, connection = context.sqlalchemy_exception, context.connection
    if connection is None or not isinstance(error, DBAPIError) or not is_lock_timeout(error):
        return
    # SQLite's BEGIN is tried again by the engine.
    if connection.get_execution_options().get(_OPTION) and not str(context.statement).startswith("BEGIN"):
        raise DBLockTimeoutError from context.original_exception


class ScopedSession(Session):
    """A session that knows what it has open.

    On SQLite a transaction that writes takes the one write lock when it begins, and one that reads must not wait for
    it: so the first statement decides which of the two it is, and within `transaction` all of them write.

    Attributes:
        database: where it reads and writes.
        scope: the request or job that it was made for, or None.
        depth: how many `transaction` blocks are around what runs here.
        doomed: what ended a joined block; the outermost one must not commit.
        wrote: whether rows were written or locked since the last commit.
    """

    def __init__(self, found: Database) -> None:
        super().__init__(expire_on_commit=False)
        self.database = found
        self._engines = _engines_of(found)
        self._chosen: Engine | None = None
        self.scope = current_scope()
        self.depth = 0
        self.doomed: BaseException | None = None
        self.wrote = False

    def get_bind(self, mapper: Any = None, *, clause: Any = None, **options: Any) -> Engine:  # noqa: ANN401
        """Return the engine for a statement; no ``clause`` means a flush."""
        reads = getattr(clause, "is_select", False) and getattr(clause, "_for_update_arg", None) is None
        if not reads and (clause is None or clause.is_dml):
            _refuse_in_reads(self.scope)
        self.wrote = self.wrote or not reads
        if self._chosen is None:
            self._chosen = self._engines.reading if reads and not self.depth else self._engines.writing
        return self._chosen

    @property
    def reads_only(self) -> bool:
        """Whether a transaction is open that on SQLite has begun without the write lock."""
        return self._chosen is self._engines.reading and self._engines.reading.dialect.name == "sqlite"

    @property
    def changed(self) -> bool:
        """Whether something is written, locked or changed that is not committed."""
        return bool(self.wrote or self.new or self.dirty or self.deleted)

    @property
    def unfinished(self) -> bool:
        """Whether a `transaction` is open, or something is changed that is not committed."""
        return bool(self.depth or self.changed)

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:  # noqa: ANN401
        """See SQLAlchemy's; the row is read though the object is here, as every query does it."""
        return super().get(entity, ident, **{"populate_existing": True, **options})

    def forget(self) -> None:
        """A transaction has ended."""
        self._chosen, self.wrote = None, False


#: Actions that were caught at writing although they only read.
_caught: set[str] = set()


def _refuse_in_reads(scope: Scope | None) -> None:
    """Raise when an action writes that declares that it only reads; in production it may, and is logged once."""
    if isinstance(scope, Request) and scope.read_only:
        text = f"action {scope.action} has effect 'read' and writes; declare what it does: @action(effect=...)"
        if current_app().strict:
            raise RuntimeError(text)
        if scope.action not in _caught:
            _caught.add(scope.action)
            _logger.error("%s", text)


@event.listens_for(ScopedSession, "do_orm_execute")
def _read_again(state: ORMExecuteState) -> None:
    """Let a query say what the rows are now, though a job still holds objects of an earlier transaction."""
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        state.update_execution_options(populate_existing=True)


class _Held(NamedTuple):
    thread: int
    session: ScopedSession


#: By application: two in one process must not write to each other's databases.
_sessions: ContextVar[Mapping[App, _Held]] = ContextVar("densefog_sessions", default={})  # noqa: B039
_open: WeakKeyDictionary[App, WeakSet[ScopedSession]] = WeakKeyDictionary()
_locking: ContextVar[bool] = ContextVar("densefog_locking", default=False)


def _here() -> ScopedSession | None:
    """Return the session of this thread or greenlet; what `carry` brought from another one is not it."""
    app = find_app()
    held = None if app is None else _sessions.get().get(app)
    return held.session if held is not None and held.thread == threading.get_ident() else None


def _carried() -> bool:
    """Return whether `carry` brought the session of another thread or greenlet here."""
    return current_app() in _sessions.get()


def current_session() -> ScopedSession:
    """Return the session of this request, job or thread; made when first asked for.

    The session of a request or job is closed when that ends; one made outside of both, or in a thread or greenlet of
    its own, when the outermost `transaction` around it ends.
    """
    found = _here()
    if found is None:
        app = current_app()
        found = ScopedSession(database(app))
        _sessions.set({**_sessions.get(), app: _Held(threading.get_ident(), found)})
        _open.setdefault(app, WeakSet()).add(found)
        scope = current_scope()
        if scope is not None:
            scope.on_teardown(partial(_end, found))
            scope.on_wait(end_reads)
    return found


def closing_session(scope: Scope) -> ScopedSession | None:
    """Return a session for the last words of a request or job that is over, or None.

    That is its own one if nothing is left open in it, or the caller's, if the call was made within its `transaction`.
    """
    found = _here()
    if found is None:
        return None
    if found.scope is not scope:
        return found if found.depth else None
    if found.unfinished:
        _end(found)
        return None
    return found


def close_session() -> None:
    """Close this context's session; an open transaction is rolled back, and logged when it had changed something."""
    found = _here()
    if found is not None:
        _end(found)


def _end(found: ScopedSession) -> None:
    _sessions.set({app: held for app, held in _sessions.get().items() if held.session is not found})
    if found.unfinished:
        _logger.warning("a session ends with an open transaction; it is rolled back")
    found.close()


def close_sessions(app: App) -> None:
    """Close all sessions of an application that shuts down; a later use of one of them opens it again."""
    for found in list(_open.pop(app, ())):
        _end(found)


def end_reads() -> None:
    """End the transaction of what runs here when it has only read, so that waiting holds no connection."""
    found = _here()
    if found is not None and found.in_transaction() and not found.changed and not found.in_nested_transaction():
        found.commit()


def in_transaction(of: Database | None = None) -> bool:
    """Return whether a `transaction` is open here, on the database ``of`` if that is given."""
    found = _here()
    return found is not None and bool(found.depth) and of in (None, found.database)


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Call ``callback`` once, when the session commits next; a rollback forgets it."""
    session.info.setdefault(_CALLBACKS, []).append(callback)


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if not session.in_nested_transaction():
        for callback in session.info.pop(_CALLBACKS, ()):
            callback()


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info.pop(_CALLBACKS, None)
        if isinstance(session, ScopedSession):
            session.forget()


class transaction(ContextDecorator):
    """Commit what the block writes, all or nothing; joins the transaction that is open already, if there is one.

    Works as a decorator and as a context manager, which gives the session::

        with transaction() as session:
            session.add(volume)
            enqueue("CreateVolumes", {"resource_ids": [volume.id]})

        @transaction
        def create(...): ...

    An ActionsPartialSuccessError that has results or a job says that something was done: it commits, and is raised all
    the same. When any other exception ends a block that joined, the outermost one rolls back even if that exception was
    caught in between, unless that was around a `savepoint`.

    Raises:
        DBLockTimeoutError: a row lock was not to be had in time.
        RuntimeError: a block that joined failed, and the outermost one ended as if it had not.
    """

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:  # noqa: ANN401, D102
        instance = super().__new__(cls)
        return instance if function is None else instance(function)

    def _recreate_cm(self) -> Self:
        return type(self)()

    def __enter__(self) -> ScopedSession:
        self._owned = _here() is None and (current_scope() is None or _carried())
        found = current_session()
        if found.depth == 0 and found.reads_only:
            # On SQLite what was read so far fixes what may be written now; elsewhere READ COMMITTED goes on.
            found.commit()
        found.depth += 1
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = current_session()
        found.depth -= 1
        if found.depth:
            found.doomed = found.doomed or (None if _commits(error) else error)
            return
        doomed, found.doomed = found.doomed, None
        try:
            if not _commits(error):
                found.rollback()
                if isinstance(error, DBAPIError) and is_lock_timeout(error):
                    raise DBLockTimeoutError from error
            elif doomed is not None:
                raise RuntimeError(
                    "rolled back: a transaction that joined this one failed and the error was caught; catch it around "
                    "savepoint()"
                ) from doomed
            else:
                found.commit()
        except BaseException:
            found.rollback()
            raise
        finally:
            if self._owned:
                close_session()


def _commits(error: BaseException | None) -> bool:
    return error is None or (isinstance(error, ActionsPartialSuccessError) and error.did_something)


@contextmanager
def savepoint() -> Iterator[ScopedSession]:
    """Undo the block alone when it raises; whoever catches that within `transaction` keeps what was done before it."""
    found = current_session()
    doomed = found.doomed
    try:
        with found.begin_nested():
            yield found
    except BaseException:
        found.doomed = doomed
        raise


@contextmanager
def lock_for_update() -> Iterator[None]:
    """Within the block, ``Model.get(...)`` locks the rows that it reads until the transaction ends.

    Raises:
        DBLockTimeoutError: a row lock was not to be had in time.
    """
    token = _locking.set(True)
    try:
        yield
    finally:
        _locking.reset(token)


def locking() -> bool:
    """Return whether `lock_for_update` is around here."""
    return _locking.get()


class _SessionProxy:
    """Stands for the current session; attribute access goes through."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(current_session(), name)

    def __repr__(self) -> str:
        return repr(current_session())


if TYPE_CHECKING:
    session: Session
else:
    session = _SessionProxy()
