"""Waiting for a descriptor in gevent's loop, at the price of a small statement's few microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

#: What gevent calls readable and writable.
READ, WRITE = 1, 2


class Wait:
    """Waits for one descriptor again and again; one greenlet at a time, in the loop of the thread that makes it.

    ``hub.wait()`` and `gevent.Timeout` do the same, and take twice as long with what they make each time.

    Args:
        descriptor: of a socket; `close` must be called before it is closed.
        events: `READ`, `WRITE` or both.
        timeout: seconds.
        late: makes what is raised when they are over.
    """

    def __init__(self, descriptor: int, events: int, timeout: float, late: Callable[[], Exception]) -> None:
        self._hub = gevent.get_hub()
        self._watcher: Any = self._hub.loop.io(descriptor, events)
        self._timer: Any = self._hub.loop.timer(timeout)
        self._late = late

    def __call__(self) -> None:
        """Wait until it is ready."""
        greenlet = gevent.getcurrent()
        self._watcher.start(greenlet.switch, self)
        self._timer.start(self._throw, greenlet, update=True)
        try:
            while self._hub.switch() is not self:
                pass
        finally:
            self._watcher.stop()
            self._timer.stop()

    def _throw(self, greenlet: Any) -> None:  # noqa: ANN401
        greenlet.throw(self._late())

    def close(self) -> None:
        """Let go of the descriptor."""
        self._watcher.close()
        self._timer.close()
