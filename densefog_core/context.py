"""What runs right now: the context id, and the ``request`` and ``current_job`` proxies.

One context variable holds the `Scope` of the request or job that this greenlet, thread or task works
for. Context variables belong to a greenlet as much as to a thread, so the transport and the worker
need no thread-local of their own.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from densefog_core.functions import guarded
from densefog_core.ids import ALPHABET

if TYPE_CHECKING:
    from densefog_core.app import App
    from densefog_core.jobs import Job, JobControl

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
    """One unit of work, a request or a job, and what must be closed when it ends."""

    context_id: str
    _teardowns: list[Callable[[], object]] | None = None

    def on_teardown(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when this request or job has ended, the last added first."""
        if self._teardowns is None:
            self._teardowns = []
        self._teardowns.append(callback)

    def teardown(self) -> None:
        """Run the callbacks; one that raises is logged and does not keep the others from running."""
        callbacks, self._teardowns = self._teardowns, None
        for callback in reversed(callbacks or ()):
            guarded(f"the clean-up {callback!r}", f"at the end of {self.context_id}", callback)


class Request(Scope):
    """One call of an action, as handlers and middleware see it.

    Middleware may set more attributes; ``project_id`` and ``access_key`` are the ones that densefog's own
    plugins agree on.

    Attributes:
        api: name of the API that serves the call, for example ``public``.
        action: the action's name.
        params: the whole body, ``action`` included.
        context_id: the id that log lines and ``X-Request-Id`` carry.
        headers: the HTTP headers; names compare without case where the transport is HTTP.
        remote_addr: the client's address, or None.
        project_id: the project on whose behalf the action runs, or None.
        access_key: id of the access key that authenticated the call, or None.
        path: the address that was called: ``/``, or ``/`` and the action's name.
        body: the request's body as it came.
        error: what ended the call, or None.
    """

    project_id: str | None = None
    access_key: str | None = None
    path: str = "/"
    body: bytes = b""
    error: BaseException | None = None

    def __init__(
        self,
        api: str,
        action: str,
        params: dict[str, Any],
        *,
        context_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        remote_addr: str | None = None,
    ) -> None:
        self.api = api
        self.action = action
        self.params = params
        self.context_id = context_id or new_context_id()
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.remote_addr = remote_addr


class RunningJob(Scope):
    """One try of a job, as its handler sees it through ``current_job``.

    Attributes:
        job: the job's record as it was claimed.
        is_last_chance: whether a failure of this try ends the job.
        context_id: the last 4 characters of the job's id.
    """

    def __init__(self, job: Job, control: JobControl) -> None:
        self.job = job
        self.is_last_chance = job.trys >= job.try_max
        self.context_id = job.id[-4:]
        self._control = control

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - forwards to the record
        return getattr(self.job, name)

    def progress(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Write ``value`` (JSON) to the job's ``result`` while it runs.

        Raises:
            LeaseLost: another worker has taken the job over; stop working on it.
            TypeError, ValueError: it is not JSON.
        """
        from densefog_core.jobs.running import storable

        self._control.progress(self.job, storable(value))

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` without blocking other jobs; interrupted by timeout, cancel and shutdown."""
        self._control.sleep(seconds)


_scope: ContextVar[Scope | None] = ContextVar("densefog_scope", default=None)


def current_scope() -> Scope | None:
    """Return the request or job that runs here, or None."""
    return _scope.get()


def get_context_id() -> str:
    """Return the id of the request or job that runs here, or ``-`` when none does."""
    scope = _scope.get()
    return "-" if scope is None else scope.context_id


@contextmanager
def entered(scope: S) -> Iterator[S]:
    """Make ``scope`` the current one for the block; its teardowns run at the end."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        try:
            scope.teardown()
        finally:
            _scope.reset(token)


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


class _Proxy:
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


if TYPE_CHECKING:
    request: Request
    current_job: RunningJob
else:
    request = _Proxy(Request, "request")
    current_job = _Proxy(RunningJob, "job")


_app: App | None = None


def find_app() -> App | None:
    """Return the application of this process, or None before there is one."""
    return _app


def current_app() -> App:
    """Return the application of this process.

    Raises:
        RuntimeError: nothing was set up yet.
    """
    if _app is None:
        raise RuntimeError(
            "densefog is not set up yet: call create_api() or create_worker(), or run under densefog-serve"
        )
    return _app


def set_current_app(app: App | None) -> App | None:
    """Make ``app`` the application of this process and return the one before it."""
    global _app
    before, _app = _app, app
    return before
