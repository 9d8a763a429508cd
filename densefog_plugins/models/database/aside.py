"""What can only wait in C, in a thread of gevent's pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import gevent

R = TypeVar("R")


def aside(work: Callable[[], R]) -> R:
    """Do ``work`` in a thread, while other greenlets run; what it raises is raised here."""

    # An exception that leaves the thread is printed by gevent with its traceback, besides being raised here.
    def guarded() -> tuple[R | None, Exception | None]:
        try:
            return work(), None
        except Exception as exc:  # noqa: BLE001 - handed to the caller
            return None, exc

    result, error = gevent.get_hub().threadpool.apply(guarded)
    if error is not None:
        raise error
    return cast(R, result)
