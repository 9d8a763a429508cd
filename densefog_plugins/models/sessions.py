"""The session of what runs here, and transactions that join each other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from densefog_core.context import current_scope
from densefog_core.errors import DBLockTimeoutError
from densefog_plugins.models.database import database
from densefog_plugins.models.dialects import is_lock_timeout

_logger = logging.getLogger("densefog.models")
_session: ContextVar[Session | None] = ContextVar("densefog_session", default=None)
_locking: ContextVar[bool] = ContextVar("densefog_locking", default=False)

_DEPTH = "densefog_depth"


def current_session() -> Session:
    """Return the session of this request, job or thread; made when first asked for.

    The session of a request or job is closed when that ends; one made outside of both, when the outermost
    `transaction` around it ends.
    """
    found = _session.get()
    if found is None:
        found = database().sessions()
        _session.set(found)
        scope = current_scope()
        if scope is not None:
            scope.on_teardown(close_session)
    return found


def close_session() -> None:
    """Close this context's session; an open transaction is rolled back, and logged when it had changed something."""
    found = _session.get()
    if found is None:
        return
    _session.set(None)
    if found.info.get(_DEPTH) or found.new or found.dirty or found.deleted:
        _logger.warning("a session ends with an open transaction; it is rolled back")
    found.close()


def in_transaction() -> bool:
    """Return whether a `transaction` is open here."""
    found = _session.get()
    return found is not None and bool(found.info.get(_DEPTH))


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Call ``callback`` once, when the session commits next; a rollback forgets it."""

    def committed(session: Session) -> None:
        if not session.in_nested_transaction():
            callback()

    event.listen(session, "after_commit", committed, once=True)


class transaction(ContextDecorator):  # noqa: N801 - used like a function, as a decorator and in a with statement
    """Commit what the block writes, all or nothing; joins the transaction that is open already, if there is one.

    Works as a decorator and as a context manager, which gives the session::

        with transaction() as session:
            session.add(volume)
            enqueue("CreateVolumes", {"resource_ids": [volume.id]})

        @transaction
        def create(...): ...

    Raises:
        DBLockTimeoutError: a row lock was not to be had in time.
    """

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:  # noqa: ANN401, D102
        instance = super().__new__(cls)
        return instance if function is None else instance(function)

    def _recreate_cm(self) -> Self:
        return type(self)()  # type: ignore[no-any-return]

    def __enter__(self) -> Session:
        self._owned = _session.get() is None and current_scope() is None
        found = current_session()
        depth = found.info.get(_DEPTH, 0)
        if depth == 0 and found.in_transaction():
            # What was only read so far must not fix the snapshot, nor SQLite's read lock, of what is written now.
            found.commit()
        found.info[_DEPTH] = depth + 1
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = current_session()
        found.info[_DEPTH] -= 1
        if found.info[_DEPTH]:
            return
        try:
            if error is None:
                found.commit()
            else:
                found.rollback()
        except BaseException:
            found.rollback()
            raise
        finally:
            if self._owned:
                close_session()
        _raise_lock_timeout(error)


def _raise_lock_timeout(error: BaseException | None) -> None:
    if isinstance(error, DBAPIError) and is_lock_timeout(error):
        raise DBLockTimeoutError from error


@contextmanager
def lock_for_update() -> Iterator[None]:
    """Within the block, ``Model.get(...)`` locks the rows that it reads until the transaction ends.

    Raises:
        DBLockTimeoutError: a row lock was not to be had in time.
    """
    token = _locking.set(True)
    try:
        yield
    except DBAPIError as exc:
        _raise_lock_timeout(exc)
        raise
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
