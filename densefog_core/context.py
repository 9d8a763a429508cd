"""What runs right now: the scope of a request or a job, its context id, and how proxies find it.

One context variable holds the `Scope` of the request or job that this greenlet, thread or task works
for. Context variables belong to a greenlet as much as to a thread, so the transport and the worker
need no thread-local of their own.
"""

from __future__ import annotations

import os
import random
import re
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, NoReturn, ParamSpec, TypeVar

from densefog_core.functions import guarded
from densefog_core.ids import ALPHABET
from densefog_core.redact.declared import scope

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Scope")

_PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
_COMBINATIONS = len(_PAIRS) ** 2
_inbound_id = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch


def new_context_id() -> str:
    """Return ``ctx-<greenlet or thread id>-<4 characters>``: a label for log lines, not a secret."""
    first, second = divmod(int(random.random() * _COMBINATIONS), len(_PAIRS))
    return f"ctx-{threading.get_ident()}-{_PAIRS[first]}{_PAIRS[second]}"


def context_id_for(inbound: str | None) -> str:
    """Return the ``X-Request-Id`` that a client sent, or a new id when it sent none that can stand in a log line."""
    return inbound if inbound and _inbound_id(inbound) else new_context_id()


class Scope:
    """One unit of work, a request or a job, and what must be closed when it ends.

    Attributes:
        context_id: the id that log lines carry.
        project_id: the project on whose behalf it runs, or None.
        secrets: values that were declared as `Secret` here; they are hidden wherever they turn up.
    """

    context_id: str
    project_id: str | None = None
    secrets: set[str] | None = None
    _teardowns: list[Callable[[], object]] | None = None
    _waits: tuple[Callable[[], object], ...] = ()

    def named_secrets(self) -> Collection[str]:
        """Return the values in its parameters that only their names tell to be secrets."""
        return ()

    def on_teardown(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when this request or job has ended, the last added first."""
        if self._teardowns is None:
            self._teardowns = []
        self._teardowns.append(callback)

    def on_wait(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` whenever this job begins to wait, to let go of what it need not keep meanwhile.

        .. versionadded:: 1.0
        """
        if callback not in self._waits:
            self._waits += (callback,)

    def teardown(self) -> None:
        """Run the callbacks; one that raises is logged and does not keep the others from running."""
        callbacks, self._teardowns = self._teardowns, None
        for callback in reversed(callbacks or ()):
            guarded(f"the clean-up {callback!r}", f"at the end of {self.context_id}", callback)


_scope: ContextVar[Scope | None] = scope


def current_scope() -> Scope | None:
    """Return the request or job that runs here, or None."""
    return _scope.get()


def get_context_id() -> str:
    """Return the id of the request or job that runs here, or ``-`` when none does."""
    scope = _scope.get()
    return "-" if scope is None else scope.context_id


@contextmanager
def entered(scope: S) -> Iterator[S]:
    """Make ``scope`` the current one for the block; its teardowns run at the end.

    A process that the block forks ends with the block: it must not answer the call or write the outcome a second time,
    over connections that are its parent's.
    """
    token, pid = _scope.set(scope), os.getpid()
    try:
        yield scope
    finally:
        if os.getpid() != pid:
            _end_process()
        try:
            scope.teardown()
        finally:
            _scope.reset(token)


def _end_process() -> NoReturn:
    """End this process without the clean-up that is its parent's; an exception makes its exit code 1."""
    error = sys.exception()
    if error is not None:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if error is None else 1)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` bound to the current context, to be run in another thread or greenlet.

    A new thread or greenlet starts with an empty context, so without it a log line written there carries
    no context id and ``request`` is not available::

        gevent.spawn(carry(ask_provider), volume_id)
    """
    context = copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried


class Proxy:
    """Stands for the current scope when it is of one kind; attribute access goes through."""

    __slots__ = ("_kind", "_what")
    _kind: type[Scope]
    _what: str

    def __init__(self, kind: type[Scope], what: str) -> None:
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_what", what)

    def _get_current_object(self) -> Scope:
        scope: Scope | None = _scope.get()
        if isinstance(scope, self._kind):
            return scope
        raise RuntimeError(
            f"no {self._what} runs here; in a new thread or greenlet, start it with context.carry(function)"
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._get_current_object(), name, value)

    def __bool__(self) -> bool:
        return isinstance(_scope.get(), self._kind)

    def __repr__(self) -> str:
        scope = _scope.get()
        return repr(scope) if isinstance(scope, self._kind) else f"<no {self._what} runs here>"
