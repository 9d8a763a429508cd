"""The application of this process, and how jobs are enqueued in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from densefog_core.app import App

_app: App | None = None
#: The application whose call or job runs here, when there are several in this process.
_serving: ContextVar[App | None] = ContextVar("densefog_serving", default=None)


def find_app() -> App | None:
    """Return the application whose call or job runs here, else that of this process; None before there is one."""
    return _serving.get() or _app


def current_app() -> App:
    """Return the application whose call or job runs here, else that of this process.

    Raises:
        RuntimeError: nothing was set up yet.
    """
    found = find_app()
    if found is None:
        raise RuntimeError(
            "densefog is not set up yet: call create_api() or create_worker(), or run under densefog-serve"
        )
    return found


class serving:
    """Make ``app`` the current one for the block, in this thread or greenlet alone.

    .. versionadded:: 1.0
    """

    # No generator: each call comes through here, and one costs a hundredth of it.
    __slots__ = ("_app", "_token")

    def __init__(self, app: App) -> None:
        self._app = app

    def __enter__(self) -> None:
        self._token = _serving.set(self._app)

    def __exit__(self, *exc: object) -> None:
        _serving.reset(self._token)


def set_current_app(app: App | None) -> App | None:
    """Make ``app`` the application of this process and return the one before it."""
    global _app
    before, _app = _app, app
    return before


def get_app() -> App:
    """Return this process's application, loaded and started; the first call makes it.

    Raises:
        StartupError: it cannot start.
    """
    app = find_app()
    if app is None:
        app = App().load()
        set_current_app(app)
    return app.start()


def enqueue(action: str, params: Mapping[str, Any] | None = None, **options: Any) -> str:  # noqa: ANN401
    """Put one job into the store, in the caller's open transaction when there is one.

    The job and the rows it is about so commit together or not at all.

    Args:
        action: a registered job.
        params: JSON object, at most 65,535 bytes; ``resource_ids`` lists the resources it is about.
        **options: ``project_id`` (default: that of the running request or job); ``run_at``, a datetime (naive is UTC)
            or a timedelta from now; ``try_period`` seconds and ``try_max`` (default: the handler's); ``key``, an
            idempotency key: the same action and key give the same job, however often they are enqueued.

    Returns:
        The job's id.

    Raises:
        JobRefused: no handler is installed, or the params do not fit; nothing was written.
    """
    return enqueue_many([{"action": action, "params": params, **options}])[0]


def enqueue_many(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Put many jobs into the store with one statement per few hundred.

    Args:
        jobs: the arguments of `enqueue` for each, as mappings.

    Returns:
        Their ids, in order.
    """
    app = current_app()
    return app.store.enqueue([app.new_job(**fields) for fields in jobs])
